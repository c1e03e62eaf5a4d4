"""SQL in, DataFrame out: one text over whatever the events are in.

The texts live in `queries/`, in the subset that DuckDB and Spark SQL share, so that each can be printed
in a report as the method and run elsewhere. Values are bound, never written into the text.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from . import schema
from .case import Case, Events, damage, microseconds, require_columns
from .errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .errors import CaseError

    Files = tuple[tuple[Path, ...], tuple[Path, ...]]  # of events, of witnesses

_MEMORY = "1GB"
_CODED = 50_000  # different values of a text, up to which they are held as numbers

# Spark SQL's names for what DuckDB calls otherwise.
_MACROS = ("CREATE MACRO weekday(x) AS isodow(x) - 1",)


def connect(*, memory: str = _MEMORY, scratch: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return a fresh in-memory engine: times in UTC, memory bounded, spilling to *scratch*."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET memory_limit = $limit", {"limit": memory})
    connection.execute("SET temp_directory = $folder", {"folder": str(scratch or tempfile.gettempdir())})
    connection.execute("SET enable_progress_bar = false")
    for macro in _MACROS:
        connection.execute(macro)
    return connection


@dataclass(frozen=True)
class Picked:
    """Some of the events: those that pass a test. Every question takes them as it takes a case.

    A question that needs the rest too finds all the events under the name `everything`.
    """

    events: Any
    test: str  # SQL over the columns of events, with names for its values
    bound: Mapping[str, Any] = field(default_factory=dict)
    among: str = "everything"  # or a table that a session keeps


def query(events: Any, name: str, **parameters: Any) -> pd.DataFrame:
    """Answer of the question `queries/<name>.sql` over *events*.

    Parameters
    ----------
    events
        A case, its events, a pandas DataFrame, an Arrow table, Parquet paths, a DuckDB relation, what was `Picked` of
        them, or a `Session` that holds them.
    name
        The question.
    parameters
        Values for the names that the text marks with a colon.
    """
    return run(events, sql(name), **parameters)


@cache
def sql(name: str) -> str:
    """Text of the question `queries/<name>.sql`: the method, ready to be printed.

    What several questions share stands once, in `queries/_<part>.sql`; a line that begins with `@<part>` is where it goes.

    >>> "FROM events" in sql("hourly"), "END AS control" in sql("moments")
    (True, True)
    """
    text = resources.files(__package__).joinpath("queries", f"{name}.sql").read_text("utf-8")
    return _PART.sub(lambda found: indent(sql(f"_{found[2]}").rstrip(), found[1]), text)


def run(events: Any, text: str, **parameters: Any) -> pd.DataFrame:
    """Answer of an SQL text over the table `events`, as pandas with aware UTC times and Arrow strings.

    Raises
    ------
    SchemaError
        *events* is nothing that can be queried, or lacks a column that the text names.
    """
    if isinstance(events, Picked) and isinstance(events.events, Picked):
        return run(_both(events.events, events), text, **parameters)
    if isinstance(events, Picked):
        return run(events.events, _among(events.among, events.test, text), **events.bound, **parameters)
    if isinstance(events, Session):
        return events.run(text, **parameters)
    with connect() as connection, sound(files := _files_of(events)):
        _register(connection, events)
        return _answer(connection, text, parameters, files)


@contextmanager
def sound(files: Files) -> Iterator[None]:
    """Say of an engine that fails over a damaged file which file that is.

    Raises
    ------
    CaseError
        A file of the case is damaged.
    """
    try:
        yield
    except duckdb.Error as problem:
        raise _damage(files) or problem from None


def _damage(files: Files) -> CaseError | None:
    return damage(files[0], schema.EVENTS) or damage(files[1], schema.WITNESSES)


def _files_of(events: Any) -> Files:
    """Files of a case that a question rests on: events and witnesses; of other files nobody knows what they should be."""
    found = events.events if isinstance(events, (Case, Picked)) else events
    if isinstance(found, Picked):
        return _files_of(found)
    return (found.paths, found.witnesses) if isinstance(found, Events) else ((), ())


def _answer(connection: duckdb.DuckDBPyConnection, text: str, parameters: dict[str, Any], files: Files) -> pd.DataFrame:
    if "everything" in text:
        connection.execute("CREATE OR REPLACE TEMP VIEW everything AS SELECT * FROM events")
    if "witnesses" in text:  # none, where the events did not come as a case: nobody knows which other records say them
        columns = (f"CAST(NULL AS {_SQL_TYPES[column.type]}) AS {column.name}" for column in schema.WITNESSES)
        connection.execute(f"CREATE VIEW IF NOT EXISTS witnesses AS SELECT {', '.join(columns)} WHERE false")
    try:
        answer = connection.sql(_bound(text), params=parameters)
    except duckdb.BinderException as problem:
        if found := _damage(files):
            raise found from None
        raise SchemaError(f"{str(problem).splitlines()[0]} Hint: pass case.events, unchanged.") from None
    return schema.to_pandas(answer.to_arrow_table())


class Session:
    """Events held open for someone who asks again and again: the pages of a table, the zooms of a timeline.

    Each question has a cursor of its own, because DuckDB refuses a connection that is busy with another one.
    """

    def __init__(self, events: Any, *, columns: Iterable[str] = ()) -> None:
        """Open *events*; with *columns*, these alone are held, in memory, for many questions about few columns."""
        self._connection, self._files = connect(), _files_of(events)
        with sound(self._files):
            self._hold(events, columns)

    def _hold(self, events: Any, columns: Iterable[str]) -> None:
        _register(self._connection, events)
        if columns or not _seen_by_cursors(self._connection):
            self._connection.execute(f"CREATE TABLE held AS SELECT {', '.join(columns) or '*'} FROM events")
            self._connection.execute("DROP VIEW events")
            if columns:
                self._encode()
            self._connection.execute("CREATE VIEW events AS SELECT * FROM held")

    def _encode(self) -> None:
        """Hold texts of few values as their numbers: grouping and comparing them takes half the time."""
        run = self._connection.execute
        texts = [name for name, kind, *_ in run("DESCRIBE held").fetchall() if kind == "VARCHAR"]
        if not texts:
            return
        counts = run(f"SELECT {', '.join(f'approx_count_distinct({name})' for name in texts)} FROM held").fetchone()
        few = [name for name, count in zip(texts, counts or (), strict=True) if count <= _CODED]
        for name in few:
            run(
                f"CREATE TYPE {name}_code AS ENUM (SELECT DISTINCT {name} FROM held WHERE {name} IS NOT NULL ORDER BY {name})"
            )
        if few:
            codes = ", ".join(f"CAST({name} AS {name}_code) AS {name}" for name in few)
            run(f"CREATE TABLE coded AS SELECT * REPLACE ({codes}) FROM held")
            run("DROP TABLE held")
            run("ALTER TABLE coded RENAME TO held")

    def run(self, text: str, /, **parameters: Any) -> pd.DataFrame:
        """Answer of an SQL text over the table `events`, and over the tables that were kept."""
        with self._connection.cursor() as cursor, sound(self._files):
            return _answer(cursor, text, parameters, self._files)

    def keep(self, name: str, text: str, /, **parameters: Any) -> None:
        """Keep the answer of an SQL text as a table, in place of what was kept under that name."""
        with self._connection.cursor() as cursor, sound(self._files):
            cursor.execute(f"CREATE OR REPLACE TABLE {name} AS {_bound(text)}", parameters)

    def close(self) -> None:
        """Let go of everything."""
        self._connection.close()


def _seen_by_cursors(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether `events` is more than a name that this one connection knows."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM events LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True


def copy(connection: duckdb.DuckDBPyConnection, text: str, target: Path, **parameters: Any) -> None:
    """Write the answer of an SQL text to a Parquet file, without holding it in memory."""
    try:
        connection.execute(
            f"COPY ({_bound(text)}) TO $target (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 131072)",
            {**parameters, "target": str(target)},
        )
    except duckdb.IOException as problem:
        raise OSError(str(problem)) from problem


_PART = re.compile(r"^( *)@(\w+)", re.MULTILINE)
# Text in quotes and comments is passed over; a double colon is a cast.
_NAMES = re.compile(r"('(?:[^']|'')*'|--[^\n]*|::)|:([a-z_]\w*)")


def _both(first: Picked, second: Picked) -> Picked:
    """Pick among what was picked: both tests, the values of the second under names of their own."""
    test = _NAMES.sub(lambda m: m[1] or f":{m[2]}_too", second.test)
    bound = {f"{name}_too": value for name, value in second.bound.items()}
    return replace(first, test=f"({first.test}) AND ({test})", bound={**first.bound, **bound})


_BEGINNING = re.compile(r"((?:\s*--[^\n]*\n)*)\s*(?:(WITH)\b)?\s*(.*)", re.DOTALL)


def _among(table: str, test: str, text: str) -> str:
    """Have a question look at the events that pass a test.

    >>> _among("everything", "hsm = :hsm", "WITH a AS (SELECT * FROM events) SELECT * FROM a")
    'WITH events AS (SELECT * FROM everything WHERE hsm = :hsm), a AS (SELECT * FROM events) SELECT * FROM a'
    """
    comments, more, rest = _BEGINNING.fullmatch(text).groups()  # type: ignore[union-attr] # every text matches
    return f"{comments}WITH events AS (SELECT * FROM {table} WHERE {test}){',' if more else ''} {rest}"


def _bound(text: str) -> str:
    """Turn :name, as Spark writes parameters, into $name, as DuckDB does.

    >>> _bound("SELECT ':x' WHERE a > :low")
    "SELECT ':x' WHERE a > $low"
    """
    return _NAMES.sub(lambda m: m[1] or f"${m[2]}", text)


def _register(connection: duckdb.DuckDBPyConnection, events: Any) -> None:
    """Make the view `events`, with naive UTC times and `t`, from whatever was handed over."""
    if isinstance(events, Case):
        events = events.events
    if isinstance(events, Events):
        require_columns(events.paths, schema.EVENTS)
        require_columns(events.witnesses, schema.WITNESSES)
        _register_files(connection, events.paths, _tests(events), whole=True)
        if events.witnesses:
            _register_files(connection, events.witnesses, name="witnesses")
    elif isinstance(events, (str, Path)):
        _register_files(connection, [Path(events)])
    elif isinstance(events, (list, tuple)) and events:
        _register_files(connection, map(Path, events))
    elif isinstance(events, pd.DataFrame):
        connection.register("events", _plain(_arrow(events)))
    elif isinstance(events, pa.Table):
        connection.register("events", _plain(events))
    elif isinstance(events, duckdb.DuckDBPyRelation):
        connection.register("events", _plain(events.to_arrow_table()))
    else:
        raise SchemaError(f"{type(events).__name__} can't be queried. Hint: pass case.events or a DataFrame.")


def _register_files(
    connection: duckdb.DuckDBPyConnection,
    paths: Iterable[Path],
    tests: Iterable[duckdb.Expression] = (),
    name: str = "events",
    *,
    whole: bool = False,
) -> None:
    files = [str(path) for path in paths]
    if not files:
        connection.register(name, schema.empty(schema.EVENTS))
        return
    relation = connection.read_parquet(files, union_by_name=True)
    relation = _whole(relation) if whole else relation
    for test in tests:
        relation = relation.filter(test)
    relation.create_view(name)


# What an earlier version did not write, out of what it wrote; any other column is empty there.
_OF_BEFORE = {
    "act": "operation",
    "actor": "coalesce(object_id, app_id, lower(upn))",
    "key": "CASE WHEN key_name IS NOT NULL THEN concat(coalesce(hsm, ''), '/', lower(key_name)) END",
}
_SQL_TYPES = {"string": "VARCHAR", "int": "BIGINT", "timestamp": "TIMESTAMP", "list": "VARCHAR[]", "binary": "BLOB"}


def _whole(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Give events that an earlier version derived the columns that they lack."""
    there = set(relation.columns)
    lacking = [column for column in schema.EVENTS if column.name not in there]
    if not lacking:
        return relation
    more = (f"CAST({_OF_BEFORE.get(c.name, 'NULL')} AS {_SQL_TYPES[c.type]}) AS {c.name}" for c in lacking)
    return relation.project(", ".join(["*", *more]))


def _tests(events: Events) -> Iterator[duckdb.Expression]:
    """Yield what an event of the scope must be; values go in as constants, never as text."""
    column, constant, scope = duckdb.ColumnExpression, duckdb.ConstantExpression, events.scope
    if scope.start:
        yield column("t") >= constant(microseconds(scope.start))
    if scope.end:
        yield column("t") < constant(microseconds(scope.end))
    for name, values in scope.names.items():
        if name != "principal":
            yield column(name).isin(*map(constant, values))
    if who := scope.principals:
        nobody = column("actor").isnull() & column("principal").isin(*map(constant, who))  # noqa: PD003 - no frame
        acting = column("actor").isin(*map(constant, events.actors)) if events.actors else constant(value=False)
        yield acting | nobody


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _plain(table: pa.Table) -> pa.Table:
    """Times to naive UTC, because engines shift zoned ones; `t`, and what orders events, added where it is missing."""
    for index, given in enumerate(table.schema):
        if pa.types.is_timestamp(given.type):
            column = table.column(index).cast(pa.timestamp("us", given.type.tz), safe=False)
            table = table.set_column(index, given.name, column.cast(pa.timestamp("us")) if given.type.tz else column)
    if "time" in table.column_names and "t" not in table.column_names:
        table = table.append_column("t", pc.cast(table["time"], pa.int64()))
    for name in schema.ORDER if "event_id" in table.column_names else ():
        if name not in table.column_names:
            kind = pa.string() if name == "evidence_id" else pa.int64()
            table = table.append_column(name, pa.nulls(len(table), kind))
    return table
