from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.growth.grow import run_grow
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from tests.crops.conftest import double_logistic, observation_frame

DAYS = np.arange(5, 240, 10)


def growth_with(
    hidden: list[int], folder: Path, season: Season, write: Callable[..., Path]
) -> pd.Series:
    """Grow a standing crop with a missed cloud (red 0.28, blue 0.30) on some dates."""
    frame = observation_frame({"p": (DAYS, double_logistic(DAYS, 150, 340))}, season.start)
    for band, value in {"B02": 0.30, "B04": 0.28, "B08": 0.38, "B8A": 0.38}.items():
        frame.loc[hidden, f"{band}_mean"] = np.float32(value)
    write(frame, folder / "observations.parquet")
    pd.DataFrame({"parcel_id": ["p"], "crop": ["maize"]}).to_parquet(folder / "crops.parquet")
    run_grow(
        observations=folder / "observations.parquet", crops=folder / "crops.parquet",
        season=season, clear_dates=ClearSettings(min_dates=5), settings=GrowSettings(),
        out=folder / "growth.parquet", outcomes=folder / "o.parquet",
    )  # fmt: skip
    return pd.read_parquet(folder / "growth.parquet").iloc[0]


@pytest.mark.parametrize(
    "hidden", [[len(DAYS) - 1], [17, 18], [0, len(DAYS) - 2, len(DAYS) - 1]],
    ids=["last", "a pair", "first and the last two"],
)  # fmt: skip
def test_a_missed_cloud_is_no_harvest_and_no_second_crop(
    hidden: list[int], tmp_path: Path, season: Season, write_observations: Callable[..., Path]
) -> None:
    """A cloud at NDVI 0.15 over a stand of 0.8 until the record ends: nothing has been cut."""
    found = growth_with(hidden, tmp_path, season, write_observations)
    assert pd.isna(found["harvest_date"])
    assert found["harvest_progress"] == pytest.approx(0.0, abs=0.05)
    assert found["cycles"] == 1
    assert found["clear_dates"] == len(DAYS) - len(hidden)


def test_a_crop_cut_and_bare_on_several_dates_is_still_a_harvest(
    tmp_path: Path, season: Season, write_observations: Callable[..., Path]
) -> None:
    frame = observation_frame({"p": (DAYS, double_logistic(DAYS, 100, 180))}, season.start)
    write_observations(frame, tmp_path / "observations.parquet")
    pd.DataFrame({"parcel_id": ["p"], "crop": ["maize"]}).to_parquet(tmp_path / "crops.parquet")
    run_grow(
        observations=tmp_path / "observations.parquet", crops=tmp_path / "crops.parquet",
        season=season, clear_dates=ClearSettings(min_dates=5), settings=GrowSettings(),
        out=tmp_path / "growth.parquet", outcomes=tmp_path / "o.parquet",
    )  # fmt: skip
    row = pd.read_parquet(tmp_path / "growth.parquet").iloc[0]
    assert row["clear_dates"] == len(DAYS)
    assert not pd.isna(row["harvest_date"])
