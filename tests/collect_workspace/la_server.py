"""A Log Analytics endpoint on this machine: it executes the very KQL that it is sent, over HTTPS.

What Microsoft documents is kept: the shape of requests, answers and errors, the limits and the partial
answers. It is no Log Analytics: rights and throttling are only what a test injects. KQL runs on DuckDB by
duckdb-kql, which knows no `column_ifexists`, so that is written out from the tables here.
"""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import re
import socket
import struct
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import duckdb
import duckdb_kql
import pyarrow as pa
from duckdb_kql.errors import KqlError, KqlUnsupportedError
from duckdb_kql.types import kusto_type

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from rows import Row

_DUCKDB = {
    "string": "VARCHAR NOT NULL DEFAULT ''",  # strings of KQL are never null
    "real": "DOUBLE", "int": "INTEGER", "long": "BIGINT", "bool": "BOOLEAN", "datetime": "TIMESTAMP", "dynamic": "VARCHAR",
}  # fmt: skip
_TICK = "_tick"  # the seventh digit of a time, which DuckDB does not hold; never sent
_IF_EXISTS = re.compile(r'column_ifexists\("(\w+)", ("[^"]*")\)')
_TABLE = re.compile(r"^(?:  \()?([A-Z]\w+)$", re.MULTILINE)  # a pipeline begins with it
_TOO_LARGE = (
    "The results of this query exceed the set limit of {limit}, so not all records were returned "
    "(E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). See https://aka.ms/kustoquerylimits for more information."
)


@dataclass
class Fault:
    """Something that goes wrong, *times* times, for requests that hold *having*."""

    times: int
    having: str = ""
    reset: bool = False
    cut: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=lambda: error("ThrottledError", "Rate limit is exceeded."))
    partial: dict[str, Any] | None = None
    drop: int = 0  # rows that the answer lacks, without a word
    then: Callable[[], None] | None = None  # done when the fault strikes
    hits: int = 0


@dataclass
class Answer:
    status: int
    body: dict[str, Any]


def error(code: str, message: str, inner: dict[str, Any] | None = None) -> dict[str, Any]:
    said = {"message": message, "code": code, "correlationId": str(uuid.uuid4())}
    return {"error": said | ({"innererror": inner} if inner else {})}


class LogAnalytics:
    """One workspace; `resources` are ids whose rows it has as well."""

    def __init__(self, workspace: str, certificate: ssl.SSLContext, *, resources: tuple[str, ...] = ()) -> None:
        self.paths = {f"/v1/workspaces/{workspace}/query"} | {f"/v1{resource}/query".lower() for resource in resources}
        self.row_limit, self.byte_limit = 500_000, 64_000_000
        self.faults: list[Fault] = []
        self.queries: list[str] = []
        self.audiences: list[str] = []
        self._tables: dict[str, set[str]] = {}
        self._database = duckdb.connect()
        self._database.execute("SET TimeZone = 'UTC'")
        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None
        self._server.socket = certificate.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LogAnalytics:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._database.close()

    def add(self, table: str, types: dict[str, str], rows: list[Row]) -> None:
        """Make a table, or add rows to it."""
        with self._lock:
            if table not in self._tables:
                columns = [f'"{name}" {_DUCKDB[kind]}' for name, kind in types.items()]
                self._database.execute(f'CREATE TABLE "{table}" ({", ".join(columns)}, {_TICK} INTEGER)')
                self._tables[table] = set(types)
            if not rows:
                return
            names = sorted({name for row in rows for name in row})
            columns = {name: [row.get(name, "" if types[name] == "string" else None) for row in rows] for name in names}
            texts = columns.pop("TimeGenerated")
            given = pa.table(columns | {"_text": texts, _TICK: [_tick(text) for text in texts]})
            time = "CAST(left(replace(_text, 'Z', ''), 26) AS TIMESTAMP) AS TimeGenerated"
            self._database.register("given", given)
            self._database.execute(f'INSERT INTO "{table}" BY NAME SELECT * EXCLUDE (_text), {time} FROM given')

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    outer._serve(self, raw)
                except OSError:  # the client has gone
                    self.close_connection = True

        return Handler

    def _serve(self, request: http.server.BaseHTTPRequestHandler, raw: bytes) -> None:
        with self._lock:
            fault = next((f for f in self.faults if f.times > f.hits and f.having in json.loads(raw)["query"]), None)
            if fault:
                fault.hits += 1
        if fault and fault.reset:
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()
            request.close_connection = True
            return
        if fault and fault.status:
            _send(request, Answer(fault.status, fault.body), fault.headers)
            return
        answer = self._answer(request, raw, fault)
        if fault and fault.then:
            with self._lock:
                fault.then()
        _send(request, answer, {}, cut=bool(fault and fault.cut))

    def _answer(self, request: http.server.BaseHTTPRequestHandler, raw: bytes, fault: Fault | None) -> Answer:
        if (refusal := self._refused(request)) is not None:
            return refusal
        text = json.loads(raw)["query"]
        with self._lock:
            self.queries.append(text)
            try:
                body = self._run(text)
            except KqlUnsupportedError as problem:  # a limit of this server, never dressed up as the service's
                return Answer(501, error("NotSupportedHere", str(problem)))
            except (KqlError, duckdb.Error) as problem:
                inner = {"code": "SEM0100", "message": str(problem).splitlines()[0]}
                return Answer(400, error("BadArgumentError", "The request had some invalid properties", inner))
        if fault and fault.drop:
            del body["tables"][0]["rows"][-fault.drop :]
        if fault and fault.partial:
            body["error"] = fault.partial
        return Answer(200, body)

    def _refused(self, request: http.server.BaseHTTPRequestHandler) -> Answer | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        except (IndexError, ValueError):
            return Answer(401, error("AuthenticationFailed", "The 'Authorization' header is missing."))
        self.audiences.append(claims["aud"])
        if claims["exp"] < time.time() or claims["aud"].rstrip("/") != self.url:
            return Answer(403, error("InvalidAuthenticationTokenAudience", "The access token has a wrong audience."))
        if unquote(urlsplit(request.path).path).lower() not in {path.lower() for path in self.paths}:
            return Answer(404, error("WorkspaceNotFoundError", "The workspace could not be found"))
        return None

    def _run(self, text: str) -> dict[str, Any]:
        cursor = duckdb_kql.execute(self._database.cursor(), self._known(text))
        names = [column[0] for column in cursor.description]
        kinds = [kusto_type(column[1]) for column in cursor.description]
        rows, size, limit = [], 0, ""
        while not limit and (found := cursor.fetchmany(1000)):
            for values in found:
                row = _row(names, kinds, values)
                size += len(json.dumps(row))
                if len(rows) == self.row_limit or size > self.byte_limit:
                    limit = f"{self.row_limit} records" if len(rows) == self.row_limit else f"{self.byte_limit} bytes"
                    break
                rows.append(row)
        columns = [{"name": n, "type": k} for n, k in zip(names, kinds, strict=True) if n != _TICK]
        body = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}
        return body | ({"error": too_large(limit)} if limit else {})

    def _known(self, text: str) -> str:
        """Write out column_ifexists(): the column where the table before it has it, else the default."""

        def column(match: re.Match[str]) -> str:
            table = _TABLE.findall(text, 0, match.start())[-1]
            return match[1] if match[1] in self._tables.get(table, set()) else match[2]

        return _IF_EXISTS.sub(column, text)


def too_large(limit: str) -> dict[str, Any]:
    inner = {"code": "-2133196797", "message": _TOO_LARGE.format(limit=limit), "severity": 2, "severityName": "Error"}
    details = [{"code": "EngineError", "message": "Something went wrong processing your query.", "innererror": inner}]
    return {"code": "PartialError", "message": "There were some errors when processing your query.", "details": details}


def _tick(text: str) -> int:
    """The seventh digit of a second."""
    return int(text.removesuffix("Z").partition(".")[2].ljust(7, "0")[6])


def _row(names: list[str], kinds: list[str], values: tuple[Any, ...]) -> list[Any]:
    """One row as the service writes it: times with up to seven digits, trailing zeros cut."""
    tick = values[names.index(_TICK)] if _TICK in names else 0
    cells = []
    for name, kind, value in zip(names, kinds, values, strict=True):
        if name == _TICK:
            continue
        if kind == "datetime" and value is not None:
            text = f"{value:%Y-%m-%dT%H:%M:%S.%f}{(tick or 0) if name == 'TimeGenerated' else 0}".rstrip("0").rstrip(
                "."
            )
            cells.append(text + "Z")
        else:
            cells.append(value)
    return cells


def _send(
    request: http.server.BaseHTTPRequestHandler, answer: Answer, headers: dict[str, str], *, cut: bool = False
) -> None:
    body = json.dumps(answer.body, separators=(",", ":")).encode()
    sent = {
        "Content-Type": "application/json; charset=utf-8",
        "x-ms-correlation-request-id": str(uuid.uuid4()),
        **headers,
    }
    if "gzip" in request.headers.get("Accept-Encoding", "") and len(body) > 1400:
        body = gzip.compress(body, 1)
        sent["Content-Encoding"] = "gzip"
    request.send_response(answer.status)
    for name, value in (sent | {"Content-Length": str(len(body))}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body[: len(body) // 2] if cut else body)
    if cut:
        request.wfile.flush()
        request.close_connection = True
