"""Scenes as the network takes them: which dates, what is missing, and how often files open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from fieldline.crops.segment.stack import (
    Scenes,
    days_of_catalog,
    grid_of,
    mask_of,
    spread_days,
)
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.errors import UserError
from tests.crops.segment.farmland import BANDS, checks, write_archive


def _scenes(catalog: Path, bands: tuple[str, ...] = BANDS) -> Scenes:
    days = days_of_catalog(catalog, bands)
    return Scenes(days, grid_of(days, "EPSG:32632"), bands, mask_of(days, MaskSettings()))


def test_every_band_of_every_date_is_scaled_by_its_own_percentiles(tmp_path: Path) -> None:
    image, _ = checks(64, 16, 3)
    image[1] *= 0.5
    image[2, :, :20] = np.nan
    with _scenes(write_archive(tmp_path, image)) as scenes:
        scaling = scenes.scaling()
        values = scaling.apply(scenes.read(Window(0, 0, scenes.grid.width, scenes.grid.height)))
    for date in range(3):
        for band in range(4):
            seen = values[date, band][np.isfinite(values[date, band])]
            assert np.percentile(seen, 2) == pytest.approx(0, abs=0.02)
            assert np.percentile(seen, 98) == pytest.approx(1, abs=0.02)
    assert np.isnan(values[2]).sum() > np.isnan(values[0]).sum() >= 0


def test_files_open_once_however_many_blocks_are_read(tmp_path: Path, monkeypatch) -> None:
    image, _ = checks(64, 16, 2)
    catalog = write_archive(tmp_path, image)
    opened: list[str] = []
    original = rasterio.open

    def counting(path, *arguments, **named):
        opened.append(str(path))
        return original(path, *arguments, **named)

    monkeypatch.setattr(rasterio, "open", counting)
    with _scenes(catalog) as scenes:
        scenes.scaling()
        whole = scenes.read(Window(0, 0, 64, 64))
        parts = [scenes.read(Window(x, 0, 16, 64)) for x in range(0, 64, 16)]
    assert len(opened) == len(set(opened)) == 2 * len(BANDS)
    assert np.array_equal(np.concatenate(parts, axis=3), whole, equal_nan=True)


def test_beyond_the_grid_nothing_is_seen(tmp_path: Path) -> None:
    with _scenes(write_archive(tmp_path, checks(32, 8, 1)[0])) as scenes:
        block = scenes.read(Window(-8, -8, 16, 16))
        assert np.isnan(block[:, :, :8]).all()
        assert np.isnan(block[..., :8]).all()
        assert np.isfinite(scenes.read(Window(4, 4, 8, 8))).all()
        assert np.isnan(scenes.read(Window(500, 500, 8, 8))).all()


def test_a_file_that_cannot_be_read_costs_its_date_and_is_told(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path, checks(32, 8, 2)[0])
    (tmp_path / "scenes" / "S1" / "B08.tif").write_bytes(b"no image")
    with _scenes(catalog) as scenes:
        block = scenes.read(Window(4, 4, 8, 8))
        assert np.isfinite(block[0]).all()
        assert np.isnan(block[1]).all()
        assert list(scenes.lost) == ["S1"]


def test_digital_numbers_given_as_reflectance_are_a_sentence(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path, checks(32, 8, 1)[0], scale=1.0)
    with _scenes(catalog) as scenes, pytest.raises(UserError, match="no reflectances"):
        scenes.scaling()


def test_red_and_near_infrared_in_each_others_place_are_a_sentence(tmp_path: Path) -> None:
    """Fields are refused that way round, and snow, water and bare ground no way round."""
    image, _ = checks(32, 8, 2)
    image[:, 2], image[:, 3] = 0.04, 0.45
    land = {"fields": image, "snow": image.copy(), "water": image.copy(), "ground": image.copy()}
    for name, red, infrared in (("snow", 0.7, 0.62), ("water", 0.04, 0.01), ("ground", 0.3, 0.35)):
        land[name][:, 2], land[name][:, 3] = red, infrared
    for name, shown in land.items():
        with _scenes(write_archive(tmp_path / name, shown)) as scenes:
            scenes.scaling()
    turned = write_archive(tmp_path / "turned", image[:, [0, 1, 3, 2]])
    with _scenes(turned) as scenes, pytest.raises(UserError, match="100% of the land is far"):
        scenes.scaling()


def test_an_area_without_a_clear_pixel_and_a_band_that_is_not_there_are_sentences(
    tmp_path: Path,
) -> None:
    catalog = write_archive(tmp_path, np.full((1, 4, 32, 32), np.nan))
    with _scenes(catalog) as scenes, pytest.raises(UserError, match="no scene shows a clear pixel"):
        scenes.scaling()
    with pytest.raises(UserError, match="has the bands B11"):
        days_of_catalog(catalog, ("B11",))


def test_the_least_cloudy_date_of_each_part_of_the_season_is_taken(tmp_path: Path) -> None:
    days = days_of_catalog(write_archive(tmp_path, checks(16, 8, 8)[0]), BANDS)
    found = spread_days(days, 3)
    assert len(found) == 3
    assert found[0].date == days[0].date
    assert [day.date for day in spread_days(days, 8)] == [day.date for day in days]


def test_fractions_and_integers_of_unstated_scale_are_the_same_land(tmp_path: Path) -> None:
    image = checks(32, 8, 2)[0]
    blocks = []
    for times in (None, 1.0):
        catalog = write_archive(tmp_path / str(times), image, scale=None, times=times)
        with _scenes(catalog) as scenes:
            scenes.scaling()
            blocks.append(scenes.read(Window(0, 0, scenes.grid.width, scenes.grid.height)))
    assert np.nanmax(np.abs(blocks[0] - blocks[1])) < 1e-4
    assert np.nanmedian(blocks[0]) == pytest.approx(np.median(image), abs=1e-3)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"scale": None, "times": 100.0}, "are no reflectances"),  # percent
        ({"scale": 1e-6}, "darker than water"),
        ({"scale": 1e-4, "times": 1.0}, "darker than water"),  # fractions said to be integers
    ],
)
def test_numbers_of_another_size_than_reflectance_are_refused(
    tmp_path: Path, written, said
) -> None:
    catalog = write_archive(tmp_path, checks(32, 8, 2)[0], **written)
    with _scenes(catalog) as scenes, pytest.raises(UserError, match=said):
        scenes.scaling()
