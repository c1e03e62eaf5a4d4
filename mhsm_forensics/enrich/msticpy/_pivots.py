"""Our questions as pivot functions of msticpy's entities."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Final

import pandas as pd

from ... import analyse, engine
from ...case import Case
from ...errors import InputError
from ._library import needs_msticpy

Answers = Callable[..., pd.DataFrame]

# entity -> what it may be to `analyse.touching`, and where msticpy may keep its name, the most certain first
_ENTITIES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "IpAddress": (("caller_ip",), ("Address",)),
    "Account": (("principal",), ("AadUserId", "Upn", "qualified_name", "Name", "DisplayName")),
    "ServicePrincipal": (("principal", "app_id"), ("ServicePrincipalObjectId", "AppId", "ServicePrincipalName")),
    "Host": (("hsm",), ("fqdn", "HostName")),
    "AzureResource": (("hsm",), ("ResourceId",)),
}
_MET: Final = {
    "principals": "principal", "caller_ips": "caller_ip", "keys": "key", "clients": "client", "hsms": "hsm",
    "operations": "operation",
}  # fmt: skip
_FRAMES: Final = ("met", "denials", "hours", "sessions", "tokens", "departures")
# What msticpy's pivots call their input, and the column of one that is a table.
_INPUTS: Final = ("data", "value", "input")
_COLUMNS: Final = ("column", "input_column", "input_col", "src_column", "src_col")
QUESTIONS: Final = ("profile", "events", *_MET, *_FRAMES)


@dataclass(frozen=True)
class _Asked:
    """The events that the pivots ask, until others are registered."""

    events: Any

    @cached_property
    def known(self) -> pd.DataFrame:
        return analyse.entities(self.events)

    def about(self, held: engine.Session, question: str, **asked: str) -> pd.DataFrame:
        """Return what one question says about one thing."""
        if question == "events":
            return analyse.rows(analyse.touching(held, **asked))
        case = self.events if isinstance(self.events, Case) else None
        since, zone = (case.t0, case.display_zone) if case else (None, None)
        found = analyse.profile(held, known=self.known, since=since, zone=zone, **asked)
        if question == "profile":
            return found.summary[found.summary["events"] > 0]
        if question in _FRAMES:
            return pd.DataFrame(getattr(found, question))
        met = found.met[(found.met["kind"] == _MET[question]) & found.met["value"].notna()]
        return met.reset_index(drop=True)


def register(events: Any, *, container: str = "mhsm") -> None:
    """Our questions as pivot functions: ``IpAddress.mhsm.profile("192.0.2.1")``, ``Account.mhsm.events(frame, column="upn")``.

    In the container of `IpAddress`, `Account`, `ServicePrincipal`, `Host` and `AzureResource` (these two name the managed
    HSM): ``profile`` (one row per value), ``events``, ``principals``, ``caller_ips``, ``keys``, ``clients``, ``hsms``,
    ``operations``, ``met``, ``denials``, ``hours``, ``sessions``, ``tokens``, ``departures``. Each takes a value, a list, an
    entity, or a DataFrame with ``column=…`` and ``join=…``. On an entity: ``IpAddress(Address="192.0.2.1").mhsm_profile()``.
    All the evidence is asked, however old it is. Registered again, the new events take the place of the old ones.

    Parameters
    ----------
    events
        A case, its events, or a DataFrame with the columns of events.
    container
        Name under which the entities keep the functions.

    Raises
    ------
    InputError
        msticpy can't be loaded. A pivot: a join that would multiply rows.

    References
    ----------
    https://msticpy.readthedocs.io/en/latest/data_analysis/PivotFunctions.html
    """
    with needs_msticpy():
        from msticpy.datamodel import entities
        from msticpy.init.pivot_core.pivot_container import PivotContainer

    held = _Asked(events)
    for name in _ENTITIES:
        functions = PivotContainer()
        for question in QUESTIONS:
            function = _pivot(held, name, question)
            setattr(functions, question, function)
            setattr(getattr(entities, name), f"{container}_{question}", function)
        setattr(getattr(entities, name), container, functions)


def _pivot(held: _Asked, entity: str, question: str) -> Answers:
    """Return the function that msticpy calls: its own, around one that asks each value once."""
    from msticpy.init.pivot_core.pivot_register import PivotRegistration, create_pivot_func

    kinds, attributes = _ENTITIES[entity]

    def ask(data: pd.DataFrame, column: str) -> pd.DataFrame:
        return _each(held, question, kinds, data[column])

    ask.__name__, ask.__doc__ = question, f"What `analyse` says: {question} of a {kinds[0].replace('_', ' ')}."
    settings = PivotRegistration(
        src_func_name=question, input_type="dataframe", entity_map={entity: attributes[0]}, func_df_param_name="data",
        func_df_col_param_name="column", func_out_column_name="asked",
    )  # fmt: skip
    theirs = create_pivot_func(ask, settings)

    @wraps(theirs)
    def pivot(*values: Any, **options: Any) -> pd.DataFrame:
        given = [_named(value, entity, attributes) for value in values]
        named = {name: _named(options[name], entity, attributes) for name in _INPUTS if name in options}
        if options.get("join") and question != "profile":
            _refuse_explosion([*given, *named.values()], options)
        answer: pd.DataFrame = theirs(*given, **(options | named))
        return answer

    return pivot


def _named(value: Any, entity: str, attributes: tuple[str, ...]) -> Any:
    """Return the name of an entity; anything else as it is. Of a list of entities or a Series, msticpy makes nulls."""
    if type(value).__name__ == entity:
        names = (getattr(value, attribute, None) for attribute in attributes)
        return next((name for name in names if isinstance(name, str) and name), None)
    if pd.api.types.is_list_like(value) and not isinstance(value, pd.DataFrame):
        return [_named(one, entity, attributes) for one in value]
    return value


def _refuse_explosion(given: list[Any], options: dict[str, Any]) -> None:
    column = next((options[name] for name in _COLUMNS if name in options), None)
    for values in given:
        asked = pd.Series(values.get(column) if isinstance(values, pd.DataFrame) else values, dtype=object).dropna()
        if asked.duplicated().any():
            raise InputError(
                f"{column or 'value'}: {asked.nunique():,} different ones among {len(asked):,}; joined to many rows each, "
                "they would multiply. Hint: drop the duplicates, no join, or .profile, which has one row per value."
            )


def _each(asked: _Asked, question: str, kinds: tuple[str, ...], values: pd.Series[Any]) -> pd.DataFrame:
    """Return the answers about every different value, each under the value as it was written."""
    found = []
    with closing(engine.Session(asked.events)) as held:
        for value in dict.fromkeys(one for one in values if isinstance(one, str)) or [""]:
            answer = asked.about(held, question, **_as_what(held, kinds, value))
            answer.insert(0, "asked", pd.Series(value, answer.index, "string[pyarrow]"))
            found.append(answer)
    # An answer without a row still has the columns that a join needs.
    return pd.concat([answer for answer in found if len(answer)] or found[:1], ignore_index=True)


def _as_what(held: engine.Session, kinds: tuple[str, ...], value: str) -> dict[str, str]:
    """Return what a value is asked as: the first that the events know it as."""
    for kind in kinds[:-1]:
        if len(engine.run(analyse.touching(held, **{kind: value}), "SELECT 1 AS found FROM events LIMIT 1")):
            return {kind: value}
    return {kinds[-1]: _spelled(kinds[-1], value)}


def _spelled(kind: str, value: str) -> str:
    """Return a value as the events spell it.

    >>> _spelled("caller_ip", "::ffff:192.0.2.1"), _spelled("hsm", "https://Contoso-HSM.managedhsm.azure.net/keys")
    ('192.0.2.1', 'contoso-hsm')
    """
    if kind == "caller_ip":
        with suppress(ValueError):
            address = ipaddress.ip_address(value.strip())
            return str(getattr(address, "ipv4_mapped", None) or address)
    if kind == "hsm":
        name = value.strip().lower().partition("/managedhsms/")[2] or value.strip().lower().partition("://")[2]
        return (name or value.strip().lower()).partition("/")[0].partition(".")[0]
    return value
