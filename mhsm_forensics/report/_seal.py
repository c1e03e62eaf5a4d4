"""What the report says of the verification that was made for it: red where something is not as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..text import plural, visible
from ._document import Cell, Pairs

if TYPE_CHECKING:
    from ..case import Verification

_SHOWN: Final = 50  # problems; `verify` names them all


def verdict(found: Verification) -> Cell:
    """One line for the cover."""
    if found.holds:
        return Cell(f"{visible(found.in_words())}.", link="evidence")
    count = len(found.problems)
    said = f"FAILED: {plural(count, 'claim')} of the case {'does' if count == 1 else 'do'} not hold."
    return Cell(said, link="evidence", alarm=True)


def verification(found: Verification) -> Pairs:
    """Result, time and numbers of the verification, and everything that it found wrong."""
    broken = not found.chain_whole
    rows: list[tuple[str, tuple[Cell, ...]]] = [
        ("Verification", (verdict(found),)),
        ("Made", (Cell(found.time),)),
        ("Evidence files", (_of(found.files_whole, found.files, "as acquired"),)),
        ("Derived tables", (_of(found.tables_whole, found.tables, "as sealed"),)),
        (
            "Chain of custody",
            (Cell(f"{plural(found.entries, 'entry')}, {'BROKEN' if broken else 'whole'}", alarm=broken),),
        ),
        ("Head of the chain", (Cell(found.head or "none"),)),
    ]
    if found.problems:
        shown = tuple(Cell(visible(problem, limit=600), alarm=True) for problem in found.problems[:_SHOWN])
        cut = f" ({_SHOWN} of {len(found.problems):,})" if len(found.problems) > _SHOWN else ""
        rows.append((f"Does not hold{cut}", shown))
    if found.remarks:
        rows.append(("Note", tuple(Cell(visible(remark, limit=600)) for remark in found.remarks)))
    return Pairs(tuple(rows))


def _of(whole: int, count: int, how: str) -> Cell:
    return Cell(f"{whole:,} of {count:,} {how}", alarm=whole < count)
