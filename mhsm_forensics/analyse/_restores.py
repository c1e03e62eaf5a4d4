"""When whole HSMs were put back to an earlier state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import engine
from ._frames import timed

if TYPE_CHECKING:
    import pandas as pd


def restores(events: Any) -> pd.DataFrame:
    """Full restores that were taken on, and how long the HSM answered nothing else.

    Parameters
    ----------
    events
        Columns ``t``, ``hsm``, ``operation``, ``operation_class``, ``effect``, ``outcome``, ``actor``, ``principal``,
        ``object_id``,
        ``caller_ip``, ``event_id``.

    Returns
    -------
    Columns ``hsm``, ``start`` (UTC, when the restore was taken on), ``end`` (UTC, the first other request to the HSM that
    was answered; restore mode lasted no longer than that in this region), ``seconds`` (between them), ``answered``
    (whether there was such a request: where not, *end* is the last event of the HSM), ``failed`` (requests that failed
    in between), ``principals`` (distinct, of these), ``operation``, ``outcome``, ``actor``, ``principal``,
        ``object_id``,
    ``caller_ip``, ``event_id`` (of the restore) and ``label`` (for a chart); one row per restore, in the order of time.
    A 202 says that the restore was taken on, and not that it succeeded.

    References
    ----------
    https://learn.microsoft.com/azure/key-vault/managed-hsm/backup-restore

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> restores(example())[["hsm", "start", "end", "answered", "failed", "label"]].empty
    True
    """
    found = timed(engine.query(events, "restores"), start_t="start", end_t="end")
    label = found["answered"].map({True: "restore mode", False: "restore mode, end not seen"})
    return found.assign(label=label.astype("string[pyarrow]"))
