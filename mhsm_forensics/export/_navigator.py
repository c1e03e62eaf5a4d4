"""A layer of the ATT&CK Navigator: which techniques findings speak of, and which were looked for without a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .. import detect
from ..case import utc_now
from ..rules import RULES, SEVERITIES
from ..text import visible

if TYPE_CHECKING:
    import pandas as pd

    from ..case import Case

_SCORES: Final = {"critical": 100, "high": 75, "medium": 50, "low": 25, "info": 5}
_COLOURS: Final = {
    "critical": "#b3200c", "high": "#e0652f", "medium": "#f0b26a", "low": "#f6dfb8", "info": "#dfe7ee",
    "looked for": "#cfe3f3", "not testable here": "#e6e6e6",
}  # fmt: skip
_NAMED: Final = 12  # findings of a technique that its comment names


def layer(case: Case) -> dict[str, Any]:
    """Return the layer of a case, as the Navigator reads it.

    Parameters
    ----------
    case
        The case; all its evidence is judged.

    Returns
    -------
    The layer: a technique's score and colour follow its gravest finding, its comment names the findings; a technique
    that was looked for and not found has score 0, one whose every rule is not testable here has none and says why.

    References
    ----------
    https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
    """
    findings = detect.run(case)
    looked_for = detect.looked_for(case, findings).set_index("rule_id")
    names = sorted({technique for rule in RULES for technique in rule.techniques})
    return {
        "name": f"Managed HSM: {visible(case.name, limit=80)}",
        "versions": {"attack": "19", "navigator": "5.2.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"{len(findings):,} findings of {len(RULES)} rules in the evidence of a case. A technique that was looked "
        "for and not found is not shown to be absent: the report says what the evidence covers.",
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "hideDisabled": False,
        "techniques": [_technique(name, findings, looked_for) for name in names],
        "gradient": {"colors": ["#f6dfb8ff", "#b3200cff"], "minValue": 0, "maxValue": 100},
        "legendItems": [{"label": label, "color": colour} for label, colour in _COLOURS.items()],
        "metadata": [{"name": "generated", "value": utc_now()}, {"name": "rules", "value": str(len(RULES))}],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }


def _technique(name: str, findings: pd.DataFrame, looked_for: pd.DataFrame) -> dict[str, Any]:
    own = findings[[name in techniques for techniques in findings["techniques"]]]
    rules = [rule.id for rule in RULES if name in rule.techniques]
    about = {"techniqueID": name, "enabled": True, "showSubtechniques": True,
             "metadata": [{"name": "rule", "value": rule} for rule in rules]}  # fmt: skip
    if len(own):
        gravest = min(own["severity"], key=SEVERITIES.index)
        return {**about, "score": _SCORES[gravest], "color": _COLOURS[gravest], "comment": _comment(own)}
    asked = looked_for.loc[rules]
    if (asked["testable"] == "yes").any():
        rows = f"{int(asked['rows_examined'].max()):,} records"
        return {**about, "score": 0, "color": _COLOURS["looked for"], "comment": f"Looked for in {rows}, not found."}
    reasons = "; ".join(dict.fromkeys(asked["reason"].dropna()))
    return {**about, "color": _COLOURS["not testable here"], "comment": f"Not testable here: {reasons}."}


def _comment(own: pd.DataFrame) -> str:
    """Name findings, the gravest first, as text that the Navigator shows as it is."""
    told = [
        f"{row.number} {row.severity}: {visible(row.title, limit=200)} ({row.finding_id})"
        for row in own.head(_NAMED).itertuples()
    ]
    more = f"{len(own) - _NAMED:,} more findings" if len(own) > _NAMED else ""
    return "\n".join(filter(None, [*told, more]))
