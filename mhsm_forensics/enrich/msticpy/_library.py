"""The one place that says what to do where msticpy is missing or broken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs_msticpy() -> Iterator[None]:
    """Turn a failed import into one clear error.

    >>> with needs_msticpy():
    ...     raise ImportError("no module named msticpy")
    Traceback (most recent call last):
    ...
    mhsm_forensics.errors.InputError: msticpy can't be loaded (no module named msticpy). Hint: ...
    """
    try:
        yield
    except (ImportError, AttributeError) as problem:
        raise InputError(
            f"msticpy can't be loaded ({problem}). Hint: pip install 'msticpy>=3.0.2,<4'; "
            "everything outside mhsm_forensics.enrich.msticpy works without it."
        ) from problem
