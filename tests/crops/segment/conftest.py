"""A county of two rings on a tiny archive of square fields."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import geopandas as gpd
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


@pytest.fixture
def county(tmp_path: Path) -> Path:
    image, ids = checks(96, 24, 3)
    image[:, 2] *= 0.2
    image[:, 3] = 0.5 + image[:, 3] / 2
    catalog = write_archive(tmp_path, image)
    drawn = outlines(ids).to_crs(4326)
    drawn.to_file(tmp_path / "drawn.geojson")
    drawn = drawn.iloc[[5, 6]].reset_index(drop=True)
    area, perimeter = geodesic_measures(drawn.geometry.to_numpy())
    frame = gpd.GeoDataFrame(geometry=drawn.geometry, crs=4326)

    values = {"parcel_id": ["P1", "P2"], "id": ["P1", "P2"], "metrics:area": area,
              "metrics:perimeter": perimeter}  # fmt: skip
    for column in PARCEL_COLUMNS:
        default = None if column.nullable else ("x" if str(column.type) == "string" else 1)
        frame[column.name] = values.get(column.name, [default] * 2)
    write_parcels(frame, "tiny", tmp_path / "parcels.parquet")
    run_scenes(
        catalog=catalog, parcels=tmp_path / "parcels.parquet", season=SEASON, scenes=SCENES,
        out=tmp_path / "scenes.parquet", outcomes=tmp_path / "scene_outcomes.parquet",
    )  # fmt: skip
    return tmp_path
