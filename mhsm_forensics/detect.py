"""Judgements: what in the events deserves a responder's attention, and why.

`run` asks every rule of `rules` and returns one table of findings, from which notebook, report and exports
read. A finding names its events completely, says what innocent activity looks the same and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa

from . import analyse, operations, schema
from .rules import RULES, SEVERITIES, Hit, Material, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["looked_for", "run", "to_markdown"]

_RANK: Final = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_LOOKED_FOR: Final = pa.schema(
    [(name, pa.string()) for name in ("rule_id", "title", "operations", "vocabulary")]
    + [(name, pa.int64()) for name in ("rows_examined", "findings")]
    + [(name, pa.timestamp("us")) for name in ("first_time", "last_time")]
)


def run(events: Any) -> pd.DataFrame:
    """Judge the events; findings come most severe first.

    Parameters
    ----------
    events
        A case, its events, or a DataFrame with the columns of events (`schema.EVENTS`).

    Returns
    -------
    Columns of `schema.FINDINGS`; one row per finding, by severity and time of the first event. Severity ``info`` is
    no alarm: routine that was recognised, and names that no source knows. An accepted (202) operation is called
    accepted, since the log doesn't hold whether it succeeded.

    Examples
    --------
    >>> from mhsm_forensics import schema
    >>> run(schema.to_pandas(schema.empty(schema.EVENTS))).empty
    True
    """
    material = Material(events)
    found: list[tuple[Rule, Hit]] = []
    for rule in RULES:
        hits = list(rule.check(material))
        found += [(rule, hit) for hit in hits]
        if not rule.broad:
            material.named.update(*(hit.rows["event_id"] for hit in hits))
    found.sort(key=lambda entry: (_RANK[entry[1].severity], entry[1].rows["time"].min(), entry[0].id))
    width = max(2, len(str(len(found))))
    rows = [_finding(f"F{number:0{width}d}", rule, hit) for number, (rule, hit) in enumerate(found, 1)]
    return schema.to_pandas(pa.Table.from_pylist(rows, schema=schema.arrow_schema(schema.FINDINGS)))


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
    Columns ``rule_id``, ``title``, ``operations`` (names the rule rests on; "any" where it looks at all),
    ``vocabulary`` (``documented``: every name has a source for Managed HSM; ``expected``: some have one for key vaults
    or the REST interface only; ``unseen``: one has none; ``any name``: the rule goes by no name), ``rows_examined``
    (events of these names, or of the same class under any name),
    ``findings`` (count), ``first_time``, ``last_time`` (UTC, of all events); one row per rule, in their order.
    """
    asked = analyse.outcomes(events)
    first, last = asked["first_time"].min(), asked["last_time"].max()
    counts = findings["rule_id"].value_counts()
    rows = [
        {
            "rule_id": rule.id,
            "title": rule.title,
            "operations": ", ".join(rule.operations) or "any",
            "vocabulary": _vocabulary(rule),
            "rows_examined": _examined(rule, asked),
            "findings": int(counts.get(rule.id, 0)),
            "first_time": None if pd.isna(first) else first.tz_localize(None),
            "last_time": None if pd.isna(last) else last.tz_localize(None),
        }
        for rule in RULES
    ]
    return schema.to_pandas(pa.Table.from_pylist(rows, schema=_LOOKED_FOR))


def to_markdown() -> str:
    """Render the catalogue of rules that docs/detections.md holds."""
    head = "| rule | title | severity | confidence | techniques |\n|---|---|---|---|---|\n"
    lines = [
        f"| [`{rule.id}`](#{rule.id}) | {rule.title} | {rule.severity} | {rule.confidence} | {_techniques(rule)} |\n"
        for rule in RULES
    ]
    note = "\nSeverity is the usual one: it rises with a new address or principal, and falls without history.\n"
    return head + "".join(lines) + note + "".join(map(_section, RULES))


def _section(rule: Rule) -> str:
    rests = ", ".join(f"`{name}`" for name in rule.operations)
    classes = ", ".join(f"`{name}`" for name in rule.classes)
    facts = (
        ("Why it matters", rule.why),
        ("What innocent activity looks the same", rule.benign),
        ("Next step", rule.next_step),
        ("Operations", f"{rests} ({_vocabulary(rule)})" if rests else "any"),
        ("Classes", classes or "any"),
        ("Reference", rule.reference),
    )
    return f"\n## {rule.id}\n\n{rule.title}.\n\n" + "".join(f"* **{name}**: {text}\n" for name, text in facts)


def _techniques(rule: Rule) -> str:
    return ", ".join(rule.techniques) or "none"


def _finding(finding_id: str, rule: Rule, hit: Hit) -> dict[str, Any]:
    rows = hit.rows.sort_values(["time", "event_id"])
    return {
        "finding_id": finding_id,
        "rule_id": rule.id,
        "title": hit.title,
        "severity": hit.severity,
        "confidence": hit.confidence,
        "hsm": _common(rows, "hsm"),
        "first_time": rows["time"].min().tz_localize(None),
        "last_time": rows["time"].max().tz_localize(None),
        "principal": _common(rows, "principal"),
        "object_id": _common(rows, "object_id"),
        "caller_ip": _common(rows, "caller_ip"),
        "keys": _each(rows["key_name"]) if "key_name" in rows else [],
        "events": len(rows),
        "event_ids": rows["event_id"].tolist(),
        "techniques": list(rule.techniques),
        "why": rule.why,
        "benign": rule.benign,
        "next_step": rule.next_step,
    }


def _common(rows: pd.DataFrame, column: str) -> str | None:
    """Return the most frequent value; of equally frequent ones the first in time."""
    if column not in rows or rows[column].isna().all():
        return None
    return str(rows[column].value_counts(sort=False).idxmax())


def _each(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if not pd.isna(value)))


def _vocabulary(rule: Rule) -> str:
    known = operations.vocabulary()
    states = [known[name.lower()].status if name.lower() in known else "unseen" for name in rule.operations]
    if not states:
        return "any name"
    if "unseen" in states:
        return "unseen"
    return "documented" if set(states) == {"documented"} else "expected"


def _examined(rule: Rule, asked: pd.DataFrame) -> int:
    """Count the events that the rule could go by: of its names, or of its classes whatever the name."""
    if not rule.operations and not rule.classes:
        return int(asked["events"].sum())
    named = asked["operation"].str.lower().isin([name.lower() for name in rule.operations])
    return int(asked.loc[named | asked["operation_class"].isin(list(rule.classes)), "events"].sum())
