"""What the questions share: times with their zone, names with a count of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


_KEYS_SHOWN: Final = 5
KEPT: Final = {"key_name": "key"}  # as views and code that were written before name it


def timed(frame: pd.DataFrame, **names: str) -> pd.DataFrame:
    """Turn columns of microseconds since the epoch into aware times, under their public names."""
    times = {old: frame[old].astype("datetime64[us]").dt.tz_localize("UTC") for old in names}
    return frame.assign(**times).rename(columns=names)


def micros(instant: datetime | None) -> int | None:
    if instant is None or pd.isna(instant):
        return None
    if instant.tzinfo is None:
        raise InputError.naive_time(str(instant))
    return (pd.Timestamp(instant) - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1)


def some(names: Sequence[str] | None) -> str | None:
    """Name a few keys, and count the rest."""
    if names is None or not len(names):
        return None
    more = len(names) - _KEYS_SHOWN
    return ", ".join(names[:_KEYS_SHOWN]) + (f" … {more} more" if more > 0 else "")


def example() -> pd.DataFrame:
    """Three events, for the examples of this room."""
    times = pd.to_datetime(["2026-01-05T10:00Z", "2026-01-05T10:10Z", "2026-01-05T11:00Z"]).as_unit("us")
    columns = {
        "event_id": ["e:1", "e:2", "e:3"], "hsm": ["hsm1"] * 3, "key_name": ["kek1"] * 3, "object_type": ["key"] * 3,
        "key": ["hsm1/kek1"] * 3,
        "operation": ["KeySign", "KeySign", "KeyDelete"], "operation_class": ["crypto", "crypto", "key_lifecycle"],
        "act": ["KeySign", "KeySign", "KeyDelete"],
        "effect": ["use", "use", "destroy"], "operation_status": ["expected", "expected", "documented"],
        "outcome": ["success", "success", "denied"], "actor": ["o1", "o1", "o2"], "principal": ["payments", "payments", "anna"],
        "principal_type": ["managed_identity", "managed_identity", "user"], "object_id": ["o1", "o1", "o2"],
        "app_id": ["a1", "a1", "a2"], "caller_ip": ["192.0.2.1", "192.0.2.1", "192.0.2.9"],
        "client": ["Go", "Go", "Azure CLI"], "client_info": ["go/1", "go/1", "az/2"], "token_id": ["t1", "t1", "t2"],
        "token_ip": ["192.0.2.1", "192.0.2.1", "192.0.2.8"], "upn": [None, None, "anna"], "scope": [None] * 3,
        "assignment_id": [None] * 3, "role_definition_id": [None] * 3,
        "managed_identity_id": [None] * 3, "setting": [None] * 3, "result_signature": ["OK", "OK", "Forbidden"],
        "correlation_id": ["c1", "c2", "c3"],
    }  # fmt: skip
    frame = pd.DataFrame(columns).astype(pd.StringDtype("pyarrow"))
    return frame.assign(time=times, http_status=[200, 200, 403])
