"""The rules: data plus one check each, in one tuple.

A new rule is a `Rule` in the tuple of the file of its theme; `docs/detections.md` follows from it. What belongs to one
pattern comes before what is told only where nothing else did.
"""

from . import (
    _control_plane,
    _destruction,
    _keys,
    _known_rights,
    _rights,
    _root_of_trust,
    _sign_ins,
    _silence,
    _storage,
    _trust,
    _unheard,
    _use,
    _ways_in,
    _witnesses,
)
from ._material import Material, case_of
from ._rule import SEVERITIES, Hit, Rule

__all__ = ["RULES", "SEVERITIES", "Hit", "Material", "Rule", "case_of"]

RULES = (
    *_root_of_trust.RULES,
    *_destruction.RULES,
    *_keys.RULES,
    *_rights.RULES,
    *_known_rights.RULES,
    *_control_plane.RULES,
    *_trust.RULES,
    *_storage.RULES,
    *_sign_ins.RULES,
    *_use.RULES,
    *_ways_in.RULES,
    *_witnesses.RULES,
    *_silence.RULES,
    *_unheard.RULES,
)
