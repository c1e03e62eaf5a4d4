"""Rows of the CSVs that people download from portals → the fields of the same record in JSON.

A portal's CSV has the names that the portal displays. Their spelling varies (`Application ID ` ends with a space,
`Autonomous system  number` has two within), so that a name is known by its letters and digits alone.

References
----------
https://learn.microsoft.com/entra/identity/monitoring-health/howto-download-logs
https://learn.microsoft.com/entra/identity/monitoring-health/concept-sign-in-log-activity-details
https://learn.microsoft.com/graph/api/resources/signin, …/managedidentity
https://learn.microsoft.com/azure/azure-monitor/platform/activity-log
https://github.com/naythan-github/team-maia/tree/main/claude/tools/m365_ir (columns of sign-ins of users and of applications)
https://github.com/marlinspike/AzMonitorUptime/blob/5a1fb37052c2a58a59329ac1233807725767acfa/QueryResult.csv (an activity log)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ..evidence.signs import download_kind, plain_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..evidence.signs import DownloadKind

_SIGNIN: Final = {
    "dateutc": "createddatetime", "date": "createddatetime", "requestid": "id", "correlationid": "correlationid",
    "userid": "userid", "username": "userprincipalname", "serviceprincipalid": "serviceprincipalid",
    "serviceprincipalname": "serviceprincipalname", "credentialkeyid": "serviceprincipalcredentialkeyid",
    "credentialthumbprint": "serviceprincipalcredentialthumbprint", "application": "appdisplayname",
    "applicationid": "appid", "resource": "resourcedisplayname", "resourceid": "resourceid", "ipaddress": "ipaddress",
    "useragent": "useragent", "uniquetokenidentifier": "uniquetokenidentifier", "hometenantid": "hometenantid",
    "authenticationprotocol": "authenticationprotocol", "authenticationrequirement": "authenticationrequirement",
    "conditionalaccess": "conditionalaccessstatus",
}  # fmt: skip
_ACTIVITY: Final = {
    "time": "time", "correlationid": "correlationid", "operationname": "operationname", "status": "status",
    "eventcategory": "category", "level": "level", "eventinitiatedby": "caller",
}  # fmt: skip

_MANAGED: Final = {"userassigned", "systemassigned"}
# A token's id is base64url and may begin with a dash. Exports put an apostrophe before that, lest it be a formula.
_GUARDED: Final = re.compile(r"'(?=[-+=@])")


def as_record(fields: dict[str, Any], source_file: str) -> dict[str, Any] | None:
    """Return the fields that the record of a portal's row has in JSON; None where it is no row of a portal.

    Parameters
    ----------
    fields
        Cells by the names of their columns.
    source_file
        Path of the evidence: that a sign-in is a managed identity's, the name alone says that the portal gives the file.

    Returns
    -------
    Fields by their folded names; what the portal leaves out, or leaves empty, isn't among them.

    Examples
    --------
    >>> row = {"operation name": "Delete", "event category": "Policy", "event initiated by": "", "level": "Error"}
    >>> as_record(row, "log.csv")
    {'operationname': 'Delete', 'category': 'Policy', 'level': 'Error'}
    """
    kind = download_kind(tuple(fields))
    if kind is None:
        return None
    said = {plain_name(name): cell for name, cell in fields.items() if isinstance(cell, str) and cell.strip()}
    return _RECORDS[kind](said, source_file)


def time_is_utc(name: str) -> bool:
    """Whether the name of a portal's column says that its times are in UTC."""
    return plain_name(name) == "dateutc"


def _signin(said: dict[str, str], source_file: str) -> dict[str, Any]:
    code = said.get("signinerrorcode", "")
    record: dict[str, Any] = _named(said, _SIGNIN) | {
        "status": {
            "errorcode": code if code.isdecimal() else None,
            "failurereason": said.get("failurereason"),
            "word": said.get("status"),
        },
        "location": _location(said.get("location", "")),
    }
    if "uniquetokenidentifier" in record:
        record["uniquetokenidentifier"] = _GUARDED.sub("", record["uniquetokenidentifier"], count=1)
    if plain_name(said.get("managedidentitytype", "")) in _MANAGED or "msisignins" in source_file.lower():
        record["signineventtypes"] = "managedIdentity"
    return record


def _activity(said: dict[str, str], _: str) -> dict[str, Any]:
    """Fields of a row of the activity log; a resource without a path is a name, and says neither of what nor where."""
    resource = said.get("resource", "")
    return _named(said, _ACTIVITY) | ({"resourceid": resource} if resource.startswith("/") else {})


def _named(said: dict[str, str], names: dict[str, str]) -> dict[str, Any]:
    return {names[name]: cell for name, cell in said.items() if name in names}


def _location(text: str) -> dict[str, str]:
    """City and country of a place; a city may have commas in it, what stands behind it has none.

    >>> _location("Washington, D.C., District of Columbia, US")
    {'city': 'Washington, D.C.', 'countryorregion': 'US'}
    """
    parts = [part.strip() for part in text.rsplit(",", 2)]
    return {"city": parts[0], "countryorregion": parts[2]} if len(parts) == 3 else {}


_RECORDS: Final[dict[DownloadKind, Callable[[dict[str, str], str], dict[str, Any]]]] = {
    "signins": _signin,
    "activity": _activity,
}
