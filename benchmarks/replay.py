"""A Log Analytics service that replays prepared rows, so that what is measured is the client.

It reads two things of a query: which of the collector's questions it is, and its times. Rows are stored by
the hour, gzipped as the service sends them: an answer is the hours that were asked for, one after the other.
"""

from __future__ import annotations

import gzip
import http.server
import itertools
import json
import re
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azurite import certificate
from rows import WORKSPACE, diagnostics, sample_records, types

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
ROWS_AN_HOUR = 5_000

TABLE = "AzureDiagnostics"

_TIMES = re.compile(r"let (?:start|end)_time = datetime\(([^)]+)\);")
_VARIES = ("TimeGenerated", "CorrelationId", "DurationMs")


class Replay:
    """The service, with so many rows prepared in a folder; `answers` counts those it gave with rows."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.hours = folder, max(rows // ROWS_AN_HOUR, 1)
        self.start, self.end = FIRST, FIRST + timedelta(hours=self.hours)
        self.workspace = WORKSPACE
        self.ca, key = folder / "ca.pem", folder / "key.pem"
        self.answers = 0
        self.columns = _prepared(folder, self.hours)
        certificate(self.ca, key)
        trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trusted.load_cert_chain(self.ca, key)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = trusted.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Replay:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
                parts = outer.answer(text)
                self.send_response(200)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(sum(map(len, parts))))
                self.end_headers()
                for part in parts:
                    self.wfile.write(part)

        return Handler

    def answer(self, text: str) -> list[bytes]:
        """Return the gzipped pieces of the answer to a query."""
        start, end = (min(max(datetime.fromisoformat(t), FIRST), self.end) for t in _TIMES.findall(text))
        numbers = range((start - FIRST) // timedelta(hours=1), (end - FIRST) // timedelta(hours=1))
        if "summarize" not in text:
            self.answers += 1
            return self._rows(numbers)
        if "union isfuzzy" in text:
            columns = {"source": "string", "found": "long", "oldest": "datetime", "newest": "datetime"}
            newest = self.end - timedelta(seconds=1)
            found = [[TABLE, len(numbers) * ROWS_AN_HOUR, _text(FIRST), _text(newest)]]
        elif "by hour" in text:
            columns = {"hour": "datetime", "found": "long"}
            found = [[_text(FIRST + timedelta(hours=n)), ROWS_AN_HOUR] for n in numbers]
        else:
            columns, found = {"found": "long"}, [[len(numbers) * ROWS_AN_HOUR]]
        return [gzip.compress(_head(columns)), gzip.compress(json.dumps(found)[1:-1].encode()), _TAIL]

    def _rows(self, numbers: range) -> list[bytes]:
        hours = [(_COMMA, (self.folder / f"{number}.gz").read_bytes()) for number in numbers]
        return [gzip.compress(_head(self.columns)), *list(itertools.chain(*hours))[1:], _TAIL]


_COMMA, _TAIL = gzip.compress(b","), gzip.compress(b"]}]}")


def _head(columns: dict[str, str]) -> bytes:
    named = [{"name": name, "type": kind} for name, kind in columns.items()]
    return f'{{"tables":[{{"name":"PrimaryResult","columns":{json.dumps(named)},"rows":['.encode()


def _prepared(folder: Path, hours: int) -> dict[str, str]:
    """Write the rows, an hour a file; returns the columns that they have, and their types."""
    records = [record for record in sample_records() if "/MANAGEDHSMS/" in record["resourceId"].upper()]
    samples = [diagnostics(record) for record in records]
    columns = types(TABLE, samples)
    templates = [_template(sample, columns) for sample in samples]
    for number in range(hours):
        text = ",".join(_hour(number, templates))
        (folder / f"{number}.gz").write_bytes(gzip.compress(text.encode(), 1))
    return columns


def _template(sample: dict[str, Any], columns: dict[str, str]) -> str:
    """Return a row's text, with %s where it varies; a string that is not there is empty, as in the service."""
    marked = sample | {name: f"@{name}@" for name in _VARIES}
    cells = [marked.get(name, "" if kind == "string" else None) for name, kind in columns.items()]
    text = json.dumps(cells, separators=(",", ":")).replace("%", "%%").replace('"@DurationMs@"', "%(DurationMs)d")
    return re.sub(r"@(\w+)@", r"%(\1)s", text)


def _hour(number: int, templates: list[str]) -> Iterator[str]:
    hour = FIRST + timedelta(hours=number)
    for nth in range(ROWS_AN_HOUR):
        one = number * ROWS_AN_HOUR + nth
        seconds, ticks = divmod(nth * 36_000_000_000 // ROWS_AN_HOUR + one % 7, 10_000_000)
        time = f"{hour:%Y-%m-%dT%H}:{seconds // 60:02}:{seconds % 60:02}.{ticks:07}".rstrip("0").rstrip(".") + "Z"
        identity = f"{one * 2654435761 % 2**32:08x}-15ca-41f1-9e9b-{one:012x}"
        yield templates[one % len(templates)] % dict(zip(_VARIES, (time, identity, 8 + one % 60), strict=True))


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
