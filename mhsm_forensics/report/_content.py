"""What the report says, section by section, in the order in which a responder is asked."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pandas as pd

from .. import plot
from ..case import FATES, TOOL
from ..plot import plural, visible
from ._document import Block, Cell, Col, Pairs, Report, Section, Table, Words, Writer, iso
from ._figures import picture
from ._findings import cards
from ._gather import Answers, gather
from ._limits import limitations, method, time_statement
from ._summary import summary, synopsis

if TYPE_CHECKING:
    from datetime import datetime

    from ..case import Case

_ROWS: Final = 200  # rows of a table in the page; the case holds all of them
_FATES: Final = {
    "event": "Event: an entry of the audit log of a managed HSM",
    "duplicate": "Duplicate: equal to an earlier record in every byte, counted once",
    "out_of_scope": "Out of scope: a record of another kind of resource, kept apart",
    "blank": "Blank: no text",
    "reject": "Reject: no event could be made of it; bytes and reason are kept",
}
_CONFIDENCE: Final = (
    "High: the events show it themselves. Medium: the events show it unless a named innocent activity did it. "
    "Low: a lead, worth a question. Facts are what the log says; interpretation is what the rule makes of it."
)


def report(case: Case, *, title: str | None, generated: datetime) -> Report:
    """Everything the report of *case* says."""
    found, writer, stamp = gather(case), Writer(case.display_zone), iso(generated)
    return Report(
        title=visible(title or case.name, limit=160),
        cover=_cover(found, writer, stamp),
        sections=tuple(_sections(found, writer, stamp)),
        generated=stamp,
        tool=TOOL,
        synopsis=synopsis(found),
    )


def digest(case: Case) -> str:
    """SHA-256 over the sorted SHA-256 values of the evidence, one a line: one number for all of it."""
    hashes = sorted(str(value) for value in case.evidence["sha256"].dropna())
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _cover(found: Answers, writer: Writer, generated: str) -> Pairs:
    case, hsms = found.case, sorted(str(hsm) for hsm in found.coverage["hsm"].dropna().unique())
    people = found.principals
    period = (
        (Cell("no events"),)
        if people.empty
        else (writer.time(people["first_time"].min()), writer.time(people["last_time"].max()))
    )
    return Pairs(
        (
            ("Case", (Cell(visible(case.name, limit=160)),)),
            ("Managed HSMs", tuple(Cell(visible(hsm, limit=120)) for hsm in hsms) or (Cell("none"),)),
            ("Period of the evidence", period),
            ("Evidence", (Cell(plural(len(case.evidence), "file")), Cell(f"SHA-256 over all: {digest(case)}"))),
            ("Generated", (Cell(generated), Cell(TOOL))),
            ("Status", (Cell("Draft. Not reviewed by a second person."),)),
        )
    )


def _sections(found: Answers, writer: Writer, generated: str) -> list[Section]:
    zone = writer.zone
    return [
        Section("summary", "Executive summary", (summary(found, writer),),
                "Facts only. Every sentence names the findings it rests on and how sure they are."),
        _scorecard(found, writer),
        _orientation(found, writer),
        Section("findings", "Findings", cards(found.alarms, found.rows, writer) or (_nothing("No rule raised an alarm."),),
                _CONFIDENCE),
        Section("routine", "Routine recognised", (_routine(found, writer),),
                "Recurring activity that a rule recognised and that raised no alarm. An intruder can hide in a routine: "
                "check that someone owns each of these."),
        _timeline(found, writer),
        _identities(found, writer),
        _key_section(found, writer),
        _operations(found, writer),
        _searched(found, writer),
        _evidence(found, writer),
        Section("method", "Method and versions", (_method(found, generated, zone),)),
        Section("time", "Time", (Words(time_statement(zone)),)),
        Section("limits", "Limitations", (Words(limitations(found), listed=True),)),
        Section("signoff", "Sign-off", (_signatures(),),
                "A signature proves that this file was not changed since it was signed. It does not prove the findings."),
    ]  # fmt: skip


def _scorecard(found: Answers, writer: Writer) -> Section:
    counts = found.case.accounting.iloc[0]
    fates = pd.DataFrame({"fate": [_FATES[f] for f in FATES], "lines": [int(counts[f]) for f in FATES]})
    total = pd.DataFrame({"fate": ["Sum: every line of the evidence"], "lines": [int(counts["lines"])]})
    caption = f"Every line has exactly one fate; the five add up to {int(counts['lines']):,}."
    rejects = found.case.rejects.groupby("reason").size().reset_index(name="lines")
    blocks: list[Block] = [
        writer.table(pd.concat([fates, total]), caption, Col("fate", "Fate"), Col("lines", "Lines", "number")),
        writer.table(rejects, "Rejects by reason.", Col("reason", "Reason"), Col("lines", "Lines", "number")),
        picture(
            "coverage", lambda theme: plot.coverage(found.coverage, gaps=found.gaps, theme=theme, zone=writer.zone),
            label="Strip per managed HSM: hours with as many events as usual, with fewer, with none.",
            caption="Silence is measured against the same hour and kind of day. It shows that no record is in the "
            "evidence, not why.",
            table=_coverage_table(found, writer),
        ),
        writer.table(
            found.gaps, "Silences of the log.", Col("hsm", "HSM"), Col("start", "From", "second"),
            Col("end", "To", "second"), Col("seconds", "Length", "length"), Col("expected_events", "Usual events", "number"),
            Col("last_event_id", "Event before", "code"), Col("next_event_id", "Event after", "code"), limit=_ROWS,
        ),
        writer.table(
            found.unknown, "Operations whose name stands in no published source.", Col("operation", "Operation"),
            Col("class_by_uri", "Class by request path"), Col("events", "Events", "number"),
            Col("first_time", "First", "second"), Col("last_time", "Last", "second"), limit=_ROWS,
        ),
    ]  # fmt: skip
    lead = "How much of the truth is in this evidence: read it before the findings."
    return Section("scorecard", "Evidence scorecard", tuple(blocks), lead)


def _coverage_table(found: Answers, writer: Writer) -> Table:
    """Hours by state, one row per HSM."""
    hours = found.coverage
    states = hours.groupby("hsm")["state"].value_counts().unstack(fill_value=0)  # noqa: PD010 - pivots no values
    states = states.reindex(columns=["as_expected", "low", "silent", "no_history"], fill_value=0).reset_index()
    span = hours.groupby("hsm").agg(first=("hour", "min"), last=("hour", "max"), events=("events", "sum")).reset_index()
    return writer.table(
        states.merge(span, on="hsm"), "Hours of each managed HSM.", Col("hsm", "HSM"), Col("first", "First hour", "second"),
        Col("last", "Last hour", "second"), Col("as_expected", "As expected", "number"), Col("low", "Fewer", "number"),
        Col("silent", "None", "number"), Col("no_history", "No history", "number"), Col("events", "Events", "number"),
    )  # fmt: skip


def _orientation(found: Answers, writer: Writer) -> Section:
    rows = writer.table(
        found.activity, "Events per identity, time and kind.", Col("principal", "Identity"), Col("bin_start", "From", "second"),
        Col("group", "Kind"), Col("events", "Events", "number"), Col("denied", "Denied", "number"), limit=_ROWS,
    )  # fmt: skip
    figure = picture(
        "activity",
        lambda theme: plot.activity(
            found.activity, moments=found.moments, gaps=found.gaps, theme=theme, zone=writer.zone
        ),
        label="Lane per identity over the period of the evidence, with state-changing acts and silences of the log.",
        caption="Identities that changed state come first, then people. A circle counts state-changing acts; it is "
        "hollow when every one was refused.",
        table=rows,
    )
    return Section("orientation", "Orientation", (figure,))


def _routine(found: Answers, writer: Writer) -> Table:
    return writer.table(
        found.routine, "Recognised as routine.", Col("finding_id", "Id", "code"), Col("title", "What"), Col("hsm", "HSM"),
        Col("principal", "Identity"), Col("caller_ip", "Address", "code"), Col("events", "Events", "number"),
        Col("first_time", "First", "second"), Col("last_time", "Last", "second"), Col("why", "Why it is routine"),
    )  # fmt: skip


def _timeline(found: Answers, writer: Writer) -> Section:
    incident = found.incident()
    columns = (
        Col("start", "When", "second"), Col("seconds", "Lasted", "length"), Col("hsm", "HSM"), Col("principal", "Identity"),
        Col("caller_ip", "Address", "code"), Col("operation", "Operation"), Col("outcome", "Outcome"),
        Col("events", "Events", "number"), Col("key_names", "Keys"),
    )  # fmt: skip
    acts = found.moments.assign(seconds=(found.moments["end"] - found.moments["start"]).dt.total_seconds())
    chosen = acts.index.isin(incident.index)
    figure = picture(
        "moments", lambda theme: plot.moments(incident, gaps=found.gaps, theme=theme, zone=writer.zone),
        label="Row per operation with a mark per run of the same act, filled when done and hollow when refused.",
        caption="Acts that belong to a finding. Read calls and key use are not in this figure.",
    )  # fmt: skip
    blocks = (
        figure,
        writer.table(acts[chosen], "Acts that belong to a finding. A run of the same act is one row.", *columns, limit=_ROWS),
        writer.table(acts[~chosen], "Other state-changing acts.", *columns, limit=_ROWS, folded=True),
    )
    return Section("timeline", "Key timeline", blocks)


def _identities(found: Answers, writer: Writer) -> Section:
    who = writer.table(
        found.principals, "Identities in the evidence.", Col("principal", "Identity"), Col("principal_type", "Kind"),
        Col("object_id", "Object id", "code"), Col("first_time", "First", "second"), Col("last_time", "Last", "second"),
        Col("events", "Events", "number"), Col("control_events", "Control events", "number"),
        Col("caller_ips", "Addresses", "number"), Col("keys", "Keys", "number"), Col("denial_rate", "Denied", "share"),
        limit=_ROWS, marked=found.principals["principal"].isin(found.alarms["principal"].dropna()),
    )  # fmt: skip
    pairs = writer.table(
        found.pairs, "Identities and their addresses; marked pairs are new.", Col("principal", "Identity"),
        Col("caller_ip", "Address", "code"), Col("first_time", "First", "second"), Col("last_time", "Last", "second"),
        Col("events", "Events", "number"), Col("denied", "Denied", "number"), limit=_ROWS, marked=found.pairs["is_new"],
    )  # fmt: skip
    sessions = writer.table(
        found.sessions.sort_values(["control_events", "start"], ascending=[False, True], kind="stable"),
        "Sessions, those with control events first.", Col("principal", "Identity"), Col("caller_ip", "Address", "code"),
        Col("start", "From", "second"), Col("end", "To", "second"), Col("events", "Events", "number"),
        Col("control_events", "Control events", "number"), Col("denied", "Denied", "number"),
        Col("top_operations", "Operations"), limit=_ROWS, folded=True,
    )  # fmt: skip
    since = "" if found.since is None else f" New: first seen at or after {writer.said(found.since)}."
    blocks = (
        who,
        picture("pairs", lambda theme: plot.first_seen_pairs(found.pairs, theme=theme, zone=writer.zone),
                label="Matrix of identities and addresses with the number of events of each pair.",
                caption=f"One identity with one address is the usual case.{since}", table=pairs),
        picture("sessions", lambda theme: plot.sessions(found.sessions, theme=theme, zone=writer.zone),
                label="Row per identity and address with a bar per session.",
                caption="A session ends after a pause of 30 minutes."),
        sessions,
    )  # fmt: skip
    return Section("identities", "Identities and addresses", blocks)


def _key_section(found: Answers, writer: Writer) -> Section:
    touched = {str(key) for keys in found.alarms["keys"] if keys is not None for key in keys}
    table = writer.table(
        found.keys, "Keys in the evidence; marked ones are named by a finding.", Col("hsm", "HSM"), Col("key_name", "Key"),
        Col("state", "State at the end"), Col("uses", "Uses", "number"), Col("exports", "Exports", "number"),
        Col("changes", "Changes", "number"), Col("denied", "Denied", "number"), Col("first_time", "First", "second"),
        Col("last_time", "Last", "second"), Col("deleted_at", "Deleted", "second"), Col("purged_at", "Purged", "second"),
        limit=_ROWS, marked=found.keys["key_name"].isin(touched),
    )  # fmt: skip
    figure = picture(
        "keys", lambda theme: plot.keys(found.keys, theme=theme, zone=writer.zone),
        label="Bar per key from its first event: active, soft-deleted or purged.",
        caption="A soft-deleted key can be recovered until its retention ends (7 to 90 days, set with the HSM and not in "
        "the log). A purged key can come back only from a backup.",
        table=table,
    )  # fmt: skip
    return Section("keys", "Keys touched", (figure,))


def _operations(found: Answers, writer: Writer) -> Section:
    table = writer.table(
        found.outcomes, "Operations and how they ended.", Col("operation", "Operation"), Col("operation_class", "Class"),
        Col("effect", "Effect"), Col("operation_status", "Name is"), Col("events", "Events", "number"),
        Col("success", "Success", "number"), Col("accepted", "Accepted", "number"), Col("denied", "Denied", "number"),
        Col("failure", "Failure", "number"), Col("unknown", "Unknown", "number"), Col("first_time", "First", "second"),
        Col("last_time", "Last", "second"), limit=_ROWS,
    )  # fmt: skip
    figure = picture(
        "outcomes", lambda theme: plot.outcomes(found.outcomes, theme=theme),
        label="Matrix of operations and outcomes with the number of events.",
        caption="The outcome is the HTTP status, never the record's result type, which says Success even on refusals. "
        "A 401 on Authentication is the usual challenge before a client sends its token.",
        table=table,
    )  # fmt: skip
    return Section("operations", "Outcomes by operation", (figure,))


def _searched(found: Answers, writer: Writer) -> Section:
    rules = found.looked_for
    columns = (
        Col("title", "Looked for"), Col("rule_id", "Rule", "code"), Col("operations", "Operations", "list"),
        Col("vocabulary", "Names are"), Col("rows_examined", "Events examined", "number"),
    )  # fmt: skip
    absent, present = rules[rules["findings"] == 0], rules[rules["findings"] > 0]
    period = "" if rules.empty else f" Examined: {iso(rules['first_time'].min())} to {iso(rules['last_time'].max())}."
    blocks = (
        writer.table(absent, f"Looked for and not found.{period}", *columns),
        writer.table(present, "Looked for and found.", *columns, Col("findings", "Findings", "number"), folded=True),
    )
    lead = (
        "Names are: documented (a published Managed HSM source shows the operation name), expected (Key Vault's name "
        "for the same call) or unseen (no source shows it; recognised by the request path)."
    )
    return Section("searched", "Looked for and not found", blocks, lead)


def _evidence(found: Answers, writer: Writer) -> Section:
    files = writer.table(
        found.case.evidence, "Evidence files.", Col("evidence_id", "Id", "code"), Col("path", "File"),
        Col("size", "Bytes", "number"), Col("event", "Events", "number"), Col("duplicate", "Duplicates", "number"),
        Col("out_of_scope", "Out of scope", "number"), Col("blank", "Blank", "number"), Col("reject", "Rejects", "number"),
        Col("acquired", "Acquired", "time"), Col("sha256", "SHA-256", "code"), limit=2000, folded=True,
    )  # fmt: skip
    chain = writer.table(
        found.case.custody, "Chain of custody: each entry holds the SHA-256 of the one before.", Col("seq", "No.", "number"),
        Col("time", "Time", "time"), Col("action", "Action"), Col("by", "By"), Col("detail", "Detail"),
        Col("sha256", "SHA-256 of the entry", "code"), limit=2000, folded=True,
    )  # fmt: skip
    recipe = (
        f"SHA-256 over all evidence: {digest(found.case)}. It is the SHA-256 of the files' SHA-256 values in hex, sorted, "
        "joined by line feeds."
    )
    lead = "Evidence is kept verbatim and read only; every event names its file, line and byte."
    return Section("evidence", "Evidence and custody", (Words((recipe,)), files, chain), lead)


def _method(found: Answers, generated: str, zone: str | None) -> Pairs:
    rules = ("Rules run", f"{len(found.looked_for):,}")
    rows = (*method(TOOL, zone, generated), rules, ("Session pause", "30 minutes"))
    return Pairs(tuple((name, (Cell(value),)) for name, value in rows))


def _signatures() -> Pairs:
    line = (Cell("Name, date, signature"),)
    return Pairs((("Author", line), ("Reviewer", line)))


def _nothing(text: str) -> Words:
    return Words((text,))
