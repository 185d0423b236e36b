"""Growth in blocks is the county's growth: curves, norms and outcomes, byte for byte."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fieldline.crops.growth import source
from fieldline.crops.growth.grow import run_grow
from fieldline.crops.growth.radar_windows import LevelSums
from fieldline.crops.schemas import GROWTH_MEASURED
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.parcels.blocks import Block
from fieldline.pipeline.records.settings import Season
from tests.crops.conftest import double_logistic, observation_frame
from tests.crops.growth.test_radar_windows import write_radar

START = dt.date(2023, 3, 1)
SEASON = Season(start=START, end=dt.date(2024, 2, 28), as_of=dt.date(2024, 2, 28))
FIELDS, IN_A_GROUP = 23, 4
MADE = ("growth.parquet", "share.parquet", "outcomes.parquet")


@pytest.fixture(scope="module")
def county(tmp_path_factory, write_observations):
    """Fields of two crops in six row groups, hidden around harvest, one with too few dates."""
    folder = tmp_path_factory.mktemp("blocks")
    random = np.random.default_rng(4)
    days = np.asarray([day for day in range(2, 364, 6) if not 215 <= day < 285])
    names = [f"f{number:02d}" for number in range(FIELDS)]
    curves = {}
    for name in names:
        rise, low = random.uniform(140, 160), random.uniform(0.7, 0.9)
        ndvi = np.where(days < 240, double_logistic(days, rise, 900, high=low), 0.2)
        curves[name] = days, ndvi + random.normal(0, 0.01, len(days))
    curves["f07"] = tuple(part[:3] for part in curves["f07"])
    write_observations(observation_frame(curves, START), folder / "one.parquet")
    table = pq.read_table(folder / "one.parquet")
    ids = table.column("parcel_id").to_pandas()
    with pq.ParquetWriter(folder / "observations.parquet", table.schema) as writer:
        for first in range(0, FIELDS, IN_A_GROUP):
            group = table.filter(ids.isin(names[first : first + IN_A_GROUP]).to_numpy())
            writer.write_table(group)
    crops = ["maize" if number % 3 else "soybean" for number in range(FIELDS)]
    pd.DataFrame({"parcel_id": names, "crop": crops}).to_parquet(folder / "crops.parquet")
    write_radar(folder / "radar.parquet", names[1:], SEASON, 0.5)
    dates = [START + dt.timedelta(day) for day in range(365)]
    weather = pd.DataFrame({"cell_id": "c", "date": dates, "tmin_c": 8.0, "tmax_c": 20.0})
    weather.to_parquet(folder / "weather.parquet")
    cells = pd.DataFrame({"parcel_id": names, "cell_id": "c", "distance_m": 0.0})
    cells.to_parquet(folder / "cells.parquet")
    return folder


def grown(county, out, **given):
    out.mkdir()
    weather = {"weather": county / "weather.parquet", "weather_cells": county / "cells.parquet"}
    run_grow(
        observations=county / "observations.parquet", crops=county / "crops.parquet",
        radar=county / "radar.parquet", season=SEASON, seasons=[SEASON],
        clear_dates=ClearSettings(min_valid_fraction=0.5, min_dates=5),
        settings=GrowSettings(min_norm_parcels=5), out=out / MADE[0], out_share=out / MADE[1],
        outcomes=out / MADE[2], **weather | given,
    )  # fmt: skip
    return out


@pytest.mark.parametrize("without", [{}, {"weather": None, "weather_cells": None}],
                         ids=["weather", "no_weather"])  # fmt: skip
@pytest.mark.parametrize("blocks", [2, 5, 9])
def test_blocks_joined_are_the_county_byte_for_byte(county, tmp_path, blocks, without):
    whole = grown(county, tmp_path / "whole", **without)
    parts = [
        grown(county, tmp_path / str(number), block=Block(number, blocks), **without) / MADE[0]
        for number in range(1, blocks + 1)
    ]
    joined = grown(county, tmp_path / "joined", parts=parts, **without)
    for name in MADE:
        assert (joined / name).read_bytes() == (whole / name).read_bytes(), name
    found = pd.read_parquet(whole / "growth.parquet")
    assert len(found) == FIELDS
    told = pd.read_parquet(whole / "outcomes.parquet").set_index("parcel_id")
    assert told.loc["f07", "outcome"] == "too_few_dates"
    assert told["detail"].str.contains("radar=harvest").sum() > FIELDS / 2
    assert found["percentile"].notna().sum() == FIELDS - 1
    assert found["vigour"].notna().any() == (not without)


def test_a_block_holds_its_own_fields_alone_and_no_row_is_read_by_two(county, tmp_path):
    held = []
    for number in range(1, 4):
        out = grown(county, tmp_path / str(number), block=Block(number, 3))
        table = pq.read_table(out / MADE[0])
        assert table.schema.names == GROWTH_MEASURED.names
        held.append(table.column("parcel_id").to_pylist())
    names = [f"f{number:02d}" for number in range(FIELDS)]
    assert held == [names[:8], names[8:16], names[16:]]


def test_every_block_learns_radars_levels_from_the_same_drawn_fields(county, tmp_path, monkeypatch):
    """A third of the rows: row groups 1, 4 of six; a block that measures neither reads them too."""
    seen: list[list[str]] = []
    really = LevelSums.add

    def told(self, points, radar):
        seen[-1] += radar.parcel_ids
        really(self, points, radar)

    monkeypatch.setattr(LevelSums, "add", told)
    rows = pq.read_metadata(county / "observations.parquet").num_rows
    monkeypatch.setattr(source, "TEACHING_ROWS", rows // 3 + 1)
    for number in (1, 3):
        seen.append([])
        grown(county, tmp_path / str(number), block=Block(number, 3))
    names = [f"f{number:02d}" for number in range(FIELDS)]
    assert seen == [names[:4] + names[12:16]] * 2
