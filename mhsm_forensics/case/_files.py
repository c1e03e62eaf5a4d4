"""The door through which a case's own files come in: they may be a stranger's, or damaged, and nothing is taken on trust."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Checks = Mapping[str, Callable[[Any], bool]]

# What a case holds under its own names; whatever else lies in the folder is not looked at.
_FOLDERS = ("evidence", "events", "context", "reports", "answers", "evidence/.incoming", "events/.staging", ".sealing",
            ".scratch")  # fmt: skip
_LOOKED_INTO = ("", "events", "context", "reports", "answers", ".sealing", ".sealing/events", ".sealing/context")
_MOST = 1 << 53  # numbers above are none that this tool wrote, and not every reader keeps them

_PLAIN_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,199}")


def read_json(path: Path) -> Any:
    """Return what a JSON file of a case says.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    CaseError
        It can't be read, or is no JSON.
    """
    try:
        return parsed(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as problem:
        raise CaseError.damaged(path, getattr(problem, "strerror", None) or str(problem)) from None


def parsed(text: bytes) -> Any:
    r"""Return the value of a JSON text.

    Raises
    ------
    ValueError
        It is no JSON, is nested beyond reason, or holds half of a character, which nothing can write again.

    Examples
    --------
    >>> parsed(b'{"name": "\\ud800"}')
    Traceback (most recent call last):
    ValueError: half of a character
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if b"\\ud" in text.lower():  # only an escape can bring one in
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a character") from None
    return found


def checked(path: Path, place: str, found: Any, checks: Checks, *, open_ended: bool = False) -> dict[str, Any]:
    """Return an object of a case's file, each field of the kind that it must be.

    Parameters
    ----------
    path
        The file.
    place
        Where in the file, for a message.
    found
        What stands there.
    checks
        A test for each field; a missing field is tested as None.
    open_ended
        Whether fields without a test are let in.

    Raises
    ------
    CaseError
        It is no object, a field is not of its kind, or there is a field that nobody knows.
    """
    if not isinstance(found, dict):
        raise CaseError.damaged(path, f"{place} is no object")
    wrong = [name for name, test in checks.items() if not test(found.get(name))]
    wrong += [] if open_ended else [name for name in found if name not in checks]
    if wrong:
        raise CaseError.damaged(path, f"{place}: {wrong[0]!r} is not what it should be")
    return found


def is_text(value: Any) -> bool:
    """Whether a value is text."""
    return isinstance(value, str)


def is_count(value: Any) -> bool:
    """Whether a value is a number of things."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def is_hash(value: Any) -> bool:
    """Whether a value is a SHA-256, in hex."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def is_moment(value: Any) -> bool:
    """Whether a value is an ISO 8601 time with its zone."""
    with suppress(ValueError, OverflowError):
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    return False


def is_name(value: Any) -> bool:
    """Whether a value is the plain name of a file: no path, nothing hidden."""
    return isinstance(value, str) and _PLAIN_NAME.fullmatch(value) is not None


def is_inner_path(value: Any) -> bool:
    """Whether a value is a path that leads down, and nowhere else.

    >>> [is_inner_path(path) for path in ("a/b.json", "../b", "/etc/passwd", "a//b", "a/./b", "")]
    [True, False, False, False, False, False]
    """
    if not isinstance(value, str) or "\0" in value or Path(value).anchor:
        return False
    return all(part not in ("", ".", "..") for part in value.split("/")) and ".." not in Path(value).parts


def is_outer_path(value: Any) -> bool:
    """Whether a value is an absolute path without detours."""
    return isinstance(value, str) and "\0" not in value and Path(value).is_absolute() and ".." not in Path(value).parts


def is_list_of(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a test: whether a value is a list of such values."""
    return lambda value: isinstance(value, list) and all(map(test, value))


def or_none(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a test: whether a value is such a value, or missing."""
    return lambda value: value is None or test(value)


def require_own_files(folder: Path) -> None:
    """See that nothing in a case leads out of it: its files are files and its folders are folders.

    Raises
    ------
    CaseError
        A link, a pipe or a device stands where a file or a folder of the case should.
    """
    found = [folder / name for name in _FOLDERS if not stat.S_ISDIR(_mode(folder / name) or stat.S_IFDIR)]
    for name in _LOOKED_INTO if not found else ():
        with suppress(FileNotFoundError), os.scandir(folder / name) as inside:
            found += [Path(entry.path) for entry in inside if not _is_own(entry)]
    if found:
        raise CaseError.leads_out(sorted(found))


def _is_own(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)


def within(root: Path, relative: str) -> Path:
    """Return the path of a file below a folder of the case, once it is sure that no link on the way leads out.

    Raises
    ------
    CaseError
        A link leads elsewhere.
    """
    path = root / relative
    if os.path.realpath(path) != str(Path(os.path.realpath(root)) / relative):
        raise CaseError.leads_out([path])
    return path


def replace_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, and a crash leaves one of them."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)  # what a crash left, or a link that somebody put there
    with temporary.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
