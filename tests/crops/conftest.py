"""Tiny seasons whose dates and areas a person can work out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.series import ClearSeries
from fieldline.pipeline.imagery.schemas import OBSERVATIONS, band_columns
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
#: Rise and fall (days of the season) of four made-up crops.
CROPS = {
    "winter_wheat": (150.0, 240.0),
    "maize": (240.0, 330.0),
    "soybean": (255.0, 350.0),
    "potato": (190.0, 270.0),
}


@pytest.fixture(scope="session")
def season() -> Season:
    start = dt.date(2022, 10, 1)
    return Season(start=start, end=dt.date(2023, 9, 30), as_of=dt.date(2023, 9, 30))


def double_logistic(day: np.ndarray, rise: float, fall: float, low=0.2, high=0.8, width=6.0):
    up = 1 / (1 + np.exp(-(day - rise) / width))
    down = 1 / (1 + np.exp(-(day - fall) / width))
    return low + (high - low) * (up - down)


def bands_of(ndvi: np.ndarray) -> dict[str, np.ndarray]:
    """Reflectances that give exactly this NDVI, the other bands following greenness."""
    nir = 0.2 + 0.25 * ndvi
    red = nir * (1 - ndvi) / (1 + ndvi)
    values = {"B04": red, "B08": nir, "B8A": nir, "B02": 0.6 * red, "B03": 0.8 * red + 0.02}
    values |= {"B05": 0.5 * (red + nir), "B06": 0.3 * red + 0.7 * nir, "B07": 0.9 * nir}
    return values | {"B11": 0.3 - 0.15 * ndvi, "B12": 0.22 - 0.15 * ndvi}


def series_of(curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> ClearSeries:
    """Clear series of named parcels from (days, NDVI)."""
    parcel, day, ndvi = [], [], []
    for number, (days, values) in enumerate(curves.values()):
        parcel += [number] * len(days)
        day += list(days)
        ndvi += list(values)
    return ClearSeries(
        tuple(curves), np.asarray(parcel), np.asarray(day), np.ones(len(day)),
        bands_of(np.asarray(ndvi, dtype=float)),
    )  # fmt: skip


def observation_frame(
    curves: dict[str, tuple[np.ndarray, np.ndarray]], start: dt.date, valid: float = 1.0
) -> pd.DataFrame:
    parts = []
    for parcel, (days, ndvi) in curves.items():
        bands = bands_of(np.asarray(ndvi, dtype=float))
        stamps = [pd.Timestamp(start, tz="UTC") + pd.Timedelta(days=int(d), hours=3) for d in days]
        part = pd.DataFrame({"parcel_id": parcel, "datetime": stamps})
        part["scene_id"], part["baseline"] = "s", "05.09"
        part["offset"], part["valid_fraction"], part["effective_pixels"] = 0.0, valid, 30.0
        part["snow_fraction"] = 0.0
        for band in BANDS:
            part[f"{band}_mean"], part[f"{band}_std"] = bands[band], 0.01
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    floats = [n for n in frame.columns if frame[n].dtype == "float64"]
    frame[floats] = frame[floats].astype("float32")
    frame["datetime"] = frame["datetime"].astype("datetime64[us, UTC]")
    return frame


@pytest.fixture(scope="session")
def write_observations() -> Callable[[pd.DataFrame, Path], Path]:
    def write(frame: pd.DataFrame, path: Path) -> Path:
        write_table(frame, OBSERVATIONS.with_columns(band_columns(BANDS)), path)
        return path

    return write


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory, season: Season, write_observations):
    """120 parcels of four crops in ten villages; a third surveyed. Folder with its files."""
    folder = tmp_path_factory.mktemp("county")
    generator = np.random.default_rng(5)
    names = list(CROPS)
    days = np.arange(3, 365, 7)
    curves, truth = {}, {}
    for number in range(120):
        parcel, crop = f"P{number:03d}", names[number % 4]
        shift, high = generator.normal(0, 5), generator.uniform(0.65, 0.85)
        rise, fall = CROPS[crop]
        ndvi = double_logistic(days, rise + shift, fall + shift, high=high)
        curves[parcel] = (days, ndvi + generator.normal(0, 0.015, len(days)))
        truth[parcel] = crop
    write_observations(observation_frame(curves, season.start), folder / "observations.parquet")
    parcels = pd.DataFrame({"parcel_id": list(truth), "farmer_id": [f"F{i}" for i in range(120)]})
    parcels["village"] = [f"V{i % 10}" for i in range(120)]
    parcels.to_parquet(folder / "parcels.parquet")
    surveyed = [p for i, p in enumerate(truth) if i % 3 == 0]
    survey = pd.DataFrame({"parcel_id": surveyed, "crop": [truth[p] for p in surveyed]})
    survey["surveyed_on"] = "2023-08-01"
    survey.to_csv(folder / "survey.csv", index=False)
    pd.Series(truth, name="crop").rename_axis("parcel_id").to_csv(folder / "truth.csv")
    return folder
