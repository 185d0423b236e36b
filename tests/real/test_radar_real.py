"""Belgium 2021: monthly radar beside monthly optical scenes whose winter holds no data."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from exactextract import exact_extract

from fieldline.crops.growth.radar_windows import LevelSums, with_radar
from fieldline.crops.growth.seasons import clear_points, harvest_rules, measure
from fieldline.crops.radar_series import radar_beside, radar_table
from fieldline.crops.series import clear_series
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.radar import run_radar
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import (
    GridSettings,
    MaskSettings,
    ObserveSettings,
    RadarSettings,
    SceneSettings,
)
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table

pytestmark = pytest.mark.realdata

SEASON = Season(start=dt.date(2020, 11, 1), end=dt.date(2021, 10, 31), as_of=dt.date(2021, 10, 31))
SCENES = SceneSettings(bands=("B02", "B04", "B08"), mask=MaskSettings(kind="none"))
RADAR = RadarSettings(collection="sentinel-1-sigma0", orbit="mixed")


@pytest.fixture(scope="module")
def belgium(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = real_data / "stac" / "belgium_2021"
    out = tmp_path_factory.mktemp("belgium")
    parcels = out / "parcels.parquet"
    gpd.read_file(archive / "parcels.geojson").to_parquet(parcels)
    run_scenes(
        catalog=archive / "catalog.json", parcels=parcels, season=SEASON, scenes=SCENES,
        out=out / "scenes.parquet", outcomes=out / "so.parquet",
    )  # fmt: skip
    run_observe(
        scenes=out / "scenes.parquet", parcels=parcels, grid=GridSettings(), scene_settings=SCENES,
        settings=ObserveSettings(), out=out / "observations.parquet", outcomes=out / "oo.parquet",
    )  # fmt: skip
    run_radar(
        catalog=archive / "catalog.json", parcels=parcels, season=SEASON, radar=RADAR,
        grid=GridSettings(), settings=ObserveSettings(), out=out / "radar.parquet",
        out_scenes=out / "rs.parquet", outcomes=out / "ro.parquet",
    )  # fmt: skip
    return out


def test_radar_sees_through_the_winter_gap(belgium: Path) -> None:
    """Optics have no clear day between 15 November and 15 February; radar has December, January."""
    optical = clear_series(read_table(belgium / "observations.parquet"), SEASON, 0.5)
    found = radar_beside(optical, belgium / "radar.parquet", SEASON, RADAR)
    assert found.groupby("parcel_id").size().to_dict() == dict.fromkeys(optical.parcel_ids, 12)
    winter = found[found["in_gap"] & found["day"].between(15, 105)]
    per_parcel = winter.groupby("parcel_id")["day"].apply(list)
    assert len(per_parcel) == 14
    assert all({44, 75} <= set(days) for days in per_parcel)
    assert winter["vv_db"].between(-20, -3).all()
    assert (winter["vh_db"] < winter["vv_db"]).all()


def test_a_parcels_decibels_are_those_of_its_mean_power(real_data: Path, belgium: Path) -> None:
    """Against exactextract on the file turned to power: equal; its mean of decibels is lower."""
    archive = real_data / "stac" / "belgium_2021"
    with rasterio.open(archive / "sentinel-1-sigma0" / "2020-12" / "vv.tif") as file:
        decibels = file.read(1, masked=True).astype(float).filled(np.nan) * 0.01
        profile = {**file.profile, "dtype": "float64", "nodata": np.nan}
    parcels = gpd.read_parquet(belgium / "parcels.parquet").to_crs("EPSG:32631")
    means = {}
    for name, values in {"power": 10 ** (decibels / 10), "decibels": decibels}.items():
        with rasterio.open(belgium / f"{name}.tif", "w", **profile) as copy:
            copy.write(values, 1)
        raster = str(belgium / f"{name}.tif")
        stats = exact_extract(
            raster, parcels, ["mean"], include_cols=["parcel_id"], output="pandas"
        )
        means[name] = stats.set_index("parcel_id")["mean"]
    rows = read_table(belgium / "radar.parquet")
    december = rows[rows["datetime"].dt.month == 12].set_index("parcel_id")["vv_mean"]
    truth = 10 * np.log10(means["power"])
    assert np.abs(december - truth.reindex(december.index)).max() < 1e-3
    low = december - means["decibels"].reindex(december.index)
    assert (low > 0.05).all()


def test_standing_fields_have_the_higher_index_and_no_harvest_is_dated_by_it(
    belgium: Path,
) -> None:
    """Field means by month: the county's own pairs tell bare from standing, with wide scatter."""
    optical = clear_series(read_table(belgium / "observations.parquet"), SEASON, 0.5)
    table = radar_table(belgium / "radar.parquet", SEASON)
    assert table is not None
    assert table.orbit == "mixed"
    radar, settings = table.of(optical.parcel_ids), GrowSettings()
    found = measure(clear_points(optical, 0.5), 5, settings)
    sums = LevelSums(harvest_rules(settings))
    sums.add(found.points, radar)
    levels = sums.levels()
    assert levels is not None
    assert levels.standing[0] - levels.bare[0] > 0.2
    told, said = with_radar(found, radar, levels, 364, settings.gap_days)
    assert "harvest" not in said.values()
    np.testing.assert_array_equal(told.harvests.day, found.harvests.day)
