"""The route table: which operations live at a path, looked up segment by segment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from ..identifiers import folded
from ._vocabulary import EFFECTS, Operation, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SUCCESS: Final = range(200, 300)
_CHALLENGED: Final = 401  # it comes before anybody knows who asks, and for what
_MANY: Final = ("…", "{scope}")  # stand for any number of segments
_OPTIONAL: Final = "{version}"

# What a path is about where no route is: a second look, by its beginning alone. Role routes come first: they live below
# /keys/… too, where "providers" is no key.
_CLASS_BY_BEGINNING: Final = [
    (re.compile(pattern), operation_class)
    for pattern, operation_class in (
        (r"/providers/microsoft\.authorization/role(assignments|definitions)", "access_control"),
        (r"^/subscriptions/.*/private(linkresources|endpointconnection)", "network"),
        (r"^/subscriptions/.*/managedhsms/[^/]+/keys(/|$)", "key_lifecycle"),
        (r"^/subscriptions/", "management"),
        (r"^/securitydomain(/|$)", "security_domain"),
        (r"^/(pre)?backup(/|$)", "hsm_backup"),
        (r"^/(pre)?restore(/|$)", "hsm_restore"),
        (r"^/(settings|ekm)(/|$)", "settings"),
        (r"^/(deleted)?keys(/|$)", "key_read"),
    )
]


@dataclass(slots=True)
class _Node:
    """One place in the table; `many` stands for any number of segments, `optional` for one that may be empty."""

    named: dict[str, _Node] = field(default_factory=dict)
    one: _Node | None = None
    optional: _Node | None = None
    many: _Node | None = None
    here: list[Operation] = field(default_factory=list)

    def child(self, segment: str) -> _Node:
        """Return the place behind a segment of a template; made where there is none."""
        if not segment.startswith(("{", "…")):
            return self.named.setdefault(segment.lower(), _Node())
        kind = "many" if segment in _MANY else "optional" if segment == _OPTIONAL else "one"
        if getattr(self, kind) is None:
            setattr(self, kind, _Node())
        found: _Node = getattr(self, kind)
        return found


@cache
def _table() -> _Node:
    root = _Node()
    for operation in vocabulary().values():
        for template in _templates(operation):
            place = root
            for segment in template.lstrip("/").split("/"):
                place = place.child(segment)
            if all(one.method != operation.method for one in place.here):  # another name of the same call
                place.here.append(operation)
    return root


def _templates(operation: Operation) -> Iterator[str]:
    """Yield the paths of an operation: who names no version may leave its segment out."""
    if operation.method and operation.path:
        yield operation.path
        if f"{_OPTIONAL}/" in operation.path:
            yield operation.path.replace(f"{_OPTIONAL}/", "")


def _segments(path: str | None) -> list[str]:
    """Segments of a path in lower case, however many slashes it begins with."""
    return folded(re.sub(r"^/+", "", path or "")).split("/")


def _operations_behind(place: _Node, segments: Sequence[str], at: int = 0) -> list[Operation]:
    """Operations at the end of a path, of the most literal template that fits."""
    if at == len(segments):
        return place.here
    first = segments[at]
    fit = _operations_behind(place.named[first], segments, at + 1) if first in place.named else []
    if not fit and place.one and first:
        fit = _operations_behind(place.one, segments, at + 1)
    if not fit and place.optional:
        fit = _operations_behind(place.optional, segments, at + 1)
    return fit or _behind_many(place.many, segments, at)


def _behind_many(place: _Node | None, segments: Sequence[str], at: int) -> list[Operation]:
    """Operations behind a part of any length."""
    if place is None:
        return []
    starts = (start for start in range(at, len(segments)) if segments[start] in place.named)
    return next((fit for start in starts if (fit := _operations_behind(place, segments, start))), [])


def _spellings(segments: list[str]) -> Iterator[list[str]]:
    """Yield a path as it is, with one slash at its end, without any there, and without any that servers read over."""
    end = len(segments)
    while end > 1 and not segments[end - 1]:
        end -= 1
    yield segments
    yield segments[: end + 1]
    yield segments[:end]
    yield list(filter(None, segments))


def at_path(path: str | None) -> list[Operation]:
    """Every operation that lives at a path, whatever its method; none where no route is known.

    >>> [one.operation for one in at_path("/keys/card-00//sign")]
    ['KeySign']
    >>> [one.operation for one in at_path("/keys/card-00")], [one.operation for one in at_path("/keys/card-00/")]
    (['KeyImport', 'KeyDelete'], ['KeyGet', 'KeyUpdate'])
    >>> [one.operation for one in at_path("/deletedkeys//card-00//recover/")]
    ['KeyRecover']
    """
    segments = _segments(path)
    if not segments[0]:
        return []
    found = next(filter(None, (_operations_behind(_table(), spelt) for spelt in _spellings(segments))), [])
    arm_roles = segments[0] == "subscriptions" and found and found[0].path.startswith("{scope}")
    return [] if arm_roles else found


def readings(path: str | None, http_status: int | None) -> tuple[Operation, ...]:
    """What a call can have been by its path and its answer, the gravest first; none where no route is known.

    A method is in no record. Where a success has a status that only some methods answer with, it was one of these; a
    failure may have been any.

    References
    ----------
    https://learn.microsoft.com/rest/api/keyvault/

    Examples
    --------
    >>> [one.operation for one in readings("/deletedkeys/card-00", 204)]
    ['KeyPurge']
    >>> [one.operation for one in readings("/settings/AllowKeyManagementOperationsThroughARM", 200)]
    ['SettingUpdate', 'SettingGet']
    """
    if http_status == _CHALLENGED:
        return (vocabulary()["authentication"],)
    here = at_path(path)
    if http_status in _SUCCESS:
        here = [one for one in here if one.answers(http_status)] or here
    return tuple(sorted(here, key=lambda one: EFFECTS.index(one.effect)))


def class_of_path(path: str | None, http_status: int | None = None) -> str | None:
    """Class of operation that a request path belongs to; None where the path says nothing.

    >>> class_of_path("/keys/providers/Microsoft.Authorization/roleAssignments/7d1f")
    'access_control'
    >>> class_of_path("/keys/card-00//securewrapkey"), class_of_path("/deletedkeys/card-00", 204)
    ('crypto', 'key_lifecycle')
    """
    if not path:
        return None
    classes = {one.operation_class for one in readings(path, http_status)} - {"authentication"}
    if len(classes) == 1:
        return classes.pop()
    plain = "/" + "/".join(_segments(path)).rstrip("/")
    return next((name for pattern, name in _CLASS_BY_BEGINNING if pattern.search(plain)), None)
