"""Joining: what the blocks of a county made, as one table of the county.

Owns the merge of sorted tables that together are larger than memory; knows nothing of what is in
them. The one idea: row groups are cut where the county worked as a whole would have cut them, so
that the joined file is that file, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fieldline.pipeline.records.outcomes import OUTCOMES
from fieldline.pipeline.records.tables import BatchWriter, TableSchema, read_table, write_table


def join_parts(
    parts: Sequence[Path], schema: TableSchema, ids: NDArray[np.str_], step: int, out: Path
) -> None:
    """Merge tables of whole, ascending parcels; memory holds a row group of each part.

    Args:
        parts: Tables of the same schema; every parcel is in one of them or in none.
        schema: That schema; its key begins with parcel_id.
        ids: Every parcel of the county, ascending.
        step: Parcels of one row group.
        out: Where the table goes.
    """
    with ExitStack() as stack:
        cursors = [stack.enter_context(closing(_Cursor(part))) for part in parts]
        writer = stack.enter_context(BatchWriter(schema, out))
        for first in range(0, len(ids), step):
            last = str(ids[min(len(ids), first + step) - 1])
            rows = [found for cursor in cursors if len(found := cursor.until(last))]
            if rows:
                writer.write(pd.concat(rows, ignore_index=True))


def join_tables(parts: Sequence[Path], schema: TableSchema, out: Path) -> None:
    """Write the rows of small tables as one table."""
    write_table(pd.concat([read_table(part) for part in parts], ignore_index=True), schema, out)


def join_outcomes(parts: Sequence[Path], out: Path) -> None:
    """Write the outcomes of blocks as one table; what several of them met (a scene) stands once."""
    told = pd.concat([read_table(part) for part in parts], ignore_index=True)
    write_table(told.drop_duplicates(list(OUTCOMES.key)), OUTCOMES, out)


class _Cursor:
    """Reads a sorted table from its first parcel to its last."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        self._group = 0
        self._held: pd.DataFrame | None = None

    def close(self) -> None:
        self._file.close()

    def until(self, last: str) -> pd.DataFrame:
        """Return the rows not returned yet of all parcels up to `last`."""
        held = [] if self._held is None else [self._held]
        while self._group < self._file.num_row_groups and (
            not held or held[-1]["parcel_id"].iloc[-1] <= last
        ):
            group = self._file.read_row_group(self._group).to_pandas()
            self._group += 1
            held += [group] if len(group) else []
        if not held:
            return pd.DataFrame()
        rows = pd.concat(held, ignore_index=True)
        count = int(np.searchsorted(rows["parcel_id"].to_numpy(dtype=object), last, side="right"))
        self._held = rows.iloc[count:] if count < len(rows) else None
        return rows.iloc[:count]
