"""The rules: data plus one check each, in one tuple.

A new rule is a `Rule` in the tuple of the file of its theme; `docs/detections.md` follows from it.
"""

from . import _access, _behaviour, _destruction, _exports
from ._rule import SEVERITIES, Hit, Material, Rule

__all__ = ["RULES", "SEVERITIES", "Hit", "Material", "Rule"]

RULES = (*_exports.RULES, *_destruction.RULES, *_access.RULES, *_behaviour.RULES)
