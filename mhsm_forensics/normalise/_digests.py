"""Ids of records: a digest of what every route keeps of a request."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEX = np.array([int.from_bytes(f"{byte:02x}".encode(), "little") for byte in range(256)], "<u2")


def record_ids(
    ticks: np.ndarray, bases: Iterable[str], correlations: Iterable[str | None], durations: Iterable[int | None]
) -> pa.Array:
    """Digest of time, correlation id, duration, and what else it rests on; 32 hex digits for each record."""
    rows = zip(ticks.tolist(), bases, correlations, durations, strict=True)
    texts = [f"{tick}\x1f{base}\x1f{correlation or ''}\x1f{ms}".encode() for tick, base, correlation, ms in rows]
    sha256 = hashlib.sha256
    digests = b"".join([sha256(text).digest()[:16] for text in texts])
    count = len(digests) // 16
    offsets = np.arange(0, 32 * count + 1, 32, dtype=np.int32)
    letters = _HEX[np.frombuffer(digests, np.uint8)]
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(letters))
