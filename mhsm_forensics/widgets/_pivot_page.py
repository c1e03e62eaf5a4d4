"""What a page of the pivot widget shows, as JSON: a profile in words and numbers, nothing of it markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ..schema import to_records
from ..text import plural, visible
from . import _panel as panel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..analyse import Profile
    from ..known import Labels

KINDS: Final = {
    "principal": ("Identity", "Identities"), "caller_ip": ("Address", "Addresses"), "key": ("Key", "Keys"),
    "operation": ("Operation", "Operations"), "client": ("Client", "Clients"), "hsm": ("Managed HSM", "Managed HSMs"),
    "token_ip": ("Address of a token", "Addresses of tokens"), "object_id": ("Object id", "Object ids"),
    "token_id": ("Token", "Tokens"), "correlation_id": ("Correlation id", "Correlation ids"),
}  # fmt: skip
# Columns of a table whose cells lead on, and the kind of what stands in them.
_LEADS: Final = {
    "operation": "operation", "principal": "principal", "caller_ip": "caller_ip", "key_name": "key", "client": "client",
    "hsm": "hsm",
}  # fmt: skip
_LISTED: Final = ("principal", "caller_ip", "key", "operation", "client", "hsm", "token_ip", "object_id")
_TOLD: Final = ["kind", "value", "hsm", "events", "denied", "control_events", "is_new", "only_here"]
_EACH: Final = 30  # values of a list that cross the wire from its head, and as many from its tail
TOKENS_OF: Final = 50_000  # events whose tokens are listed
_FIRST: Final = 200  # rows of a table that cross the wire
MINUTES: Final = 10  # before and after a record that are looked at
_NEAR: Final = 50  # events around a record that cross the wire
_BESIDE: Final = ("operation", "principal", "caller_ip", "key_name", "client")
_SAME: Final = {
    "same_principal": "identity", "same_caller_ip": "address", "same_token_id": "token",
    "same_correlation_id": "correlation id",
}  # fmt: skip
NONE: Final = {"total": 0, "rows": []}  # such a table without rows
_BINS: Final = 96
_STEPS: Final = (900, 3600, 2 * 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)  # seconds of a bin


class Ids:
    """Numbers of what can be asked about: the page sends one for a click, and no text from the log."""

    def __init__(self, known: pd.DataFrame) -> None:
        self._names = [tuple(row.values()) for row in to_records(known[["kind", "value", "hsm"]])]
        self._numbers = {name: number for number, name in enumerate(self._names)}

    def of(self, kind: str, value: str | None, hsm: str | None = None) -> int:
        """Number of a value, a new one for one that is met for the first time; -1 of what can't be asked about."""
        if value is None or kind not in KINDS:
            return -1
        name = (kind, value, hsm)
        number = self._numbers.setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
        return number

    def asked(self, number: int) -> dict[str, str]:
        """What `analyse.touching` takes for a number; nothing for one that was not given."""
        if not 0 <= number < len(self._names):
            return {}
        kind, value, hsm = self._names[number]
        kind = "caller_ip" if kind == "token_ip" else kind  # an address is asked about by all that it did
        return {kind: value} | ({"hsm": hsm} if hsm else {})


def cell(row: Mapping[str, Any], name: str, ids: Ids) -> list[Any]:
    """Text of a cell, and the number of what it leads to."""
    kind = _LEADS.get(name)
    return [panel.said(row[name], 80), ids.of(kind, row[name], row["hsm"] if kind == "key" else None) if kind else -1]


def lists(met: pd.DataFrame, ids: Ids, labels: Labels, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each kind of value that was met, the busiest and the rarest, and how many there are."""
    place, total = met.groupby("kind").cumcount(), met.groupby("kind")["kind"].transform("size")
    shown = _values(met[(place < _EACH) | (place >= total - _EACH)], ids, labels)
    sizes = met["kind"].value_counts()
    made = [_list(kind, int(sizes.get(kind, 0)), [one for one in shown if one["kind"] == kind]) for kind in _LISTED]
    return [one for one in made if one["total"] and not (one["kind"] in asked and one["total"] == 1)]


def tokens(found: pd.DataFrame, ids: Ids, labels: Labels, since: datetime | None) -> dict[str, Any]:
    """The list of tokens: the busiest and the rarest; one that came from several addresses says so."""
    if found.empty:
        return {}
    shown = found if len(found) <= 2 * _EACH else pd.concat([found.head(_EACH), found.tail(_EACH)])
    rows = shown.rename(columns={"token_id": "value"}).assign(
        kind="token_id", hsm=None, is_new=shown["first_time"] >= since if since else False,
    )  # fmt: skip
    values = _values(rows, ids, labels)
    return _list("token_id", len(found), [
        {**value, "places": places} for value, places in zip(values, shown["caller_ips"].tolist(), strict=True)
    ])  # fmt: skip


def too_many_tokens(events: int) -> dict[str, Any]:
    """Say in place of the list of tokens that there is none for so many events."""
    note = f"Not listed for more than {TOKENS_OF:,} events, of which there are {events:,} here: type the id of one to find it."
    return _list("token_id", 0, []) | {"note": note}


def _list(kind: str, total: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": kind, "title": KINDS[kind][1], "total": total, "shown": len(rows), "rows": rows}


def _values(rows: pd.DataFrame, ids: Ids, labels: Labels) -> list[dict[str, Any]]:
    """Values of lists, and what is known of each; all the lists of a page at once, because each turn into rows has its price."""
    named = rows.reindex(columns=_TOLD, fill_value=False)
    told = named.assign(first=_seconds(rows["first_time"]), last=_seconds(rows["last_time"]))
    return [_value(row, ids, labels) for row in to_records(told)]


def _value(row: dict[str, Any], ids: Ids, labels: Labels) -> dict[str, Any]:
    kind, value = row["kind"], row["value"]
    return {
        "id": ids.of(kind, value, row["hsm"]), "kind": kind, "value": visible(value, limit=48),
        "label": label(labels, kind, value), "hsm": panel.said(row["hsm"]),
        "events": row["events"], "denied": row["denied"], "control": row["control_events"], "first": row["first"],
        "last": row["last"], "new": row["is_new"], "alone": row["only_here"],
    }  # fmt: skip


def _seconds(times: pd.Series[Any]) -> list[str]:
    """Moments to the second, in UTC."""
    plain = times.dt.tz_localize(None).to_numpy("datetime64[s]")
    return [text.replace("T", " ") for text in np.datetime_as_string(plain)]


def label(labels: Labels, kind: str, value: Any) -> str:
    """What the lists in the case say of an identity or an address; nothing of any other kind."""
    return visible(labels.of(kind, value), limit=120) if kind in panel.LABELLED else ""


def facts(found: Profile, zone: str | None) -> list[tuple[str, str]]:
    """The head of a page: since when, how much, how it ended."""
    row = found.summary.iloc[0]
    if not row["events"]:
        return [("events", "none in what is looked at")]
    ended = [(name, int(row[name])) for name in ("success", "accepted", "denied", "failure", "unknown")]
    return [
        ("first seen", _moment(row["first_time"], zone)),
        ("last seen", _moment(row["last_time"], zone)),
        ("events", f"{plural(int(row['events']), 'event')} on {plural(int(row['active_days']), 'day')} (UTC)"),
        ("outcomes", ", ".join(f"{count:,} {name}" for name, count in ended if count)),
        ("control events", f"{int(row['control_events']):,}, that change, export or destroy"),
    ]


def _moment(moment: pd.Timestamp, zone: str | None) -> str:
    local = f" · {moment.tz_convert(zone):%a %d %b %H:%M:%S %z} {zone}" if zone else ""
    return f"{panel.said(moment)[:19]} UTC{local}"


def weeks(found: Profile) -> list[dict[str, Any]]:
    """The hours of the week, by each clock."""
    names = ["weekday", "hour", "before", "later"]
    return [
        {"zone": zone, "cells": part[names].to_numpy("int64").tolist()}
        for zone, part in found.hours.groupby("zone", sort=False)
    ]


def strip(quarters: pd.DataFrame, since: int | None) -> dict[str, Any]:
    """Events over time in bins of a whole length, denied ones apart; T0, where it is among them."""
    if quarters.empty:
        return {"bins": []}
    starts = quarters["quarter_t"].to_numpy("int64") // 1_000_000
    span = int(starts[-1] - starts[0]) + 900
    step = next((step for step in _STEPS if span / step <= _BINS), _STEPS[-1])
    place = starts // step - starts[0] // step
    counts = np.zeros((2, int(place[-1]) + 1), dtype="int64")
    for line, name in enumerate(("events", "denied")):
        np.add.at(counts[line], place, quarters[name].to_numpy("int64"))
    begin = int(starts[0] // step * step)
    return {
        "start": begin * 1000, "step": step * 1000, "bins": counts.T.tolist(),
        "t0": None if since is None else since // 1000,
    }  # fmt: skip


def departures(found: Profile, ids: Ids, labels: Labels) -> dict[str, Any]:
    """What is new for the entity, in the order in which it was taken up: the first of it."""
    if found.departures.empty:
        return NONE
    shown = found.departures.head(_FIRST)
    values = _values(shown.assign(last_time=shown["first_time"]), ids, labels)
    rows = [
        {**value, "title": KINDS.get(value["kind"], ("Hour (UTC)",))[0], "after": f"{after:.1f}"}
        for value, after in zip(values, shown["after_days"], strict=True)
    ]
    return {"total": len(found.departures), "rows": rows}


def denials(found: Profile) -> dict[str, Any]:
    """What was denied, and how often: the most frequent of it."""
    if not found.summary["denied"].iloc[0]:
        return NONE
    rows = [
        {"what": panel.said(row["operation"]) or "no operation", "events": f"{row['events']:,}",
         "on": panel.said(row["key_name"] or row["scope"] or row["setting"], 80), "status": panel.said(row["http_status"]),
         "first": panel.said(row["first_time"])[:19], "last": panel.said(row["last_time"])[:19]}
        for row in to_records(found.denials.head(_FIRST))
    ]  # fmt: skip
    return {"total": len(found.denials), "rows": rows}


def near(found: pd.DataFrame, event_id: str, ids: Ids) -> dict[str, Any]:
    """Events around a record that share something with it: the nearest of them, in their order."""
    others = found[found["event_id"] != event_id]
    nearest = others["seconds"].abs().sort_values(kind="stable").index[:_NEAR]
    return {"total": len(others), "rows": [_beside(row, ids) for row in to_records(others.loc[nearest.sort_values()])]}


def _beside(row: dict[str, Any], ids: Ids) -> dict[str, Any]:
    cells = [cell(row, name, ids) for name in _BESIDE]
    shared = [word for name, word in _SAME.items() if row[name]]
    return {"id": row["event_id"], "seconds": f"{row['seconds']:+,.3f}", "cells": cells, "outcome": panel.said(row["outcome"]),
            "same": ", ".join(shared)}  # fmt: skip
