"""The executive summary: sentences made of findings, each with the findings it rests on."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ..text import TITLE, plural, visible
from ._document import Answer, Answers, Sentence, Writer
from ._gather import GRAVE

if TYPE_CHECKING:
    from ._gather import Answers as Gathered

_MOST: Final = 8  # statements under one question: a summary is read, not searched
_DONE: Final = {"success", "accepted"}
_ROOTS: Final = (
    ("Security domain", {"security_domain"}),
    ("Full backup or restore", {"hsm_backup", "hsm_restore"}),
    ("Administrators and roles", {"access_control"}),
)


def synopsis(found: Gathered) -> str:
    """One sentence for the cover."""
    events = len(found.case.events)
    alarms = found.alarms
    if found.examined and alarms.empty:
        return found.examined
    if alarms.empty:
        return f"No rule raised an alarm over {plural(events, 'event')}. See the scorecard and the limits."
    counts = alarms["severity"].value_counts()
    parts = [f"{counts[s]} {s}" for s in ("critical", "high", "medium", "low", "info") if s in counts]
    counted = f"{plural(len(alarms), 'finding')} ({', '.join(parts)}) over {plural(events, 'event')}."
    return f"{found.examined} {counted}".strip()


def summary(found: Gathered, writer: Writer) -> Answers:
    """Answer what an executive asks first; every sentence names its findings."""
    if found.alarms.empty:
        text = found.examined or (
            "No rule raised an alarm. This is a statement about the rules that were run and the evidence "
            "that was examined, not a proof that nothing happened."
        )
        return Answers((Answer("What happened", (Sentence(text),)), *_roots(found, writer)))
    return Answers(
        (
            Answer("What happened", _statements(found, "title")),
            Answer("Since when", _since_when(found, writer)),
            Answer("Who", _values(found, writer, "principal", "object_id", noun="identity")),
            Answer("From where", _values(found, writer, "caller_ip", noun="address")),
            Answer("Which keys", _keys(found)),
            *_roots(found, writer),
            Answer("What to do first", _statements(found, "next_step", most=4)),
        )
    )


def _statements(found: Gathered, column: str, *, most: int = _MOST) -> tuple[Sentence, ...]:
    """Sentence per distinct text of a column, in the order of severity."""
    named: dict[str, list[tuple[str, str]]] = {}
    for text, number, confidence in zip(*_columns(found, column), strict=True):
        if pd.notna(text):
            named.setdefault(str(text), []).append((number, confidence))
    sentences = [Sentence(_full_stop(visible(text, limit=TITLE)), tuple(refs)) for text, refs in named.items()]
    return tuple(_cut(sentences, most, "statement"))


def _since_when(found: Gathered, writer: Writer) -> tuple[Sentence, ...]:
    first = found.grave.sort_values("first_time", kind="stable").iloc[0]
    last = found.grave.sort_values("last_time", kind="stable").iloc[-1]
    sentences = [
        Sentence(f"Their first event is of {writer.said(first['first_time'])}.", (_reference(first),)),
        Sentence(f"Their last event is of {writer.said(last['last_time'])}.", (_reference(last),)),
    ]
    if found.case.t0 is not None:
        moment = pd.Timestamp(found.case.t0)
        sentences.append(Sentence(f"The case sets {writer.said(moment)} as the moment of suspected compromise (T0)."))
    return tuple(sentences)


def _values(
    found: Gathered, writer: Writer, column: str, detail: str | None = None, *, noun: str
) -> tuple[Sentence, ...]:
    """Sentence per distinct value of a column, with the findings that name it."""
    refs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    extra = found.grave[detail] if detail else found.grave[column]
    for value, more, number, confidence in zip(found.grave[column], extra, *_columns(found), strict=True):
        if pd.notna(value):
            told = detail is None or pd.isna(more) or more == value
            beside = "" if told else f", {str(detail).replace('_', ' ')} {visible(more)}"
            refs.setdefault((str(value), beside), []).append((number, confidence))
    sentences = [Sentence(f"{writer.named(column, v)}{more}.", tuple(named)) for (v, more), named in refs.items()]
    return tuple(_cut(sentences, _MOST, noun)) or (Sentence("The findings name none."),)


def _keys(found: Gathered) -> tuple[Sentence, ...]:
    refs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for hsm, keys, number, confidence in zip(found.grave["hsm"], found.grave["keys"], *_columns(found), strict=True):
        for key in () if keys is None else keys:
            refs.setdefault((str(key), "" if pd.isna(hsm) else str(hsm)), []).append((number, confidence))
    if not refs:
        return (Sentence("The findings name no key."),)
    borne = Counter(key for key, _ in refs)
    names = ", ".join(
        visible(key, limit=80) + (f" on {visible(hsm, limit=60)}" if borne[key] > 1 else "")
        for key, hsm in list(refs)[:_MOST]
    )
    more = f" ({_MOST} of {len(refs):,} named here; all stand with the findings)" if len(refs) > _MOST else ""
    every = dict.fromkeys(ref for named in refs.values() for ref in named)
    return (Sentence(f"{plural(len(refs), 'key')}: {names}{more}.", tuple(every)),)


def _roots(found: Gathered, writer: Writer) -> tuple[Answer, ...]:
    """Whether the root of trust is affected, part by part: yes, no or cannot tell."""
    return tuple(Answer(f"Root of trust: {part.lower()}", *_root(found, writer, classes)) for part, classes in _ROOTS)


def _root(found: Gathered, writer: Writer, classes: set[str]) -> tuple[tuple[Sentence, ...], str]:
    acts = found.moments[found.moments["operation_class"].isin(classes) & found.moments["outcome"].isin(_DONE)]
    routine = {event_id for ids in found.routine["event_ids"] for event_id in ids}
    grave = set(found.alarms.loc[found.alarms["severity"].isin(GRAVE), "number"])
    told, usual, affected = [], 0, False
    for _, act in acts.iterrows():
        refs = found.findings_of(list(act["event_ids"]))
        if not refs and routine.issuperset(act["event_ids"]):
            usual += 1
            continue
        is_grave = any(number in grave for number, _ in refs)
        told.append((not is_grave, Sentence(_act(act, writer) + ("" if refs else " No rule judged it."), tuple(refs))))
        affected |= is_grave
    if told:
        sentences = [sentence for _, sentence in sorted(told, key=itemgetter(0))]
        return tuple(_cut(sentences, 5, "act")), "Yes" if affected else "Look at it"
    return _absent(found, usual)


def _absent(found: Gathered, usual: int) -> tuple[tuple[Sentence, ...], str]:
    if found.examined:
        return (Sentence(found.examined),), "Cannot tell"
    quiet = f" Recognised as routine: {plural(usual, 'run')}." if usual else ""
    beyond = " beyond the routine" if usual else ""
    blind = _blind_spots(found)
    if blind:
        text = f"No such act{beyond} was done or accepted in this evidence, but {blind}.{quiet}"
        return (Sentence(text),), "Cannot tell"
    text = f"No such act{beyond} was done or accepted in this evidence, and no blind spot is known.{quiet}"
    return (Sentence(text),), "No"


def _act(act: pd.Series[Any], writer: Writer) -> str:
    who = writer.named("principal", act["principal"], limit=80) or "a caller without identity"
    times = "" if act["events"] == 1 else f" {int(act['events']):,} times from"
    on = visible(act["hsm"], limit=60)
    what = f"{visible(act['operation'], limit=80)} ({act['outcome']})"
    return f"{what} on {on} by {who},{times} {writer.said(act['start'])}."


def _blind_spots(found: Gathered) -> str:
    """Say what keeps the evidence from proving an absence; "" if nothing does."""
    rejects = int(found.case.accounting["reject"].iloc[0])
    unknown = 0 if found.unknown.empty else int(found.unknown["events"].sum())
    judged = found.coverage.loc[found.coverage["state"] != "no_history", "hsm"]
    unjudged = found.coverage.empty or bool(set(found.coverage["hsm"]) - set(judged))
    parts = [
        "the log is too short to tell a silence from a quiet hour" if unjudged else "",
        f"the log is interrupted ({plural(len(found.gaps), 'silence')})" if len(found.gaps) else "",
        f"not every line could be read ({plural(rejects, 'reject')})" if rejects else "",
        f"not every operation name is known ({plural(unknown, 'event')})" if unknown else "",
    ]
    return " and ".join(part for part in parts if part)


def _columns(found: Gathered, *names: str) -> list[list[Any]]:
    return [found.grave[name].tolist() for name in (*names, "number", "confidence")]


def _reference(finding: pd.Series[Any]) -> tuple[str, str]:
    return str(finding["number"]), str(finding["confidence"])


def _cut(sentences: list[Sentence], most: int, noun: str) -> list[Sentence]:
    """Keep the first sentences, and say how many there are."""
    if len(sentences) <= most:
        return sentences
    rest = Sentence(f"{most} of {plural(len(sentences), noun)} shown here; all stand with the findings.")
    return [*sentences[:most], rest]


def _full_stop(text: str) -> str:
    return text if text.endswith((".", "!", "?", "]")) else f"{text}."
