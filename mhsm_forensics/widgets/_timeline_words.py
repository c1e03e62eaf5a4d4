"""What a timeline says in words: of a view, of an event, and the code that gives the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from ..case import utc_text
from ..errors import ForensicsError
from ..text import plural, spell, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..case import Scope

# lane's column -> the field of a scope that narrows it
SCOPES: Final = {"principal": "principals", "caller_ip": "caller_ips", "hsm": "hsms"}
RAW: Final = 65_536  # bytes of a record that are shown
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FACTS: Final = (
    ("Principal", ("principal", "principal_type")),
    ("Operation", ("operation", "operation_class")),
    ("Outcome", ("outcome", "http_status", "result_signature", "result_description")),
    ("Key", ("key_name", "key_version")),
    ("Address", ("caller_ip",)),
    ("HSM", ("hsm",)),
    ("Scope of a role", ("scope",)),
    ("Client", ("client_info",)),
    ("Request", ("request_uri",)),
    ("Correlation id", ("correlation_id",)),
    ("Duration, ms", ("duration_ms",)),
    ("In the evidence", ("source_file", "source_line")),
)


def moment(microseconds: int) -> datetime:
    """Aware time of microseconds since 1970, kept to the years that Python knows."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if microseconds > 0 else datetime.min.replace(tzinfo=UTC)


def clock(microseconds: int, zone: str | None = None) -> str:
    """Time to the microsecond, in UTC or in a zone with its offset.

    >>> clock(1_773_712_800_000_000), clock(1_773_712_800_250_000, "Europe/Amsterdam")
    ('2026-03-17 02:00:00 UTC', '2026-03-17 03:00:00.25 +0100 Europe/Amsterdam')
    """
    when = moment(microseconds)
    local = when.astimezone(ZoneInfo(zone)) if zone else when
    part = f"{local:.%f}".rstrip("0").rstrip(".")
    return f"{local:%Y-%m-%d %H:%M:%S}{part} " + (f"{local:%z} {zone}" if zone else "UTC")


def stretch(start: int, end: int) -> str:
    """Stretch of time as a reader says it: whole minutes where they are whole, the second day only where it is another.

    >>> stretch(1_773_712_800_000_000, 1_773_716_400_000_000)
    '2026-03-17 02:00 to 03:00 UTC'
    """
    long = end - start >= 3 * 3600 * 10**6
    first, last = (_short(moment(one), whole_minutes=long) for one in (start, end))
    day, second = first.split(" ")[0], last.split(" ")[0]
    return f"{first} to {last.split(' ')[1] if day == second else last} UTC"


def in_view(events: int, denied: int, control: int, span: str) -> str:
    """One line that says what is to be seen."""
    return f"{plural(events, 'event')}, {denied:,} denied, {plural(control, 'control act')}, {span}"


def shown_of(shown: int, total: int, noun: str) -> str:
    """Say how many lanes are shown, where not all are."""
    return f"{shown:,} of {plural(total, noun)}" if shown < total else plural(total, noun)


def code(scope: Scope, by: str) -> str:
    """Python that counts what is in view."""
    said = [f"{name}=datetime.fromisoformat({utc_text(getattr(scope, name))!r})" for name in ("start", "end")
            if getattr(scope, name)]  # fmt: skip
    said += [f"{name}={getattr(scope, name)!r}" for name in ("hsms", "principals", "caller_ips", "operations")
             if getattr(scope, name)]  # fmt: skip
    events = f"case.events.of(Scope({', '.join(said)}))" if said else "case.events"
    imports = ["from datetime import datetime"] * any("datetime" in one for one in said)
    imports += ["from mhsm_forensics.case import Scope"] * bool(said)
    return "\n".join([*imports, f"mf.analyse.timeline({events}, by={by!r})"])


def narrowed(scope: Scope, start: int, end: int, by: str, name: str | None = None) -> Scope:
    """Scope of a stretch of time within another one, and of one lane where a scope can name it."""
    times = (moment(start), moment(end))
    inside = replace(
        scope, start=max(times[0], scope.start or times[0]), end=min(times[1], scope.end or times[1])
    )  # fmt: skip
    named: dict[str, Any] = {SCOPES[by]: (name,)} if name is not None and by in SCOPES else {}
    return replace(inside, **named)


def facts(record: dict[str, Any], zone: str | None) -> list[tuple[str, str]]:
    """What is known of an event, as pairs of a heading and inert text."""
    when = [("Time", clock(record["t"])), *([("", clock(record["t"], zone))] if zone else [])]
    told = [(head, [visible(record[name], limit=600) for name in names if name in record]) for head, names in _FACTS]
    return when + [(head, " · ".join(parts)) for head, parts in told if parts]


def raw(pieces: Iterable[bytes]) -> tuple[str, str]:
    """Bytes of a record as inert text, line by line, and a note on how much of them that is."""
    held, size = b"", 0
    try:
        for piece in pieces:
            size += len(piece)
            held += piece[: max(RAW - len(held), 0)]
    except ForensicsError as problem:  # the evidence is gone, or no longer what it was
        return "", visible(str(problem))
    lines = held.decode("utf-8", "backslashreplace").split("\n")
    cut = f", the first {len(held):,} shown" if len(held) < size else ""
    return "\n".join(map(visible, lines)), f"{plural(size, 'byte')} of the evidence, verbatim{cut}"


def joined(silences: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, list[str]]]:
    """Silences of several HSMs that overlap, as one.

    >>> joined([(5, 9, "b"), (0, 6, "a"), (20, 30, "a")])
    [(0, 9, ['a', 'b']), (20, 30, ['a'])]
    """
    found: list[tuple[int, int, list[str]]] = []
    for start, end, hsm in sorted(silences):
        if found and start < found[-1][1]:
            first, last, hsms = found.pop()
            found.append((first, max(last, end), sorted({*hsms, hsm})))
        else:
            found.append((start, end, [hsm]))
    return found


def silence(start: int, end: int, hsms: list[str]) -> str:
    """Label of a gap in the log."""
    named = [visible(hsm, limit=24) for hsm in hsms if hsm]
    who = f" ({named[0] if len(named) == 1 else plural(len(named), 'HSM')})" if named else ""
    return f"no log for {spell((end - start) / 1e6)}{who}"


def _short(when: datetime, *, whole_minutes: bool) -> str:
    if whole_minutes or not (when.second or when.microsecond):
        return f"{when:%Y-%m-%d %H:%M}"
    return f"{when:%Y-%m-%d %H:%M:%S}" + f"{when:.%f}".rstrip("0").rstrip(".")
