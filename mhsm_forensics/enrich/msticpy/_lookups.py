"""Threat intelligence and WhoIs: the only part of this folder that sends anything, and only when a call says so."""

from __future__ import annotations

import ipaddress
import warnings
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ...case import Case, record_custody
from ...errors import ForensicsError, InputError
from ._library import needs_msticpy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_WHOIS: Final = "whois.cymru.com and the registry of each address"


class LeavesTheMachineWarning(UserWarning):
    """Addresses of a case are about to be sent to somebody else."""


class LookupFailedError(ForensicsError):
    """Somebody else did not answer."""


def ask_threat_intelligence(
    addresses: Iterable[Any], *, provider: str, may_leave_this_machine: bool = False, case: Case | None = None
) -> pd.DataFrame:
    """What one provider of threat intelligence knows about some addresses.

    The provider, and whoever runs it, learns that somebody looks into these addresses; so may their owner. Each public
    address is sent once; private, reserved and invalid ones are not. The custody log of the case says what was sent to whom,
    before it is sent.

    Parameters
    ----------
    addresses
        Addresses, of which nulls are left out: ``case.events.df()["caller_ip"]``, a list.
    provider
        Name of one provider in the section `TIProviders` of msticpy's configuration, which holds its key.
    may_leave_this_machine
        Nothing is sent without it.
    case
        Where to log what was sent.

    Returns
    -------
    Columns ``address``, ``sent`` (whether), ``provider``, ``listed`` (whether the provider has something on it), ``severity``
    (msticpy's: ``information``, ``warning``, ``high``), ``details``, ``reference``, ``status`` (0 answered; else msticpy's or
    HTTP's) and ``raw`` (what the provider sent), all of them text of a stranger; one row per different address, in the
    order given.

    Raises
    ------
    InputError
        The call does not say that addresses may leave this machine, or the provider is not configured.
    LookupFailedError
        The provider did not answer.

    References
    ----------
    https://msticpy.readthedocs.io/en/latest/data_acquisition/TIProviders.html
    """
    asked, public = _sorted_out(addresses, may_leave_this_machine, f"provider {provider!r}")
    with needs_msticpy():
        from msticpy.context.tilookup import TILookup

    lookup = _attempt(provider, TILookup, providers=[provider])
    if provider not in lookup.loaded_providers:
        raise InputError(
            f"{provider!r}: no provider of threat intelligence that is configured. "
            "Hint: name one in the section TIProviders of msticpyconfig.yaml."
        )
    _announce(public, provider, case)
    kinds = {address: f"ipv{ipaddress.ip_address(address).version}" for address in public}
    found = _attempt(provider, lookup.lookup_iocs_sync, kinds, providers=[provider]) if public else pd.DataFrame()
    return _beside(asked, public, _intelligence(found, provider))


def ask_whois(
    addresses: Iterable[Any], *, may_leave_this_machine: bool = False, case: Case | None = None
) -> pd.DataFrame:
    """Who the networks of some addresses are registered to: asked of Team Cymru, and in clear text of the registries.

    Parameters
    ----------
    addresses
        Addresses, of which nulls are left out.
    may_leave_this_machine
        Nothing is sent without it.
    case
        Where to log what was sent.

    Returns
    -------
    Columns ``address``, ``sent`` (whether), ``asn``, ``network``, ``country``, ``registry``, ``allocated``, ``owner``, as the
    registries say it now, which need not be what they said when the event happened; one row per different address.

    Raises
    ------
    InputError
        The call does not say that addresses may leave this machine.
    LookupFailedError
        Nobody answered.

    References
    ----------
    https://msticpy.readthedocs.io/en/latest/data_acquisition/IPWhois.html
    """
    asked, public = _sorted_out(addresses, may_leave_this_machine, _WHOIS)
    with needs_msticpy():
        from msticpy.context.ip_utils import ip_whois

    _announce(public, _WHOIS, case)
    found = _attempt("WhoIs", ip_whois, public) if public else pd.DataFrame()
    return _beside(asked, public, _registered(found, public))


def _sorted_out(addresses: Iterable[Any], switched_on: bool, whom: str) -> tuple[list[str], list[str]]:  # noqa: FBT001
    """Return the different addresses, and those of them that may be sent."""
    if not switched_on:
        raise InputError(
            f"nothing was sent: a look-up tells {whom} which addresses are looked into. "
            "Hint: may_leave_this_machine=True, once that is agreed."
        )
    if isinstance(addresses, str):
        addresses = [addresses]
    asked = list(dict.fromkeys(_spelled(one) for one in addresses if isinstance(one, str)))
    return asked, [address for address in asked if _is_public(address)]


def _spelled(text: str) -> str:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return text
    return str(getattr(address, "ipv4_mapped", None) or address)


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and not getattr(address, "scope_id", None)


def _announce(public: list[str], whom: str, case: Case | None) -> None:
    """Log and warn before anything is sent: a look-up that fails half way has told somebody, too."""
    if not public:
        return
    if case is not None:
        record_custody(case.path, "looked_up", {"sent_to": whom, "addresses": public})
    warnings.warn(
        f"{len(public):,} address{'es' if len(public) > 1 else ''} of this case go to {whom}: "
        "that may tip off whoever owns them.",
        LeavesTheMachineWarning,
        stacklevel=3,
    )


def _attempt(whom: str, look_up: Callable[..., Any], *values: Any, **options: Any) -> Any:
    """Return the answer, or raise what went wrong as one line: msticpy lets through whatever its transport raises."""
    try:
        return look_up(*values, **options)
    except Exception as problem:  # noqa: BLE001
        said = " ".join(str(part) for part in problem.args) or type(problem).__name__
        raise LookupFailedError(
            f"{whom}: {' '.join(said.split())[:200]}. Hint: check the network and msticpyconfig.yaml; "
            "what was announced may have been sent."
        ) from None


def _intelligence(found: pd.DataFrame, provider: str) -> pd.DataFrame:
    columns = {
        "Ioc": "address", "Result": "listed", "Severity": "severity", "Details": "details", "Reference": "reference",
        "Status": "status", "RawResult": "raw",
    }  # fmt: skip
    rows = found.reindex(columns=list(columns)).rename(columns=columns).drop_duplicates("address")
    rows.insert(1, "provider", provider)
    texts = {name: rows[name].map(_text) for name in ("address", "severity", "details", "reference", "raw")}
    return rows.assign(**texts).astype(dict.fromkeys(("provider", *texts), "string[pyarrow]"))


def _registered(found: pd.DataFrame, public: list[str]) -> pd.DataFrame:
    columns = {
        "asn": "asn", "asn_cidr": "network", "asn_country_code": "country", "asn_registry": "registry",
        "asn_date": "allocated", "asn_description": "owner",
    }  # fmt: skip
    rows = found.reindex(columns=list(columns)).rename(columns=columns).map(_text).astype("string[pyarrow]")
    # msticpy answers in the order asked; the address itself it takes from the stranger's answer.
    rows.insert(0, "address", pd.Series(public[: len(rows)], rows.index, "string[pyarrow]"))
    return rows


def _text(value: Any) -> str | None:
    return None if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)) else str(value)


def _beside(asked: list[str], public: list[str], found: pd.DataFrame) -> pd.DataFrame:
    """Return every address that was asked about, with what was found where one was sent."""
    rows = pd.DataFrame({"address": pd.Series(asked, dtype="string[pyarrow]")})
    rows["sent"] = rows["address"].isin(public)
    return rows.merge(found, on="address", how="left", validate="one_to_one")
