"""What part of a case is looked at: kept in the case, so that every notebook and every report means the same."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import CaseError, InputError
from ._custody import utc_text
from ._files import checked, is_list_of, is_moment, is_text, or_none, read_json, replace_text

if TYPE_CHECKING:
    from pathlib import Path

# field of a scope -> the column of events that it narrows
COLUMNS = {"hsms": "hsm", "principals": "principal", "caller_ips": "caller_ip", "operations": "operation"}


@dataclass(frozen=True, slots=True)
class Scope:
    """Some of the events: a time, and of some HSMs, principals, addresses or operations; none named means all.

    `start` is included and `end` is not. A principal is named by a label, a user's name, an object id or the id of an
    application, in any case, and means all that the same actor did; of two actors with one label, both. Addresses and
    operations are compared with the columns `caller_ip` and `operation`, exactly; names of HSMs in lower case.
    """

    start: datetime | None = None
    end: datetime | None = None
    hsms: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    caller_ips: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a time without its zone, and a time that holds none."""
        for moment in (self.start, self.end):
            if moment is not None and moment.tzinfo is None:
                raise InputError.naive_time(moment.isoformat())
        if self.start and self.end and self.start >= self.end:
            raise InputError(
                f"{utc_text(self.start)} up to {utc_text(self.end)}: holds no time. Hint: the start is before the end."
            )
        object.__setattr__(self, "hsms", tuple(hsm.lower() for hsm in self.hsms))
        for name in COLUMNS:
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Values by the column that they narrow; columns that are not narrowed are left out."""
        return {column: getattr(self, name) for name, column in COLUMNS.items() if getattr(self, name)}

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self == Scope()

    def in_words(self) -> str:
        """One line that says what is looked at.

        >>> from datetime import UTC, datetime
        >>> Scope(datetime(2026, 3, 5, tzinfo=UTC), hsms=("contoso",)).in_words()
        'from 2026-03-05T00:00:00Z, hsm contoso'
        """
        said = [f"from {utc_text(self.start)}"] if self.start else []
        said += [f"up to {utc_text(self.end)}"] if self.end else []
        said += [f"{column} {', '.join(values)}" for column, values in self.names.items()]
        return ", ".join(said) or "the whole case"


def read_scope(folder: Path) -> Scope:
    """Return the scope that is kept in a case; the whole case where none is.

    Raises
    ------
    CaseError
        The file can't be read.
    """
    path = folder / "scope.json"
    try:
        found = checked(path, "the scope", read_json(path), _SCOPE)
        start, end = (datetime.fromisoformat(found[name]) if found.get(name) else None for name in ("start", "end"))
        hsms, principals, caller_ips, operations = (tuple(found.get(name) or ()) for name in COLUMNS)
        return Scope(start, end, hsms, principals, caller_ips, operations)
    except FileNotFoundError:
        return Scope()
    except (CaseError, InputError) as problem:
        said = str(problem).partition(" Hint:")[0]
        raise CaseError(f"{said} Hint: delete {path}; the scope is then the whole case.") from None


_SCOPE = {
    **dict.fromkeys(("start", "end"), or_none(is_moment)),
    **dict.fromkeys(COLUMNS, or_none(is_list_of(is_text))),
}


def write_scope(folder: Path, scope: Scope) -> None:
    """Keep a scope in a case, in one step.

    Raises
    ------
    CaseError
        The case can't be written.
    """
    times = {name: (moment := getattr(scope, name)) and utc_text(moment) for name in ("start", "end")}
    about = asdict(scope) | times
    try:
        replace_text(folder / "scope.json", json.dumps(about, indent=1, ensure_ascii=False))
    except OSError as problem:
        raise CaseError.unwritable(folder, problem) from problem
