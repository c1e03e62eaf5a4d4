"""Forms for a notebook: choose, call, show. What a form does, a line of code does as well, and it shows that line.

Forms are used by keyboard as by mouse, keep no secret, and leave the kernel free while they work.
"""

from ._anomalies import AnomaliesPanel, anomalies
from ._cases import CasePicker, cases
from ._collect import CollectForm, collect
from ._findings import FindingCard, finding
from ._grid import EventGrid, events
from ._notes import NotesPanel, notes
from ._pivot import Pivot, pivot
from ._scope import ScopeBar, scope
from ._story import StoryPanel, story
from ._timeline import Timeline, timeline

__all__ = [
    "AnomaliesPanel",
    "CasePicker",
    "CollectForm",
    "EventGrid",
    "FindingCard",
    "NotesPanel",
    "Pivot",
    "ScopeBar",
    "StoryPanel",
    "Timeline",
    "anomalies",
    "cases",
    "collect",
    "events",
    "finding",
    "notes",
    "pivot",
    "scope",
    "story",
    "timeline",
]
