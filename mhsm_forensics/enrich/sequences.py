"""Sessions whose order of operations is rare among the sessions of this evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from .. import analyse, engine, schema
from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CALLER: Final = ["principal", "caller_ip", "client", "token_id"]
_EVENTS: Final = f"SELECT time, actor, {', '.join(_CALLER)}, operation FROM events ORDER BY {', '.join(schema.ORDER)}"


def rare_sessions(events: Any, *, window: int = 3) -> pd.DataFrame:
    """Sessions with the least likely run of operations first: what nobody else here does in this order.

    The model is msticpy's: a Markov chain over the operations of all sessions; the least likely *window* of each is
    its score. It says that an order is rare in this evidence, and nothing more.

    Parameters
    ----------
    events
        Columns ``time``, ``operation`` and what `analyse.sessions` needs; one row per event.
    window
        How many operations in a row are scored, from 2 on. Repeats of the same operation count as one.

    Returns
    -------
    The columns of `analyse.sessions`, and ``sequence`` (list of operations in order, repeats folded), ``rarest`` (the
    least likely run in words), ``likelihood`` (0..1; null where a session has fewer than *window* operations); one row
    per session, the least likely first.

    Raises
    ------
    InputError
        *window* is no whole number from 2 on.

    References
    ----------
    https://msticpy.readthedocs.io/en/latest/msticpy.analysis.anomalous_sequence.html
    """
    if window < 2:
        raise InputError(f"{window}: no window of operations. Hint: 2 or more.")
    runs = analyse.sessions(events)
    ordered = _sequences(engine.run(events, _EVENTS), runs)
    runs = runs.assign(sequence=runs["session"].map(ordered))
    rated = _rated(runs[["session", "sequence"]], window)
    found = runs.merge(rated, on="session", how="left")
    return found.sort_values(["likelihood", "session"], kind="stable", ignore_index=True)


def _sequences(rows: pd.DataFrame, runs: pd.DataFrame) -> dict[Any, list[Any]]:
    """Operations of each session in order; a repeat of the one before is left out."""
    if rows.empty:
        return {}
    # A session bears the name of its actor, an event the label that its token had.
    runs, rows = (one.assign(principal=one["actor"].fillna(one["principal"])) for one in (runs, rows))
    callers = runs.assign(**{name: runs[name].fillna("") for name in _CALLER})
    rows = rows.assign(**{name: rows[name].fillna("") for name in _CALLER})
    placed = pd.merge_asof(
        rows.sort_values("time", kind="stable"),
        callers[["session", "start", *_CALLER]].sort_values("start"),
        left_on="time", right_on="start", by=_CALLER,
    )  # fmt: skip
    names = placed["operation"].fillna("(no operation)")
    before = names.groupby(placed["session"]).shift()
    turns = placed.assign(operation=names)[(names != before.fillna("")).astype(bool)]
    return turns.groupby("session")["operation"].agg(list).to_dict()


def _rated(runs: pd.DataFrame, window: int) -> pd.DataFrame:
    from msticpy.analysis.anomalous_sequence.anomalous import score_sessions

    long = runs[runs["sequence"].map(len) >= window]
    if long.empty:
        return pd.DataFrame({"session": [], "rarest": [], "likelihood": []}).astype(
            {"session": "int64", "rarest": "string"}
        )
    scored = score_sessions(long.assign(sequence=long["sequence"].map(list)), "sequence", window)
    rarest = pd.Series([_words(run, window) for run in scored[f"rarest_window{window}"]], scored.index, "string")
    return pd.DataFrame(
        {"session": scored["session"], "rarest": rarest, "likelihood": scored[f"rarest_window{window}_likelihood"]}
    )


def _words(run: Sequence[str], window: int) -> str:
    """Spell a run; one that is shorter than the window is rare because the session ends with it."""
    return " → ".join([*map(str, run), *(["(end)"] if len(run) < window else [])])
