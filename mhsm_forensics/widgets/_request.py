"""What a person asks for in the form: understood, said as code, and run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ..typed import moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from threading import Event

    from ..case import Case
    from ..collect.login import Login
    from ..collect.storage import Collected as FromStorage
    from ..collect.workspace import Collected as FromWorkspace

    Result = FromStorage | FromWorkspace

Source = Literal["storage", "workspace"]

_SECRET = re.compile(r"(?i)\bsig=|accountkey=|sharedaccesssignature=|\beyJ[\w-]+\.")


@dataclass(frozen=True, slots=True)
class Request:
    """One collection, as it was typed. It holds no secret."""

    source: Source
    place: str  # the account's name or address, or the workspace's id
    container: str
    start: datetime | None
    end: datetime | None
    hsms: tuple[str, ...]
    login: str
    cloud: str
    tenant: str | None

    @property
    def who(self) -> tuple[str, str, str | None]:
        """What a login depends on."""
        return self.login, self.cloud, self.tenant

    def code(self) -> str:
        """Return the lines of Python that collect the same; a secret comes from the environment."""
        from ..collect.login import SECRETS

        times = "from datetime import datetime\n\n" if self.start or self.end else ""
        signed = _call("login.sign_in", [self.login], cloud=self.cloud if self.cloud != "public" else None,
                       tenant=self.tenant)  # fmt: skip
        about = f"  # the secret: {SECRETS[self.login]}" if self.login in SECRETS else ""
        return (
            f"{times}from mhsm_forensics.collect import login, {self.source}\n\n"
            f"signed = {signed}{about}\n{self._collecting()}"
        )

    def run(self, case: Case, signed: Login, progress: Callable[[int, int], None], stop: Event) -> Result:
        """Collect.

        Raises
        ------
        ForensicsError
            What was typed can't be used, the service refuses, or the case can't be written.
        """
        from ..collect import login, storage, workspace

        times: dict[str, Any] = {"start": self.start, "end": self.end, "hsms": self.hsms}
        more: dict[str, Any] = times | {"credential": signed.credential, "progress": progress, "stop": stop}
        if self.source == "workspace":
            return workspace.collect(case, self.place, endpoint=login.CLOUDS[self.cloud].logs, **more)
        url = login.account_url(self.place, cloud=self.cloud) if self.place else signed.account_url
        if url is None:
            raise InputError("No account. Hint: write its name, or the address of its blob service.")
        return storage.collect(case, url, container=self.container, **more)

    def _collecting(self) -> str:
        from ..collect.login import CLOUDS, account_url
        from ..collect.storage import CONTAINER

        given: dict[str, Any] = {
            "start": self.start, "end": self.end, "hsms": self.hsms or None, "credential": _Name("signed.credential"),
        }  # fmt: skip
        if self.source == "workspace":
            given["endpoint"] = CLOUDS[self.cloud].logs if self.cloud != "public" else None
            return _call("workspace.collect", [_Name("case"), self.place], **given)
        given["container"] = self.container if self.container != CONTAINER else None
        place = account_url(self.place, cloud=self.cloud) if self.place else _Name("signed.account_url")
        return _call("storage.collect", [_Name("case"), place], **given)


def understood(
    source: Source, *, place: str, container: str, start: str, end: str, hsms: str, login: str, cloud: str, tenant: str,
) -> Request:  # fmt: skip
    """Return what a person asks for, given what they typed.

    Raises
    ------
    InputError
        A time is none, or names no zone; or a field holds a secret, or is empty.
    """
    if source == "workspace" and not place.strip():
        raise InputError("No workspace. Hint: copy its ID, a GUID, from the workspace's Overview page.")
    if source == "storage" and not place.strip() and login != "connection-string":
        raise InputError("No account. Hint: write its name, or the address of its blob service.")
    names = tuple(name for name in re.split(r"[\s,;]+", hsms) if name)
    return Request(
        source, place.strip(), container.strip(), moment(start.strip() or None), moment(end.strip() or None), names, login,
        cloud, tenant.strip() or None,
    )  # fmt: skip


def holds_secret(text: str) -> bool:
    """Whether text that was typed into an open field looks like a signature, a key or a token.

    >>> holds_secret("https://contosologs.blob.core.windows.net/?sv=1&sig=abc"), holds_secret("contosologs")
    (True, False)
    """
    return _SECRET.search(text) is not None


class _Name(str):
    """A name in code: it stands without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _call(function: str, given: list[str], **named: Any) -> str:
    words = [repr(value) for value in given] + [f"{name}={_literal(value)}" for name, value in named.items() if value]
    line = f"{function}({', '.join(words)})"
    return line if len(line) <= 100 else f"{function}(\n    " + ",\n    ".join(words) + ",\n)"


def _literal(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return f'datetime.fromisoformat("{value.isoformat().replace("+00:00", "Z")}")'
    return repr(value)
