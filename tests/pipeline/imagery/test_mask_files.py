from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from fieldline.pipeline.imagery.mask_files import days_named
from fieldline.pipeline.imagery.mosaic import DayReader, SceneReadError
from fieldline.pipeline.imagery.scene_days import group_by_solar_day
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.choosing import choose_from, edit, outcomes
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    TinyScene,
    X,
    Y,
    read_all,
    tiny_grid,
    write_archive,
)

BOTH = {"B04": np.full((4, 4), 500), "SCL": np.full((4, 4), 4)}
SCL = MaskSettings(kind="scl", asset="SCL")


@pytest.mark.parametrize(
    ("href", "days"),
    [
        ("/vsicurl/x/S2A_32UPU_20210510_0_L2A/SCL.tif", ["2021-05-10"]),
        ("T32UPU_20210510T101559_SCL_20m.jp2", ["2021-05-10"]),
        ("mine/2021/05/10/mask-2021-05-11.tif", ["2021-05-10", "2021-05-11"]),
        ("N0300_R022_T32UPU/mask_20210631.tif", []),  # June has thirty days
        ("file_1202105100.tif", []),  # a longer number
        ("SCL.tif", []),
    ],
)
def test_days_are_read_from_names(href: str, days: list[str]) -> None:
    assert sorted(day.isoformat() for day in days_named(href)) == days


def test_a_mask_named_after_another_day_costs_its_scene(tmp_path: Path) -> None:
    """The item of 10 May leads to the mask of 15 May; that of 15 May is kept."""
    days = {"S_20210510": dt.date(2021, 5, 10), "S_20210515": dt.date(2021, 5, 15)}
    catalog = write_archive(
        tmp_path / "archive", [TinyScene(n, BOTH, day=d) for n, d in days.items()]
    )
    other = str(tmp_path / "archive" / "files" / "S_20210515_SCL.tif")
    edit(tmp_path / "archive", "S_20210510", assets__SCL__href=other)
    out = choose_from(tmp_path, catalog, mask=SCL)
    assert outcomes(tmp_path) == {"S_20210510": "scene_mask_elsewhere", "S_20210515": "ok"}
    told = read_table(tmp_path / "results" / "outcomes.parquet").set_index("parcel_id")["detail"]
    assert told["S_20210510"] == "asset=SCL mask=2021-05-15 acquired=2021-05-10"
    assert len(read_table(out)) == 1


def test_a_day_of_the_folder_that_bands_and_mask_share_says_nothing_of_the_mask(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "export_20220101"
    scene = TinyScene("S_20210510", BOTH, day=dt.date(2021, 5, 10))
    catalog = write_archive(folder, [scene])
    bare = folder / "files" / "scene12_SCL.tif"
    (folder / "files" / "S_20210510_SCL.tif").rename(bare)
    edit(folder, "S_20210510", assets__SCL__href=str(bare))
    choose_from(tmp_path, catalog, mask=SCL)
    assert outcomes(tmp_path) == {"S_20210510": "ok"}


def test_names_that_say_another_day_for_bands_and_mask_say_nothing(tmp_path: Path) -> None:
    """Files named after the day they were made: no band is named after the image either."""
    scenes = [TinyScene("made_20220101", BOTH)]
    choose_from(tmp_path, write_archive(tmp_path / "archive", scenes), mask=SCL)
    assert outcomes(tmp_path) == {"made_20220101": "ok"}


def look_with_mask_at(folder: Path, east: float, size: int = 4) -> np.ndarray:
    """Read an image of 4 x 4 pixels whose mask begins so many metres east of it."""
    apart = TinyScene("b", {"SCL": np.full((size, size), 4)}, corner=(X + east, Y))
    catalog = write_archive(folder / "archive", [TinyScene("a", BOTH), apart])
    other = str(folder / "archive" / "files" / "b_SCL.tif")
    edit(folder / "archive", "a", assets__SCL__href=other)
    items = [item for item in read_all(catalog) if item.id == "a"]
    (day,) = group_by_solar_day(items)
    with DayReader(day, tiny_grid(4, 4), ("B04",), AS_DRAWN) as reader:
        return reader.read(Window(0, 0, 4, 4))[0]


def test_a_mask_of_other_land_is_refused_with_its_name(tmp_path: Path) -> None:
    """Beside the image, and over a twentieth of its last column: both would read as clouds."""
    for folder, east in (("beside", 1000.0), ("edge", 38.0)):
        with pytest.raises(SceneReadError, match=r"scene a, asset SCL: mask_elsewhere"):
            look_with_mask_at(tmp_path / folder, east)


def test_a_mask_that_is_cut_short_is_believed_where_it_lies(tmp_path: Path) -> None:
    """One column and three of four; a cut mask hides what it leaves out."""
    for folder, east in (("short", 10.0), ("strip", 30.0)):
        seen = look_with_mask_at(tmp_path / folder, east)
        hidden = round(east / 10)
        assert np.isnan(seen[:, :hidden]).all()
        np.testing.assert_allclose(seen[:, hidden:], 0.05)
