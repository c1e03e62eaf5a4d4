"""What a request was: by its route and answer, with its name as a second witness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ._routes import at_path, class_of_path, readings
from ._vocabulary import EFFECTS, Operation, vocabulary

# Endings from the longest to the shortest, so that "StatusGet" is not read as a change.
_EFFECT_BY_ENDING: Final = (
    ("statusget", "read"), ("status", "read"), ("list", "read"), ("get", "read"), ("check", "read"), ("read", "read"),
    ("purge", "destroy"), ("delete", "destroy"), ("remove", "destroy"), ("revoke", "destroy"),
    ("download", "export"), ("backup", "export"), ("release", "export"), ("export", "export"),
    ("create", "change"), ("put", "change"), ("set", "change"), ("patch", "change"), ("update", "change"),
    ("write", "change"), ("recover", "change"), ("restore", "change"), ("upload", "change"), ("rotate", "change"),
    ("import", "change"),
)  # fmt: skip

# Removing a grant ends access; it destroys no key material.
_NOT_DESTROYED_BY_DELETE: Final = {"access_control", "settings"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event's operation is taken to be, by its route and by its name."""

    operation_class: str
    effect: str
    operation_status: str
    class_by_uri: str | None
    act: str | None
    known_by: str


def meaning(
    operation: str | None, path: str | None, http_status: int | None = None, denied_action: str | None = None
) -> Meaning:
    """What an operation is, by its route and its answer; its name narrows that, and stands alone where no route is known.

    Parameters
    ----------
    operation
        ``operationName`` verbatim.
    path
        Path of the request URI, without host and query.
    http_status
        What the service answered.
    denied_action
        Right that was missing, by the text of a denial.

    Returns
    -------
    Class; effect, or several parted by ``|``, the gravest first; how well the name is known (``documented``, ``expected``,
    ``unseen``); the class that route and answer alone give; the act: a name of the vocabulary, or several parted by ``|``;
    and by what it is known: ``both`` name and route, ``route``, ``name``, ``contradiction`` (the two say different things,
    and the act is either), ``nothing``.

    References
    ----------
    operations.csv, column ``source``; https://learn.microsoft.com/rest/api/keyvault/

    Examples
    --------
    >>> meaning("BackupCreate", "/backup", 202).act, meaning("HsmCloneStart", "/backup", 202).act
    ('BackupCreate', 'BackupCreate')
    >>> found = meaning("Op-17", "/settings/AllowKeyManagementOperationsThroughARM", 200)
    >>> found.act, found.effect, found.known_by
    ('SettingUpdate|SettingGet', 'change|read', 'route')
    """
    named, by_uri = vocabulary().get((operation or "").lower()), class_of_path(path, http_status)
    by_route = _needing(denied_action, readings(path, http_status))
    if named is None:
        return _by_route(operation, _suggested(operation, by_route), by_uri)
    status = "documented" if named.status == "documented" else "expected"
    if not at_path(path) or not named.method:
        known_by = "both" if by_uri == named.operation_class else "name"
        return Meaning(named.operation_class, named.effect, status, by_uri, named.operation, known_by)
    if _agrees(named, path, http_status):
        return Meaning(named.operation_class, named.effect, status, by_uri, named.operation, "both")
    either = sorted({named, *by_route}, key=lambda one: (EFFECTS.index(one.effect), one is not named))
    return Meaning(named.operation_class, *_joined(either, status, by_uri), "contradiction")


def _agrees(named: Operation, path: str | None, http_status: int | None) -> bool:
    """Whether a name fits its route and answer; or says another name for what the route says."""
    if http_status is not None and not 200 <= http_status < 300:
        http_status = None
    here = at_path(path)
    fits = any(_unversioned(one) == _unversioned(named) for one in here)
    answers = named.answers(http_status) or not any(one.answers(http_status) for one in here)
    same = any(
        (one.operation_class, one.effect) == (named.operation_class, named.effect)
        for one in readings(path, http_status)
    )
    return (fits and answers) or same


def _unversioned(operation: Operation) -> str:
    """Path of an operation without a version: clients name one or none, by a slash or without, as they like."""
    return operation.path.replace("/{version}", "")


def _by_route(operation: str | None, by_route: tuple[Operation, ...], by_uri: str | None) -> Meaning:
    """What a call under a name that no source has is by its route, or else by its ending."""
    if by_route:
        classes = {one.operation_class for one in by_route}
        named = classes.pop() if len(classes) == 1 else by_uri or by_route[0].operation_class
        return Meaning(named, *_joined(list(by_route), "unseen", by_uri), "route")
    return Meaning(by_uri or "unknown", _effect_of_name(operation, by_uri), "unseen", by_uri, None, "nothing")


def _joined(either: list[Operation], status: str, by_uri: str | None) -> tuple[str, str, str | None, str]:
    """Effects and acts that a call may have had, each once."""
    effects, acts = (dict.fromkeys(getattr(one, name) for one in either) for name in ("effect", "operation"))
    return "|".join(effects), status, by_uri, "|".join(acts)


def _needing(denied_action: str | None, by_route: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Keep what needs the right that was missing."""
    wanted = (denied_action or "").lower()
    return tuple(one for one in by_route if wanted and one.data_action.lower() == wanted) or by_route


def _suggested(operation: str | None, by_route: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Keep what the ending of an unknown name suggests: of a route that can be several, it is the second witness."""
    ending = _ending(operation)
    if len(by_route) < 2 or ending is None:
        return by_route
    if ending == "destroy":
        return tuple(one for one in by_route if one.method == "DELETE" or one.effect == "destroy") or by_route
    return tuple(one for one in by_route if one.effect == ending and one.method != "DELETE") or by_route


def _ending(operation: str | None) -> str | None:
    folded = (operation or "").lower()
    return next((effect for end, effect in _EFFECT_BY_ENDING if folded.endswith(end)), None)


def _effect_of_name(operation: str | None, by_uri: str | None) -> str:
    ending = _ending(operation)
    if ending == "destroy" and by_uri in _NOT_DESTROYED_BY_DELETE:
        return "change"
    return ending or "unknown"
