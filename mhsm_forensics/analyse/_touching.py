"""Everything that touches an identity, an address, a key, a client, whatever way the log writes it."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

from .. import engine, schema
from ..errors import InputError
from ..identifiers import key_name_of
from ._names import actors, called_by, names

if TYPE_CHECKING:
    import pandas as pd

# What can be asked about, and the events that it touches; identities and addresses are found by all their spellings.
TESTS: Final = {
    "principal": "(actor IN (:spellings) OR (actor IS NULL AND principal = :principal_0))",
    "object_id": "object_id = lower(:object_id)",
    "app_id": "app_id = lower(:app_id)",
    "caller_ip": "(caller_ip IN (:spellings) OR token_ip IN (:spellings))",
    "key": "(key_name = :key OR key = :key)",
    "hsm": "hsm = lower(:hsm)",
    "client": "(client = :client OR client_info = :client)",
    "operation": "operation = :operation",
    "token_id": "token_id = :token_id",
    "correlation_id": "correlation_id = :correlation_id",
}
# What a profile and the list of entities look at.
COLUMNS: Final = (
    "event_id", "time", "t", "hsm", "operation", "operation_class", "effect", "outcome", "http_status", "actor",
    "principal", "principal_type", "object_id", "upn", "managed_identity_id", "app_id", "caller_ip", "token_ip", "token_id",
    "client", "client_info", "key", "key_name", "scope", "setting", "result_signature", "correlation_id",
    *(name for name in schema.ORDER if name not in ("t", "event_id")),
)  # fmt: skip


def touching(events: Any, **asked: str | None) -> engine.Picked:
    """Whatever touches an entity; every question takes the answer as it takes a case.

    Parameters
    ----------
    events
        Columns of events that name the entity.
    asked
        One or more of these, each of which must hold; one that is None is not asked:

        * ``principal``: a label, user name, object id, application id or resource id of a managed identity, in any case. All
          that the same actor did belongs to it even where its label differs; of two actors with one label, both.
        * ``caller_ip``: an address in any spelling, or a network such as ``192.0.2.0/24``; events whose token was
          issued to it count too.
        * ``key`` (its name in any case; with ``hsm``, or as in ``contoso/kek``, where two HSMs have one of that name),
          ``client`` (its short name, or the whole client string),
          ``object_id``, ``app_id``, ``operation``, ``token_id``, ``correlation_id``.

    Returns
    -------
    The events, not read yet: hand them to `rows` or to any other question.

    Raises
    ------
    InputError
        Nothing was asked about, or something that can't be.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> rows(touching(example(), principal="o1"))["event_id"].tolist()
    ['e:1', 'e:2']
    >>> rows(touching(example(), caller_ip="192.0.2.8/30"))["event_id"].tolist()
    ['e:3']
    """
    given = {name: value for name, value in asked.items() if value is not None}
    if not given or not given.keys() <= TESTS.keys():
        wrong = ", ".join(given.keys() - TESTS.keys()) or "nothing"
        raise InputError(f"{wrong}: can't be asked about. Hint: one or more of {', '.join(TESTS)}.")
    tests: list[str] = []
    values: dict[str, str] = {}
    for name, value in given.items():
        test, bound = _test(events, name, str(value))
        tests.append(test)
        values |= bound
    return engine.Picked(events, " AND ".join(tests), values)


def _test(events: Any, name: str, value: str) -> tuple[str, dict[str, str]]:
    """SQL of one test, and its values by the names that it gives them."""
    spellings = {"principal": _identities, "caller_ip": _addresses}
    if name == "key":
        return TESTS[name], {name: key_name_of(value)}
    if name not in spellings:
        return TESTS[name], {name: value}
    values = {f"{name}_{number}": other for number, other in enumerate(spellings[name](events, value))}
    return TESTS[name].replace(":spellings", ", ".join(f":{bound}" for bound in values)), values


def rows(events: Any) -> pd.DataFrame:
    """The events themselves, in order: what a number of another answer counts.

    Parameters
    ----------
    events
        Columns ``t``, ``event_id``; most useful with what `touching` picked.

    Returns
    -------
    The columns of events; one row per event, by time.
    """
    return engine.query(events, "rows")


def entities(events: Any) -> pd.DataFrame:
    """Every value that can be asked about: since when, how often, and how it ended.

    Parameters
    ----------
    events
        Columns ``time``, ``actor``, ``principal``, ``object_id``, ``app_id``, ``caller_ip``, ``token_ip``, ``hsm``, ``key_name``,
        ``client``, ``client_info``, ``operation``, ``operation_class``, ``effect``, ``http_status``, ``outcome``.

    Returns
    -------
    Columns ``kind`` (``principal``, ``object_id``, ``caller_ip``, ``token_ip``, ``key``, ``hsm``, ``client``, ``operation``;
    `tokens` are apart), ``value``, ``hsm`` (of a key), ``first_time``, ``last_time`` (UTC), ``events``, and of these
    ``success``, ``accepted``, ``denied``, ``failure``, ``unknown``, ``control_events``; one row per value, the busiest of
    each kind first and so the rarest last. An event counts once in each kind.

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> found = entities(example())
    >>> found.loc[found["kind"] == "caller_ip", ["value", "events", "denied"]].values.tolist()
    [['192.0.2.1', 2, 0], ['192.0.2.9', 1, 1]]
    """
    return named_values(engine.query(events, "entities"), events)


def tokens(events: Any) -> pd.DataFrame:
    """Every token that the log names: since when, how often, how it ended, and from how many addresses it came.

    Parameters
    ----------
    events
        Columns ``time``, ``token_id``, ``caller_ip``, ``operation_class``, ``effect``, ``http_status``, ``outcome``.

    Returns
    -------
    Columns ``token_id``, ``first_time``, ``last_time`` (UTC), ``events``, and of these ``success``, ``accepted``, ``denied``,
    ``failure``, ``unknown``, ``control_events``; then of all there is, of which *events* may be a part: ``everywhere``
    (events with that token), ``first_anywhere`` (UTC), ``caller_ips`` (addresses that it came from: of a token that came
    from two, one may be a thief's); one row per token, the busiest first. Managed identities' tokens have no id in the log.

    References
    ----------
    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference (uti)

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> tokens(touching(example(), principal="payments"))[["token_id", "events", "caller_ips", "everywhere"]].values.tolist()
    [['t1', 2, 1, 2]]
    """
    return engine.query(events, "tokens")


def named_values(found: pd.DataFrame, events: Any) -> pd.DataFrame:
    """What `entities` found, its actors by their names."""
    names_of = called_by(found["value"], names(events))
    return found.assign(value=names_of.where(found["kind"] == "principal", found["value"]))


def _identities(events: Any, who: str) -> list[str]:
    """What was typed, and the actors that go by it."""
    return [who, *actors(events, who)]


def _addresses(events: Any, text: str) -> list[str]:
    """Addresses of the events that a text names: itself, in whatever spelling, or those of a network."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return [text]
    if network.num_addresses == 1:
        return list(dict.fromkeys([text, network.network_address.compressed, network.network_address.exploded]))
    found = engine.query(events, "addresses")["address"]
    return [text, *(address for address in found if _inside(address, network))]


def _inside(address: str, network: Any) -> bool:
    with suppress(ValueError):
        return ip_address(address) in network
    return False
