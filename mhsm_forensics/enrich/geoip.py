"""Where addresses are, by databases in MaxMind's format that the responder has: nothing is asked of any network.

A place is where the database puts an address on the day it was built. Hosting, VPN and mobile networks move, and the
evidence may be older or younger: the build date stands beside every answer.
"""

from __future__ import annotations

import ipaddress
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import maxminddb
import pyarrow as pa
import pyarrow.parquet as pq

from .. import known, schema
from ..case import record_custody, seal, sha256_of
from ..errors import EvidenceError, InputError
from ..ingest import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from ..case import Case

__all__ = ["Database", "Kept", "keep_places", "places"]

_NOWHERE = {"private", "cgnat", "loopback", "invalid", None}  # no database can say where such an address is
_ANSWERS = ("country", "city", "asn", "as_org")
# Where databases keep an answer, each as a path; what MaxMind's say comes first, then what flat ones do.
_PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "country": (("country", "iso_code"), ("country_code",), ("country", "names", "en"), ("country",)),
    "city": (("city", "names", "en"), ("city",)),
    "asn": (("autonomous_system_number",), ("asn",)),
    "as_org": (("autonomous_system_organization",), ("as_name",), ("as_org",)),
}


@dataclass(frozen=True, slots=True)
class Database:
    """A database of places: which file it was, and what it calls itself."""

    file: str
    sha256: str
    type: str
    built: str

    @property
    def label(self) -> str:
        """Its type and the day it was built."""
        return f"{self.type} of {self.built[:10]}"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept: the databases, and how many addresses were asked for and found."""

    databases: tuple[Database, ...]
    asked: int
    found: int
    local: int  # addresses that are in no database: private ones, and what is no address


def places(addresses: Iterable[str], databases: Iterable[Path | str]) -> pd.DataFrame:
    """Where addresses are, by some databases.

    Parameters
    ----------
    addresses
        Addresses, IPv4 or IPv6; each is asked for once. Private ones and what is no address are in no database.
    databases
        Files in MaxMind's format (GeoLite2, GeoIP2, DB-IP, IPinfo; cities, countries or networks). Where several answer,
        the first one that says something is believed, answer by answer.

    Returns
    -------
    Columns of `schema.PLACES`: ``caller_ip``, ``country`` (ISO code where the database has it), ``city``, ``asn``,
    ``as_org``, ``network`` and ``databases``. One row per address that is in any of them, in the order of its text.

    Raises
    ------
    EvidenceError
        A file is missing, is no such database, or is damaged.
    InputError
        No database is named.

    References
    ----------
    https://maxmind.github.io/MaxMind-DB/
    """
    with ExitStack() as held:
        return schema.to_pandas(_found(_asked(addresses), _opened(databases, held)))


def keep_places(case: Case, databases: Iterable[Path | str]) -> Kept:
    """Look up the addresses of a case's events, and keep where they are in the case.

    They replace what was kept before. The chain of custody says by which files: name, SHA-256, type and build date.

    Raises
    ------
    EvidenceError
        A file is missing, is no such database, or is damaged; nothing was changed.
    InputError
        No database is named.
    CaseError
        The case can't be written, or another process is writing it.
    """
    seen = known.callers(case)
    asked = _asked(seen)
    with ExitStack() as held:
        readers = _opened(databases, held)
        found = _found(asked, readers)
    kept = Kept(tuple(database for database, _ in readers), len(asked), found.num_rows, len(seen) - len(asked))
    with writing(case) as open_case:
        _keep(found, open_case)
        about = {"databases": list(map(asdict, kept.databases)), "asked": kept.asked, "found": kept.found}
        record_custody(open_case.path, "looked up places", about)
    return kept


def _found(asked: Iterable[str], readers: Sequence[tuple[Database, maxminddb.Reader]]) -> pa.Table:
    rows = [row for address in asked if (row := _row(address, readers))]
    return pa.Table.from_pylist(rows, schema=schema.arrow_schema(schema.PLACES))


def _keep(found: pa.Table, case: Case) -> None:
    """Put the places into the case, under its seal."""
    place = known.places_path(case).relative_to(case.path).as_posix()
    with tempfile.TemporaryDirectory(prefix=".places-", dir=case.path) as folder:
        fresh = Path(folder) / "places.parquet"
        pq.write_table(found, fresh)
        seal(case.path, case.manifest, {place: fresh})


def _asked(addresses: Iterable[str]) -> list[str]:
    return sorted(address for address in set(addresses) if known.scope(address) not in _NOWHERE)


def _opened(databases: Iterable[Path | str], held: ExitStack) -> list[tuple[Database, maxminddb.Reader]]:
    found = [_open(Path(path), held) for path in databases]
    if not found:
        raise InputError("no database of places is named. Hint: give a .mmdb file, GeoLite2-City.mmdb say.")
    return found


def _open(path: Path, held: ExitStack) -> tuple[Database, maxminddb.Reader]:
    if not path.is_file():
        raise EvidenceError.no_such_path(path)
    try:
        reader = held.enter_context(maxminddb.open_database(path))
        about = reader.metadata()
        built = datetime.fromtimestamp(about.build_epoch, UTC)
    except (maxminddb.InvalidDatabaseError, ValueError, OverflowError, OSError) as problem:
        raise _broken(path, problem) from None
    return Database(path.name, sha256_of(path), about.database_type, f"{built:%Y-%m-%dT%H:%M:%SZ}"), reader


def _broken(path: Path | str, problem: Exception) -> EvidenceError:
    said = " ".join(str(problem).split())
    return EvidenceError(
        f"{path}: no database of places, or a damaged one ({said}). Hint: download the .mmdb file again."
    )


def _row(address: str, readers: Sequence[tuple[Database, maxminddb.Reader]]) -> dict[str, Any] | None:
    row: dict[str, Any] = {}
    for database, reader in readers:
        network, answers = _answers(address, database, reader)
        if answers:
            row = {"network": network, "databases": []} | answers | row
            row["databases"] = [*row["databases"], database.label]
    return row | {"caller_ip": address} if row else None


def _answers(address: str, database: Database, reader: maxminddb.Reader) -> tuple[str, dict[str, Any]]:
    parsed = ipaddress.ip_address(address)
    if parsed.version > reader.metadata().ip_version and parsed.version == 6:  # a database of IPv4 alone
        return "", {}
    try:
        record, length = reader.get_with_prefix_len(parsed)
    except (maxminddb.InvalidDatabaseError, ValueError, UnicodeDecodeError) as problem:
        raise _broken(database.file, problem) from None
    answers = dict(_said(record)) if isinstance(record, dict) else {}
    return str(ipaddress.ip_network((parsed, max(length, 0)), strict=False)), answers


def _said(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _ANSWERS:
        value = next((found for path in _PATHS[name] if (found := _at(record, path)) is not None), None)
        if name == "asn":
            value = _number(value)
        if value is not None:
            yield name, value


def _at(record: Any, path: tuple[str, ...]) -> str | int | None:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record if isinstance(record, (str, int)) and record != "" else None


def _number(value: str | int | None) -> int | None:
    """Return the number of an autonomous system, which flat databases write as AS64500."""
    digits = str(value or "").upper().removeprefix("AS")
    return int(digits) if digits.isdecimal() else None
