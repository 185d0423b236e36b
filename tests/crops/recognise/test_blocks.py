"""A county in blocks is the same county: observations, planted area and outcomes, byte for byte."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from fieldline.crops.recognise.fields import run_fields
from fieldline.crops.settings import FieldsSettings
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import MaskSettings, ObserveSettings
from fieldline.pipeline.parcels.blocks import WHOLE, Block
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.tiny_archive import (
    CRS,
    GRID,
    SEASON,
    TinyScene,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)

SIZE, DATES = 300, 6
SCENES = scene_settings("B04", "B08", mask=MaskSettings(kind="scl", dilation_m=0))
OBSERVE = ObserveSettings(block_pixels=64).model_copy(update={"batch_rows": 5 * DATES})
FIELDS = FieldsSettings(min_bins=2, block_pixels=64)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty-odd rings with edges inside pixels, six dates with clouds, one file broken."""
    folder = tmp_path_factory.mktemp("blocks")
    draw = np.random.default_rng(5)
    scenes = []
    for number in range(DATES):
        red, infrared = draw.integers(200, 5000, (2, SIZE, SIZE), dtype="uint16")
        classes = np.where(draw.random((SIZE, SIZE)) < 0.2, 9, 4).astype("uint8")
        day = dt.date(2021, 4, 1) + dt.timedelta(days=20 * number)
        bands = {"B04": red, "B08": infrared, "SCL": classes}
        scenes.append(TinyScene(f"s{number}", bands, day=day))
    catalog = write_archive(folder / "archive", scenes)
    (folder / "archive/files/s3_B08.tif").write_bytes(b"no raster")
    corners = draw.uniform(2, SIZE - 20, (64, 2))
    sizes = draw.uniform(1, 15, (64, 2))
    shapes = {
        f"p{n:02d}": pixel_box(x, y, x + wide, y + high)
        for n, ((x, y), (wide, high)) in enumerate(zip(corners, sizes, strict=True))
    }
    parcels = write_parcels(folder / "parcels.parquet", shapes)
    drawn = gpd.read_parquet(parcels)
    drawn.assign(**{"metrics:area": drawn.to_crs(CRS).area}).to_parquet(parcels)
    run_scenes(
        catalog=catalog, parcels=parcels, season=SEASON, scenes=SCENES,
        out=folder / "scenes.parquet", outcomes=folder / "scenes_said.parquet",
    )  # fmt: skip
    return folder


def observe(county: Path, out: Path, **given: Any) -> tuple[Path, Path]:
    made = out / "observations.parquet", out / "observe_said.parquet"
    run_observe(
        scenes=county / "scenes.parquet", parcels=county / "parcels.parquet", grid=GRID,
        scene_settings=SCENES, settings=OBSERVE, out=made[0], outcomes=made[1], **given,
    )  # fmt: skip
    return made


def fields(county: Path, out: Path, **given: Any) -> tuple[Path, Path]:
    settings = given.pop("settings", FIELDS)
    made = out / "fields.parquet", out / "fields_said.parquet"
    run_fields(
        scenes=county / "scenes.parquet", parcels=county / "parcels.parquet", grid=GRID,
        scene_settings=SCENES, settings=settings, season=SEASON,
        out=made[0], outcomes=made[1], **given,
    )  # fmt: skip
    return made


@pytest.mark.parametrize("blocks", [4, 7])
@pytest.mark.parametrize("stage", [observe, fields], ids=lambda s: s.__name__)
def test_blocks_joined_are_the_county_byte_for_byte(
    county: Path, tmp_path: Path, stage: Callable[..., tuple[Path, Path]], blocks: int
) -> None:
    whole = stage(county, tmp_path / "whole")
    assert len(read_table(whole[1])) >= 64
    made = [stage(county, tmp_path / f"{n}", block=Block(n, blocks)) for n in range(1, blocks + 1)]
    parts, said = ([pair[i] for pair in made] for i in (0, 1))
    joined = stage(county, tmp_path / "joined", parts=parts, part_outcomes=said)
    for one, other in zip(whole, joined, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_scene_is_opened_once_however_many_neighbourhoods_there_are(
    county: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()
    really = rasterio.open

    def counted(path: Any, *rest: Any, **named: Any) -> Any:
        opened[Path(str(path)).name] += 1
        return really(path, *rest, **named)

    monkeypatch.setattr(rasterio, "open", counted)
    whole = fields(county, tmp_path / "whole")
    readable = {name: times for name, times in opened.items() if not name.startswith("s3")}
    assert len(readable) == 3 * (DATES - 1)
    assert set(readable.values()) == {1}
    # One neighbourhood's composites at a time: the same answer, every scene opened for each.
    opened.clear()
    narrow = FIELDS.model_copy(update={"held_mb": 0})
    again = fields(county, tmp_path / "narrow", settings=narrow)
    assert again[0].read_bytes() == whole[0].read_bytes()
    assert opened["s0_B04.tif"] > 10


def test_a_county_of_one_block_is_worked_whole(county: Path, tmp_path: Path) -> None:
    whole, one = observe(county, tmp_path / "a"), observe(county, tmp_path / "b", block=WHOLE)
    assert whole[0].read_bytes() == one[0].read_bytes()
