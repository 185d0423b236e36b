"""Scenes and observations on real archives: chips, wall-to-wall scenes, real clouds.

Expected ranges are agronomy, not our own output: winter cereals in Bavaria peak between late April
and mid June and are ripe by late July; summer crops of the Boerde are bare in April.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from exactextract import exact_extract

from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import (
    S2_BANDS,
    GridSettings,
    MaskSettings,
    ObserveSettings,
    SceneSettings,
)
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table

pytestmark = pytest.mark.realdata

FOUR = ("B02", "B03", "B04", "B08")


@dataclass(frozen=True)
class Observed:
    """Results of both stages on one archive."""

    rows: pd.DataFrame
    scenes: pd.Series
    parcels: pd.Series

    def ndvi(self, infrared: str = "B08", valid: float = 0.5) -> pd.DataFrame:
        """NDVI of clear parcel-dates, dates by parcels."""
        clear = self.rows[self.rows["valid_fraction"] >= valid]
        near, red = clear[f"{infrared}_mean"], clear["B04_mean"]
        values = clear.assign(ndvi=(near - red) / (near + red))
        return values.pivot_table(index="datetime", columns="parcel_id", values="ndvi")


def observe(
    archive: Path, outlines: str, year: int, settings: SceneSettings, out: Path
) -> Observed:
    parcels = out / "parcels.parquet"
    gpd.read_file(archive / outlines).to_parquet(parcels)
    season = Season(
        start=dt.date(year, 1, 1), end=dt.date(year, 12, 31), as_of=dt.date(year, 12, 31)
    )
    run_scenes(
        catalog=archive / "catalog.json", parcels=parcels, season=season, scenes=settings,
        out=out / "scenes.parquet", outcomes=out / "scenes_outcomes.parquet",
    )  # fmt: skip
    run_observe(
        scenes=out / "scenes.parquet", parcels=parcels, grid=GridSettings(),
        scene_settings=settings, settings=ObserveSettings(), out=out / "observations.parquet",
        outcomes=out / "observe_outcomes.parquet",
    )  # fmt: skip
    return Observed(
        read_table(out / "observations.parquet"),
        read_table(out / "scenes_outcomes.parquet").set_index("parcel_id")["outcome"],
        read_table(out / "observe_outcomes.parquet").set_index("parcel_id")["outcome"],
    )


@pytest.fixture(scope="module")
def bavaria(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    mask = MaskSettings(kind="values", asset="clm", clear=(0,))
    settings = SceneSettings(bands=S2_BANDS, mask=mask)
    out = tmp_path_factory.mktemp("bavaria")
    return observe(real_data / "stac" / "bavaria_2018", "parcels.geojson", 2018, settings, out)


@pytest.fixture(scope="module")
def magdeburg(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    settings = SceneSettings(
        collection="sentinel-2-l3a", bands=FOUR, mask=MaskSettings(kind="none")
    )
    archive = real_data / "stac" / "magdeburg_2021"
    out = tmp_path_factory.mktemp("magdeburg")
    return observe(archive, "parcels_wall_to_wall.geojson", 2021, settings, out)


@pytest.fixture(scope="module")
def switzerland(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    bands = tuple(band for band in S2_BANDS if band != "B08")
    settings = SceneSettings(bands=bands, mask=MaskSettings(kind="scl", clear=(4, 5, 6, 7)))
    out = tmp_path_factory.mktemp("switzerland")
    return observe(real_data / "stac" / "switzerland_2022", "parcels.geojson", 2022, settings, out)


def test_bavaria_every_chip_is_read_and_every_parcel_observed(bavaria: Observed) -> None:
    assert len(bavaria.scenes) == 404
    assert (bavaria.scenes == "ok").all()
    assert len(bavaria.parcels) == 31
    assert (bavaria.parcels == "ok").all()


def test_bavaria_chips_cover_their_own_parcel(bavaria: Observed) -> None:
    """Chips are masked to all touched pixels: on clear days nearly the whole parcel is there.

    Not all: a chip's pixels are 10 m in another projection, so a ring's corners may miss them.
    """
    best = bavaria.rows.groupby("parcel_id")["valid_fraction"].max()
    assert best.median() > 0.99
    assert best.min() > 0.95


def test_bavaria_cereals_green_up_and_ripen(bavaria: Observed) -> None:
    ndvi = bavaria.ndvi()
    spring, heading = ndvi.loc[:"2018-04-10"].mean(), ndvi.loc["2018-04-20":"2018-06-20"].max()
    ripe = ndvi.loc["2018-07-20":].mean()
    assert spring.between(0.2, 0.75).all()
    assert ((heading - spring) > 0.1).all()
    assert heading.median() > 0.75
    assert ((heading - ripe) > 0.1).all()
    assert ripe.median() < 0.35


def test_bavaria_barley_is_ripe_before_wheat(real_data: Path, bavaria: Observed) -> None:
    truth = pd.read_csv(real_data / "stac" / "bavaria_2018" / "truth.csv").set_index("parcel_id")
    around = bavaria.ndvi().loc["2018-06-20":"2018-07-08"].mean()
    crop = truth["crop"].reindex(around.index).str.lower()
    barley, wheat = around[crop.str.contains("barley")], around[crop.str.contains("wheat")]
    assert barley.median() < wheat.median()


def test_magdeburg_equals_exactextract_on_the_same_files(
    real_data: Path, magdeburg: Observed
) -> None:
    """Within 0.01 digital number, on a real scene with 380 real outlines."""
    archive = real_data / "stac" / "magdeburg_2021"
    outlines = gpd.read_file(archive / "parcels_wall_to_wall.geojson").to_crs("EPSG:32632")
    file = archive / "sentinel-2-l3a" / "20210515" / "B08.tif"
    peer = exact_extract(
        str(file), outlines, ["mean", "stdev", "count"], include_cols=["parcel_id"], output="pandas"
    )
    ours = magdeburg.rows[magdeburg.rows["datetime"].dt.month == 5]
    both = ours.merge(peer, on="parcel_id")
    whole = both[both["valid_fraction"] > 0.999999]  # B08 alone is missing elsewhere than all four
    assert len(whole) > 300
    assert np.abs(whole["B08_mean"] * 1e4 - whole["mean"]).max() < 0.01
    assert np.abs(whole["B08_std"] * 1e4 - whole["stdev"]).max() < 0.01
    assert np.abs(whole["effective_pixels"] - whole["count"]).max() < 0.01


def test_magdeburg_has_winter_and_summer_crops(magdeburg: Observed) -> None:
    """In April half-grown cereals stand beside bare fields; by June the bare ones are green."""
    assert (magdeburg.parcels == "ok").all()
    ndvi = magdeburg.ndvi().groupby(lambda moment: moment.month).mean().T
    winter = ndvi[ndvi[4] > 0.55]
    summer = ndvi[(ndvi[4] < 0.3) & (ndvi[6] > 0.45)]
    assert len(winter) > 80
    assert len(summer) > 10
    assert winter[5].median() > 0.75
    assert summer[6].median() > summer[5].median() + 0.1


def test_switzerland_days_are_merged_and_clouds_left_out(switzerland: Observed) -> None:
    """Cirrus of two June days, which the scene classification calls clear, is refused as a whole:
    every band is 0.07 to 0.11 brighter there than on the season's other days."""
    refused = switzerland.scenes[switzerland.scenes == "scene_implausible"].index
    assert 0 < len(refused) <= 5
    assert set(refused.str.extract(r"L2A_(\d{8})T")[0]) <= {"20220620", "20220623"}
    assert set(switzerland.scenes) <= {"ok", "scene_duplicate", "scene_implausible"}
    assert (switzerland.scenes == "ok").mean() > 0.9
    assert (switzerland.parcels == "ok").all()
    rows = switzerland.rows
    assert not rows.duplicated(["parcel_id", "datetime"]).any()
    assert rows["scene_id"].str.contains("+", regex=False).mean() > 0.1
    assert set(rows["baseline"].str.split("+").explode()) <= {"04.00", "99.99"}
    clear = rows[rows["valid_fraction"] > 0.9]
    assert clear[[c for c in rows if c.endswith("_mean")]].min().min() > 0
    assert clear["B04_mean"].max() < 0.35


def test_switzerland_wheat_curve_is_smooth_after_masking(switzerland: Observed) -> None:
    """Neighbouring clear dates within five days differ little: clouds would make them jump."""
    ndvi = switzerland.ndvi("B8A", valid=0.9)
    jumps = []
    for _, curve in ndvi.items():
        seen = curve.dropna()
        gap = seen.index.to_series().diff().dt.days
        jumps.append(seen.diff().abs()[gap <= 5])
    assert pd.concat(jumps).median() < 0.04
    assert ndvi.max().between(0.75, 0.98).all()
