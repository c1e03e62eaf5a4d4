"""What repeats is taken apart once: distinct combinations of values, and which of them each row has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from .. import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_T = TypeVar("_T")
_KIND_OF = {column.name: column.type for column in schema.EVENTS}


@dataclass(frozen=True, slots=True)
class Distinct(Generic[_T]):
    """The facts of some rows: `facts[index[row]]` are those of a row."""

    facts: list[_T]
    index: np.ndarray

    def columns(self, names: Iterable[str]) -> dict[str, pa.Array]:
        """Return fields of the facts as columns of the rows."""
        rows = pa.array(self.index, pa.int32())
        return {name: _column(name, [getattr(fact, name) for fact in self.facts], rows) for name in names}


class Facts(Generic[_T]):
    """Rows as they come, of which only the distinct combinations of values are kept."""

    def __init__(self, make: Callable[[tuple[Any, ...]], _T]) -> None:
        self._make = make
        self._firsts: dict[tuple[Any, ...], int] = {}  # combination → the row that had it first
        self._codes: list[np.ndarray] = []  # of each row, the row that had its combination first
        self._rows = 0

    def take(self, *columns: Sequence[Any]) -> None:
        """Add rows, given as columns."""
        count = len(columns[0])
        rows = range(self._rows, self._rows + count)
        codes = map(self._firsts.setdefault, zip(*columns, strict=True), rows)
        self._codes.append(np.fromiter(codes, "int64", count))
        self._rows += count

    def distinct(self) -> Distinct[_T]:
        """Take every distinct combination apart."""
        number = np.zeros(self._rows, "int32")
        number[list(self._firsts.values())] = np.arange(len(self._firsts))
        codes = np.concatenate(self._codes) if self._codes else np.zeros(0, "int64")
        return Distinct([self._make(key) for key in self._firsts], number[codes])


def _column(name: str, values: list[Any], rows: pa.Array) -> pa.Array:
    if _KIND_OF[name] == "int":
        return pa.array(values, pa.int64()).take(rows)
    distinct = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(distinct.indices.take(rows), distinct.dictionary)
