"""msticpy where it is good: pivots, a provider over a case, KQL for its Sentinel provider, look-ups, masks.

Nothing here loads msticpy before it is called, and nothing leaves this machine unless a call says so.

    from mhsm_forensics.enrich import msticpy as pivots
    pivots.register(case)
"""

from ._lookups import LeavesTheMachineWarning, LookupFailedError, ask_threat_intelligence, ask_whois
from ._pivots import register
from ._provider import evidence_provider, register_provider
from ._sentinel import sentinel_queries, sentinel_values
from ._sharing import Shareable, shareable

__all__ = [
    "LeavesTheMachineWarning",
    "LookupFailedError",
    "Shareable",
    "ask_threat_intelligence",
    "ask_whois",
    "evidence_provider",
    "register",
    "register_provider",
    "sentinel_queries",
    "sentinel_values",
    "shareable",
]
