"""Is a sentence true? Its claims are read from plain words and held against what was really asked.

A claim is a thing, perhaps with a number, and what is said to have become of it: "4 role assignments removed", "Restore of the
whole HSM". Alternatives ("read or removed") are true where one of them is. What is not understood is not judged, and counted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .acts import CONTROL, acts, readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .truth import Request

_NOUNS: Final = {
    "role assignment": r"role assignments?",
    "custom role": r"custom roles?|role definitions?",
    "role": r"roles?",
    "setting": r"settings?",
    "key backup": r"key backups?",
    "external connection": r"connections? to (?:an |the )?external (?:keys?|key managers?)",
    "security domain": r"security domains?",
    "key": r"keys?",
}
_VERBS: Final = {
    "read": r"read|listed|looked at|asked for|checked",
    "write": r"written|changed|created|imported|updated|rotated|set|added|given|granted|widened|replaced",
    "delete": r"removed|deleted|taken away|unassigned",
    "purge": r"purged",
    "backup": r"backed up",
    "release": r"released",
    "restore": r"restored",
    "recover": r"recovered",
    "download": r"download(?:ed)?",
    "upload": r"upload(?:ed)?",
}
_TOKEN: Final = re.compile(
    r"\b(?:(?P<count>\d[\d,]*) )?(?P<noun>"
    + "|".join(_NOUNS.values())
    + r")\b|\b(?P<verb>"
    + "|".join(_VERBS.values())
    + r")\b",
    re.IGNORECASE,
)
_JOINED: Final = re.compile(r"^(?:,|/| )*(?:or|and)?(?: was| were)? *$")
_NONE: Final = re.compile(
    r"(?<![\w.,:-])(?:0|no) (?:keys?|role assignments?|custom roles?|settings?|key backups?|full backups?)"
    r"(?= (?:accepted|\w+ed\b|written))|(?<![\w.,:-])0 (?:keys?|role assignments?|custom roles?|settings?)\b"
)  # fmt: skip
# Their own events are no acts: the sentence is about what lies before them, or about somebody's refusals.
_NOT_OWN: Final = re.compile(
    r"denied|refused|failed|in vain|that (?:was|were) |no longer|never asked|do not exist", re.IGNORECASE
)

# Whole acts, and what stands for them. The part must not be told for the whole, nor the whole for the part.
_WHOLE: Final = (
    (
        re.compile(r"restore of the whole hsm|full restore|whole hsm (?:was )?restored", re.IGNORECASE),
        {"RestoreCreate"},
    ),
    (re.compile(r"restore of (?P<n>\d+) keys?|selective restore", re.IGNORECASE), {"SelectiveKeyRestoreCreate"}),
    (re.compile(r"\bfull backup|backup of the whole hsm", re.IGNORECASE), {"BackupCreate"}),
    (re.compile(r"security domain(?: \w+)? download", re.IGNORECASE), {"SecurityDomainBackup"}),
    (re.compile(r"security domain(?: \w+)? upload", re.IGNORECASE), {"SecurityDomainRestore"}),
)
# What a rule says has happened, by docs/detections.md. A rule with another id is judged by its words alone.
RULE_ACTS: Final = {
    "security-domain-download": {"SecurityDomainBackup"},
    "security-domain-upload": {"SecurityDomainRestore", "SecurityDomainTransferKeyGet"},
    "full-backup-not-routine": {"BackupCreate"},
    "routine-full-backup": {"BackupCreate"},
    "hsm-restored": {"RestoreCreate", "SelectiveKeyRestoreCreate"},
    "keys-purged": {"KeyPurge"},
    "keys-deleted": {"KeyDelete"},
    "key-backup-many": {"KeyBackup"},
    "key-release": {"KeyRelease"},
    "key-restored": {"KeyRestore"},
    "key-imported": {"KeyImport"},
    "keys-updated-many": {"KeyUpdate", "KeyRotationPolicySet"},
    "role-assignment-written": {"RoleAssignmentCreate"},
    "role-definition-written": {"RoleDefinitionCreate"},
    "role-removed": {"RoleAssignmentDelete", "RoleDefinitionDelete"},
    "arm-trust-written": {"SettingUpdate"},
    "settings-changed": {"SettingUpdate"},
    "ekm-connection-changed": {"EkmConnectionCreate", "EkmConnectionUpdate", "EkmConnectionDelete"},
    "resource-changed": {"ManagedHsmPut", "ManagedHsmPatch"},
    "key-rewrap": {"KeyWrap", "KeyUnwrap"},
}


def wrong(rule: str, title: str, why: str, own: Sequence[Request], log: Sequence[Request]) -> Iterator[str]:
    """Yield what is wrong with a finding's words. *own* are its events as they were, *log* all that was asked."""
    if found := _NONE.search(f"{title} {why}"):
        yield f"says {found[0]!r}"
    if not own:
        return
    head = title.split(": ", 1)[0]
    yield from _rule(rule, head, own)
    yield from _whole(head, own)
    yield from _numbers(title, own)
    yield from _uri(title, own)
    yield from _lost_keys(title, own, log)
    yield from _tail(title[len(head) :], own, log)
    if not _NOT_OWN.search(head):
        yield from _claims(head, own)


def is_understood(title: str) -> bool:
    """Whether anything in the first words of a title is a claim that can be judged."""
    head = title.split(": ", 1)[0]
    return any(pattern.search(head) for pattern, _ in _WHOLE) or any(_grouped(head))


def _rule(rule: str, head: str, own: Sequence[Request]) -> Iterator[str]:
    meant = RULE_ACTS.get(rule)
    if not meant or any(one.act.operation in meant for one in own):
        return
    verbs = {acts()[name].verb for name in meant}
    if " or " in head and any(verbs & readings(one.act.operation, one.status) for one in own):
        return
    yield f"{rule}, though nothing of that happened ({_names(own)})"


def _whole(head: str, own: Sequence[Request]) -> Iterator[str]:
    for pattern, meant in _WHOLE:
        found = pattern.search(head)
        if not found:
            continue
        fitting = [one for one in own if one.act.operation in meant]
        counted = found.groupdict().get("n")
        if not fitting:
            yield f"says {found[0]!r} of {_names(own)}"
        elif counted and int(counted) not in _counts(fitting):
            yield f"says {found[0]!r} of {len(fitting)} requests"


def _claims(head: str, own: Sequence[Request]) -> Iterator[str]:
    for nouns, verbs in _grouped(head):
        for count, noun in nouns:
            fitting = [one for one in own if one.is_done and _fits(one, noun, verbs)]
            said = f"says {f'{count} ' if count else ''}{noun} {' or '.join(sorted(verbs))}"
            if count and int(count.replace(",", "")) not in _counts(fitting):
                yield f"{said}; it was {len(fitting)} of {_names(own)}"
        if all(not count for count, _ in nouns) and not any(
            _fits(one, noun, verbs) for one in own for _, noun in nouns
        ):
            yield f"says {nouns[0][1]} {' or '.join(sorted(verbs))} of {_names(own)}"


def _grouped(head: str) -> Iterator[tuple[list[tuple[str, str]], set[str]]]:
    """Yield the things of a sentence with what is said of them: nouns, then the verbs that follow."""
    nouns: list[tuple[str, str]] = []
    verbs: set[str] = set()
    end = 0
    head = outside(head)
    for token in _TOKEN.finditer(head):
        if token["noun"]:
            if verbs:
                yield nouns, verbs
                nouns, verbs = [], set()
            nouns.append((token["count"] or "", _which(_NOUNS, token["noun"])))
        elif nouns and (not verbs or _JOINED.match(head[end : token.start()])):
            verbs.add(_which(_VERBS, token["verb"]))
        end = token.end()
    if verbs:
        yield nouns, verbs


def outside(text: str) -> str:
    """Return a text without what stands in parentheses, nested ones too."""
    while (shorter := re.sub(r" ?\([^()]*\)", "", text)) != text:
        text = shorter
    return text


def _which(table: dict[str, str], text: str) -> str:
    return next(name for name, pattern in table.items() if re.fullmatch(pattern, text, re.IGNORECASE))


def _fits(one: Request, noun: str, verbs: set[str]) -> bool:
    done = {one.act.verb} | ({"delete"} if one.act.verb == "purge" else set())
    nouns = {one.act.noun} | ({"role"} if one.act.noun in {"role assignment", "custom role"} else set())
    return noun in nouns and bool(done & verbs)


def _counts(fitting: Sequence[Request]) -> set[int]:
    """Return the numbers that are true: of requests, and of different things."""
    return {len(fitting), len({one.thing for one in fitting if one.thing})} - {0}


def _numbers(title: str, own: Sequence[Request]) -> Iterator[str]:
    """Numbers of requests, of control operations among them, of kinds of operation."""
    if (found := re.search(r"(\d[\d,]*) requests?, (?:(\d[\d,]*) of them (?:control|to change))?", title)) and found[2]:
        sure = sum(_is_control(one, all) for one in own)
        perhaps = sum(_is_control(one, any) for one in own)
        if not sure <= int(found[2].replace(",", "")) <= perhaps:
            yield f"says {found[0]!r}; it was {sure} to {perhaps}"
    if found := re.search(r"(\d+) kinds of operation", title):
        kinds = {len({one.act.operation for one in own}), len({one.act.path for one in own})}
        if int(found[1]) not in kinds:
            yield f"says {found[0]!r}; it was {max(kinds)}"


def _is_control(one: Request, quantity: Callable[..., bool]) -> bool:
    return quantity(verb in CONTROL for verb in readings(one.act.operation, one.status))


def _uri(title: str, own: Sequence[Request]) -> Iterator[str]:
    """What is said of the URI where nobody knows the name."""
    if "URI says nothing" in title and all(one.act.is_explained for one in own):
        yield f"says that the URI says nothing, of {_names(own)}"
    if found := re.search(r"by (?:its|their) URI ([a-z ,]+)", title):
        classes = {one.act.operation_class.replace("_", " ") for one in own} - {""}
        said = {part.strip() for part in re.split(r",| and ", found[1]) if part.strip()}
        if classes and not said <= classes:
            yield f"says {found[0]!r}; it was {', '.join(sorted(classes))}"


def _lost_keys(title: str, own: Sequence[Request], log: Sequence[Request]) -> Iterator[str]:
    if found := re.search(r"(\d+) keys? that (?:was|were) deleted", title):
        asked = {one.key for one in own}
        gone = {one.key for one in log if one.act.operation == "KeyDelete" and one.is_done}
        if int(found[1]) != len(asked & gone):
            yield f"says {found[0]!r}; it was {len(asked & gone)}"


def _tail(tail: str, own: Sequence[Request], log: Sequence[Request]) -> Iterator[str]:
    """Numbers of what the same principal did besides."""
    who = {one.who for one in own}
    for word, operation in (("full backup", "BackupCreate"), ("key backup", "KeyBackup")):
        for found in re.finditer(rf"(\d+) {word}s?", tail):
            true = sum(one.act.operation == operation and one.is_done and one.who in who for one in log)
            if not 0 < int(found[1]) <= true:
                yield f"says {found[0]!r} besides; it was at most {true}"


def _names(own: Sequence[Request]) -> str:
    return ", ".join(sorted({one.act.operation for one in own}))
