"""Decided: the decisions of a posting as rows, with their traces apart.

Owns how a county's are held. A trace is kilobytes of text, and twice as many in Python once a word
of it is Chinese; nearly all of them pass a posting unread. So they stay as Arrow holds them, and a
row gives its own where somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import pandas as pd
import pyarrow as pa

TRACE = "trace"
_AT_ONCE = 1000


class Decided(dict[str, Any]):
    """A DECISIONS row that reads its trace when it is asked for; it is none of its items.

    Args:
        row: The other columns.
        traces: Texts as Arrow holds them.
        place: Which of them is its trace; a text taken out, even as Arrow's, would be a copy.
    """

    __slots__ = ("_place", "_traces")

    def __init__(self, row: Mapping[str, Any], traces: pa.Array, place: int) -> None:
        super().__init__(row)
        self._traces, self._place = traces, place

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return a row of all columns as such a one."""
        return cls({n: v for n, v in row.items() if n != TRACE}, pa.array([row[TRACE]]), 0)

    def __missing__(self, name: str) -> Any:
        if name == TRACE:
            return self._traces[self._place].as_py()
        raise KeyError(name)


def decided(table: pd.DataFrame) -> Iterator[Decided]:
    """Yield the rows of a table of decisions, ordered by farmer.

    Args:
        table: DECISIONS rows, in any order.
    """
    farmers = table["farmer_id"]
    if not farmers.is_monotonic_increasing:  # a county's are: sorting would copy its traces
        table = table.sort_values("farmer_id", kind="stable")
    traces = pa.array(table[TRACE])
    rest = table.drop(columns=TRACE)
    for start in range(0, len(rest), _AT_ONCE):
        rows = rest.iloc[start : start + _AT_ONCE].to_dict("records")
        for at, row in enumerate(rows, start):
            yield Decided({str(name): value for name, value in row.items()}, traces, at)
