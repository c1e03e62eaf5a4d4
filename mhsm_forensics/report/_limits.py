"""What this report can't say, how to read its times, and how it was made: all of it true of the case."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from .. import accounting, known
from ..text import plural, visible
from ._document import iso

if TYPE_CHECKING:
    from ._gather import Answers

_PACKAGES = ("pandas", "pyarrow", "duckdb", "plotly", "jinja2")


def limitations(found: Answers) -> tuple[str, ...]:
    """Sentences that bound what the findings prove."""
    return (
        *((found.examined,) if found.examined else ()),
        *_not_read(found),
        *(f"A collection of this evidence is incomplete: {visible(text)}." for text in found.case.unfinished),
        "Azure Monitor resource logs are not guaranteed lossless. That an event is absent from the evidence "
        "does not prove that it did not happen.",
        "Records do not contain request bodies: the principal and role of a role assignment, backup "
        "destinations, security-domain quorum, setting values and attribute values are not recorded here.",
        "Accepted (202) means that the service took a job on, not that the job succeeded: its result is in a "
        "response that is not logged.",
        *_rights(found),
        "Group membership and privileged-access activation are held in Entra ID and were not examined.",
        *_elsewhere(found),
        *_anonymous(found),
        _locations(found),
        "The client string is supplied by the caller.",
        "One unwrap, decrypt or sign call shows that key use succeeded; it does not identify the data.",
        *_silences(found),
        *_losses(found),
        *_vocabulary(found),
        "Techniques of MITRE ATT&CK are proposals of the rules, not attributions.",
    )


def time_statement(found: Answers, zone: str | None) -> tuple[str, ...]:
    """Sentences on the clock."""
    second = f"Times in {zone} stand beside them with their offset." if zone else "No second zone is shown."
    return (
        f"All times are UTC, ISO 8601 with Z. {second}",
        "A time is the one that the service wrote into the record; the source clock is that of the Azure "
        "service. No clock correction was made. Summaries show whole seconds, cut; rows of single events "
        "show the precision that was kept, a millionth of a second at most.",
        "A record whose time names no zone was refused, never guessed (see the rejects), unless a person said in which zone "
        "it was written.",
        *_as_said(found),
        "The service delivers logs up to 10 minutes late and files them by the hour of receipt, so the hour "
        "in the path of a file is not the hour of its events. With several regions, changes reach the other "
        "region within 6 minutes.",
    )


def method(tool: str, zone: str | None, generated: str) -> tuple[tuple[str, str], ...]:
    """Name and version of everything that shaped the report."""
    return (
        ("Tool", tool),
        ("Python", platform.python_version()),
        *((package, _version(package)) for package in _PACKAGES),
        ("Second time zone", zone or "none"),
        ("Generated", generated),
        ("To make it again", "mhsm-forensics report CASE -o FILE"),
        ("To check the evidence", "mhsm-forensics verify CASE"),
        ("To see the bytes of an event", "mhsm-forensics raw CASE EVENT_ID"),
    )


_SAID = {
    "dates": "dates that can be read two ways are {}",
    "times_in": "times without a zone are in {}; they were converted to UTC by that",
}


def _as_said(found: Answers) -> tuple[str, ...]:
    """What a person said of dates and times when the evidence was added: the evidence does not prove it."""
    return tuple(
        f"The responder said of {plural(files, 'evidence file')} that {_SAID[kind].format(visible(value))}. The evidence itself "
        "does not say so."
        for kind, value, files in accounting.responder_said(found.case)
    )


def _not_read(found: Answers) -> tuple[str, ...]:
    unread = sum(one.kind != "left out" for one in found.passed_over)
    return (f"Files that were handed over and could not be read: {unread:,} (see the scorecard).",) if unread else ()


def _rights(found: Answers) -> tuple[str, ...]:
    if found.principals.empty:
        return ()
    first, held = iso(found.principals["first_time"].min()), len(found.case.context("role_assignments"))
    if held:
        return (
            f"Role assignments in the case, from lists: {held:,}. They say who had which role when the lists were made, and "
            f"nothing of rights that were given before {first} and taken away since.",
        )
    return (f"No snapshot of roles is part of this case: rights given before {first} are unknown.",)


_OTHER_LOGS = {
    "signins": "Sign-ins are held in Entra ID",
    "activity": "Deletion of the HSM, of its diagnostic setting and of network rules is recorded in the Azure Activity Log",
    "blob_requests": "Whether a backup was read is recorded in the log of the storage account that it went to",
}


def _elsewhere(found: Answers) -> tuple[str, ...]:
    """What other logs would say, and whether the case has them: without them, what rests on them is not testable."""
    held = {name: len(found.case.context(name)) for name in _OTHER_LOGS}
    return tuple(
        f"{where}; {held[name]:,} records of it are in the case. What it holds before and after them is not known."
        if held[name]
        else f"{where}, which was not examined."
        for name, where in _OTHER_LOGS.items()
    )


def _locations(found: Answers) -> str:
    places = known.places(found.case)
    shared = "Several people can share an address."
    if places.empty:
        return f"No location was looked up for any address. {shared}"
    databases = sorted({visible(name, limit=160) for names in places["databases"] for name in names})
    return (
        f"Locations of {plural(len(places), 'address')} come from {', '.join(databases)}: where a network is registered, which "
        f"need not be where a person was. {shared}"
    )


def _anonymous(found: Answers) -> tuple[str, ...]:
    count = int(found.principals.loc[found.principals["principal"].isna(), "events"].sum())
    said = f" Events without identity: {count:,}; they are attributed to nobody." if count else ""
    return (f"The service is documented to log authenticated requests only.{said}",)


def _silences(found: Answers) -> tuple[str, ...]:
    if found.gaps.empty:
        return ()
    return (f"Silences of the log: {len(found.gaps):,}. What happened in them is not known (see the scorecard).",)


def _losses(found: Answers) -> tuple[str, ...]:
    rejects = int(found.case.accounting["reject"].iloc[0])
    if not rejects:
        return ()
    return (f"Lines of the evidence that are no readable event: {rejects:,}. Their bytes are kept in the case.",)


def _vocabulary(found: Answers) -> tuple[str, ...]:
    names, rules = len(found.unknown), int((found.looked_for["vocabulary"] == "unseen").sum())
    unknown = (
        f"Operation names in this evidence that stand in no published source: {names:,}. Their class comes "
        "from the request path alone."
    )
    unseen = (
        "Rules that look for operation names that no published source shows for a managed HSM: "
        f"{rules:,}. That such a rule found nothing proves little."
    )
    unable = int((found.looked_for["testable"] != "yes").sum())
    untestable = (
        f"Rules that could find nothing in this evidence, whatever happened: {unable:,} of {len(found.looked_for):,} "
        "(see what was looked for)."
    )
    said = ((unknown, names), (unseen, rules), (untestable, unable))
    return tuple(text for text, count in said if count)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
