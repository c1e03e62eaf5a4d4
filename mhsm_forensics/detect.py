"""Judgements: what in the events deserves a responder's attention, and why.

`run` asks every rule of `rules` and returns one table of findings, from which notebook, report and exports
read. A finding names its events completely, says what innocent activity looks the same and what to do next.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from contextlib import closing
from itertools import pairwise
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from . import engine, operations, playbook, schema
from .errors import InputError
from .rules import RULES, SEVERITIES, Hit, Material, Rule, case_of

__all__ = ["looked_for", "named", "run", "to_markdown"]

_RANK: Final = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_GRAVITY: Final = {rule.id: rule.gravity for rule in RULES}
_LOOKED_FOR: Final = pa.schema(
    [(name, pa.string()) for name in ("rule_id", "title", "question", "operations", "vocabulary", "tables")]
    + [(name, pa.string()) for name in ("testable", "reason")]
    + [(name, pa.int64()) for name in ("rows_examined", "findings")]
    + [(name, pa.timestamp("us")) for name in ("first_time", "last_time")]
)
_NO_SOURCE: Final = "rest-surface"  # the route is documented, its name in the log is not
_ANY: Final = {True: "any", False: "none of the HSM's own"}
_OPERATION_ID: Final = r"[^\s/]+(?:/[^\s/]+)+"  # Microsoft.Insights/diagnosticSettings/delete
_NUMBER: Final = re.compile(r"[Ff]0*(\d+)")
_LISTS: Final = ("role_assignments",)
_IN_WORDS: Final = {
    "activity": "activity log with operations by id", "signins": "sign-ins", "blob_requests": "log of a storage account",
    "role_assignments": "role assignments",
}  # fmt: skip


def run(events: Any) -> pd.DataFrame:
    """Judge the events, and what stands around them; findings come most severe first.

    Parameters
    ----------
    events
        A case, its events, or a DataFrame with the columns of events (`schema.EVENTS`). Of a case the activity log, the
        sign-ins, the requests to storage accounts and the lists are judged too; a DataFrame stands alone.

    Returns
    -------
    Columns of `schema.FINDINGS`; one row per finding, whose ``finding_id`` stays the same when others come or go and whose
    ``number`` does not, by severity, then by the gravity of the act (the root of trust and
    what is gone for good first), then by the time of the first event. Severity ``info`` is no alarm: routine that was
    recognised. An accepted (202) operation is called accepted, since the log doesn't hold whether it succeeded.

    Examples
    --------
    >>> from mhsm_forensics import schema
    >>> run(schema.to_pandas(schema.empty(schema.EVENTS))).empty
    True
    """
    found: list[tuple[Rule, Hit]] = []
    with closing(Material(events)) as material:
        for rule in RULES:
            hits = list(rule.check(material))
            material.take(rule, hits)
            found += [(rule, hit) for hit in hits]
    findings = _identified(sorted((_finding(rule, hit) for rule, hit in found), key=_order))
    width = max(2, len(str(len(findings))))
    rows = [{"number": f"F{number:0{width}d}", **finding} for number, finding in enumerate(findings, 1)]
    return schema.to_pandas(pa.Table.from_pylist(rows, schema=schema.arrow_schema(schema.FINDINGS)))


def named(findings: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Findings by what a person calls them.

    Parameters
    ----------
    findings
        What `run` found.
    names
        Ids (``keys-purged-5d41402abc``) or numbers (``F07``, ``f7``) of these findings.

    Returns
    -------
    The rows of these findings, in their order.

    Raises
    ------
    InputError
        There is no such finding.

    Examples
    --------
    >>> found = pd.DataFrame({"finding_id": ["keys-purged-5d41402abc"], "number": ["F01"]})
    >>> len(named(found, "f1")), len(named(found, "keys-purged-5d41402abc"))
    (1, 1)
    """
    ids = dict(zip(findings["number"].map(_plain), findings["finding_id"], strict=True))
    known = {str(one).lower(): one for one in findings["finding_id"]}
    wanted = [known.get(name.strip().lower()) or ids.get(_plain(name)) for name in names]
    if missing := [name for name, one in zip(names, wanted, strict=True) if one is None]:
        raise InputError(
            f"{', '.join(map(repr, missing))}: no such finding. Hint: an id or a number of mhsm-forensics findings."
        )
    return findings[findings["finding_id"].isin(wanted)]


def _plain(number: str) -> str:
    """Number of a finding without the zeros that fill it: ``F7`` of ``f07``; nothing of what is none."""
    found = _NUMBER.fullmatch(str(number).strip())
    return f"F{int(found[1])}" if found else ""


def _identified(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each finding its id: of its rule and its first event; of two that begin with the same one, all of their events."""
    first = Counter((finding["rule_id"], finding["event_ids"][0]) for finding in findings)
    return [
        {"finding_id": _id(one["rule_id"], one["event_ids"][: 1 if first[one["rule_id"], one["event_ids"][0]] == 1 else None])}
        | one for one in findings
    ]  # fmt: skip


def _id(rule_id: str, event_ids: list[str]) -> str:
    return f"{rule_id}-{hashlib.sha256(chr(0).join(event_ids).encode()).hexdigest()[:10]}"


def _order(finding: dict[str, Any]) -> tuple[int, int, pd.Timestamp, str, str]:
    rule_id = finding["rule_id"]
    return (
        _RANK[finding["severity"]], _GRAVITY[rule_id], finding["first_time"], rule_id, min(finding["event_ids"]),
    )  # fmt: skip


def looked_for(events: Any, findings: pd.DataFrame) -> pd.DataFrame:
    """Tell what was looked for and in how much, also where nothing was found.

    Parameters
    ----------
    events
        The same events that `run` was given.
    findings
        What `run` found.

    Returns
    -------
    Columns ``rule_id``, ``title``, ``question`` (id of the question of the playbook), ``operations`` (names the rule rests
    on; "any" where it looks at all, "none of the HSM's own" where it looks at other logs alone), ``vocabulary``
    (``documented``: every name has a source for Managed HSM; ``expected``: some have one for key vaults or the REST
    interface only; ``unseen``: none was ever seen in a source; ``any name``: the rule goes by no name), ``tables`` (of the
    case, that it needs), ``testable`` (``yes``, or ``not testable here``: then that nothing was found says nothing) and
    ``reason`` (why not), ``rows_examined`` (events that are or may be these acts, or of the same class, and records of
    the other tables), ``findings`` (count), ``first_time``, ``last_time`` (UTC, of the tables that it needs); one row per
    rule, in their order.
    """
    asked = engine.query(events, "detect_examined")
    held = {name: _held(events, name) for name in _IN_WORDS} | {"events": (int(asked["events"].sum()), asked)}
    counts = findings["rule_id"].value_counts()
    rows = []
    for rule in RULES:
        first, last = _window(rule, held)
        reason = _not_testable(rule, asked, {name: count for name, (count, _) in held.items()}) or _unsaid(rule, events)
        rows.append({
            "rule_id": rule.id, "title": rule.title, "question": rule.question,
            "operations": ", ".join(rule.operations) or _ANY["events" in rule.tables], "vocabulary": _vocabulary(rule),
            "tables": ", ".join(rule.tables), "testable": "not testable here" if reason else "yes", "reason": reason,
            "rows_examined": _examined(rule, asked, held), "findings": int(counts.get(rule.id, 0)),
            "first_time": first, "last_time": last,
        })  # fmt: skip
    return schema.to_pandas(pa.Table.from_pylist(rows, schema=_LOOKED_FOR))


def _held(events: Any, name: str) -> tuple[int, pd.DataFrame]:
    """Count the records of a context table, with the times of the first and the last; an entry of a list has none."""
    case = case_of(events)
    rows = case.context(name) if case is not None else schema.to_pandas(schema.empty(schema.CONTEXT[name]))
    rows = rows[_judged(name, rows)]
    times = rows["time"] if "time" in rows else pd.Series(dtype="datetime64[us, UTC]")
    return len(rows), pd.DataFrame({"first_time": [times.min()], "last_time": [times.max()]})


def _judged(name: str, rows: pd.DataFrame) -> pd.Series:
    """Which records of a table the rules can read: they know operations by id, and a portal's CSV has titles alone."""
    if name != "activity":
        return pd.Series(data=True, index=rows.index, dtype=bool)
    return rows["operation"].str.fullmatch(_OPERATION_ID).fillna(value=False).astype(bool)


def _window(rule: Rule, held: dict[str, tuple[int, pd.DataFrame]]) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    spans = [held[name][1] for name in rule.tables if name not in _LISTS]
    first, last = min(span["first_time"].min() for span in spans), max(span["last_time"].max() for span in spans)
    return tuple(None if pd.isna(moment) else moment.tz_localize(None) for moment in (first, last))  # type: ignore[return-value]


def _not_testable(rule: Rule, asked: pd.DataFrame, held: dict[str, int]) -> str | None:
    """Why a rule could find nothing here, whatever happened; None where it could."""
    if missing := [name for name in rule.tables if not held[name]]:
        return f"no {' and no '.join(_IN_WORDS.get(name, name) for name in missing)} in the case"
    if "events" not in rule.tables:
        return None
    days = (asked["last_time"].max() - asked["first_time"].min()) / pd.Timedelta(days=1)
    if days < rule.days:
        return f"{rule.days} days of events are needed to know what is usual; there are {days:.1f}"
    if _vocabulary(rule) == "unseen" and not _examined(rule, asked, {}) and not asked["by_route"].any():
        return (
            "no source shows how a managed HSM names these operations, and the events hold no route that would say it"
        )
    return None


def _unsaid(rule: Rule, events: Any) -> str | None:
    """Why a rule could find nothing where its table has records: an export may leave a column out, a second way be missing."""
    case = case_of(events)
    if rule.routes > 1 and len(case.routes if case else engine.query(events, "detect_routes")) < rule.routes:
        return "the events came by one route alone, and there is nothing to compare them with"
    if rule.routes > 1 and case is not None and case.is_of_before:
        return "an earlier version made the case, which does not know the witnesses of a request: rebuild it"
    if not rule.column or case is None or case.context(rule.tables[-1])[rule.column].notna().any():
        return None
    return f"no record of the {_IN_WORDS[rule.tables[-1]]} in the case has {rule.column}"


def to_markdown() -> str:
    """Render the catalogue of rules that docs/detections.md holds."""
    head = "| rule | title | severity | confidence | techniques |\n|---|---|---|---|---|\n"
    lines = [
        f"| [`{rule.id}`](#{rule.id}) | {rule.title} | {rule.severity} | {rule.confidence} | {_techniques(rule)} |\n"
        for rule in RULES
    ]
    note = "\nSeverity is the usual one; each rule says what it rises and falls with. Techniques are those of ATT&CK v19.\n"
    return head + "".join(lines) + note + "".join(map(_section, RULES))


def _section(rule: Rule) -> str:
    rests = ", ".join(f"`{name}`" for name in rule.operations)
    classes = ", ".join(f"`{name}`" for name in rule.classes)
    over_events = "events" in rule.tables
    facts = (
        ("Question", playbook.question(rule.question).question),
        ("Severity", rule.rises),
        ("Why it matters", rule.why),
        ("What innocent activity looks the same", rule.benign),
        ("Next step", rule.next_step),
        ("Operations", f"{rests} ({_vocabulary(rule)})" if rests else _ANY[over_events]),
        ("Classes", classes or _ANY[over_events]),
        ("Needs", _needs(rule)),
        ("Reference", rule.reference),
    )
    return f"\n## {rule.id}\n\n{rule.title}.\n\n" + "".join(f"* **{name}**: {text}\n" for name, text in facts)


def _needs(rule: Rule) -> str:
    days = f"; {rule.days} days of them" if rule.days else ""
    return ", ".join(rule.tables) + days + (f"; by {rule.routes} routes" if rule.routes > 1 else "")


def _techniques(rule: Rule) -> str:
    before = f" (before v19: {', '.join(rule.techniques_before)})" if rule.techniques_before else ""
    return (", ".join(rule.techniques) or "none") + before


def _finding(rule: Rule, hit: Hit) -> dict[str, Any]:
    rows = _in_order(hit.rows)
    return {
        "rule_id": rule.id,
        "title": hit.title,
        "severity": hit.severity,
        "confidence": hit.confidence,
        "hsm": _common(rows, "hsm"),
        "first_time": rows["time"].iloc[0].tz_localize(None),
        "last_time": rows["time"].iloc[-1].tz_localize(None),
        "principal": _common(rows, "principal"),
        "object_id": _common(rows, "object_id"),
        "caller_ip": _common(rows, "caller_ip"),
        "keys": _each(rows["key_name"]) if "key_name" in rows else [],
        "events": len(rows),
        "event_ids": rows["event_id"].tolist(),
        "techniques": list(rule.techniques),
        "techniques_before": list(rule.techniques_before),
        "why": rule.why,
        "benign": rule.benign,
        "next_step": rule.next_step,
    }


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """By time, and of one time as a question gave them; a sort costs more than the rest of a small finding."""
    in_order = all(before <= after for before, after in pairwise(rows["time"].tolist()))
    return rows if in_order else rows.sort_values("time", kind="stable")


def _common(rows: pd.DataFrame, column: str) -> str | None:
    """Return the most frequent value; of equally frequent ones the first in time."""
    counts = Counter(rows[column].tolist()) if column in rows else {}
    known = [value for value in counts if not pd.isna(value)]
    return str(max(known, key=counts.__getitem__)) if known else None


def _each(values: pd.Series[Any]) -> list[str]:
    return [str(value) for value in dict.fromkeys(values.tolist()) if not pd.isna(value)]


def _vocabulary(rule: Rule) -> str:
    known = [operations.vocabulary()[name.lower()] for name in rule.operations]
    if not known:
        return "any name"
    if {one.source for one in known} == {_NO_SOURCE}:
        return "unseen"
    return "documented" if {one.status for one in known} == {"documented"} else "expected"


def _examined(rule: Rule, asked: pd.DataFrame, held: dict[str, tuple[int, pd.DataFrame]]) -> int:
    """Count what the rule could go by: events of its names, or of its classes whatever the name, and other records."""
    others = sum(held[name][0] for name in rule.tables if name != "events" and name in held)
    if "events" not in rule.tables:
        return others
    if not rule.operations and not rule.classes:
        return others + int(asked["events"].sum())
    acts = [act for act in asked["act"].dropna().unique() if not set(act.split("|")).isdisjoint(rule.operations)]
    named = asked["act"].isin(acts)
    return others + int(asked.loc[named | asked["operation_class"].isin(list(rule.classes)), "events"].sum())
