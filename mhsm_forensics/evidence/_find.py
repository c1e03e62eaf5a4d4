"""What is there below some paths: the files that are taken, and all the others with the reason."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import EvidenceError
from ._containers import walk
from ._judge import NO_LOG, Source, has_log_name, look_at, passed_over, why_not

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..case import PassedOver

PERMISSION: Final = "give yourself the right to read it, or run this as somebody who has it"

_NO_FILE = {
    stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """The files below some paths: those that are taken, and those that are passed over."""

    sources: tuple[Source, ...]
    passed_over: tuple[PassedOver, ...]


def find(paths: Iterable[Path | str], *, apart: Path | None = None) -> Found:
    """Return the files at or below some paths that become evidence, in the order of their names, and all the others.

    Parameters
    ----------
    paths
        Files and folders. Links are followed, but for those into what is read anyway, and those to a folder around it.
    apart
        A folder that is not looked into: the case itself.

    Raises
    ------
    EvidenceError
        A path does not exist.
    """
    search = _Search([Path(path) for path in paths], apart)
    search.all()
    return Found(tuple(search.sources), tuple(search.passed_over))


class _Search:
    """One search, and what it has come upon."""

    def __init__(self, paths: list[Path], apart: Path | None) -> None:
        for path in paths:
            if not _is_there(path):
                raise EvidenceError.no_such_path(path)
        self._paths, self._apart = paths, apart.stat() if apart else None
        self._roots = [path.resolve() for path in paths]
        self._folders: set[tuple[int, int]] = set()  # by which the system knows them
        self.sources: list[Source] = []
        self.passed_over: list[PassedOver] = []

    def all(self) -> None:
        for path, root in zip(self._paths, self._roots, strict=True):
            self._folders.clear()
            files = sorted(self._at(path, root), key=lambda source: Path(source.relative).parts)
            for source in files:
                taken, others = _judged(source)
                self.sources += [source] if taken else []
                self.passed_over += others

    def _at(self, path: Path, root: Path) -> Iterator[Source]:
        """Yield the files at or below a path that was handed over."""
        source = Source(root, _blob_path(root) or path.name or root.name)
        if not root.is_dir():
            yield from self._file(source)
            return
        before = len(self.passed_over)
        files = list(self._below(Source(root, root.name)))
        if not files and len(self.passed_over) == before:
            self.passed_over.append(passed_over(Source(root, root.name), "left out", "the folder is empty"))
        yield from files

    def _below(self, folder: Source) -> Iterator[Source]:
        """Yield the files below a folder; folders may be nested deeper than functions can be."""
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            for source, is_link, is_folder in self._entries(folder):
                leads = self._leads_to_folder(source) if is_link else is_folder
                if leads:
                    waiting.append(source)
                elif leads is not None:
                    yield from self._file(source)

    def _entries(self, folder: Source) -> Iterator[tuple[Source, bool, bool]]:
        """Yield what is in a folder, and whether it is a link or a folder."""
        try:
            about = folder.path.stat()
            if self._apart and os.path.samestat(about, self._apart):
                self.passed_over.append(passed_over(folder, "left out", "this case itself"))
                return
            self._folders.add((about.st_dev, about.st_ino))
            with os.scandir(folder.path) as entries:
                for entry in entries:
                    source = Source(Path(entry.path), f"{folder.relative}/{entry.name}".lstrip("/"))
                    yield source, entry.is_symlink(), entry.is_dir(follow_symlinks=False)
        except OSError as problem:
            self.passed_over.append(unreadable(folder, problem))

    def _file(self, source: Source) -> Iterator[Source]:
        try:
            kind = stat.S_IFMT(source.path.stat().st_mode)
        except OSError as problem:
            self.passed_over.append(unreadable(source, problem))
            return
        if kind in _NO_FILE:  # opening a pipe would wait for somebody who writes
            self.passed_over.append(passed_over(source, "left out", _NO_FILE[kind]))
        else:
            yield source

    def _leads_to_folder(self, link: Source) -> bool | None:
        """Whether a link leads to a folder; None where it is not followed: it leads nowhere, or to what is read anyway."""
        target = Path(os.path.realpath(link.path))
        if not _is_there(link.path):
            self.passed_over.append(passed_over(link, "unreadable", f"a link to {target}, where nothing is"))
        elif _number_of(target) in self._folders or any(target.is_relative_to(root) for root in self._roots):
            self.passed_over.append(passed_over(link, "left out", f"a link to {target}, which is read there"))
        elif any(root.is_relative_to(target) for root in self._roots):
            self.passed_over.append(passed_over(link, "left out", f"a link to {target}, a folder around this one"))
        else:
            return target.is_dir()
        return None


def _number_of(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def unreadable(source: Source, problem: OSError) -> PassedOver:
    """Say of a file or folder that the system refuses to read it."""
    reason = (problem.strerror or str(problem)).lower()
    return passed_over(source, "unreadable", reason, hint=PERMISSION if isinstance(problem, PermissionError) else None)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except PermissionError:
        return True
    except (OSError, ValueError):  # a circle of links, a name that no file can have
        return False
    return True


def _blob_path(path: Path) -> str | None:
    """Keep the hour's folders when a single PT1H.json is handed over: they say which HSM and hour it is."""
    parts = path.parts
    first = next((i for i, part in enumerate(parts) if part.lower().startswith("resourceid=")), None)
    return "/".join(parts[first:]) if first is not None else None


def _judged(source: Source) -> tuple[bool, list[PassedOver]]:
    """Whether a file is evidence, or something in it; else what it and its members are."""
    others: list[PassedOver] = []
    try:
        if has_log_name(source.path.name):
            source.path.open("rb").close()
            return True, []
        for member in walk(source.path):
            reason = why_not(source, member, look_at(member.content))
            if reason is None:
                return True, []
            others += [reason] if member.special != "a folder" else []
    except OSError as problem:
        return False, [unreadable(source, problem)]
    return False, others or [passed_over(source, "left out", f"{NO_LOG}: an archive of nothing")]
