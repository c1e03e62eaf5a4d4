"""Which case: one that is there, a new one, or the sample incident; and files that are taken into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

import ipywidgets
import traitlets

from .. import accounting, ingest
from ..case import Case, create_case, open_case
from ..errors import ForensicsError, InputError
from ..text import plural, sentence, visible
from ..zones import zone_name
from . import _panel as panel
from . import _words as words

if TYPE_CHECKING:
    from collections.abc import Callable

_FIELD = {"width": "34em"}
_LABEL = {"description_width": "9em"}
_SAMPLE = "demo"


def cases(folder: Path | str = "../cases") -> CasePicker:
    """Picker of a case in a folder; it makes new ones, and takes files into them.

    Parameters
    ----------
    folder
        Where the cases are. The case that the environment variable ``MHSM_CASE`` names is chosen from the start; else
        the one that was changed last; else the sample incident.

    Returns
    -------
    The picker. `case` is the case that is chosen.
    """
    return CasePicker(folder)


class CasePicker(panel.Panel):
    """Which case; made by `cases`."""

    chosen = traitlets.Instance(Path)

    def __init__(self, folder: Path | str) -> None:
        super().__init__()
        self._folder = Path(folder)
        self.choice = ipywidgets.Dropdown(description="Case", style=_LABEL, layout=_FIELD)
        self.name = _text("New case", "its name, which names its folder, too")
        self.zone = ipywidgets.Combobox(description="Second zone", placeholder="Europe/Amsterdam; empty: UTC alone",
                                        options=sorted(available_timezones()), style=_LABEL, layout=_FIELD)  # fmt: skip
        self.make_button = panel.button("Make case", self.make, "Make a new, empty case")
        self.path = _text("Log files", "a file or folder on this machine; .gz and .zip as well")
        self.add_button = panel.button("Add files", self.add, "Copy, hash and read them into the case")
        self.dates = ipywidgets.Dropdown(
            description="Dates", options=[("as the file shows", ""), ("day first", "day-first"), ("month first", "month-first")],
            style=_LABEL, layout={"width": "22em"}, tooltip="What you know of dates such as 05/11/2026",
        )  # fmt: skip
        self.times_in = _text("Times without a zone", "their zone: Europe/Berlin, +01:00; empty: refuse them")
        self.status, self.code = ipywidgets.HTML(), ipywidgets.HTML()
        rows = [
            panel.row(self.choice),
            panel.row(self.name, self.zone, self.make_button),
            panel.row(self.path, self.add_button),
            panel.row(self.dates, self.times_in),
        ]
        self.box = panel.column(*rows, self.status, self.code)
        self.choice.observe(lambda change: self._choose(change["new"]), "value")
        self._list(Path(named) if (named := os.environ.get("MHSM_CASE")) else None)

    @property
    def case(self) -> Case:
        """The case that is chosen, as it is now; the sample incident is made when it is first asked for."""
        if self.chosen == self._folder / _SAMPLE and not (self.chosen / "case.json").exists():
            return ingest.sample_case(self.chosen)
        return open_case(self.chosen)

    def make(self) -> None:
        """Make the case that is named, and choose it."""
        self._try(self._make)

    def add(self) -> None:
        """Take the files that are named into the case."""
        self._try(self._add)

    def __repr__(self) -> str:
        return f"Case {visible(str(self.chosen))}."

    def _try(self, do: Callable[[], str]) -> None:
        try:
            self._say(do())
        except ForensicsError as problem:
            self._say(str(problem))

    def _make(self) -> str:
        name = self.name.value.strip()
        if not name or Path(name).name != name or name.startswith(".") or "\\" in name or "\0" in name:
            raise InputError(
                f"{visible(name)!r}: no name of a folder. Hint: letters, digits and dashes, such as contoso-2026."
            )
        second = self.zone.value.strip()
        if second and second not in available_timezones():
            raise InputError(f"{visible(second)!r}: no time zone. Hint: an IANA name, such as Europe/Amsterdam.")
        made = create_case(self._folder / name, display_zone=second or None)
        self._list(made.path)
        self.name.value = ""
        return f"{visible(name)} is made. Add log files, or collect them from Azure."

    def _add(self) -> str:
        if not self.path.value.strip():
            raise InputError("No files. Hint: type the path of a file or folder with audit logs.")
        case = self.case
        self._say("Reading …")
        path, dates, times_in = (
            self.path.value.strip(),
            self.dates.value or None,
            zone_name(self.times_in.value.strip() or None),
        )
        added = ingest.add(case, [Path(path).expanduser()], dates=dates, times_in=times_in)
        self.code.value = panel.code(panel.call("mf.add", "case", f"[{path!r}]", dates=dates, times_in=times_in))
        self.path.value = ""
        return "\n".join([*accounting.lines_of(added), self._described(added.case)])

    def _list(self, wanted: Path | None) -> None:
        """List the cases there are, the newest first; the sample incident is always one."""
        paths = sorted((path.parent for path in self._folder.glob("*/case.json")), key=_changed, reverse=True)
        options = dict.fromkeys([*([wanted] if wanted else []), *paths, self._folder / _SAMPLE])
        names = [
            (visible(path.name) if path in paths or path == wanted else f"{path.name}: the sample incident", path)
            for path in options
        ]
        self.choice.options = names
        self.choice.value = names[0][1]
        self._choose(names[0][1])

    def _choose(self, path: Path) -> None:
        self.chosen = path
        self.code.value = panel.code(f"case = mf.open_case({str(path)!r})")
        self._try(lambda: self._described(open_case(path)) if (path / "case.json").exists() else
                  "The sample incident; it is made when it is opened, and everything in it is invented.")  # fmt: skip

    def _described(self, case: Case) -> str:
        files = plural(len(case.evidence), "evidence file")
        second = f", second zone {case.display_zone}" if case.display_zone else ""
        nothing = accounting.nothing_examined(case) if len(case.evidence) else None
        return f"{visible(case.name)}: {len(case.events):,} events of {files}{second}. {visible(sentence(nothing))}".strip()

    def _say(self, text: str) -> None:
        self.status.value = "".join(map(words.paragraph, text.split("\n")))

    def _static(self) -> str:
        rows = [(name, "chosen" if path == self.chosen else "") for name, path in self.choice.options]
        table = panel.rows_of_html(("case", ""), rows[:20])
        count = words.paragraph(f"{min(len(rows), 20)} of {plural(len(rows), 'case')}:")
        return f"{self.status.value}{count}{table}{self.code.value}"


def _changed(case: Path) -> float:
    """When something was last done in a case."""
    return max(path.stat().st_mtime for path in case.glob("*.json*"))


def _text(description: str, placeholder: str) -> ipywidgets.Text:
    return ipywidgets.Text(description=description, placeholder=placeholder, style=_LABEL, layout=_FIELD)
