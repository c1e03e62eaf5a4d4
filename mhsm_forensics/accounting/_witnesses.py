"""How many records say again what another one says, and how: each request counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import engine
from ..text import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..case import Case, Evidence

# The first record with the same bytes stands in the same file if its id begins with that file's.
_COUNTED: Final = """
SELECT relation, count(*) AS records,
  count(CASE WHEN split_part(same_bytes_as, ':', 1) = evidence_id THEN 1 END) AS within
FROM events
WHERE relation <> 'fullest' AND (:all OR list_contains(:ids, evidence_id))
GROUP BY relation ORDER BY relation
"""


def by_relation(case: Case, evidence: Iterable[Evidence] | None = None) -> dict[str, tuple[int, int]]:
    """Count the records that are not the event of their request, for each relation that they have to it.

    Parameters
    ----------
    case
        The case.
    evidence
        Only records of this evidence; default all.

    Returns
    -------
    By the relations of `schema.WITNESSES`, how many records, and how many of them repeat one of the same file byte for byte.
    """
    ids = None if evidence is None else [entry.evidence_id for entry in evidence]
    again = case.accounting[["witness", "duplicate"]].iloc[0].sum()
    if case.is_of_before or not again:
        return {}
    found = engine.run(case.table_path("witnesses"), _COUNTED, all=ids is None, ids=ids or [])
    return {row["relation"]: (int(row["records"]), int(row["within"])) for row in found.to_dict("records")}


def lines_of_witnesses(case: Case, evidence: Iterable[Evidence] | None = None) -> Iterator[str]:
    """Yield in words what `by_relation` counts."""
    for relation, (records, within) in by_relation(case, evidence).items():
        who = f"{plural(records, 'record')} {_VERB[relation][records == 1]}"
        yield f"{who}, {within:,} of them one in the same file" if within else who


_VERB: Final = {
    "same bytes": ("repeat another one byte for byte", "repeats another one byte for byte"),
    "same in other bytes": (
        "say the same as another one in other bytes",
        "says the same as another one in other bytes",
    ),
    "other route": ("say what came by another route too", "says what came by another route too"),
}
