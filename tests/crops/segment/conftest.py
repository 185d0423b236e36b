"""A county of two rings on a tiny archive of square fields."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest

from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import MaskSettings, SceneSettings
from fieldline.pipeline.parcels.fiboa import write_parcels
from fieldline.pipeline.parcels.rings import geodesic_measures
from fieldline.pipeline.parcels.schemas import PARCEL_COLUMNS
from fieldline.pipeline.records.settings import Season
from tests.crops.segment.farmland import BANDS, checks, outlines, write_archive

SEASON = Season(start=dt.date(2021, 1, 1), end=dt.date(2021, 12, 31), as_of=dt.date(2021, 12, 31))
SCENES = SceneSettings(collection="tiny", bands=BANDS, mask=MaskSettings(kind="none"))


def make_county(folder: Path, image: np.ndarray, drawn: gpd.GeoDataFrame) -> Path:
    """Write an archive and a county of the given rings (EPSG:4326) into a folder."""
    catalog = write_archive(folder, image)
    area, perimeter = geodesic_measures(drawn.geometry.to_numpy())
    names = [f"P{number + 1}" for number in range(len(drawn))]
    frame = gpd.GeoDataFrame(geometry=drawn.geometry.to_numpy(), crs=4326)
    values = {"parcel_id": names, "id": names, "metrics:area": area,
              "metrics:perimeter": perimeter}  # fmt: skip
    for column in PARCEL_COLUMNS:
        default = None if column.nullable else ("x" if str(column.type) == "string" else 1)
        frame[column.name] = values.get(column.name, [default] * len(drawn))
    write_parcels(frame, "tiny", folder / "parcels.parquet")
    run_scenes(
        catalog=catalog, parcels=folder / "parcels.parquet", season=SEASON, scenes=SCENES,
        out=folder / "scenes.parquet", outcomes=folder / "scene_outcomes.parquet",
    )  # fmt: skip
    return folder


def green_squares() -> tuple[np.ndarray, np.ndarray]:
    """Return reflectance of sixteen fields of 24 pixels that are green on every date."""
    image, ids = checks(96, 24, 3)
    image[:, 2] *= 0.2
    image[:, 3] = 0.5 + image[:, 3] / 2
    return image, ids


@pytest.fixture
def county(tmp_path: Path) -> Path:
    image, ids = green_squares()
    drawn = outlines(ids).to_crs(4326)
    drawn.to_file(tmp_path / "drawn.geojson")
    return make_county(tmp_path, image, drawn.iloc[[5, 6]])
