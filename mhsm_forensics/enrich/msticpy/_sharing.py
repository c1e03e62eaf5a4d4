"""A copy of a table that can be shown to somebody else: what happened and when, but not who, where and to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ... import operations
from ._library import needs_msticpy

if TYPE_CHECKING:
    from collections.abc import Iterable

# Names, ids, addresses and texts that a caller or a customer chose. They become random ids, whole.
_MASKED: Final = frozenset({
    "actor", "api_version", "app_id", "asked", "assignment_id", "caller_ip", "client", "client_info", "client_version",
    "correlation_id", "denied_action", "denied_scope", "hsm", "job_id", "key", "key_name", "key_version",
    "managed_identity_id", "object_id", "pool_name", "principal", "private_endpoint_id", "record_id", "request_uri",
    "resource_group", "resource_id",
    "role_definition_id", "scope", "setting", "subnet_id", "subscription_id", "tenant_id", "token_id", "token_ip",
    "trusted_service", "upn", "value",
})  # fmt: skip
_MASKED_LISTS: Final = frozenset({"key_names", "keys"})

# What this package itself worked out, from closed lists of words, and the ids that lead back to the evidence.
_KEPT_WORDS: Final = frozenset({
    "act", "class_by_uri", "client_os", "confidence", "effect", "event_id", "event_ids", "evidence_id",
    "finding_id", "ip_scope", "kind", "known_by", "object_type", "operation_class", "operation_status", "outcome",
    "principal_type", "resource_type", "route", "rule_id", "severity", "state", "techniques",
})  # fmt: skip
_KEPT_NUMBERS: Final = frozenset({
    "accepted", "bin_end", "bin_start", "caller_ips", "chance", "changes", "clients", "control_events", "created_at",
    "deleted_at", "denial_rate", "denied", "duration_ms", "end", "events", "expected", "expected_events", "exports",
    "failure", "findings", "first_time", "hour", "hsms", "http_status", "is_new", "keys", "last_time",
    "longest_pause_seconds", "operations", "precision", "principals", "purged_at", "recovered_at", "seconds", "session",
    "source_length", "source_line", "source_number", "source_offset", "start", "success", "t", "tick", "time", "unknown",
    "uses", "usual_seconds",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shareable:
    """A masked table, and what became of each column of the one that it was made of."""

    frame: pd.DataFrame
    masked: tuple[str, ...]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]

    def in_words(self) -> str:
        """One line that says what was done."""
        said = {"masked": self.masked, "kept": self.kept, "dropped": self.dropped}
        return "; ".join(f"{word}: {', '.join(columns) or 'nothing'}" for word, columns in said.items())


def shareable(frame: pd.DataFrame, *, mask: Iterable[str] = (), keep: Iterable[str] = ()) -> Shareable:
    """Copy of a table in which names, ids and addresses are random ids, and every text that nobody vouches for is gone.

    A value has the same mask in every column and row, so that one can still count, group and join; a null stays null.
    Masks are drawn by msticpy at random: they can't be computed from a guessed name, and live as long as this process.
    Times, numbers and the words that this package itself uses (outcome, class, severity) stay. That is enough to
    recognise an incident for somebody who was there.

    Parameters
    ----------
    frame
        Events, findings, or what a question of `analyse` answers; not changed.
    mask
        More columns to mask, whole.
    keep
        More columns to keep as they are: look at them first.

    Returns
    -------
    `.frame` (rows in the same order, index anew) and the names of the columns by what became of them: `.masked`, `.kept`,
    `.dropped`. A column that is not known is dropped: free text, JSON, URIs of files. An operation that the vocabulary
    doesn't know is masked.

    Raises
    ------
    InputError
        msticpy can't be loaded.

    References
    ----------
    https://msticpy.readthedocs.io/en/latest/data_analysis/DataMasking.html
    """
    also, kept = frozenset(mask), frozenset(keep)
    fates = {name: _fate(frame[name], also, kept) for name in frame.columns}
    masks = _masks(frame, [name for name, fate in fates.items() if fate == "masked"])
    columns = {
        str(name): _masked(frame[name], masks) if fate == "masked" else frame[name].reset_index(drop=True)
        for name, fate in fates.items()
        if fate != "dropped"
    }
    named = {word: tuple(str(n) for n, fate in fates.items() if fate == word) for word in ("masked", "kept", "dropped")}
    return Shareable(pd.DataFrame(columns, index=pd.RangeIndex(len(frame))), **named)


def _fate(column: pd.Series[Any], mask: frozenset[str], keep: frozenset[str]) -> str:
    name = column.name
    numbers = isinstance(column.dtype, pd.DatetimeTZDtype) or pd.api.types.is_numeric_dtype(column.dtype)
    if name in mask:
        return "masked"
    if name in keep or name in _KEPT_WORDS or (name in _KEPT_NUMBERS and numbers):
        return "kept"
    return "masked" if name in _MASKED | _MASKED_LISTS | {"operation"} else "dropped"


def _masks(frame: pd.DataFrame, columns: list[str]) -> dict[str, str]:
    """Return a random id for each text in some columns."""
    with needs_msticpy():
        from msticpy.data.data_obfus import mask_df

    known = {entry.operation for entry in operations.vocabulary().values()} if "operation" in columns else set()
    texts = {
        text
        for name in columns
        for text in map(str, frame[name].explode().dropna().unique())
        if text and not (name == "operation" and text in known)
    }
    # Other maps of msticpy give away more: `ip` leaves loopback and private prefixes and hashes IPv6 in 16-bit parts,
    # `str` is an unsalted hash cut to the length of the name, and "null" empties the frame that it was handed.
    asked = pd.DataFrame({"text": sorted(texts)}, dtype=object)
    masked = mask_df(asked, column_map={"text": "uuid"}, use_default=False)
    return dict(zip(asked["text"], masked["text"], strict=True))


def _masked(column: pd.Series[Any], masks: dict[str, str]) -> pd.Series[Any]:
    def masked(cell: Any) -> Any:
        if pd.api.types.is_list_like(cell):
            return [masked(item) for item in cell]
        return None if pd.isna(cell) else masks.get(str(cell), str(cell))

    cells = [masked(cell) for cell in column]
    return pd.Series(cells, dtype=object if any(isinstance(cell, list) for cell in cells) else "string[pyarrow]")
