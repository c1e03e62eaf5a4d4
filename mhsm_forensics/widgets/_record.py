"""One record in full: its columns, its place, its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import schema
from ..errors import ForensicsError
from ..ingest import raw
from ..search import events as search_events
from ..text import visible
from . import _panel as panel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..case import Case

_SHOWN = 65_536  # bytes of a record that are shown; the command `raw` gives all
# The record itself has the claims and the properties.
_FACTS = tuple(name for name in schema.EVENT_NAMES if name not in {"identity_json", "properties_json"})


def record(case: Case, event_id: str) -> dict[str, Any]:
    """Return a record of a case, as it stands in the evidence."""
    try:
        row = search_events(case, columns=_FACTS, only=[event_id]).to_dict("records")
        data, length = _first(raw(case, event_id), _SHOWN)
    except (ForensicsError, OSError) as problem:
        return {"id": event_id, "problem": visible(str(problem))}
    facts = [[name, panel.said(value, 2_000)] for name, value in (row[0] if row else {}).items() if not _missing(value)]
    place = f"{length:,} bytes" + (f", the first {_SHOWN:,} shown" if length > _SHOWN else "")
    if row:
        offset = "" if _missing(row[0]["source_offset"]) else f", from byte {row[0]['source_offset']:,}"
        place = f"{visible(row[0]['source_file'])}, line {row[0]['source_line']:,}{offset}, {place}"
    lines = data.decode("utf-8", "backslashreplace").splitlines()
    return {"id": event_id, "facts": facts, "place": place, "raw": "\n".join(map(visible, lines)),
            "code": f'b"".join(mf.ingest.raw(case, {event_id!r}))'}  # fmt: skip


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT


def _first(chunks: Iterable[bytes], most: int) -> tuple[bytes, int]:
    """Return the first bytes of something long, and how long it is."""
    kept, length = b"", 0
    for chunk in chunks:
        kept += chunk[: max(most - length, 0)]
        length += len(chunk)
    return kept, length
