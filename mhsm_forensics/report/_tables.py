"""Tables of the report: which columns of which answer, under which headings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import pandas as pd

from ..case import FATES
from ..reasons import reason_of
from ._document import Col, Table, Writer, iso

if TYPE_CHECKING:
    from ._gather import Answers

ROWS: Final = 200  # rows of a table in the page; the case holds all of them
_FILES: Final = 2000
_SOME: Final = 20  # rows of a table that need not be hidden
_FATES: Final = {
    "event": "Event: an entry of the audit log of a managed HSM",
    "witness": "Witness: says a request that another record says more fully, by another route, in other bytes or another form",
    "duplicate": "Duplicate: repeats a record before it byte for byte",
    "out_of_scope": "Out of scope: a record of another resource or another log, kept apart",
    "blank": "Blank: no text",
    "reject": "Reject: no event could be made of it; bytes and reason are kept",
}
_WHO = Col("principal", "Identity")
_HSM = Col("hsm", "HSM")
_FROM = Col("caller_ip", "Address", "code")
_EVENTS = Col("events", "Events", "number")
_DENIED = Col("denied", "Denied", "number")
_FIRST = Col("first_time", "First", "second")
_LAST = Col("last_time", "Last", "second")
_START = Col("start", "From", "second")
_END = Col("end", "To", "second")
_LINES = Col("lines", "Lines", "number")


def fates(found: Answers, writer: Writer) -> Table:
    """Lines of the evidence by fate, and their sum."""
    counts = found.case.accounting.iloc[0]
    rows = [(_FATES[fate], int(counts[fate])) for fate in FATES]
    rows += [("Sum: every line of the evidence", int(counts["lines"]))]
    frame = pd.DataFrame(rows, columns=["fate", "lines"])
    caption = f"Every line has exactly one fate; the six add up to {int(counts['lines']):,}."
    return writer.table(frame, caption, Col("fate", "Fate"), _LINES)


def rejects(found: Answers, writer: Writer) -> Table:
    """Rejects by reason, what each means, and where the first stands."""
    frame = found.rejects.assign(meaning=[reason_of(reason).meaning for reason in found.rejects["reason"]])
    return writer.table(
        frame,
        "Rejects by reason.",
        Col("reason", "Reason", "code"),
        Col("meaning", "It means"),
        _LINES,
        Col("first_file", "The first is in"),
        Col("first_line", "On line", "number"),
        limit=ROWS,
    )


def passed_over(found: Answers, writer: Writer) -> tuple[Table, ...]:
    """Files that were handed over and are no evidence, or could not be read to their end; nothing where there is none."""
    if not found.passed_over:
        return ()
    frame = pd.DataFrame([asdict(one) for one in found.passed_over])
    order = {"unreadable": 0, "refused": 1}
    frame = frame.sort_values("kind", key=lambda kinds: kinds.map(order).fillna(2), kind="stable")
    columns = (Col("name", "File"), Col("kind", "Kind"), Col("reason", "Why"))
    return (writer.table(frame, "Handed over and not read.", *columns, limit=ROWS, folded=len(frame) > _SOME),)


def coverage(found: Answers, writer: Writer) -> Table:
    """Hours by state, one row per HSM."""
    hours = found.coverage
    counts = {state: hours["state"].eq(state) for state in ("as_expected", "low", "silent", "no_history")}
    frame = hours.assign(**counts).groupby("hsm", as_index=False)
    sums = frame[[*counts, "events"]].sum()
    span = frame.agg(first=("hour", "min"), last=("hour", "max"))
    return writer.table(
        span.merge(sums, on="hsm"),
        "Hours of each managed HSM.",
        _HSM,
        Col("first", "First hour", "second"),
        Col("last", "Last hour", "second"),
        Col("as_expected", "As expected", "number"),
        Col("low", "Fewer", "number"),
        Col("silent", "None", "number"),
        Col("no_history", "No history", "number"),
        _EVENTS,
    )


def gaps(found: Answers, writer: Writer) -> Table:
    """Silences of the log, between which two events they lie."""
    return writer.table(
        found.gaps,
        "Silences of the log.",
        _HSM,
        _START,
        _END,
        Col("seconds", "Length", "length"),
        Col("expected_events", "Usual events", "number"),
        Col("last_event_id", "Event before", "code"),
        Col("next_event_id", "Event after", "code"),
        limit=ROWS,
    )


def lacking(found: Answers, writer: Writer) -> Table:
    """Records that one route has and another lacks, one row per hour and pair of routes."""
    return writer.table(
        found.lacking,
        "Records that one route has and another lacks.",
        Col("hour", "Hour", "second"),
        _HSM,
        Col("route", "Has them"),
        Col("other_route", "Lacks them"),
        Col("records", "Records of the first", "number"),
        Col("other_records", "Of the other", "number"),
        Col("lacking", "Lacking", "number"),
        Col("lacking_within", "While delivering", "number"),
        Col("event_id", "One of them", "code"),
        limit=ROWS,
    )


def restores(found: Answers, writer: Writer) -> Table:
    """Full restores, and until when the HSM answered nothing else."""
    return writer.table(
        found.restores,
        "Full restores: accepted is not done. Until the HSM answered again, all requests but that for the restore's status fail.",
        _HSM,
        Col("start", "Taken on", "second"),
        Col("end", "First answer after it", "second"),
        Col("seconds", "Length", "length"),
        Col("label", "State"),
        Col("failed", "Failed in between", "number"),
        _WHO,
        _FROM,
        Col("event_id", "Event", "code"),
        limit=ROWS,
    )


def unknown(found: Answers, writer: Writer) -> Table:
    """Operations that no source names."""
    return writer.table(
        found.unknown,
        "Operations whose name stands in no published source, or contradicts path and status.",
        Col("operation", "Operation"),
        Col("act", "By path and status"),
        Col("class_by_uri", "Class by request path"),
        _EVENTS,
        _FIRST,
        _LAST,
        limit=ROWS,
    )


def timeline(found: Answers, writer: Writer) -> Table:
    """Events per identity, time and kind."""
    columns = (Col("lane", "Identity"), Col("bin_start", "From", "second"), Col("group", "Kind"), _EVENTS, _DENIED)
    return writer.table(found.timeline, "Events per identity, time and kind.", *columns, limit=ROWS)


def routine(found: Answers, writer: Writer) -> Table:
    """Recurring activity that a finding recognised."""
    return writer.table(
        found.routine,
        "Recognised as routine.",
        Col("number", "No.", "code", below="finding_id"),
        Col("title", "What", "title"),
        _HSM,
        _WHO,
        _FROM,
        _EVENTS,
        _FIRST,
        _LAST,
        Col("why", "Why it is routine"),
    )


def acts(frame: pd.DataFrame, caption: str, writer: Writer, *, folded: bool = False) -> Table:
    """Control acts, a run of the same act as one row."""
    lasted = (frame["end"] - frame["start"]).dt.total_seconds()
    return writer.table(
        frame.assign(seconds=lasted),
        caption,
        Col("start", "When", "second"),
        Col("seconds", "Lasted", "length"),
        _HSM,
        _WHO,
        _FROM,
        Col("operation", "Operation"),
        Col("outcome", "Outcome"),
        _EVENTS,
        Col("key_names", "Keys"),
        limit=ROWS,
        folded=folded,
    )


def principals(found: Answers, writer: Writer) -> Table:
    """Identities; those that a finding names are marked."""
    return writer.table(
        found.principals,
        "Identities in the evidence; marked ones are named by a finding.",
        Col("principal", "Identity", below="object_id"),
        Col("principal_type", "Kind"),
        _FIRST,
        _LAST,
        _EVENTS,
        Col("control_events", "Control", "number"),
        Col("caller_ips", "Addresses", "number"),
        Col("keys", "Keys", "number"),
        Col("denial_rate", "Denied", "share"),
        limit=ROWS,
        marked=_in_alarms(found, found.principals),
    )


def _in_alarms(found: Answers, people: pd.DataFrame) -> pd.Series[bool]:
    """Which identities a finding names: by their object id, and only where there is none by their label."""
    nameless = found.alarms.loc[found.alarms["object_id"].isna(), "principal"].dropna()
    by_label = people["object_id"].isna() & people["principal"].isin(nameless)
    return people["object_id"].isin(found.alarms["object_id"].dropna()) | by_label


def pairs(found: Answers, writer: Writer) -> Table:
    """Identities and their addresses; new pairs are marked."""
    return writer.table(
        found.pairs,
        "Identities and their addresses; marked pairs are new.",
        _WHO,
        _FROM,
        _FIRST,
        _LAST,
        _EVENTS,
        _DENIED,
        limit=ROWS,
        marked=found.pairs["is_new"],
    )


def sessions(found: Answers, writer: Writer) -> Table:
    """Sessions, those with control events first."""
    return writer.table(
        found.sessions.sort_values(["control_events", "start"], ascending=[False, True], kind="stable"),
        "Sessions, those with control events first.",
        _WHO,
        _FROM,
        _START,
        _END,
        _EVENTS,
        Col("control_events", "Control", "number"),
        _DENIED,
        Col("top_operations", "Operations"),
        limit=ROWS,
    )


def keys(found: Answers, writer: Writer) -> Table:
    """Keys; those that a finding names are marked."""
    alarms = zip(found.alarms["hsm"].fillna(""), found.alarms["keys"], strict=True)
    touched = {f"{hsm}/{key}" for hsm, names in alarms if names is not None for key in names}
    return writer.table(
        found.keys,
        "Keys in the evidence; marked ones are named by a finding.",
        _HSM,
        Col("key_name", "Key"),
        Col("state", "State at the end"),
        Col("uses", "Uses", "number"),
        Col("exports", "Exports", "number"),
        Col("changes", "Changes", "number"),
        _DENIED,
        _FIRST,
        _LAST,
        Col("deleted_at", "Deleted", "second"),
        Col("purged_at", "Purged", "second"),
        limit=ROWS,
        marked=found.keys["key"].isin(touched),
    )


def outcomes(found: Answers, writer: Writer) -> Table:
    """Operations and how they ended."""
    return writer.table(
        found.outcomes,
        "Operations and how they ended.",
        Col("operation", "Operation"),
        Col("operation_class", "Class"),
        Col("effect", "Effect"),
        Col("operation_status", "Name is"),
        _EVENTS,
        *(Col(outcome, outcome.capitalize(), "number") for outcome in ("success", "accepted", "denied")),
        *(Col(outcome, outcome.capitalize(), "number") for outcome in ("failure", "unknown")),
        _FIRST,
        _LAST,
        limit=ROWS,
    )


def not_found(found: Answers, writer: Writer) -> Table:
    """Rules that found nothing."""
    rules = found.looked_for
    span = "" if rules.empty else f" Examined: {iso(rules['first_time'].min())} to {iso(rules['last_time'].max())}."
    silent = rules[(rules["findings"] == 0) & (rules["testable"] == "yes")]
    return writer.table(silent, f"Looked for and not found.{span}", *_RULE)


def not_testable(found: Answers, writer: Writer) -> Table:
    """Rules that could find nothing here, whatever happened."""
    rules = found.looked_for
    names = (Col("title", "Not looked for"), Col("rule_id", "Rule", "code"), Col("reason", "Why not"))
    unable = rules[(rules["findings"] == 0) & (rules["testable"] != "yes")]
    return writer.table(unable, "Not testable here: that nothing was found says nothing.", *names)


def was_found(found: Answers, writer: Writer) -> Table:
    """Rules that found something."""
    rules = found.looked_for
    hits = Col("findings", "Findings", "number")
    return writer.table(rules[rules["findings"] > 0], "Looked for and found.", *_RULE, hits, folded=True)


def evidence(found: Answers, writer: Writer) -> Table:
    """Every evidence file with its SHA-256; its form, what of it could not be read and what was said of its dates, if any."""
    more = {
        "form": "Form", "unreadable": "Not read", "dates": "Dates, as the responder said",
        "times_in": "Zone, as the responder said",
    }  # fmt: skip
    filled = [Col(name, heading) for name, heading in more.items() if found.case.evidence[name].notna().any()]
    return writer.table(
        found.case.evidence,
        "Evidence files.",
        Col("evidence_id", "Id", "code"),
        Col("path", "File and SHA-256", "whole", below="sha256"),
        Col("size", "Bytes", "number"),
        *(Col(fate, fate.replace("_", " ").capitalize(), "number") for fate in FATES),
        *filled,
        Col("acquired", "Acquired", "second"),
        limit=_FILES,
        folded=True,
    )


def custody(found: Answers, writer: Writer) -> Table:
    """Every custody entry, in order."""
    return writer.table(
        found.case.custody,
        "Chain of custody: each entry holds the SHA-256 of the one before.",
        Col("seq", "No.", "number"),
        Col("time", "Time", "second"),
        Col("action", "Action"),
        Col("by", "By"),
        Col("detail", "Detail"),
        Col("sha256", "SHA-256 of the entry", "code"),
        limit=_FILES,
        folded=True,
    )


_RULE = (
    Col("title", "Looked for"),
    Col("rule_id", "Rule", "code"),
    Col("operations", "Operations", "list"),
    Col("vocabulary", "Names are"),
    Col("rows_examined", "Events examined", "number"),
)
