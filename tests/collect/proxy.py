"""A proxy on loopback that breaks what passes through it, on order."""

from __future__ import annotations

import http.client
import http.server
import socket
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

ERROR = '<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>on order</Message></Error>'
_OWN_HEADERS = {"transfer-encoding", "connection", "content-length", "keep-alive", "date", "server"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # not quoted, with the query
    headers: dict[str, str]

    @property
    def is_download(self) -> bool:
        return self.method == "GET" and "PT1H.json" in self.path.partition("?")[0]


@dataclass
class Fault:
    """What is done to requests: status, reset, cut, flip, slow, before (a function runs, then the request passes)."""

    action: str
    when: Callable[[Request], bool] = lambda request: request.is_download
    times: int = 1
    skip: int = 0
    status: int = 503
    code: str = "ServerBusy"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    run: Callable[[], Any] = lambda: None
    hits: int = 0

    def strikes(self, request: Request) -> bool:
        if self.hits >= self.times or not self.when(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True


class Proxy:
    """Passes requests on to a port of this machine, through the faults; `log` has every request."""

    def __init__(self, port: int) -> None:
        self.target, self.faults, self.log = port, list[Fault](), list[Request]()
        self.latency = 0.0
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def downloads(self) -> list[Request]:
        return [request for request in self.log if request.is_download]

    def fault_for(self, request: Request) -> Fault | None:
        with self.lock:
            self.log.append(request)
            return next((fault for fault in self.faults if fault.strikes(request)), None)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `Proxy.log`."""

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = self.server.proxy.fault_for(Request(self.command, urllib.parse.unquote(self.path), headers))
        time.sleep(self.server.proxy.latency + (fault.seconds if fault else 0))
        if fault and fault.action == "before":
            fault.run()
        if fault and fault.action == "reset":
            self._reset()
        elif fault and fault.action == "status":
            self._refuse(fault)
        else:
            self._pass_on(body, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _refuse(self, fault: Fault) -> None:
        text = ERROR.format(code=fault.code).encode() if self.command != "HEAD" else b""
        self.send_response(fault.status)
        said = {"Content-Type": "application/xml", "x-ms-error-code": fault.code, "Content-Length": str(len(text))}
        for name, value in (said | fault.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _pass_on(self, body: bytes, fault: Fault | None) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.proxy.target, timeout=60)
        passed = {n: v for n, v in self.headers.items() if n.lower() not in ("transfer-encoding", "connection")}
        upstream.request(self.command, self.path, body=body or None, headers=passed)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        if fault and fault.action == "flip":
            data = data[:9] + bytes([data[9] ^ 1]) + data[10:]
        self.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        if length is not None and answer.status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()
        if fault and fault.action == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(data)
