"""Overlay: a county's tables with the rows of one applicant laid over them.

Owns putting two tables into one: rows of parcels and farmers that the applicant brings replace
those of the same name and stand beside all others, in the order and under the schema of the
county's own table. It reckons nothing; a stage that reads the result cannot tell it from a run's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fieldline.pipeline.parcels.applied import farmers_with, outcomes_with, parcels_with
from fieldline.pipeline.parcels.fiboa import read_parcels, write_parcels
from fieldline.pipeline.parcels.schemas import CONTACTS, FARMERS
from fieldline.pipeline.records.outcomes import OUTCOMES
from fieldline.pipeline.records.tables import atomic_path, read_table, write_table


def lay_parcels(base: Path, over: Sequence[Path], collection: str, out: Path) -> None:
    """Write `parcels.parquet` of both; the later of two parcels of one name stands."""
    laid = parcels_with(read_parcels(base), [read_parcels(path) for path in over])
    write_parcels(laid, collection, out)


def lay_farmers(base: Path, over: Sequence[Path], out: Path) -> None:
    """Write `farmers.parquet` of both: what a farmer declares here is added to what is known.

    Args:
        base: The county's table.
        over: Tables of applicants whose parcels are others than those which the county knows.
        out: Where the table goes.
    """
    laid = farmers_with(read_table(base), [read_table(path) for path in over])
    write_table(laid, FARMERS, out)


def lay_contacts(base: Path, over: Sequence[Path], out: Path) -> None:
    """Write `contacts.parquet` of both: who gives another phone has not given up the old one."""
    rows = pd.concat([read_table(path) for path in (base, *over)], ignore_index=True)
    write_table(rows.drop_duplicates(), CONTACTS, out)


def lay_table(base: Path, over: Sequence[Path], out: Path, column: str = "parcel_id") -> None:
    """Write a table of both, group by group, sorted as the county's own is by `column`.

    Row groups of `observations.parquet` hold whole parcels, which stays so: an applicant's parcels
    get groups of their own where they belong.
    """
    fresh = [pq.read_table(path) for path in over]
    with pq.ParquetFile(base) as held:
        schema = held.schema_arrow
        extra = pa.concat_tables([part.cast(schema) for part in fresh]) if fresh else None
        names = pa.array([], pa.string()) if extra is None else extra[column].unique()
        with atomic_path(out) as draft, pq.ParquetWriter(draft, schema, compression="zstd") as file:
            left = sorted(names.to_pylist())
            for number in range(held.num_row_groups):
                group = held.read_row_group(number)
                group = group.filter(pc.invert(pc.is_in(group[column], names)))
                if group.num_rows:
                    left = _before(file, extra, column, left, group[column][0].as_py())
                    left = _within(file, extra, column, left, group)
            _before(file, extra, column, left, None)


def _within(
    file: pq.ParquetWriter, extra: pa.Table | None, column: str, left: list[str], group: pa.Table
) -> list[str]:
    """Write a group, with those of the applicant's rows that belong inside it."""
    last = group[column][group.num_rows - 1].as_py()
    inside = [name for name in left if name <= last]
    if inside and extra is not None:
        own = extra.filter(pc.is_in(extra[column], pa.array(inside, pa.string())))
        group = pa.concat_tables([group, own])
        keys = pc.sort_indices(group[column])
        group = group.take(keys)
    file.write_table(group, row_group_size=group.num_rows)
    return left[len(inside) :]


def _before(
    file: pq.ParquetWriter, extra: pa.Table | None, column: str, left: list[str], first: str | None
) -> list[str]:
    """Write the applicant's rows that come before a parcel, all that are left where it is None."""
    ahead = [name for name in left if first is None or name < first]
    for name in ahead:
        assert extra is not None
        own = extra.filter(pc.equal(extra[column], name))
        file.write_table(own, row_group_size=max(1, own.num_rows))
    return left[len(ahead) :]


def lay_outcomes(base: Path, over: Sequence[Path], out: Path) -> None:
    """Write a stage's outcomes of both; an applicant's row replaces that of the same parcel."""
    laid = outcomes_with(read_table(base), [read_table(path) for path in over])
    write_table(laid, OUTCOMES, out)
