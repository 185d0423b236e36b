"""The desk on Magdeburg with its real images, in a browser: scenes below real outlines, chips.

Intake, scenes and observations are made here by their stages, which takes seconds; the stages after
them are the chain's test. Nothing real is copied anywhere but below the test's own folder.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Shelf
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import (
    GridSettings,
    MaskSettings,
    ObserveSettings,
    SceneSettings,
)
from fieldline.pipeline.parcels.intake import run_intake
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.settings import PrivacySettings, Season
from tests.services.desk import served
from tests.workflows.desk.conftest import IDLE, page, wait_for

__all__ = ["page"]
pytestmark = pytest.mark.realdata

PLACE = "2021/MAG"
SCENES = SceneSettings(
    collection="sentinel-2-l3a", bands=("B02", "B03", "B04", "B08"), mask=MaskSettings(kind="none")
)


@pytest.fixture(scope="module")
def folder(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of Magdeburg up to the observations."""
    archive = real_data / "stac" / "magdeburg_2021"
    out = tmp_path_factory.mktemp("magdeburg") / PLACE
    out.mkdir(parents=True)
    season = Season(
        start=dt.date(2021, 3, 1), end=dt.date(2021, 10, 31), as_of=dt.date(2021, 11, 15)
    )
    grid = GridSettings(crs="EPSG:32632")
    run_intake(
        sources=[archive / "parcels_wall_to_wall.geojson"], county="MAG", season="2021",
        columns={"declared_area_ha": "area_ha"}, crs=None, settings=IntakeSettings(),
        privacy=PrivacySettings(demo_key=True), parcels=out / "parcels.parquet",
        farmers=out / "farmers.parquet", vault=out / "vault.sqlite",
        outcomes=out / "outcomes" / "intake.parquet",
    )  # fmt: skip
    run_scenes(
        catalog=archive / "catalog.json", parcels=out / "parcels.parquet", season=season,
        scenes=SCENES, out=out / "scenes.parquet", outcomes=out / "outcomes" / "scenes.parquet",
    )  # fmt: skip
    run_observe(
        scenes=out / "scenes.parquet", parcels=out / "parcels.parquet", grid=grid,
        scene_settings=SCENES, settings=ObserveSettings(), out=out / "observations.parquet",
        outcomes=out / "outcomes" / "observe.parquet",
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    desk = Desk(Shelf(folder.parents[1]), "sqlite:///nowhere.sqlite")
    with served(desk) as found:
        yield found


def test_real_outlines_lie_over_the_real_scene_and_answer_clicks(
    page: Any, address: str, folder: Path
) -> None:
    parcels = gpd.read_parquet(folder / "parcels.parquet")
    page.faults.clear()
    page.asked.clear()
    page.goto(f"{address}/map/{PLACE}?date=2021-06-15&opacity=20")
    wait_for(page, IDLE)
    drawn = """() => [...new Set(desk.map.queryRenderedFeatures({layers: ["parcels-fill"]})
        .map((f) => f.properties.id))].sort()"""
    wait_for(page, f"() => ({drawn})().length === {len(parcels)}")
    assert page.evaluate(drawn) == sorted(parcels["parcel_id"])
    assert any("/2021-06-15/" in url for url in page.asked)
    largest = parcels.loc[parcels["metrics:area"].idxmax()]
    inside = largest["geometry"].representative_point()
    x, y = page.evaluate(
        f"() => {{ const p = desk.map.project([{inside.x}, {inside.y}]); return [p.x, p.y]; }}"
    )
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)
    wait_for(page, "() => document.querySelector('#panel-body h2')")
    assert page.locator("#panel-body h2").inner_text() == largest["parcel_id"]
    assert page.faults == []
    assert [url for url in page.asked if not url.startswith((address, "about:", "blob:"))] == []


def test_the_scene_is_where_the_fields_are(page: Any, address: str, folder: Path) -> None:
    """In June a field of winter grain is greener than bare soil: picture and statistics agree."""
    seen = pd.read_parquet(folder / "observations.parquet")
    seen = seen[seen["datetime"].dt.strftime("%Y-%m-%d") == "2021-06-15"]
    area = gpd.read_parquet(folder / "parcels.parquet").set_index("parcel_id")["metrics:area"]
    seen = seen[seen["parcel_id"].map(area) > 100_000]
    ndvi = (seen["B08_mean"] - seen["B04_mean"]) / (seen["B08_mean"] + seen["B04_mean"])
    shares = {}
    for name, row in (("green", ndvi.idxmax()), ("bare", ndvi.idxmin())):
        parcel = seen.loc[row, "parcel_id"]
        path = f"{address}/chips/{PLACE}/{parcel}/2021-06-15.png?colours=false"
        pixels = np.asarray(Image.open(BytesIO(page.request.get(path).body()))).astype(float)
        height, width = pixels.shape[:2]
        middle = pixels[height // 2 - 6 : height // 2 + 6, width // 2 - 6 : width // 2 + 6]
        shares[name] = float(middle[..., 0].mean() / middle[..., :3].sum(axis=2).mean())
    assert ndvi.max() > 0.8
    assert shares["green"] > 0.6 > 0.5 > shares["bare"]


def test_a_parcel_shows_every_month_with_its_picture(page: Any, address: str, folder: Path) -> None:
    parcel = pd.read_parquet(folder / "observations.parquet")["parcel_id"].iloc[7]
    page.faults.clear()
    page.goto(f"{address}/parcel/{PLACE}/{parcel}?lang=zh")
    wait_for(page, IDLE)
    loaded = """() => [...document.querySelectorAll(".chips img")]
        .filter((chip) => chip.complete && chip.naturalWidth > 0).length"""
    wait_for(page, f"() => ({loaded})() === 7")
    assert page.faults == []
