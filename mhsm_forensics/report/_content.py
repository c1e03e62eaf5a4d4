"""What the report says, section by section, in the order in which a responder is asked."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from .. import accounting, engine, plot
from ..case import TOOL
from ..text import plural, visible
from . import _tables as tables
from ._document import Block, Cell, Listing, Pairs, Report, Section, Words, Writer, iso
from ._figures import picture
from ._findings import cards, index
from ._gather import QUESTIONS, Answers, gather
from ._limits import limitations, method, time_statement
from ._seal import verdict, verification
from ._story import record, story
from ._summary import summary, synopsis

if TYPE_CHECKING:
    from datetime import datetime

    from ..case import Case, Verification

_FACTS: Final = (
    "Facts only, from the critical and high findings (from all, if there is none of these). Every sentence names the "
    "findings it rests on and how sure they are."
)
_SCORECARD: Final = "How much of the truth is in this evidence: read it before the findings."
_CONFIDENCE: Final = (
    "High: the events show it themselves. Medium: the events show it unless a named innocent activity did "
    "it. Low: a lead, worth a question. Facts are what the log says; interpretation is what the rule makes "
    "of it."
)
_ROUTINE: Final = (
    "Recurring activity that a rule recognised and that raised no alarm. An intruder can hide in a routine: "
    "check that someone owns each of these."
)
_VOCABULARY: Final = (
    "Names are: documented (a published Managed HSM source shows the operation name), expected (the name "
    "that Key Vault gives the same call) or unseen (no source shows it; recognised by the request path)."
)
_LABELS: Final = (
    "A name below an identity or an address is its label: what a list in the case says of it, which the log does "
    "not prove. The lists:"
)
_METHOD: Final = "Every figure and table is the answer of one of the queries below over the events of the case."
_EVIDENCE: Final = "Evidence is kept verbatim and read only; every event names its file, line and byte."
_HEAD: Final = (
    "The case was verified for this report, just before it was written. The head of the chain pins every entry "
    "before it: 'mhsm-forensics verify CASE --head HEAD' shows later whether the chain was cut off or written anew."
)
_SIGNATURE: Final = (
    "A signature proves that this file was not changed since it was signed. It does not prove the findings."
)


def report(case: Case, *, title: str | None, generated: datetime, verified: Verification) -> Report:
    """Everything the report of *case* says, and what a verification of it found."""
    found, stamp = gather(case), iso(generated)
    writer = Writer(case.display_zone, found.labels)
    return Report(
        title=visible(title or case.name, limit=160),
        cover=_cover(found, writer, stamp, verified),
        sections=(
            Section("summary", "Executive summary", (summary(found, writer),), _FACTS),
            _scorecard(found, writer),
            _orientation(found, writer),
            _findings(found, writer),
            story(found, writer),
            Section("routine", "Routine recognised", (tables.routine(found, writer),), _ROUTINE),
            _timeline(found, writer),
            _identities(found, writer),
            _keys(found, writer),
            _operations(found, writer),
            _searched(found, writer),
            record(found, writer),
            _evidence(found, writer, verified),
            _made(found, writer, stamp),
            Section("time", "Time", (Words(time_statement(found, writer.zone)),)),
            Section("limits", "Limitations", (Words(limitations(found), listed=True),)),
            Section("signoff", "Sign-off", (_signatures(),), _SIGNATURE),
        ),
        generated=stamp,
        tool=TOOL,
        synopsis=synopsis(found),
    )


def digest(case: Case) -> str:
    """SHA-256 over the sorted SHA-256 values of the evidence, one a line: one number for all of it."""
    hashes = sorted(str(value) for value in case.evidence["sha256"].dropna())
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _cover(found: Answers, writer: Writer, generated: str, verified: Verification) -> Pairs:
    case, people = found.case, found.principals
    hsms = sorted(visible(hsm, limit=120) for hsm in found.coverage["hsm"].dropna().unique())
    period: tuple[Cell, ...] = (Cell("no events"),)
    if len(people):
        period = (writer.time(people["first_time"].min()), writer.time(people["last_time"].max()))
    return Pairs(
        (
            ("Case", (Cell(visible(case.name, limit=160)),)),
            ("Managed HSMs", tuple(Cell(hsm) for hsm in hsms) or (Cell("none"),)),
            ("Period of the evidence", period),
            (
                "Evidence",
                (Cell(plural(len(case.evidence), "file")), Cell(f"SHA-256 over all: {digest(case)}")),
            ),
            ("Verification", (verdict(verified),)),
            ("Generated", (Cell(generated), Cell(TOOL))),
            ("Status", (Cell("Draft. Not reviewed by a second person."),)),
        )
    )


def _scorecard(found: Answers, writer: Writer) -> Section:
    figure = picture(
        "coverage",
        lambda theme: plot.coverage(found.coverage, gaps=found.gaps, theme=theme, zone=writer.zone),
        label="Strip per managed HSM: hours with as many events as usual, with fewer, with none.",
        caption="Silence is measured against the same hour and kind of day. It shows that no record is in "
        "the evidence, not why.",
        table=tables.coverage(found, writer),
    )
    blocks = (
        *((Words((found.examined,)),) if found.examined else ()),
        tables.fates(found, writer),
        tables.rejects(found, writer),
        *tables.passed_over(found, writer),
        *_routes(found, writer),
        figure,
        tables.gaps(found, writer),
        tables.unknown(found, writer),
    )
    return Section("scorecard", "Evidence scorecard", blocks, _SCORECARD)


def _routes(found: Answers, writer: Writer) -> tuple[Block, ...]:
    """What several records tell of each other; nothing where each request has one alone."""
    case = found.case
    again = "; ".join(accounting.lines_of_witnesses(case))
    if len(case.routes) < 2 and not again:
        return ()
    told = f"The evidence came by {', '.join(case.routes)}."
    if again:
        told += f" {again}. Each request is one event in this report, and the case knows every record that says it."
    if len(case.routes) < 2:
        return (Words((told,)),)
    if found.lacking.empty:
        return (Words((f"{told} No route has a record that another lacks.",)),)
    figure = picture(
        "reconcile",
        lambda theme: plot.reconcile(found.lacking, theme=theme, zone=writer.zone),
        label="Bars per hour: records that one route has and another lacks, a panel for each pair of routes.",
        caption="What lacks while a route was delivering was lost on that way, or taken out. What lacks before its first "
        "record or after its last may never have been collected.",
        table=tables.lacking(found, writer),
    )
    return (Words((told,)), figure)


def _orientation(found: Answers, writer: Writer) -> Section:
    figure = picture(
        "timeline",
        lambda theme: plot.timeline(
            found.labels.beside(found.timeline, lane="principal"),
            moments=found.labels.beside(found.moments),
            gaps=found.gaps,
            intervals=found.restores,
            sessions=found.labels.beside(found.sessions),
            t0=found.case.t0,
            theme=theme,
            zone=writer.zone,
        ),
        label="Lane per identity over the period of the evidence, with control acts and silences.",
        caption="A control act is one that changes, exports or destroys. Identities with control acts come first, "
        "then people. A circle counts control acts; it is hollow when every one was refused.",
        table=tables.timeline(found, writer),
    )
    return Section("orientation", "Orientation", (figure,))


def _findings(found: Answers, writer: Writer) -> Section:
    if found.alarms.empty:
        text = found.examined or "No rule raised an alarm."
        return Section("findings", "Findings", (Words((text,)),), _CONFIDENCE)
    said = (Words((found.examined,)),) if found.examined else ()
    blocks: tuple[Block, ...] = (*said, index(found.alarms, writer), *cards(found.alarms, found.rows, writer))
    return Section("findings", "Findings", blocks, _CONFIDENCE)


def _timeline(found: Answers, writer: Writer) -> Section:
    incident = found.incident()
    others = found.moments.drop(incident.index)
    figure = picture(
        "moments",
        lambda theme: plot.moments(found.labels.beside(incident), gaps=found.gaps, theme=theme, zone=writer.zone),
        label="Row per operation, mark per run of the same act: filled when done, hollow when refused.",
        caption="Acts that belong to a finding. Read calls and key use are not in this figure.",
    )
    told = tables.acts(incident, "Acts that belong to a finding. A run of the same act is one row.", writer)
    rest = tables.acts(others, "Other control acts", writer, folded=True)
    restored = (tables.restores(found, writer),) if len(found.restores) else ()
    return Section("timeline", "Key timeline", (figure, told, *restored, rest))


def _identities(found: Answers, writer: Writer) -> Section:
    since = "" if found.since is None else f" New: first seen at or after {writer.said(found.since)}."
    matrix = picture(
        "pairs",
        lambda theme: plot.first_seen_pairs(found.labels.beside(found.pairs), theme=theme, zone=writer.zone),
        label="Matrix of identities and addresses with the number of events of each pair.",
        caption=f"One identity with one address is the usual case.{since}",
        table=tables.pairs(found, writer),
    )
    spans = picture(
        "sessions",
        lambda theme: plot.sessions(found.labels.beside(found.sessions), theme=theme, zone=writer.zone),
        label="Row per identity and address with a bar per session.",
        caption="A session ends with a pause that does not fit the identity's own cadence: 30 minutes to four hours.",
        table=tables.sessions(found, writer),
    )
    blocks: tuple[Block, ...] = (*_labels(found), tables.principals(found, writer), matrix, spans)
    return Section("identities", "Identities and addresses", blocks)


def _labels(found: Answers) -> tuple[Block, ...]:
    """Which lists the labels beside ids and addresses are from."""
    sources = (*found.labels.sources, *found.labels.address_sources)
    lists = ", ".join(visible(source, limit=160) for source in sources)
    return (
        (Words((f"{_LABELS} {lists}; names of Microsoft's own applications from public references.",)),)
        if lists
        else ()
    )


def _keys(found: Answers, writer: Writer) -> Section:
    figure = picture(
        "keys",
        lambda theme: plot.keys(found.keys, theme=theme, zone=writer.zone),
        label="Bar per key from its first event: active, soft-deleted or purged.",
        caption="A soft-deleted key can be recovered until its retention ends (7 to 90 days, set with the "
        "HSM and not in the log). A purged key can come back only from a backup.",
    )
    return Section("keys", "Keys touched", (figure, tables.keys(found, writer)))


def _operations(found: Answers, writer: Writer) -> Section:
    figure = picture(
        "outcomes",
        lambda theme: plot.outcomes(found.outcomes, theme=theme),
        label="Matrix of operations and outcomes with the number of events.",
        caption="The outcome is the HTTP status, never the result type of the record, which says Success "
        "even on refusals. A 401 on Authentication is the usual challenge before a client sends its token.",
        table=tables.outcomes(found, writer),
    )
    return Section("operations", "Outcomes by operation", (figure,))


def _searched(found: Answers, writer: Writer) -> Section:
    blocks = (tables.not_found(found, writer), tables.not_testable(found, writer), tables.was_found(found, writer))
    return Section("searched", "Looked for and not found", blocks, _VOCABULARY)


def _evidence(found: Answers, writer: Writer, verified: Verification) -> Section:
    recipe = (
        f"SHA-256 over all evidence: {digest(found.case)}. It is the SHA-256 of the SHA-256 values of the "
        "files, in hex, sorted, joined by line feeds."
    )
    blocks = (
        verification(verified),
        Words((recipe, _HEAD)),
        tables.evidence(found, writer),
        tables.custody(found, writer),
    )
    return Section("evidence", "Evidence and custody", blocks, _EVIDENCE)


def _made(found: Answers, writer: Writer, generated: str) -> Section:
    rows = [
        *method(TOOL, writer.zone, generated),
        ("Rules run", f"{len(found.looked_for):,}"),
        ("Session pause", "20 times the identity's median pause from that address, 30 minutes to 4 hours"),
    ]
    versions = Pairs(tuple((name, (Cell(value),)) for name, value in rows))
    queries = (Listing(f"Query: {name.replace('_', ' ')}", engine.sql(name)) for name in QUESTIONS)
    return Section("method", "Method and versions", (versions, *queries), _METHOD)


def _signatures() -> Pairs:
    line = (Cell("Name, date, signature"),)
    return Pairs((("Author", line), ("Reviewer", line)))
