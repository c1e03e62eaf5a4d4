"""What happened to the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import engine
from ._frames import timed

if TYPE_CHECKING:
    import pandas as pd


def keys(events: Any) -> pd.DataFrame:
    """Fate of each key that the evidence names.

    Parameters
    ----------
    events
        Columns ``t``, ``hsm``, ``key``, ``key_name``, ``object_type``, ``operation``, ``operation_class``, ``effect``,
        ``outcome``, ``actor``, ``caller_ip``.

    Returns
    -------
    Columns ``key``, ``hsm``, ``key_name``, ``first_time``, ``last_time`` (UTC), ``events``, ``principals``, ``caller_ips``
    (distinct), ``uses``, ``exports``, ``changes`` (that succeeded or were accepted), ``denied`` (without the 401
    challenges that open a session), ``deleted_at``, ``purged_at``, ``recovered_at``, ``created_at`` (the latest of
    each, null if not in the evidence), ``state`` (``active``, ``soft-deleted``, ``purged`` at the end of the
    evidence; ``not found`` where no request found it); one row per HSM and key name, by both. A key that answers more
    than ten minutes after its deletion is active again: a restore doesn't name its key.

    References
    ----------
    Deletion reaches an HSM's other region within six minutes:
    https://learn.microsoft.com/azure/key-vault/managed-hsm/multi-region-replication

    Examples
    --------
    >>> from mhsm_forensics.analyse._frames import example
    >>> keys(example())[["hsm", "key_name", "uses", "denied", "state"]]
        hsm key_name  uses  denied   state
    0  hsm1     kek1     2       1  active
    """
    acts = ("deleted", "purged", "recovered", "created")
    times = {"first_t": "first_time", "last_t": "last_time"} | {f"{act}_t": f"{act}_at" for act in acts}
    return timed(engine.query(events, "keys"), **times)
