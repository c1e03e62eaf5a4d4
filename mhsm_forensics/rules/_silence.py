"""Rules on refusals, silences and contradictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ..text import spell, visible
from ._readings import acts as acts_of
from ._readings import has
from ._rule import ATTACK, DOCS, Hit, Rule
from ._words import departs, joined, names, raised, stretches, times, title, truly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._material import Material

_MANY_DENIALS: Final = 10
_BROAD_DENIALS: Final = 3  # different operations
_GRAVE_BEFORE: Final = pd.Timedelta(hours=2)
_STARTED_WITHIN: Final = pd.Timedelta(days=1)


def _denied_burst(found: Material) -> Iterator[Hit]:
    for rows in stretches(found.untold(found.denied, "refused-by-firewall", "own-rights")):
        kinds = rows["gravest"].nunique()
        if len(rows) < _MANY_DENIALS and kinds < _BROAD_DENIALS:
            continue
        what = f"{times(len(rows), 'request')} denied, {times(kinds, 'kind')} of operation ({acts_of(rows)})"
        yield Hit(title(what, rows), raised("low", departs(rows)), "medium", rows)


def _grave_denied(found: Material) -> Iterator[Hit]:
    denied = found.unnamed(found.denied)
    asked = (denied["control"] == 1) | (denied["open"] == 1)
    grave = denied[asked & has(denied["effect"], "export", "destroy", "change", "unknown")]
    of_a_key = grave["operation_class"].isin(["key_lifecycle", "key_read"])
    grave = grave[~(of_a_key & ~has(grave["effect"], "destroy"))]
    for rows in stretches(grave):
        what = f"{acts_of(rows)} denied"
        yield Hit(title(what, rows), raised("low", departs(rows)), "high", rows)


def _silence_after(found: Material) -> Iterator[Hit]:
    acts = found.done
    grave = acts[has(acts["effect"], "destroy", "export") & acts["event_id"].isin(found.loud)]
    for gap in _gaps(found):
        before = grave["time"].between(gap["start"] - _GRAVE_BEFORE, gap["start"])
        last = grave[before].tail(1)
        if last.empty:
            continue
        ends = _ends(gap)
        waited = spell((gap["start"] - last["time"].iloc[0]).total_seconds())
        act = f"{acts_of(last)} on {visible(last['hsm'].iloc[0], limit=60)}"
        said = f"{_said(gap)}; it began {waited} after {act}"
        yield Hit(said, "high", _sure(gap), joined(last[["event_id", "time", "hsm"]], ends).drop_duplicates("event_id"))


def _silence(found: Material) -> Iterator[Hit]:
    told = found.told("silence-after-grave-act")
    for gap in _gaps(found):
        if gap["last_event_id"] not in told:
            yield Hit(_said(gap), "high", _sure(gap), _ends(gap))


def _gaps(found: Material) -> Iterator[dict[Any, Any]]:
    """Silences that the activity log does not explain."""
    told = found.told("logging-removed")
    yield from (gap for gap in found.gaps.to_dict("records") if gap["last_event_id"] not in told)


def _ends(gap: dict[Any, Any]) -> pd.DataFrame:
    ends = {"event_id": [gap["last_event_id"], gap["next_event_id"]], "time": [gap["start"], gap["end"]]}
    return pd.DataFrame({**ends, "hsm": [gap["hsm"]] * 2}).dropna(subset="event_id")


def _said(gap: dict[Any, Any]) -> str:
    stopped = pd.isna(gap["next_event_id"])
    what = "Log stopped and did not come back" if stopped else f"No log for {spell(gap['seconds'])}"
    span = f"{gap['start']:%Y-%m-%d %H:%M}Z" + ("" if stopped else f" to {gap['end']:%Y-%m-%d %H:%M}Z")
    said = f"{what}: {visible(gap['hsm'], limit=60) or 'an HSM without name'}, {span}"
    return f"{said}; about {gap['expected_events']:,.0f} events were to be expected"


def _sure(gap: dict[Any, Any]) -> str:
    return "high" if gap["chance"] < 1e-4 else "medium"


def _contradictions(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_contradictions")
    for (_, contradiction), about in rows.groupby(["hsm", "contradiction"], dropna=False, sort=False):
        what = (
            f"{times(about['key'].nunique(), 'key')} {contradiction} ({names(about['key_name'])}), {times(len(about))}"
        )
        yield Hit(title(what, about), "medium", "medium", about)


def _unstarted(found: Material) -> Iterator[Hit]:
    rows = found.asked("detect_jobs")
    polls = [_lost(about, found.gaps) for _, about in rows.groupby(["hsm", "kind"], dropna=False, sort=False)]
    for lost in stretches(joined(rows[:0], *polls), by=("hsm", "kind"), pause=pd.Timedelta(days=1)):
        kind, jobs = lost["kind"].iloc[0], times(lost["job_id"].nunique(), "job")
        kinds = kind if lost["job_id"].isna().all() else f"{kind} or its pre-check"
        asked = f"how far a {kind} is" if lost["job_id"].isna().all() else f"how far {jobs} of {kinds} are"
        what = f"Asked {asked}, {times(len(lost))}, without a start in the day before"
        known = "medium" if lost["started_before"].any() else "low"
        yield Hit(title(what, lost), raised("low", departs(lost) or kind != "backup"), known, lost)


def _lost(rows: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Polls of the jobs of one kind on one HSM that no start explains, though the log holds the day before them.

    Each start explains one job, the earliest the earliest: so as many jobs as can be are explained.
    """
    starts: list[pd.Timestamp] = []
    first: dict[str, bool] = {}
    for row in rows.to_dict("records"):
        if row["is_start"]:
            starts.append(row["time"])
        elif row["job"] not in first:
            starts = [start for start in starts if row["time"] - start <= _STARTED_WITHIN]
            first[row["job"]] = not starts and _is_covered(row, gaps)
            starts = starts[0 if pd.isna(row["job_id"]) else 1 :]
    lost = rows[(rows["is_start"] == 0) & rows["job"].isin([job for job, is_lost in first.items() if is_lost])]
    return lost.assign(started_before=bool((rows["is_start"] == 1).any()) and bool(rows["job_id"].notna().any()))


def _is_covered(row: dict[Any, Any], gaps: pd.DataFrame) -> bool:
    """Whether the HSM's log began a day before, and did not fall silent since."""
    missing = (
        (gaps["hsm"] == row["hsm"]) & (gaps["start"] < row["time"]) & (gaps["end"] > row["time"] - _STARTED_WITHIN)
    )
    return row["since_first"] / 1e6 >= _STARTED_WITHIN.total_seconds() and not truly(missing).any()


RULES: Final = (
    Rule(
        id="denied-burst",
        title="Many or varied denials",
        question="refusals",
        severity="medium",
        rises="low; medium with a new address or principal",
        confidence="medium",
        techniques=("T1580", "T1069.003"),
        why="Ten denials, or three kinds of operation, in one go: somebody tries out what a credential can do.",
        benign="A misconfigured application, or an administrator without the role of the day.",
        next_step="See what the same principal was allowed just before and after, and on the other HSMs.",
        reference=ATTACK + "T1580/",
        check=_denied_burst,
    ),
    Rule(
        id="grave-operation-denied",
        title="Grave operation attempted and denied",
        question="refusals",
        severity="low",
        rises="low; medium with a new address or principal",
        confidence="high",
        techniques=("T1580",),
        why="Backups, purges, roles and the security domain are asked for on purpose. The attempt failed; the wish was "
        "there, and the next attempt may have other rights.",
        benign="An administrator whose just-in-time role was not active yet.",
        next_step="Ask the principal. Check whether it was allowed later (rule denied-then-allowed) and which "
        "credential it used.",
        classes=(
            "access_control",
            "hsm_backup",
            "hsm_restore",
            "key_backup",
            "key_release",
            "security_domain",
            "settings",
        ),
        reference=DOCS + "built-in-roles",
        check=_grave_denied,
    ),
    Rule(
        id="silence-after-grave-act",
        title="The log falls silent after a grave act",
        question="silences",
        severity="high",
        rises="always high; told as logging-removed, and critical, where the activity log has the deletion",
        confidence="high",
        techniques=("T1685.002", "T1070"),
        why="Within two hours of an act that destroyed or took something away, an HSM stopped logging for longer than chance "
        "explains. What was done meanwhile is not in this evidence.",
        benign="The act itself stopped the callers: a key they all need is gone.",
        next_step="Read the activity log for Microsoft.Insights/diagnosticSettings/delete, and compare with the metric "
        "ServiceApiHit: az monitor metrics list --resource ID --metric ServiceApiHit.",
        reference=DOCS + "logging",
        days=3,
        gravity=4,
        broad=True,
        check=_silence_after,
    ),
    Rule(
        id="silence",
        title="The log falls silent",
        question="silences",
        severity="high",
        rises="always high; the confidence follows the chance of so long a silence",
        confidence="high",
        techniques=("T1685.002",),
        why="The HSM logged nothing for so long that chance does not explain it, judged by its own rhythm. Whoever "
        "removes the diagnostic setting is not seen here, and neither is what they do next.",
        benign="The callers were down, delivery of logs failed, or files are missing from this evidence.",
        next_step="Read the activity log for Microsoft.Insights/diagnosticSettings/delete before the silence, and "
        "compare with the HSM's metrics (ServiceApiHit) in it: az monitor metrics list --resource ID "
        "--metric ServiceApiHit.",
        reference=DOCS + "logging",
        days=3,
        check=_silence,
        broad=True,
    ),
    Rule(
        id="contradiction",
        title="Events that contradict those before",
        question="contradictions",
        severity="medium",
        rises="always medium",
        confidence="medium",
        techniques=("T1685.002",),
        why="A key is used after its deletion, or purged or recovered though nobody deleted it: a record between the two is "
        "missing, or the key came back in a way that this log does not show. A restore of the HSM or from a backup blob in "
        "between may have brought it back, and then nothing is told.",
        benign="Lost records (delivery is not guaranteed), a restore of the HSM, or a change that reached the other region "
        "late.",
        next_step="Get the log by its second way (workspace or storage), and the metric ServiceApiHit for the minutes between.",
        operations=("KeyDelete", "KeyPurge", "KeyRecover"),
        reference=DOCS + "soft-delete-overview",
        broad=True,
        check=_contradictions,
    ),
    Rule(
        id="job-without-start",
        title="A job that nobody started",
        question="contradictions",
        severity="low",
        rises="low; medium with a new address or principal, or where it is a restore or of the security domain",
        confidence="medium",
        techniques=("T1685.002", "T1070"),
        why="Somebody asked how far a backup or a restore (or its pre-check) or a download of the security domain is, and no "
        "accepted start of one stands in the day before, though the log goes back as far and has no gap there: the record of "
        "the start is missing. Neither is tied to the other by an id, so each start is taken to explain one job.",
        benign="A lost record (delivery is not guaranteed), somebody who asks again for a job of days ago, or a start that is "
        "logged under a name and a path that nobody knows.",
        next_step="Get the log by its second way (workspace or storage) for the day before. Of a backup, look for the folder "
        "mhsm-HSM-TIME in the storage account: the first 14 of its 16 digits are the second of the start.",
        operations=(
            "BackupStatus",
            "BackupStatusGet",
            "RestoreStatusGet",
            "SecurityDomainBackupStatusGet",
            "SecurityDomainRestoreStatusGet",
        ),
        classes=("hsm_backup", "hsm_restore", "security_domain"),
        reference=DOCS + "backup-restore",
        days=1,
        broad=True,
        check=_unstarted,
    ),
)
