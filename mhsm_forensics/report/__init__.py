"""One self-contained HTML file that says what the evidence shows, and how far it can be trusted.

`_content` decides what is said, from the answers of `analyse`, `detect` and `plot`; `_html` renders it and
knows nothing of cases. The file asks nothing of any network, works without JavaScript (tables instead of
charts), prints to A4, and is the same to the byte for the same case and the same time of generation.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..case import check, recorded, sha256_of
from ..errors import CaseError, InputError
from . import _content, _html

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..case import Case

__all__ = ["write"]


def write(
    case: Case,
    path: Path | str,
    *,
    title: str | None = None,
    generated: datetime | None = None,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Write the report of a case as one HTML file, record it in the chain of custody, and return its path.

    The case is verified first, all evidence hashed again, and the report states what that found. A case that nobody can
    write is reported all the same.

    Parameters
    ----------
    case
        What `open_case` returned.
    path
        File to write; a report that is there is replaced in one step.
    title
        Heading; default the name of the case.
    generated
        Time that the report states as its own, with a zone; default now.
    tell
        Called with one line where the case can't be written, and its chain of custody doesn't have the report.

    Raises
    ------
    InputError
        *generated* names no zone.
    CaseError
        The file can't be written.
    """
    path = Path(path)
    moment = generated or datetime.now(UTC)
    if moment.tzinfo is None:
        raise InputError.naive_time(str(moment))
    found = check(case)
    page = _html.render(_content.report(case, title=title, generated=moment.astimezone(UTC), verified=found))
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, encoding="utf-8", newline="\n")
    except OSError as problem:
        raise CaseError.unwritable(path, problem) from problem
    written = temporary.replace(path)
    about = {"path": str(path.resolve()), "sha256": sha256_of(path), "generated": moment.isoformat(),
             "verified": found.time, "problems": list(found.problems),
             "notes": case.notes.head}  # fmt: skip
    unwritten = recorded(case.path, "reported", about)
    if unwritten and tell:
        tell(f"this report is not in the chain of custody: {unwritten}")
    return written
