"""Seasons of made-up fields whose reflectances are known, right and wrong; and real ones.

A field here reflects 0.04 to 0.08 in blue, green and red, 0.1 to 0.2 in B12 and 0.3 to 0.5 in the
near infrared; numbers are reflectance x 10000 unless a test makes them wrong.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from fieldline.pipeline.imagery.archive import SceneItem, parse_item
from fieldline.pipeline.imagery.area import ParcelArea
from fieldline.pipeline.imagery.plausibility import Look, implausible, look_at
from fieldline.pipeline.imagery.scenes import LOOKED_PARCELS, run_scenes
from fieldline.pipeline.imagery.settings import MaskSettings, SceneSettings
from fieldline.pipeline.imagery.sources.archive import archive_items
from tests.pipeline.imagery.choosing import told
from tests.pipeline.imagery.tiny_archive import (
    SEASON,
    TinyScene,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)

BANDS = ("B02", "B03", "B04", "B08", "B12")
RANGES = {"B02": (400, 800), "B03": (400, 800), "B04": (400, 800), "B08": (3000, 5000),
          "B12": (1000, 2000)}  # fmt: skip
EDGE = 20


def season(folder: Path, wrong: Any, dates: int = 6, **properties: Any) -> dict[str, Any]:
    """Choose among `dates` scenes of which the third was made wrong; return what was told."""
    scenes = []
    for number in range(dates):
        made = np.random.default_rng(number)
        bands = {b: made.integers(low, high, (EDGE, EDGE)) for b, (low, high) in RANGES.items()}
        if number == 2:
            bands = {band: wrong(values) for band, values in bands.items()}
        day = dt.date(2021, 5, 1) + dt.timedelta(days=7 * number)
        scenes.append(TinyScene(f"S{number}", bands, day=day, properties=dict(properties)))
    catalog = write_archive(folder / "archive", scenes)
    run_scenes(
        catalog=catalog, season=SEASON, scenes=scene_settings(*BANDS),
        parcels=write_parcels(folder / "parcels.parquet", {"p": pixel_box(1, 1, 19, 19)}),
        out=folder / "results" / "scenes.parquet",
        outcomes=folder / "results" / "outcomes.parquet",
    )  # fmt: skip
    return told(folder)


def test_an_honest_season_passes(tmp_path: Path) -> None:
    said = season(tmp_path, lambda values: values)
    assert {code for code, _ in said.values()} == {"ok"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda v: v * 10, "too_bright"),
        (lambda v: v // 10, "too_dark"),
        (lambda v: v + 1000, "step"),
    ],
)
def test_a_scene_made_wrong_is_refused_with_its_numbers(
    tmp_path: Path, wrong: Any, reason: str
) -> None:
    said = season(tmp_path, wrong)
    code, words = said.pop("S2")
    assert code == "scene_implausible"
    assert f"reason={reason}" in words
    assert "limit=" in words
    assert {code for code, _ in said.values()} == {"ok"}


def test_the_step_is_told_as_it_was_measured(tmp_path: Path) -> None:
    _, words = season(tmp_path, lambda values: values + 1000)["S2"]
    numbers = dict(word.split("=") for word in words.split())
    assert float(numbers["found"]) == pytest.approx(0.1, abs=0.01)
    assert float(numbers["limit"]) == 0.07


@pytest.mark.parametrize(
    "properties",
    [{"s2:processing_baseline": "03.01"}, {"earthsearch:boa_offset_applied": True}],
)
def test_a_step_is_no_offset_where_none_can_have_been_left_out(
    tmp_path: Path, properties: dict[str, Any]
) -> None:
    """Before 04.00 there was none, and a flag rules it out: it is haze, and stays."""
    said = season(tmp_path, lambda values: values + 1000, **properties)
    assert said["S2"][0] == "ok"


def test_four_dates_are_no_season_to_hold_a_step_against(tmp_path: Path) -> None:
    assert season(tmp_path, lambda values: values + 1000, dates=4)["S2"][0] == "ok"


def test_haze_that_lifts_blue_most_is_no_step() -> None:
    ground = {"B02": 0.04, "B03": 0.05, "B04": 0.04, "B12": 0.1}
    hazy = {"B02": 0.19, "B03": 0.17, "B04": 0.14, "B12": 0.18}
    shifted = {band: value + 0.1 for band, value in ground.items()}

    def look(darkest: dict[str, float]) -> Look:
        return Look("here", {"B02": 0.0, "B04": 0.0}, 0.4, darkest, unshifted=True)

    honest = [look(ground)] * 5
    assert implausible([*honest, look(hazy)])[-1] is None
    found = implausible([*honest, look(shifted)])[-1]
    assert found is not None
    assert (found.reason, found.band) == ("step", "B02")


def test_another_places_ground_is_no_reference() -> None:
    """Four bright dates elsewhere say nothing about a dark place, and the other way round."""
    dark = Look("a", {"B02": 0.0, "B04": 0.0}, 0.4, {"B02": 0.04, "B04": 0.04}, unshifted=True)
    bright = replace(dark, place="b", darkest={"B02": 0.14, "B04": 0.14})
    assert implausible([dark, dark, dark, dark, bright]) == [None] * 5
    assert implausible([dark, dark, dark, dark, replace(bright, place="a")])[-1] is not None


@pytest.mark.realdata
def test_real_scenes_pass_and_real_scenes_made_wrong_do_not(real_data: Path) -> None:
    """Swiss scenes of 2022 with scene classes; cirrus on two dates is all that may be refused."""
    place = real_data / "stac" / "switzerland_2022"
    area = ParcelArea(gpd.read_file(place / "parcels.geojson").to_crs(4326))
    scenes = SceneSettings(bands=("B02", "B03", "B04", "B8A", "B12"), mask=MaskSettings(kind="scl"))
    items = []
    for source in archive_items(place / "catalog.json", "sentinel-2-l2a").sources:
        item = parse_item(source.read(), source.folder)
        if area.touches(item.footprint) and item.id.startswith(("Strickhof", "Witzwil")):
            items.append(item)

    def look(item: SceneItem, scale: float = 1.0, shift: float = 0.0) -> Look | None:
        assets = {
            key: replace(
                asset,
                radiometry=replace(
                    asset.radiometry,
                    scale=(asset.radiometry.scale or 1) * scale,
                    offset=(asset.radiometry.offset or 0) + shift,
                ),
            )
            for key, asset in item.assets.items()
            if key != "SCL"
        }
        made = replace(item, assets={**item.assets, **assets})
        return look_at(made, area.sample(item.footprint, LOOKED_PARCELS), scenes)

    honest = [look(item) for item in items]
    judged = sum(one is not None for one in honest)
    assert judged > 40
    refused = [i.id for i, found in zip(items, implausible(honest), strict=True) if found]
    assert all("_20220620T" in name or "_20220623T" in name for name in refused)
    assert len(refused) <= 0.07 * judged
    for scale, shift, least in ((10, 0, 0.95), (0.1, 0, 0.8), (1, -0.1, 0.8)):
        wrong = implausible([look(item, scale, shift) for item in items])
        assert sum(found is not None for found in wrong) >= least * judged
