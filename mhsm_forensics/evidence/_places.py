"""The bytes at some places of evidence, without reading what stands between them where that can be helped."""

from __future__ import annotations

import codecs
import os
from typing import TYPE_CHECKING

from ._containers import contents, cut
from ._streams import HEAD, compression
from ._tars import is_tar
from ._zips import is_zip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    Position = tuple[int, ...]
    Place = tuple[int, int]  # offset and length


def at_places(path: Path, wanted: Mapping[Position, Iterable[Place]]) -> Iterator[tuple[Position, Iterator[bytes]]]:
    """Yield the bytes at some places of a file, or of members of an archive, for each of them, behind its position.

    Parameters
    ----------
    path
        The file. One that is neither packed nor in another encoding is read at these places alone; an archive is read
        once, however many of its members are concerned.
    wanted
        Offset and length of each place, in the order of offsets, by position of the member.
    """
    if wanted.keys() == {()} and _is_as_it_is(path):
        with path.open("rb", buffering=0) as file:
            yield (), (os.pread(file.fileno(), length, offset) for offset, length in wanted[()])
        return
    for position, content in contents(path, wanted.keys()):
        yield position, cut(content, wanted[position])


def _is_as_it_is(path: Path) -> bool:
    """Whether the bytes of a file are those of its records: it is not packed, and not in UTF-16."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        packed = compression(head) is not None or is_tar(head) or is_zip(file, head)
    return not packed and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
