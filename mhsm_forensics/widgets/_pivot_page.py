"""What a page of the pivot widget shows, as JSON: a profile in words and numbers, nothing of it markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ..text import plural, visible
from . import _panel as panel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..analyse import Profile
    from ..known import Labels

KINDS: Final = {
    "principal": ("Identity", "Identities"), "caller_ip": ("Address", "Addresses"), "key": ("Key", "Keys"),
    "operation": ("Operation", "Operations"), "client": ("Client", "Clients"), "hsm": ("Managed HSM", "Managed HSMs"),
    "token_ip": ("Address of a token", "Addresses of tokens"), "object_id": ("Object id", "Object ids"),
    "token_id": ("Token", "Tokens"), "correlation_id": ("Correlation id", "Correlation ids"),
}  # fmt: skip
_LISTED: Final = ("principal", "caller_ip", "key", "operation", "client", "hsm", "token_ip", "object_id", "token_id")
_EACH: Final = 30  # values of a list that cross the wire from its head, and as many from its tail
_BINS: Final = 96
_STEPS: Final = (900, 3600, 2 * 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)  # seconds of a bin


def lists(met: pd.DataFrame, ids: pd.Series[int], labels: Labels, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each kind of value that was met, the busiest and the rarest, and how many there are."""
    parts = dict(iter(met.assign(id=ids).groupby("kind", sort=False)))
    made = [_list(kind, parts.get(kind, met.iloc[:0]), labels) for kind in _LISTED]
    return [one for one in made if one["total"] and not (one["kind"] in asked and one["total"] == 1)]


def _list(kind: str, rows: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    shown = rows if len(rows) <= 2 * _EACH else pd.concat([rows.head(_EACH), rows.tail(_EACH)])
    return {
        "kind": kind, "title": KINDS[kind][1], "total": len(rows), "shown": len(shown),
        "rows": [_value(row, labels) for row in shown.to_dict("records")],
    }  # fmt: skip


def _value(row: dict[Any, Any], labels: Labels) -> dict[str, Any]:
    """One value of a list, and what is known of it."""
    nothing = pd.isna(row["value"])
    return {
        "id": -1 if nothing or pd.isna(row["id"]) else int(row["id"]),
        "value": "" if nothing else visible(row["value"], limit=48),
        "label": label(labels, row["kind"], row["value"]), "hsm": panel.said(row["hsm"]),
        "events": int(row["events"]), "denied": int(row["denied"]), "control": int(row["control_events"]),
        "first": panel.said(row["first_time"])[:19], "last": panel.said(row["last_time"])[:19],
        "new": bool(row.get("is_new", False)), "alone": bool(row.get("only_here", False)),
    }  # fmt: skip


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


def departures(found: Profile, ids: pd.Series[int], labels: Labels) -> list[dict[str, Any]]:
    """What is new for the entity, in the order in which it was taken up."""
    return [
        {**_value({**row, "control_events": 0, "last_time": row["first_time"]}, labels), "kind": row["kind"],
         "title": KINDS.get(row["kind"], ("Hour (UTC)",))[0], "after": f"{row['after_days']:.1f}"}
        for row in found.departures.assign(id=ids).to_dict("records")
    ]  # fmt: skip


def denials(found: Profile) -> list[dict[str, str]]:
    """What was denied, and how often."""
    return [
        {"what": panel.said(row["operation"]) or "no operation", "events": f"{row['events']:,}",
         "on": panel.said(row["key_name"] or row["scope"] or row["setting"], 80), "status": panel.said(row["http_status"]),
         "first": panel.said(row["first_time"])[:19], "last": panel.said(row["last_time"])[:19]}
        for row in found.denials.astype(object).where(found.denials.notna(), None).to_dict("records")
    ]  # fmt: skip
