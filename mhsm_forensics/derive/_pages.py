"""Memory that is freed and asked for again all the time: kept, and given back at the end."""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

# Options of glibc's mallopt: what is above the threshold is asked of the kernel and given back each time.
_TRIM, _TOP_PAD, _MMAP = -1, -2, -3
_KEPT: Final = {_MMAP: 512 << 20, _TRIM: 512 << 20, _TOP_PAD: 16 << 20}
_USUAL: Final = {_MMAP: 32 << 20, _TRIM: 64 << 20, _TOP_PAD: 128 << 10}  # where it goes by itself in a while


@contextmanager
def keeping_pages() -> Iterator[None]:
    """Have the C library keep what is freed: blocks and columns of megabytes would ask for fresh, zeroed pages each time."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(library, "mallopt"):  # another C library
        yield
        return
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    _set(library, _KEPT)
    try:
        yield
    finally:
        pa.set_memory_pool(before)
        _set(library, _USUAL)
        library.malloc_trim(0)  # type: ignore[union-attr]


def _set(library: ctypes.CDLL | None, options: dict[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)  # type: ignore[union-attr]
