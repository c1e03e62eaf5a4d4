"""The events of a case, read only when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds

from .. import schema
from ._actors import actors_in
from ._scope import Scope
from ._tables import read_tables, rows_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd


@dataclass(frozen=True)
class Events:
    """The events of a case, or those of a scope, read only when asked for.

    `witnesses` is the table of the records that say them: a question finds it under that name.
    """

    paths: tuple[Path, ...]
    witnesses: tuple[Path, ...] = ()
    scope: Scope = field(default_factory=Scope)

    def of(self, scope: Scope) -> Events:
        """Return the events of another scope."""
        return replace(self, scope=scope)

    def within(self, start: datetime | None = None, end: datetime | None = None, hsms: Iterable[str] = ()) -> Events:
        """Return the events from *start* up to and without *end*, of these managed HSMs.

        Raises
        ------
        InputError
            A time names no zone, or the start is not before the end.
        """
        return self.of(Scope(start, end, tuple(hsms)))

    def df(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the events as a pandas DataFrame, in the order of time; one row per event.

        Parameters
        ----------
        columns
            Only these columns of the events table; default all.
        """
        wanted = columns or list(schema.EVENT_NAMES)
        order = [(name, "ascending") for name in schema.ORDER]
        table = read_tables(self.paths, schema.EVENTS, list(dict.fromkeys([*wanted, *schema.ORDER])), self._filter())
        return schema.to_pandas(table.sort_by(order).select(wanted))

    @property
    def actors(self) -> tuple[str, ...]:
        """Actors that the scope means by its principals; none where it names no principal."""
        return actors_in(self.paths, self.scope.principals)

    @property
    def hsms(self) -> tuple[str, ...]:
        """Names of the managed HSMs that the events are of, in order."""
        if not self.paths:
            return ()
        coded = ds.ParquetFileFormat(read_options={"dictionary_columns": ["hsm"]})
        dataset = ds.dataset([str(path) for path in self.paths], format=coded)
        names: set[str | None] = set()
        for batch in dataset.to_batches(columns=["hsm"], filter=self._filter()):
            names.update(batch["hsm"].unique().to_pylist())
        return tuple(sorted(name for name in names if name is not None))

    def __len__(self) -> int:
        """Count the events without reading them."""
        return rows_in(self.paths, schema.EVENTS, self._filter())

    def _filter(self) -> ds.Expression | None:
        tests = [ds.field("t") >= microseconds(self.scope.start)] if self.scope.start else []
        tests += [ds.field("t") < microseconds(self.scope.end)] if self.scope.end else []
        tests += [ds.field(column).isin(values) for column, values in self.scope.names.items() if column != "principal"]
        if who := self.scope.principals:
            nobody = ds.field("actor").is_null() & ds.field("principal").isin(who)
            tests.append(ds.field("actor").isin(pa.array(self.actors, pa.string())) | nobody)
        return reduce(and_, tests) if tests else None


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time: what the column `t` holds."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
