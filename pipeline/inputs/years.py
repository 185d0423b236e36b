"""Years that begin in one calendar year and end in the next, as `2024/25`.

Owns how such a year is told from a month. It is the later of its two, as a season is told by the
year of its last day: a marketing year, whose crop is cut in the earlier, then only becomes known a
year late, and nothing is known too early.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from fieldline.pipeline.inputs.numbers import folded_text

_SPAN = re.compile(r"(\d{4})\s*[/\-–—]\s*(\d{4}|\d{2})")
_MONTHS = 12


def later_years(cells: pa.Array) -> pa.Array:
    """Return a column of years with `2024/25`, `2024-2025` and the like written as 2025.

    What could be a month (`2011-12`) is a year of two where every such cell of the column is one:
    `2012-03` beside it leaves all of them as they are, to be refused.

    Args:
        cells: Text.
    """
    spans = {cell: _span(str(cell)) for cell in pc.unique(cells).drop_null().to_pylist()}
    told = {cell: span for cell, span in spans.items() if span is not None}
    if not told:
        return cells
    months = any(late is None and perhaps for late, perhaps in told.values())
    later = {
        cell: late
        for cell, (late, perhaps) in told.items()
        if late is not None and not (perhaps and months)
    }
    return pa.array([later.get(cell, cell) for cell in cells.to_pylist()], pa.string())


def _span(cell: str) -> tuple[str | None, bool] | None:
    """Return the later year, None where the two do not follow; and whether it may be a month."""
    found = _SPAN.fullmatch(folded_text(cell))
    if found is None:
        return None
    late, end = str(int(found[1]) + 1), found[2]
    return (late if late.endswith(end) else None), len(end) == 2 and 1 <= int(end) <= _MONTHS
