"""Blocks joined are the table written whole, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fieldline.pipeline.records.joining import join_outcomes, join_parts
from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.pipeline.records.tables import BatchWriter, Column, TableSchema, read_table

SCHEMA = TableSchema(
    "joined",
    (
        Column("parcel_id", pa.string(), "Parcel."),
        Column("day", pa.int32(), "Day."),
        Column("value", pa.float32(), "Value.", nullable=True),
        Column("told", pa.string(), "Text.", nullable=True),
    ),
    key=("parcel_id", "day"),
)
IDS = np.array([f"p{n:03d}" for n in range(50)])


def table(seed: int) -> pd.DataFrame:
    """Return rows of most parcels, none to four each, some values missing."""
    draw = np.random.default_rng(seed)
    ids = np.repeat(IDS, draw.integers(0, 5, len(IDS)))
    days = pd.Series(ids).groupby(ids).cumcount().to_numpy(dtype=np.int32)
    values = draw.normal(size=len(ids)).astype(np.float32)
    values[draw.random(len(ids)) < 0.2] = np.nan
    told = np.where(draw.random(len(ids)) < 0.3, None, "x" * 3)
    return pd.DataFrame({"parcel_id": ids, "day": days, "value": values, "told": told})


def write(rows: pd.DataFrame, ids: np.ndarray, step: int, path: Path) -> Path:
    """Write rows as a stage does: a row group for each `step` parcels that have any."""
    with BatchWriter(SCHEMA, path) as writer:
        for first in range(0, len(ids), step):
            group = rows[rows["parcel_id"].isin(ids[first : first + step])]
            if len(group):
                writer.write(group)
    return path


@pytest.mark.parametrize(("blocks", "step", "seed"), [(2, 1, 0), (4, 7, 1), (9, 50, 2), (60, 3, 3)])
def test_joined_parts_are_the_whole_byte_for_byte(
    tmp_path: Path, blocks: int, step: int, seed: int
) -> None:
    rows = table(seed)
    whole = write(rows, IDS, step, tmp_path / "whole.parquet")
    block = np.random.default_rng(seed).integers(0, blocks, len(IDS))
    parts = []
    for number in range(blocks):
        own = IDS[block == number]
        part = rows[rows["parcel_id"].isin(own)]
        parts.append(write(part, own, step, tmp_path / f"{number}.parquet"))
    join_parts(parts, SCHEMA, IDS, step, tmp_path / "joined.parquet")
    assert (tmp_path / "joined.parquet").read_bytes() == whole.read_bytes()


def test_a_scene_that_two_blocks_met_stands_once(tmp_path: Path) -> None:
    scene = Outcome("observe", "S2A", "", "scene_unreadable", "asset=B04")
    parts = []
    for number, parcel in enumerate(("a", "b")):
        parts.append(tmp_path / f"{number}.parquet")
        write_outcomes([Outcome("observe", parcel, "f"), scene], parts[-1])
    join_outcomes(parts, tmp_path / "joined.parquet")
    assert list(read_table(tmp_path / "joined.parquet")["parcel_id"]) == ["S2A", "a", "b"]
