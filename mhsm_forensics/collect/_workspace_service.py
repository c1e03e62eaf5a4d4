"""The query API of Log Analytics: a question in, the bytes of the answer out, faults retried.

The SDK's client brings login and transport and nothing else: its own retry gives up on a reset connection,
its rows lose the last digit of a time and cost ten times what the bytes do, and it hands a partial answer
back like a whole one.

References
----------
https://learn.microsoft.com/azure/azure-monitor/service-limits#log-analytics-workspaces
https://learn.microsoft.com/azure/azure-monitor/logs/api/errors
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.rest import HttpRequest
from azure.monitor.query import LogsQueryClient

from ..errors import EvidenceError
from ..load import survey
from ._patience import StoppedError, seconds_asked
from ._stopping import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from threading import Event

    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpResponse

PUBLIC = "https://api.loganalytics.io"
TRIES = 7
WAIT = 600  # seconds: the longest that the service lets a query run

_LONGEST_PAUSE = 120.0
_TOO_LARGE = ("E_QUERY_RESULT_SET_TOO_LARGE", "E_RUNAWAY_QUERY", "E_LOW_MEMORY_CONDITION", "ResponsePayloadTooLarge")
_BUSY = {408, 429, 500, 502, 503}

pause = time.sleep

_T = TypeVar("_T")


class TooLargeError(Exception):
    """The service can't answer this question as a whole: ask for less at a time."""


class DeniedError(EvidenceError):
    """The login works or not, but it gives no right to these rows."""


class _AgainError(Exception):
    """A fault that passes; `after` seconds are asked for by the service."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class _SlowError(_AgainError):
    """The query took too long: perhaps the service was busy, perhaps it is too much for one answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose bytes are in a file."""

    size: int
    sha256: str
    rows: int
    request_id: str | None


class Service:
    """One workspace, or one resource whose rows may be in several; holds no token and writes none."""

    def __init__(
        self, credential: TokenCredential, target: str, endpoint: str | None, transport: dict[str, Any] | None = None,
        stop: Event | None = None,
    ) -> None:  # fmt: skip
        self.endpoint = (endpoint or PUBLIC).rstrip("/")
        self.target = target
        self.retried: list[str] = []
        self._stop = stop
        self._client = LogsQueryClient(
            credential, endpoint=self.endpoint, audience=self.endpoint, read_timeout=WAIT + 60, **(transport or {})
        )

    @property
    def url(self) -> str:
        """Where the questions are sent."""
        return f"{self.endpoint}/v1{self.target}/query"

    def ask(self, text: str) -> list[dict[str, Any]]:
        """Return the rows of a small answer, each as a dict.

        Raises
        ------
        EvidenceError
            The service refuses, or does not answer.
        StoppedError
            Somebody asked to stop; so does `fetch`.
        """
        try:
            body = self._retried(lambda: self._read(text))
        except TooLargeError as problem:
            raise EvidenceError(f"{self.url}: {problem}. Hint: ask for a shorter time with --from and --to.") from None
        table = body["tables"][0]
        names = [column["name"] for column in table["columns"]]
        return [dict(zip(names, row, strict=True)) for row in table["rows"]]

    def fetch(self, text: str, path: Path) -> Answer:
        """Write the bytes of an answer to a file; on disk when this returns.

        Raises
        ------
        TooLargeError
            The answer would not be whole.
        EvidenceError
            The service refuses, or does not answer.
        """
        return self._retried(lambda: self._write(text, path), patience=2)

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _retried(self, attempt: Callable[[], _T], *, patience: int = TRIES) -> _T:
        """Try until there is an answer; a query that was too slow *patience* times is too large."""
        tried = 0
        while True:
            try:
                return interruptible(attempt, self._stop)
            except _AgainError as problem:
                tried += 1
                self.retried.append(str(problem))
                if isinstance(problem, _SlowError) and tried >= patience:
                    raise TooLargeError(str(problem)) from None
                if tried == TRIES:
                    raise EvidenceError(
                        f"{self.url}: no whole answer in {TRIES} tries ({problem}). "
                        "Hint: run the same command again; what was collected is kept."
                    ) from None
                self._pause(min(problem.after if problem.after is not None else 2.0 ** (tried - 1), _LONGEST_PAUSE))

    def _pause(self, seconds: float) -> None:
        if self._stop is None:
            pause(seconds)
        elif self._stop.wait(seconds):
            raise StoppedError

    def _read(self, text: str) -> Any:
        response = self._send(text)
        try:
            body = json.loads(b"".join(response.iter_bytes()))
        except (AzureError, ValueError) as problem:
            raise _AgainError(_short(problem)) from None
        if "error" in body:
            raise _partial(json.dumps(body["error"]))
        return body

    def _write(self, text: str, path: Path) -> Answer:
        response, digest, size = self._send(text), hashlib.sha256(), 0
        try:
            with path.open("wb") as file:
                for block in response.iter_bytes():
                    if self._stop and self._stop.is_set():
                        raise StoppedError
                    file.write(block)
                    digest.update(block)
                    size += len(block)
                file.flush()
                os.fsync(file.fileno())
        except AzureError as problem:
            raise _AgainError(_short(problem)) from None
        found = survey(path)
        if found.problem:
            raise _partial(found.problem.decode("utf-8", "replace"))
        if not found.whole:
            raise _AgainError("the answer was cut off")
        return Answer(size, digest.hexdigest(), found.rows, _request_id(response))

    def _send(self, text: str) -> HttpResponse:
        headers = {"Prefer": f"wait={WAIT}"}
        request = HttpRequest("POST", f"{self.target}/query", json={"query": text}, headers=headers)
        try:
            response = self._client.send_request(request, stream=True, retry_total=0)
            if response.status_code >= 400:
                response.read()
        except ClientAuthenticationError as problem:
            raise _denied(self.url, problem.message) from None
        except AzureError as problem:
            raise _AgainError(_short(problem)) from None
        if response.status_code >= 400:
            raise self._refusal(response)
        return response

    def _refusal(self, response: HttpResponse) -> Exception:
        status, message = response.status_code, _message(response)
        if any(code in message for code in _TOO_LARGE) or status == 413:
            return TooLargeError(f"HTTP {status}: {message}")
        if status == 504:
            return _SlowError(f"HTTP {status}: {message}", seconds_asked(response.headers))
        if status in _BUSY:
            return _AgainError(f"HTTP {status}: {message}", seconds_asked(response.headers))
        if status in {401, 403}:
            return _denied(self.url, message)
        if status == 404:
            return EvidenceError(
                f"{self.url}: {message}. Hint: give the workspace ID (a GUID, on the workspace's Overview page), "
                "not its name."
            )
        return EvidenceError(f"{self.url}: HTTP {status}: {message}")


def _partial(problem: str) -> Exception:
    """Tell an answer that is too large from one that lacks rows for another reason."""
    if any(code in problem for code in _TOO_LARGE):
        return TooLargeError("the answer exceeds the limits of the service")
    return _AgainError(f"partial answer: {problem[:300]}")


def _denied(url: str, message: str) -> DeniedError:
    return DeniedError(
        f"{url}: access denied ({message.splitlines()[0][:300]}). Hint: sign in to the right tenant; the account needs "
        "the role Log Analytics Reader on the workspace, or Reader on the HSM with --resource."
    )


def _message(response: HttpResponse) -> str:
    """Return what the service says, from the outermost error to the innermost."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return response.text()[:300] or str(response.reason)
    said: list[str] = []
    while isinstance(error, dict):
        said.append(f"{error.get('code', '')}: {error.get('message', '')}")
        error = error.get("innererror")
    return "; ".join(said)


def _request_id(response: HttpResponse) -> str | None:
    names = ("x-ms-correlation-request-id", "x-ms-request-id", "x-ms-client-request-id")
    return next((response.headers[name] for name in names if name in response.headers), None)


def _short(problem: Exception) -> str:
    return f"{type(problem).__name__}: {str(problem).splitlines()[0][:200] if str(problem) else ''}"
