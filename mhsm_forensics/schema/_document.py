"""The data dictionary, for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._beside import PLACES, REJECTS, WITNESSES
from ._context import CONTEXT
from ._events import EVENTS
from ._judgement import FINDINGS, NOTES

if TYPE_CHECKING:
    from ._column import Column


_WORDS: Final = """## What the words mean

* **Actor** says who, and is decided once, where a record becomes an event: the object id, else the application id, else the
  user name in small letters. Object ids and application ids are compared in small letters. A record that names nobody (a
  401 that asks for a token, an identity that an export has spoilt) has no actor. Where an export lacks the object ids, all who
  use one application are one actor.
* **Principal** is a label. It stands beside the actor and neither makes one of two nor two of one: whoever is renamed stays the
  same, and of two identities with one label each answer says which, with the actor in parentheses. Wherever a person names
  somebody (a scope, a profile, a pivot), a label, a user name, an object id or an application id does, in any case.
* **Key** says which key: `<hsm>/<key_name>`. Names are in small letters and percent escapes are decoded once, because Azure
  compares identifiers so; what would be a slash, a percent sign or an invisible character stays escaped. Of two HSMs, keys of
  one name are two keys. Paths of Azure Resource Manager name keys too. `request_uri` has the spelling.
* **Witness**: a request is one event, and every record that says it is a witness of it, whatever its route, its bytes and its
  precision. The event has the id and the values of the fullest one: with the finest time, then with most columns filled, then
  the first by id. `docs/witnesses.md` says when two records say one request.
* **Finding**: `finding_id` stays the same after a rebuild, and when other findings come or go; `number` (`F07`) is for people and
  is given anew by each run. Commands and panels take both; notes and saved views keep the id.

"""


def to_markdown() -> str:
    """Render the data dictionary that docs/schema.md holds."""
    context = tuple((f"Context: {name}", columns) for name, columns in CONTEXT.items())
    tables = (
        ("Events", EVENTS),
        ("Rejects", REJECTS),
        ("Witnesses", WITNESSES),
        *context,
        ("Places", PLACES),
        ("Findings", FINDINGS),
        ("Notes", NOTES),
    )
    return _WORDS + "\n".join(_section(title, columns) for title, columns in tables)


def _section(title: str, columns: tuple[Column, ...]) -> str:
    cells = [
        (f"`{c.name}`", c.type, c.meaning, *(_code(f) for f in (c.record, c.diagnostics, c.auditlogs))) for c in columns
    ]
    head = (
        "| column | type | meaning | storage record | AzureDiagnostics | AZKVAuditLogs |\n|---|---|---|---|---|---|\n"
    )
    if not any(c.record for c in columns):
        head, cells = "| column | type | meaning |\n|---|---|---|\n", [row[:3] for row in cells]
    return f"## {title}\n\n{head}" + "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _code(field: str) -> str:
    return f"`{field}`" if field else ""
