"""Records: the rows of a table one by one, few of them held at once.

A row as a dictionary takes far more room than in its table, so those of a whole county are never
held together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

_AT_ONCE = 1000


def records(frame: pd.DataFrame) -> Iterator[dict[Any, Any]]:
    """Yield the rows of a table as `DataFrame.to_dict("records")` has them."""
    for start in range(0, len(frame), _AT_ONCE):
        yield from frame.iloc[start : start + _AT_ONCE].to_dict("records")
