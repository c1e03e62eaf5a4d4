"""When all parts are there: every line is accounted for, and the parts are published under the seal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..case import FATES, SAID, Case, Evidence, open_case, record_custody, seal, utc_text
from ._repeats import repeats
from ._tables import tables_beside
from ._witnesses import fold_witnesses

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from ..derive import Loaded
    from ._parts import Parts
    from ._witnesses import Folded


def publish(case: Case, parts: Parts) -> Case:
    """Account for every line of the parts, and make them count."""
    loaded = parts.finish()
    repeated = repeats(case, parts.staging)
    tables = tables_beside(case, parts.staging, repeated)
    folded = fold_witnesses(case, parts.staging, repeated)
    done = {item.evidence.evidence_id: _accounted(item) for item in loaded}
    before = case.manifest
    evidence = tuple(_with(done.get(entry.evidence_id, entry), folded.fates) for entry in before.evidence)
    manifest = replace(before, evidence=evidence, parts=folded.parts, copies=())
    seal(case.path, manifest, tables | folded.tables)
    record_custody(case.path, "loaded", _detail([e for e in evidence if e.evidence_id in done], before.parts, folded))
    return open_case(case.path)


def _detail(done: list[Evidence], before: tuple[str, ...], folded: Folded) -> dict[str, object]:
    """What the chain of custody keeps: how many lines, which parts, and which of before lost an event to a fuller witness."""
    forms = {entry.evidence_id: entry.form for entry in done if entry.form}
    detail = {"files": len(done), "lines": sum_fates(done), "parts": [p for p in folded.parts if p not in before]}
    rewritten = {"rewritten": list(folded.rewritten)} if folded.rewritten else {}
    return detail | rewritten | ({"forms": forms} if forms else {})


def _with(entry: Evidence, counted: Counter[tuple[str, str]]) -> Evidence:
    """Return evidence with the fates that its records have now: those that are no witness are out of scope."""
    if entry.fates is None:
        return entry
    records = sum(entry.fates.get(fate, 0) for fate in (*SAID, "out_of_scope"))
    said = {fate: counted[entry.evidence_id, fate] for fate in SAID}
    fates = dict.fromkeys(FATES, 0) | entry.fates | said | {"out_of_scope": records - sum(said.values())}
    return replace(entry, fates=fates)


def _accounted(item: Loaded) -> Evidence:
    entry = item.evidence
    fates = {
        "event": item.events,
        "out_of_scope": item.out_of_scope,
        "blank": item.blank,
        "reject": item.rejects,
    }
    return replace(entry, fates=fates, first_time=_iso(item.first), last_time=_iso(item.last),
                   note=item.torn or entry.note, unreadable=item.torn or entry.unreadable,
                   route=", ".join(sorted(item.routes)) or None, form=_form(item.forms))  # fmt: skip


def _form(forms: set[str]) -> str | None:
    """How the records of a file were written, the most telling eight of it."""
    return "; ".join(sorted(forms)[:8]) or None


def _iso(t: int | None) -> str | None:
    if t is None:
        return None
    return utc_text(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t))


def sum_fates(entries: Iterable[Evidence]) -> dict[str, int]:
    """Lines of some evidence by fate."""
    counted = [entry.fates or {} for entry in entries]
    return {fate: sum(fates.get(fate, 0) for fates in counted) for fate in FATES}
