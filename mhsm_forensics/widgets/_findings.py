"""One finding after the other: what was judged, why, what innocent activity looks the same, and its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from .. import accounting, detect, export, known
from ..errors import ForensicsError, InputError
from ..text import plural
from . import _panel as panel
from . import _words as words
from ._grid import EventGrid
from ._notes import TAGS

if TYPE_CHECKING:
    import pandas as pd

    from ..case import Case

_LOGS = ("activity", "signins", "blob_requests")
_LOOK = {"critical": "error", "high": "error", "medium": "warn", "low": "info", "info": "info"}


def finding(case: Case, findings: pd.DataFrame, finding_id: str | None = None) -> FindingCard:
    """Card of one finding, with its events, and a way to the next one.

    Parameters
    ----------
    case
        The case.
    findings
        What `detect.run` found.
    finding_id
        Which one to show first, by its id or its number (``F07``); default the gravest.

    Returns
    -------
    The card. `finding_id` is the id of the one that is shown, `selected` the event_ids that are chosen in its table, or all of
    them.

    Raises
    ------
    InputError
        There is no such finding.
    """
    return FindingCard(case, findings, finding_id)


class FindingCard(panel.Panel):
    """One finding; made by `finding`."""

    finding_id = traitlets.Unicode()
    selected = traitlets.List(traitlets.Unicode())

    def __init__(self, case: Case, findings: pd.DataFrame, finding_id: str | None = None) -> None:
        super().__init__()
        if finding_id is not None:
            finding_id = str(detect.named(findings, finding_id)["finding_id"].iloc[0])
        self._case, self._findings = case, findings
        self._labels = known.labels(case)
        self.grid: EventGrid | None = None
        named = [
            (f"{row.number} {_marked(row.severity)}: {panel.said(row.title, 64)}", row.finding_id)
            for row in findings.itertuples()
        ]
        self.choice = ipywidgets.Dropdown(options=named, description="Finding", layout={"width": "60em"})
        self.previous_button = panel.button("Previous", lambda: self._step(-1), "Finding before")
        self.next_button = panel.button("Next", lambda: self._step(1), "Next finding")
        self.card, self.message, self.code = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.events_button = panel.button("Show its events", self.show_events, "The records, in a table")
        self.tag = ipywidgets.Combobox(options=TAGS, placeholder="tag", tooltip="Tag", layout={"width": "14em"})
        self.tag_button = panel.button(
            "Tag its events", self.tag_events, "Tag all events of the finding, or the selected ones"
        )
        self.report_button = panel.button(
            "Add to report", self.add_to_report, "Keep this finding as a view, for the report"
        )
        self.place = ipywidgets.VBox()
        buttons = panel.row(self.events_button, self.tag, self.tag_button, self.report_button)
        self.box = panel.column(panel.row(self.choice, self.previous_button, self.next_button), self.card, buttons,
                                    self.message, self.place, self.code)  # fmt: skip
        self.choice.observe(lambda change: self._show(change["new"]), "value")
        self._show(finding_id or (findings["finding_id"].iloc[0] if len(findings) else ""))

    def show_events(self) -> None:
        """Show the events of the finding in a table; they are read only now."""
        if self.grid is None and self.finding_id:
            self.grid = EventGrid(
                self._case,
                only=self._ids,
                named=f"findings.set_index('finding_id').at[{self.finding_id!r}, 'event_ids']",
            )
            self.grid.observe(lambda change: setattr(self, "selected", change["new"] or self._ids), "selected")
            self.place.children = [self.grid, *self._of_other_logs()]

    def _of_other_logs(self) -> list[Any]:
        """Records of the finding that are no events of the HSM: of the activity log, sign-ins, requests to storage."""
        ids = set(self._ids)
        rows = []
        for name in _LOGS:
            frame = self._case.context(name)
            for row in frame[frame["event_id"].isin(ids)].to_dict("records"):
                told = (
                    row["time"],
                    name.replace("_", " "),
                    row.get("operation") or row.get("app_name"),
                    row["outcome"],
                )
                rows.append([*told, row["principal"], row["caller_ip"], row["event_id"]])
        heads = ("time (UTC)", "log", "what", "outcome", "who", "from", "event_id")
        return [ipywidgets.HTML(panel.rows_of_html(heads, rows))] if rows else []

    def tag_events(self) -> str | None:
        """Tag the selected events, or all of the finding; return the id of the note."""
        tag = self.tag.value
        return self._note(lambda: self._case.notes.tag(self.selected, tag, f"{self.finding_id}: {self._row['title']}"),
                          f"Tagged {plural(len(self.selected), 'event')}: {tag.strip()}.")  # fmt: skip

    def add_to_report(self) -> str | None:
        """Keep the finding as a view, for the report; return the id of the note."""
        row = self._row
        asked = {"rule_id": row["rule_id"], "finding_id": row["finding_id"]}
        digest = export.digest_of(self._shown.drop(columns="number"))  # which other findings may change
        return self._note(
            lambda: self._case.notes.view(row["title"], "detect.run", asked, digest), "Added to the report."
        )

    def __repr__(self) -> str:
        count = plural(len(self._findings), "finding")
        if not self.finding_id:
            return accounting.nothing_examined(self._case) or "No findings."
        return f"{self._row['number']} of {count}: {panel.said(self._row['title'])}."

    @property
    def _shown(self) -> pd.DataFrame:
        return self._findings[self._findings["finding_id"] == self.finding_id]

    @property
    def _row(self) -> dict[str, Any]:
        if not self.finding_id:
            raise InputError("there is no finding. Hint: mf.detect.looked_for says what was looked for.")
        return {str(name): value for name, value in self._shown.iloc[0].items()}

    @property
    def _ids(self) -> list[str]:
        return [str(event_id) for event_id in self._row["event_ids"]]

    def _show(self, finding_id: str) -> None:
        self.finding_id = finding_id
        self.grid, self.place.children = None, []
        for one in (self.choice, self.events_button, self.tag, self.tag_button, self.report_button):
            one.disabled = not finding_id
        names = self._findings["finding_id"].to_list()
        self.previous_button.disabled = not names or finding_id == names[0]
        self.next_button.disabled = not names or finding_id == names[-1]
        self.selected = self._ids if finding_id else []
        self.card.value = self._card()
        self.code.value = panel.code(
            f"findings[findings['finding_id'] == {finding_id!r}]" if finding_id else "findings"
        )
        if finding_id and self.choice.value != finding_id:
            self.choice.value = finding_id

    def _step(self, by: int) -> None:
        names = self._findings["finding_id"].to_list()
        place = names.index(self.finding_id) + by if self.finding_id else -1
        if 0 <= place < len(names):
            self._show(names[place])

    def _note(self, write: Any, done: str) -> str | None:
        try:
            note_id = str(write())
        except ForensicsError as problem:
            self.message.value = words.paragraph(str(problem))
            return None
        self.message.value = words.paragraph(done)
        panel.tell(self._case, "notes", self)
        return note_id

    def _card(self) -> str:
        if not self.finding_id:
            nothing = accounting.nothing_examined(self._case)
            return words.paragraph(
                nothing or "No rule found anything. mf.detect.looked_for(events, findings) says what was looked for."
            )
        row = self._row
        severity = str(row["severity"])
        colour = f"var(--jp-{_LOOK[severity]}-color1, #555)"
        head = (
            f'<div role="group" style="border-left:5px solid {colour};padding:2px 12px;margin:6px 0">'
            f'<div style="font-size:1.15em;font-weight:600;line-height:1.5">{panel.MARKS[severity]} {words.escaped(severity)}: '
            f"{words.escaped(panel.said(row['title'], 400))}</div>"
        )
        return head + words.table(self._facts(row)) + "</div>"

    def _facts(self, row: dict[str, Any]) -> list[words.Row]:
        keys = [panel.said(key) for key in row["keys"]]
        facts = [
            ("why", row["why"]), ("may be innocent", row["benign"]), ("next step", row["next_step"]),
            ("confidence", row["confidence"]),
            ("when (UTC)", f"{panel.said(row['first_time'])} – {panel.said(row['last_time'])}"),
            ("who", panel.labelled(self._labels, "principal", row["principal"])),
            ("from", panel.labelled(self._labels, "caller_ip", row["caller_ip"])),
            ("managed HSM", panel.said(row["hsm"])),
            ("keys", ", ".join(keys[:10]) + (f" … {len(keys):,} in all" if len(keys) > 10 else "")),
            ("ATT&CK", _numbered(row)), ("events", f"{row['events']:,}"), ("rule", row["rule_id"]),
            ("number and id", f"{row['number']}, {row['finding_id']}"),
        ]  # fmt: skip
        return [(label, str(text)) for label, text in facts if str(text)]

    def _static(self) -> str:
        rows = [
            (row.number, _marked(row.severity), row.title, f"{row.events:,}", row.finding_id)
            for row in self._findings.itertuples()
        ]
        every = words.paragraph(f"{len(rows):,} of {plural(len(rows), 'finding')}:")
        table = panel.rows_of_html(("number", "severity", "title", "events", "id"), rows)
        return f"{self.card.value}{every}{table}{self.code.value}"


def _numbered(row: dict[str, Any]) -> str:
    """Techniques, and the numbers that some had before v19."""
    before = ", ".join(row["techniques_before"])
    return ", ".join(row["techniques"]) + (f" (before v19: {before})" if before else "")


def _marked(severity: object) -> str:
    return f"{panel.MARKS[str(severity)]} {severity}"
