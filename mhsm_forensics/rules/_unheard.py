"""Rules on what nobody asked for before, and on names that no source has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from ._readings import acts as acts_of
from ._rule import DOCS, HISTORY_DAYS, Hit, Rule
from ._words import departs, raised, stretches, times, title, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material


def _first_time(found: Material) -> Iterator[Hit]:
    rows = found.unnamed(found.asked("detect_first_time", days=HISTORY_DAYS))
    for stretch in stretches(rows, by=("actor", "caller_ip"), pause=pd.Timedelta(hours=12)):
        what = f"Operations never asked for before ({acts_of(stretch)})"
        yield Hit(title(what, stretch), raised("low", departs(stretch)), "low", stretch)


def _unknown(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_unknown")
    for by_uri, group in rows.groupby("class_by_uri", dropna=False, sort=False):
        said = "their URI says nothing either" if pd.isna(by_uri) else f"by their URI {str(by_uri).replace('_', ' ')}"
        callers = group["actor"].nunique()
        more = f"; {callers:,} principals in all" if callers > 1 else ""
        what = f"Operations that no source knows ({acts_of(group)}; {said}), {times(len(group))}"
        acted = bool(
            (group["http_status"].isin([201, 202, 204]) & (group["new_address"] | group["new_principal"])).any()
        )
        yield Hit(title(what, group, more=more), raised("low", acted), "low", group)


def _unnamed(found: Material) -> Iterator[Hit]:
    rows = found.ask("detect_unnamed")
    if rows.empty:
        return
    count, calls = times(rows["operation"].nunique(dropna=False), "name"), times(int(rows["events"].sum()), "request")
    what = f"{count} that no source has, on routes that say what they are: {acts_of(rows)}; {calls} in all"
    yield Hit(f"{what}, {when(rows)}", "info", "high", rows)


def _contradicted(found: Material) -> Iterator[Hit]:
    for rows in stretches(found.asked("detect_contradicted"), by=("hsm", "actor")):
        what = f"Name and route contradict each other ({acts_of(rows)}), {times(len(rows))}"
        yield Hit(title(what, rows), raised("low", departs(rows)), "low", rows)


RULES: Final = (
    Rule(
        id="operation-never-seen-before",
        title="Operation nobody asked for before",
        question="what-is-new",
        severity="low",
        rises="low; medium with a new address or principal; told only where no other rule names the events",
        confidence="low",
        techniques=("T1526",),
        why="After days without it, somebody asks for this operation for the first time: what is rare in an HSM's life "
        "is worth one look.",
        benign="Rare but planned work: a rotation, a new key, the response to an incident.",
        next_step="Is there a ticket for it? Look at the whole session of the principal around that minute.",
        reference=DOCS + "logging",
        days=3,
        check=_first_time,
    ),
    Rule(
        id="unknown-operation",
        title="Operations that no source knows",
        question="unknown-operations",
        severity="low",
        rises="low; medium where it changed something by its status, with a new address or principal",
        confidence="low",
        techniques=(),
        why="Neither the name nor the path of these requests is in any source. They were judged by the ending of the name and "
        "the beginning of the path alone.",
        benign="Most likely an ordinary operation whose name is not documented, or a mistyped path.",
        next_step="Read the request URI in the record; compare its path with the REST reference.",
        classes=("unknown",),
        reference="https://learn.microsoft.com/rest/api/keyvault/",
        check=_unknown,
        broad=True,
    ),
    Rule(
        id="name-against-route",
        title="Name and route contradict each other",
        question="contradictions",
        severity="low",
        rises="low; medium with a new address or principal",
        confidence="low",
        techniques=("T1070",),
        why="The name of the operation says one thing, and the path and status of the request say another. A service does not "
        "log so: the record was changed on its way, or the name means something that no source tells. The act is judged by the "
        "graver of the two.",
        benign="A name that the service uses for more than its documentation says.",
        next_step="Compare the record with its copy by the second way (workspace or storage), and its path with the REST "
        "reference.",
        reference="https://learn.microsoft.com/rest/api/keyvault/",
        check=_contradicted,
        broad=True,
    ),
    Rule(
        id="unnamed-operation",
        title="Names that no source has, on known routes",
        question="unknown-operations",
        severity="info",
        rises="never; path and status say what was asked for, and the rules go by that",
        confidence="high",
        techniques=(),
        why="Microsoft does not publish all names that Managed HSM logs. Told so that the names can be learnt, not as an alarm.",
        benign="This is the benign case: an ordinary call, under a name that is not published.",
        next_step="Nothing for the investigation. If the names are a managed HSM's own, tell the makers of this tool.",
        reference="https://learn.microsoft.com/rest/api/keyvault/",
        check=_unnamed,
        broad=True,
    ),
)
