"""Tables as pandas, with nothing lost: aware times, text that may hold a NUL, integers that know missing."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd


def to_pandas(table: pa.Table) -> pd.DataFrame:
    r"""Return *table* as pandas: aware UTC times, Arrow-backed strings, integers that know missing.

    Examples
    --------
    >>> to_pandas(pa.table({"principal": ["a\0b", "a\0c"]})).groupby("principal").size().tolist()
    [1, 1]
    """
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pa.timestamp("us", "UTC")))
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
    frame: pd.DataFrame = table.to_pandas(types_mapper=_pandas_types().get)
    return frame


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dicts with None for what is missing: other missing values neither equal nor differ.

    Examples
    --------
    >>> to_records(to_pandas(pa.table({"key_name": ["kek1", None], "http_status": [None, 200]})))
    [{'key_name': 'kek1', 'http_status': None}, {'key_name': None, 'http_status': 200}]
    """
    return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]


@cache
def _pandas_types() -> dict[pa.DataType, Any]:
    import pandas as pd

    text = pd.StringDtype("pyarrow")
    return {
        pa.string(): text, pa.large_string(): text, pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }  # fmt: skip
