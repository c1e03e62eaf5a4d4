"""Facts: what the events say, on which two careful analysts would always agree.

Each question is one SQL text in `queries/`, handed to the engine; what is left to do here is to name
columns and to give times their zone. *events* is anything the engine can query: a case, its events, a
DataFrame, Parquet paths. Nothing is cut: what a label leaves out, it counts ("… 2 more").
"""

from ._anomalies import anomalies
from ._baseline import baseline
from ._bundles import bundles, links
from ._coverage import coverage, gaps, reconcile
from ._held import Held
from ._keys import keys
from ._moments import moments
from ._operations import hourly, outcomes, unknown_operations
from ._pairs import concurrent, moved, neighbours, shared, token_places
from ._people import first_seen_pairs, principals
from ._profile import Profile, met, profile
from ._restores import restores
from ._series import series
from ._sessions import sessions
from ._signins import signed_in
from ._story import story
from ._timeline import timeline
from ._touching import entities, rows, tokens, touching

__all__ = [
    "Held",
    "Profile",
    "anomalies",
    "baseline",
    "bundles",
    "concurrent",
    "coverage",
    "entities",
    "first_seen_pairs",
    "gaps",
    "hourly",
    "keys",
    "links",
    "met",
    "moments",
    "moved",
    "neighbours",
    "outcomes",
    "principals",
    "profile",
    "reconcile",
    "restores",
    "rows",
    "series",
    "sessions",
    "shared",
    "signed_in",
    "story",
    "timeline",
    "token_places",
    "tokens",
    "touching",
    "unknown_operations",
]
