"""Forensic investigation of Azure Managed HSM audit logs.

    import mhsm_forensics as mf

    case = mf.open_case("cases/contoso")
    mf.analyse.outcomes(case.events)
    mf.detect.run(case.events)

Rooms are loaded when they are first used, and nothing here touches a network before a form's button is pressed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        accounting,
        analyse,
        case,
        detect,
        engine,
        errors,
        evidence,
        export,
        ingest,
        known,
        load,
        normalise,
        operations,
        overview,
        playbook,
        plot,
        reasons,
        report,
        samples,
        schema,
        search,
        widgets,
    )
    from .case import create_case, open_case
    from .ingest import add, load_events, rebuild, sample_case

__all__ = [
    "accounting",
    "add",
    "analyse",
    "case",
    "create_case",
    "detect",
    "engine",
    "errors",
    "evidence",
    "export",
    "ingest",
    "known",
    "load",
    "load_events",
    "normalise",
    "open_case",
    "operations",
    "overview",
    "playbook",
    "plot",
    "reasons",
    "rebuild",
    "report",
    "sample_case",
    "samples",
    "schema",
    "search",
    "widgets",
]

# The calls of a first minute, and the room each lives in.
_CALLS = {
    "add": "ingest",
    "create_case": "case",
    "load_events": "ingest",
    "open_case": "case",
    "rebuild": "ingest",
    "sample_case": "ingest",
}


def __getattr__(name: str) -> Any:
    if name in _CALLS:
        return getattr(import_module(f".{_CALLS[name]}", __name__), name)
    if name in __all__:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


if "ipykernel" in sys.modules:  # in a notebook, no figure may offer to upload evidence: also one that is drawn by hand
    import_module(".plot", __name__)
