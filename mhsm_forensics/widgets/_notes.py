"""The analyst's record as a panel: tag, comment, suppose, answer, correct; everything is written by `case.notes`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from .. import playbook, search
from ..case import utc_text
from ..errors import ForensicsError, InputError
from ..text import plural, visible
from ..typed import moment
from . import _panel as panel
from . import _words as words

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from ..case import Case

TAGS = ("initial access", "privilege change", "key misuse", "exfiltration", "destruction", "benign", "question")
_SHOWN = 50  # notes in the list; the record has all
_FIELD = {"width": "44em"}
_LABEL = {"description_width": "9em"}
_STATES = ("answered", "partly", "not answerable")

# kind of note -> the fields that it has, besides its words, and what its words are
_KINDS = {
    "Tag": (("tag",), "Comment"),
    "Bookmark": ((), "Title"),
    "Comment": ((), "Comment"),
    "Hypothesis": ((), "What may have happened"),
    "Evidence": (("claim", "supports"), "Why it speaks so"),
    "T0": (("time",), "Why then"),
    "Answer": (("question", "needs", "state"), "Answer"),
    "Correct": (("note",), "New words"),
    "Take back": (("note",), "Reason"),
}


def notes(case: Case, about: Any = ()) -> NotesPanel:
    """Panel of the analyst's record: what is noted, and a form that notes more.

    Parameters
    ----------
    case
        The case, which keeps the record.
    about
        The event_ids that a note is about, or a table of events whose selection they are.

    Returns
    -------
    The panel. `about` can be set, and `follow` takes it from a table or a timeline.
    """
    made = NotesPanel(case)
    if hasattr(about, "observe"):
        made.follow(about)
    else:
        made.about = list(about)
    return made


class NotesPanel(panel.Panel):
    """The analyst's record; made by `notes`."""

    about = traitlets.List(traitlets.Unicode())

    def __init__(self, case: Case) -> None:
        super().__init__()
        self._case = case
        self._make_fields()
        self.save_button = panel.button("Save note", self.save, "Write this into the record of the case")
        self.save_button.button_style = "primary"
        self.what, self.message, self.code, self.list = (ipywidgets.HTML() for _ in range(4))
        fields = ipywidgets.VBox([self.kind, *self._fields.values(), self.text])
        self.box = panel.column(self.what, fields, panel.row(self.save_button, self.message), self.code, self.list)
        self.observe(lambda _: self._fit(), "about")
        for field in (self.kind, self.text, *self._fields.values()):
            field.observe(lambda _: self._fit(), "value")
        panel.watch(case, self)
        self._show()

    def follow(self, other: Any) -> NotesPanel:
        """Be about what is chosen in a table of events or a timeline; returns the panel itself."""
        followed = [name for name in ("selected", "clicked") if other.has_trait(name)]
        if not followed:
            raise InputError(f"{type(other).__name__}: nothing can be chosen in it. Hint: follow a table of events.")
        other.observe(lambda change: self._about(change["new"]), followed)
        self._about(getattr(other, followed[0]))
        return self

    def save(self) -> str | None:
        """Write the note that is in the form; return its id, or None if it can't be written."""
        kind, done = self.kind.value, self._as_code()
        try:
            note_id = self._writers()[kind]()
        except ForensicsError as problem:
            self._say(str(problem))
            return None
        about = f" {self._said_about()}" if self.about and kind not in {"Hypothesis", "Correct", "Take back"} else ""
        self._say(f"Saved: {kind.lower()}{about}, note {note_id}.")
        self._clear()
        self._show()
        self.code.value = panel.code(done)
        panel.tell(self._case, "notes", self)
        return note_id

    def case_changed(self, what: str) -> None:
        """Another panel wrote a note."""
        if what == "notes":
            self._show()

    def __repr__(self) -> str:
        return f"Notes of {visible(self._case.name)}: {plural(len(self._case.notes.df()), 'note')}."

    def _make_fields(self) -> None:
        asked = [(f"{one.group}: {one.question}", one.id) for one in playbook.questions()]
        self.kind = _dropdown("Note", list(_KINDS))
        self.tag = ipywidgets.Combobox(description="Tag", options=TAGS, placeholder="choose or type", style=_LABEL,
                                       layout=_FIELD, ensure_option=False)  # fmt: skip
        self.claim = _dropdown("Hypothesis", [])
        self.supports = _dropdown("Speaks", [("for it", True), ("against it", False)])
        self.time = ipywidgets.Text(description="T0", placeholder="2026-03-05T14:00Z", style=_LABEL, layout=_FIELD)
        self.question = _dropdown("Question", asked)
        self.needs = ipywidgets.HTML(layout={"margin": "0 0 0 9em"})
        self.state = _dropdown("Answered", list(_STATES))
        self.note = _dropdown("Which note", [])
        self.text = ipywidgets.Textarea(description="Comment", rows=2, style=_LABEL, layout=_FIELD)
        names = ("tag", "claim", "supports", "time", "question", "needs", "state", "note")
        self._fields = {name: getattr(self, name) for name in names}

    def _writers(self) -> dict[str, Callable[[], str]]:
        notes, text, about = self._case.notes, self.text.value, self.about
        return {
            "Tag": lambda: notes.tag(about, self.tag.value, text.strip() or None),
            "Bookmark": lambda: notes.bookmark(about, text),
            "Comment": lambda: notes.comment(text, about),
            "Hypothesis": lambda: notes.hypothesis(text),
            "Evidence": lambda: notes.evidence(
                _chosen(self.claim, "hypothesis"), about, text, supports=self.supports.value
            ),
            "T0": lambda: self._t0(text),
            "Answer": lambda: notes.answer(self.question.value, self.state.value, text, about),
            "Correct": lambda: notes.correct(_chosen(self.note, "note"), text),
            "Take back": lambda: notes.retract(_chosen(self.note, "note"), text),
        }

    def _t0(self, text: str) -> str:
        found = moment(self.time.value.strip() or None)
        if found is None:
            raise InputError("No time. Hint: type one with its zone, or select the event that it began with.")
        return self._case.notes.t0(found, text, self.about)

    def _as_code(self) -> str:
        kind, text, about = self.kind.value, self.text.value.strip(), panel.few(self.about, "about")
        call = panel.call
        if kind in {"Correct", "Take back"}:
            return call(
                f"case.notes.{'correct' if kind == 'Correct' else 'retract'}", repr(self.note.value), repr(text)
            )
        more = [about] if self.about else []
        return {
            "Tag": lambda: call("case.notes.tag", about, repr(self.tag.value), comment=text),
            "Bookmark": lambda: call("case.notes.bookmark", about, repr(text)),
            "Comment": lambda: call("case.notes.comment", repr(text), *more),
            "Hypothesis": lambda: call("case.notes.hypothesis", repr(text)),
            "Evidence": lambda: (
                f"case.notes.evidence({self.claim.value!r}, {about}, {text!r}, supports={self.supports.value})"
            ),
            "T0": lambda: call(
                "case.notes.t0", f"datetime.fromisoformat({self.time.value.strip()!r})", repr(text), *more
            ),
            "Answer": lambda: call(
                "case.notes.answer", *map(repr, (self.question.value, self.state.value, text)), *more
            ),
        }[kind]()

    def _fit(self) -> None:
        """Show the fields that the kind has, what it is about, and the line of code."""
        shown, what = _KINDS[self.kind.value]
        for name, field in self._fields.items():
            field.layout.display = None if name in shown else "none"
        self.text.description = what
        self.needs.value = words.paragraph(f"Needs: {playbook.question(self.question.value).needs}.")
        self.what.value = words.paragraph(f"A note {self._said_about()}.")
        if self.kind.value == "T0" and self.about and not self.time.value:
            self.time.value = self._first_time()
        self.code.value = panel.code(self._as_code())

    def _first_time(self) -> str:
        times = search.events(self._case, columns=["time"], only=self.about)["time"]
        return utc_text(times.min()) if len(times) else ""

    def _said_about(self) -> str:
        return (
            f"about {plural(len(self.about), 'selected record')}"
            if self.about
            else "about no record: select some in a table"
        )

    def _about(self, chosen: Any) -> None:
        """Take the records from what was chosen: ids, one id, or something that has event_ids."""
        ids = chosen.get("event_ids", chosen.get("event_id", ())) if isinstance(chosen, dict) else chosen
        self.about = [ids] if isinstance(ids, str) and ids else list(ids or ())

    def _clear(self) -> None:
        self.text.value = self.tag.value = self.time.value = ""

    def _say(self, text: str) -> None:
        self.message.value = words.paragraph(text)

    def _show(self) -> None:
        """List the notes that count, the newest first."""
        found = self._case.notes.df().iloc[::-1]
        mine = [(_named(row), row["note_id"]) for row in found.to_dict("records")]
        claims = [pair for pair, kind in zip(mine, found["kind"], strict=True) if kind == "hypothesis"]
        for field, options in ((self.note, mine), (self.claim, claims)):
            kept = field.value
            field.options = options
            ids = [value for _, value in options]
            field.value = kept if kept in ids else next(iter(ids), None)
        known = [text for row_kind, text in zip(found["kind"], found["text"], strict=True) if row_kind == "tag"]
        self.tag.options = tuple(dict.fromkeys([*TAGS, *known]))
        self.list.value = self._listed(found)
        self._fit()

    def _listed(self, found: pd.DataFrame) -> str:
        if found.empty:
            return words.paragraph("Nothing is noted yet.")
        heads = ("time (UTC)", "by", "kind", "what", "about")
        rows = [_row(row, found) for row in found.head(_SHOWN).to_dict("records")]
        cut = f"Notes that count, newest first: {len(rows):,} of {len(found):,}; case.notes.history() has every entry."
        return words.paragraph(cut) + panel.rows_of_html(heads, rows)

    def _static(self) -> str:
        return f"{words.paragraph(repr(self))}{self.list.value}{panel.code('case.notes.df()')}"


def _named(row: dict[Any, Any]) -> str:
    return f"{row['time']:%Y-%m-%d %H:%M} {row['kind']}: {visible(row['text'], limit=60)}"


def _row(row: dict[Any, Any], found: pd.DataFrame) -> tuple[str, ...]:
    about = plural(len(row["about"]), "record") if len(row["about"]) else ""
    return f"{row['time']:%Y-%m-%d %H:%M}", str(row["by"]), str(row["kind"]), _in_words(row, found), about


def _in_words(row: dict[Any, Any], found: pd.DataFrame) -> str:
    """Say a note with what it refers to."""
    text, detail = row["text"], json.loads(row["detail"]) if isinstance(row["detail"], str) else {}
    texts = {str(name): str(said) for name, said in zip(found["note_id"], found["text"], strict=True)}
    said: dict[str, Callable[[], Any]] = {
        "tag": lambda: f"{text}: {detail['comment']}" if "comment" in detail else text,
        "t0": lambda: f"{detail['time']}: {text}",
        "answer": lambda: f"{_asked(detail['question'])} {detail['state']}: {text}",
        "evidence": lambda: (
            f"{'for' if detail['supports'] else 'against'} “{texts.get(detail['note_id'], '')}”: {text}"
        ),
        "view": lambda: f"{text} ({detail['question']})",
    }
    return str(said[row["kind"]]() if row["kind"] in said else text)


def _asked(name: str) -> str:
    return next((one.question for one in playbook.questions() if one.id == name), name)


def _chosen(field: Any, what: str) -> str:
    if not field.value:
        raise InputError(f"No {what}. Hint: write one first.")
    return str(field.value)


def _dropdown(description: str, options: list[Any]) -> Any:
    return ipywidgets.Dropdown(description=description, options=options, style=_LABEL, layout=_FIELD)
