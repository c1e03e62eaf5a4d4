"""The events of a case as a data provider of msticpy."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import schema
from ...case import open_case
from ...errors import InputError
from . import _pivots
from ._library import needs_msticpy
from ._questions import ENVIRONMENT, answer, asked

if TYPE_CHECKING:
    import pandas as pd


def evidence_provider(events: Any) -> Any:
    """Return msticpy's `QueryProvider("MHSMEvidence")`, connected to the events of a case.

    Each query of `provider.ManagedHSM` takes ``start`` and ``end`` (half-open, aware, to the microsecond; without them the
    whole case) and ``principal``, ``caller_ip``, ``key``, ``hsm``, ``client``, ``operation``, ``outcome``, ``app_id``,
    ``token_id``, ``correlation_id``, each a value or a list. Values are bound, never pasted.

    Parameters
    ----------
    events
        A case, its events, or a DataFrame with the columns of events.

    Returns
    -------
    The provider. ``list_events``, ``list_denials``, ``list_control_events`` and ``list_exports`` return the columns of
    `schema.EVENTS`, one row per event; ``list_finding_events`` these and ``finding_id``, ``rule_id``, ``severity``, one row
    per finding and event. The same questions as pivots are in the container ``MHSMEvidence`` of msticpy's entities.

    Raises
    ------
    InputError
        msticpy can't be loaded. A query: a time without its zone, a start that is not before the end, or free text.

    References
    ----------
    https://msticpy.readthedocs.io/en/latest/extending/PluginFramework.html
    """
    register_provider()
    with needs_msticpy():
        from msticpy.data.core.data_providers import QueryProvider

    provider = QueryProvider(ENVIRONMENT)
    provider.connect(events=events)
    return provider


def register_provider() -> None:
    """Make `QueryProvider("MHSMEvidence")` known to msticpy, in this process; no file is written.

    Its `connect` takes `events=case`, or the path of a case folder.

    Raises
    ------
    InputError
        msticpy can't be loaded.
    """
    with needs_msticpy():
        from msticpy.common import pkg_config
        from msticpy.data import drivers

    drivers.CUSTOM_PROVIDERS[ENVIRONMENT] = driver()
    ours = str(resources.files(__package__).joinpath("evidence"))
    theirs = pkg_config.get_config("QueryDefinitions.Custom", None) or []
    if ours not in theirs:
        pkg_config.set_config("QueryDefinitions.Custom", [*theirs, ours], create_path=True)


@cache
def driver() -> type:
    """Return the class that msticpy asks; made when it is first wanted, because its parent is msticpy's."""
    with needs_msticpy():
        from msticpy.data.core.query_defns import Formatters
        from msticpy.data.drivers.driver_base import DriverBase, DriverProps

    class MHSMEvidenceDriver(DriverBase):  # type: ignore[misc]
        """Events of a case of mhsm_forensics; nothing leaves this machine."""

        def __init__(self, connection_str: str | None = None, **settings: Any) -> None:
            super().__init__(**settings)
            self._events: Any = None
            self._loaded = True
            self.set_driver_property(DriverProps.EFFECTIVE_ENV, ENVIRONMENT)
            self.set_driver_property(DriverProps.FORMATTERS, {Formatters.PARAM_HANDLER: asked})

        def connect(self, connection_str: Any = None, *, events: Any = None, **_: Any) -> None:
            """Connect to the events of a case: `connect(events=case)`, or `connect("cases/contoso")`."""
            self._events = _opened(connection_str if events is None else events)
            self._connected = True
            self.current_connection = str(getattr(self._events, "path", "events"))
            _pivots.register(self._events, container=ENVIRONMENT)

        @property
        def schema(self) -> dict[str, dict[str, str]]:
            """Columns of the events, by type."""
            return {"events": {column.name: column.type for column in schema.EVENTS}}

        def query(self, query: str, query_source: Any = None, **options: Any) -> pd.DataFrame:
            """Return what a query finds in the events."""
            self._ensure_connected(ENVIRONMENT)
            # Where a query is to be split and has one bound only, msticpy takes it out of the values and leaves it here.
            bounds = {name: options[name] for name in ("start", "end") if options.get(name)}
            return answer(self._events, query, **bounds)

        def query_with_results(self, query: str, **options: Any) -> tuple[pd.DataFrame, Any]:
            """Return what a query finds in the events, and that it ran."""
            return self.query(query, **options), "OK"

    return MHSMEvidenceDriver


def _opened(events: Any) -> Any:
    if events is None:
        raise InputError("no events to connect to. Hint: provider.connect(events=case).")
    if isinstance(events, (str, Path)) and Path(events).is_dir():
        return open_case(events)
    return events
