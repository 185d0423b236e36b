"""The public API against the tiny county's own files, read with pyarrow and pandas alone."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import fieldline
from fieldline import County
from tests.workflows.conftest import ChainRun


@pytest.fixture(scope="module")
def county(tiny_run: ChainRun) -> County:
    return fieldline.open(tiny_run.results).county("SIM001")


def stored(county: County, name: str) -> pd.DataFrame:
    return pd.DataFrame(pq.read_table(county.folder / f"{name}.parquet").to_pandas())


def test_the_county_says_what_it_is(county: County) -> None:
    assert county.simulated
    assert county.decided
    assert f"parcels {len(stored(county, 'parcels'))}" in repr(county)
    assert f"{(stored(county, 'decisions')['access'] == 'approve').sum()} approve" in repr(county)


def test_every_parcel_reads_its_own_rows(county: County) -> None:
    everything = stored(county, "observations")
    for parcel_id in county.parcels["parcel_id"].iloc[::40]:
        rows = everything[everything["parcel_id"] == parcel_id].reset_index(drop=True)
        seen = county.parcel(parcel_id).observations
        pd.testing.assert_frame_equal(seen[list(rows.columns)], rows)
        infrared, red = rows["B08_mean"].astype(float), rows["B04_mean"].astype(float)
        np.testing.assert_allclose(seen["NDVI"], (infrared - red) / (infrared + red))
        assert seen["clear"].sum() == (rows["valid_fraction"] >= 0.5).sum()


def test_curves_end_where_the_observations_end(county: County) -> None:
    growth = stored(county, "growth").set_index("parcel_id")
    for parcel_id in growth.index[::40]:
        curve = county.parcel(str(parcel_id)).curve
        row = growth.loc[parcel_id]
        assert curve["ndvi"].tolist() == [float(value) for value in row["curve"]]
        last = row["curve_start"] + pd.Timedelta(days=5 * (len(row["curve"]) - 1))
        assert curve["date"].iloc[-1].date() == last
        assert curve["ndvi"].max() == pytest.approx(row["peak"], abs=1e-6)


def test_limits_are_those_of_the_offers(county: County) -> None:
    with (county.folder / "offers.csv").open(encoding="utf-8-sig") as handle:
        offered = {row["farmer_id"]: row for row in csv.DictReader(handle)}
    decisions = county.decisions.set_index("farmer_id")
    assert set(decisions.index) == set(offered)
    approved = decisions[decisions["access"] == "approve"]
    assert len(approved) > 0
    for farmer_id, limit in approved["limit"].items():
        assert limit == Decimal(offered[str(farmer_id)]["limit"])
        assert county.decision(str(farmer_id)).limit == limit
    offers = county.offers.set_index("farmer_id")
    assert offers["limit"].dropna().sum() == approved["limit"].sum()


def test_every_decision_replays(county: County) -> None:
    for row in stored(county, "decisions").to_dict("records"):
        again = fieldline.replay(county.trace(row["decision_id"]))
        assert (again.access, again.limit_minor) == (row["access"], row["limit_minor"])


def test_a_gis_file_joins_outline_crop_yield_and_decision(county: County, tmp_path: Path) -> None:
    layer = gpd.read_file(county.to_gis(tmp_path / "county.gpkg")).set_index("parcel_id")
    parcels, decisions = stored(county, "parcels"), stored(county, "decisions")
    assert sorted(layer.index) == sorted(parcels["parcel_id"])
    assert layer.crs.to_epsg() == 4326
    assert layer.geometry.is_valid.all()
    yields = stored(county, "yields").set_index("parcel_id")["yield_q50_t_ha"]
    np.testing.assert_array_equal(layer["yield_q50_t_ha"], yields.reindex(layer.index))
    limits = decisions.set_index("farmer_id")["limit_minor"] / 100
    np.testing.assert_array_equal(layer["farmer_limit"], limits.reindex(layer["farmer_id"]))
    crops = stored(county, "crops").set_index("parcel_id")["crop"].reindex(layer.index)
    assert (layer["crop"].fillna("") == crops.fillna("")).all()
    assert [path.name for path in tmp_path.iterdir()] == ["county.gpkg"]


@pytest.mark.parametrize("name", ["county.geojson", "county.fgb"])
def test_other_gis_formats_hold_every_parcel(county: County, tmp_path: Path, name: str) -> None:
    assert len(gpd.read_file(county.to_gis(tmp_path / name))) == len(stored(county, "parcels"))


def test_a_parcel_draws_what_was_seen(county: County) -> None:
    parcel = county.parcel(str(stored(county, "growth")["parcel_id"].iloc[0]))
    figure = parcel.plot()
    assert "(simulated)" in figure.layout.title.text
    points = {trace.name: len(trace.x) for trace in figure.data}
    assert points["clear"] == parcel.observations["clear"].sum()
    assert points["smoothed"] == len(parcel.curve)
    words = [note.text for note in figure.layout.annotations]
    assert len(words) == parcel.phenology.notna().sum()


def test_every_stage_of_a_parcel_is_read(county: County) -> None:
    parcel_id = str(stored(county, "yields").dropna(subset=["crop"])["parcel_id"].iloc[0])
    parcel = county.parcel(parcel_id)
    for part in ("crop", "field", "growth", "hazards", "yields", "evidence", "history"):
        assert getattr(parcel, part)["parcel_id"] == parcel_id
    cell = stored(county, "weather_cells").set_index("parcel_id")["cell_id"][parcel_id]
    assert len(parcel.weather) == (stored(county, "weather")["cell_id"] == cell).sum()
    assert parcel.yields["price_q50"] == Decimal(int(parcel.yields["price_q50_minor"])) / 100
    assert set(parcel.outcomes["parcel_id"]) == {parcel_id}
    assert len(county.profiles) == len(stored(county, "profiles"))
    assert len(county.scenes) == len(stored(county, "scenes"))
    assert county.model_card("yield")["task"]


def test_reading_writes_nothing_into_the_results(county: County, tiny_run: ChainRun) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        files = [path for path in tiny_run.results.rglob("*") if path.is_file()]
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}

    before = state()
    parcel = county.parcel(str(county.parcels["parcel_id"].iloc[0]))
    _ = (repr(county), county._repr_html_(), repr(parcel), parcel.decision, county.overview())
    assert state() == before
