import hashlib
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.simulate.growth import _weights
from fieldline.workflows.simulate.loans import loan_history
from fieldline.workflows.simulate.run import simulate_county, tile_parcels
from fieldline.workflows.simulate.settings import LandSettings, LoanSettings, SimulateSettings

CROPS = ("winter_wheat", "maize")


def _settings(**changes: object) -> SimulateSettings:
    small: dict[str, object] = {"crops": CROPS, "yield_years": 2, "dates_per_season": 5}
    return SimulateSettings.tiny(**(small | changes))


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("county") / "SIM001"
    simulate_county(_settings(), county="SIM001", out=out)
    return out


def test_equal_seeds_give_equal_bytes_whatever_the_processes(county: Path, tmp_path: Path) -> None:
    simulate_county(_settings(processes=1), county="SIM001", out=tmp_path / "again")
    assert _hashes(tmp_path / "again") == _hashes(county)


def test_catalog_is_valid_and_pixels_lie_in_range(county: Path) -> None:
    catalog = pystac.Catalog.from_file(str(county / "stac" / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 2 * (5 + 2)
    codings = set()
    for item in items:
        asset = item.assets["B08"]
        coding = asset.extra_fields["raster:bands"][0]
        codings.add((item.properties["s2:processing_baseline"], coding["offset"]))
        with rasterio.open(asset.get_absolute_href()) as file:
            values = file.read(1)
            assert file.nodata == 0
            assert list(file.transform)[:6] == item.properties["proj:transform"]
        seen = values[values > 0] * coding["scale"] + coding["offset"]
        assert seen.min() > -0.02
        assert seen.max() < 1.2
    assert codings <= {("05.09", -0.1), ("03.01", 0.0)}


def test_same_day_pairs_cover_the_tile_together(county: Path) -> None:
    days = [p.parent.name for p in county.glob("stac/sentinel-2-l2a/*/*.json")]
    pairs = [day for day in set(days) if days.count(day) == 2]
    assert len(pairs) == 4
    bands = sorted(county.glob(f"stac/sentinel-2-l2a/{pairs[0]}/*_B04.tif"))
    first, second = (rasterio.open(path).read(1) for path in bands)
    assert ((first > 0) | (second > 0)).all()
    assert ((first > 0) & (second > 0)).any()


@pytest.mark.parametrize("season", ["2023", "2024"])
def test_papers_agree_with_the_truth(county: Path, season: str) -> None:
    truth = pd.read_parquet(county / "truth" / f"{season}.parquet").set_index("parcel_id")
    drawn = gpd.read_file(county / f"parcels_{season}.gpkg")
    assert list(drawn["parcel_id"]) == list(truth.index)
    assert len(drawn) == 200
    metric = drawn.to_crs(drawn.estimate_utm_crs()).area.to_numpy()
    assert metric == pytest.approx(truth["ring_area_m2"].to_numpy(), rel=0.002)
    assert (truth["planted_area_m2"] <= truth["ring_area_m2"] + 1e-6).all()
    honest = ~truth["wrong_crop"] & (truth["land_use"] == "cropland")
    said = drawn.set_index("parcel_id")["declared_crop"]
    assert (said[honest] == truth["crop"][honest]).all()
    assert (said[truth["wrong_crop"]] != truth["crop"][truth["wrong_crop"]]).all()
    assert (truth["planted_area_m2"][truth["same_parcel"]] == 0).all()


def test_every_lie_of_the_truth_is_listed(county: Path) -> None:
    truth = pd.read_parquet(county / "truth" / "2024.parquet")
    listed = pd.read_csv(county / "truth" / "frauds_2024.csv", keep_default_na=False)
    for kind in ("overdrawn", "wrong_crop", "same_parcel"):
        flagged = set(truth["parcel_id"][truth[kind]])
        assert flagged == set(listed["parcel_id"][listed["kind"] == kind])
    rivals = listed[listed["kind"] == "same_parcel"]["rival_parcel_id"]
    assert rivals.isin(truth["parcel_id"]).all()


def test_survey_tells_the_truth_and_not_the_future(county: Path) -> None:
    truth = pd.read_parquet(county / "truth" / "2024.parquet").set_index("parcel_id")
    survey = pd.read_csv(county / "survey_2024.csv", keep_default_na=False)
    assert len(survey) == 20
    assert (survey["crop"].to_numpy() == truth.loc[survey["parcel_id"], "crop"].to_numpy()).all()
    assert survey["surveyed_on"].max() <= "2024-09-30"
    assert survey["measured_on"].max() <= "2024-09-30"


def test_prices_go_past_the_season_and_yields_do_not(county: Path) -> None:
    prices = pd.read_csv(county / "prices.csv")
    assert prices["date"].max() > "2024-09-30"
    assert prices["date"].min() <= "2016-10-31"
    yields = pd.read_csv(county / "county_yields.csv")
    assert sorted(yields["year"].unique()) == [2021, 2022]
    assert len(yields) == 4


def test_applicants_are_the_farmers_who_drew(county: Path) -> None:
    drawn = gpd.read_file(county / "parcels_2024.gpkg")
    applied = pd.read_csv(county / "applications_2024.csv")
    assert set(applied["farmer_id"]) == set(drawn["farmer_id"])
    assert (applied["prior_late"] <= applied["prior_loans"]).all()


def test_a_household_states_one_income_and_few_parcels_meet_the_reserve(county: Path) -> None:
    applied = pd.read_csv(county / "applications_2024.csv")
    one = applied.drop_duplicates(["household_id", "off_farm_income"])
    assert one["household_id"].is_unique
    assert 0.5 < (applied["off_farm_income"] > 0).mean() < 1
    reserve = gpd.read_file(county / "protected.geojson")
    drawn = gpd.read_file(county / "parcels_2024.gpkg")
    assert drawn.intersects(reserve.union_all()).mean() < 0.05


def test_summer_crop_is_greener_in_summer_than_wheat(county: Path) -> None:
    items = [
        (json.loads(path.read_text()), path)
        for path in county.glob("stac/sentinel-2-l2a/2024-0[678]*/*.json")
    ]
    document, item = min(items, key=lambda pair: pair[0]["properties"]["eo:cloud_cover"])
    truth = pd.read_parquet(county / "truth" / "2024.parquet").set_index("parcel_id")
    drawn = gpd.read_file(county / "parcels_2024.gpkg").to_crs(document["properties"]["proj:epsg"])
    big = drawn[(truth.loc[drawn["parcel_id"], "planted_area_m2"] > 3000).to_numpy()]
    stem = str(item.with_suffix(""))
    points = list(zip(big.centroid.x, big.centroid.y, strict=True))
    values = {}
    for band in ("B04", "B08", "SCL"):
        with rasterio.open(f"{stem}_{band}.tif") as file:
            values[band] = np.array([v[0] for v in file.sample(points)], dtype=float)
    offset = document["assets"]["B04"]["raster:bands"][0]["offset"]
    red, nir = (values[b] * 1e-4 + offset for b in ("B04", "B08"))
    ndvi, crop = (nir - red) / (nir + red), truth.loc[big["parcel_id"], "crop"].to_numpy()
    clear = np.isin(values["SCL"], (4, 5))
    assert clear.sum() >= 10
    assert np.median(ndvi[clear & (crop == "maize")]) > np.median(ndvi[clear & (crop == CROPS[0])])


def test_default_history_has_the_wanted_rate_and_a_learnable_signal() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    loans = loan_history(SimulateSettings(loan_history=LoanSettings(loans=3000)))
    assert loans["defaulted"].mean() == pytest.approx(0.07, abs=0.015)
    assert (loans["income_q10"] < loans["income_q50"]).all()
    features = np.column_stack(
        [
            np.log(loans["income_q50"] / (loans["principal"] + loans["debt_service"])),
            loans[["prior_late", "stability", "hazard_index", "conflicts"]].fillna(0.76),
        ]
    )
    model = make_pipeline(StandardScaler(), LogisticRegression())
    chance = cross_val_predict(model, features, loans["defaulted"], cv=5, method="predict_proba")
    assert 0.7 < roc_auc_score(loans["defaulted"], chance[:, 1]) < 0.86


def test_growth_weights_reproduce_a_plane() -> None:
    late, skill = np.array([0.4, -0.9]), np.array([0.3, 0.8])
    plane = lambda a, s: 2.0 + 0.5 * a + 3.0 * s  # noqa: E731
    design = np.array([plane(-1.0, 0.9), plane(1.0, 0.9), plane(0.0, 0.2)])
    assert _weights(late, skill, 3) @ design == pytest.approx(plane(late, skill))


def test_a_million_parcels_are_tiled_evenly() -> None:
    tiles = tile_parcels(SimulateSettings(parcels=1_000_000))
    assert sum(tiles) == 1_000_000
    assert max(tiles) - min(tiles) <= 1
    assert len(tiles) > 50


def test_two_tiles_keep_ids_apart(tmp_path: Path) -> None:
    changes = {"land": LandSettings(tile_pixels=110), "crops": ("maize",), "dates_per_season": 4}
    simulate_county(_settings(**changes), county="C", out=tmp_path / "c")
    drawn = gpd.read_file(tmp_path / "c" / "parcels_2023.gpkg")
    assert drawn["parcel_id"].is_unique
    assert len(drawn) == 200
    shapes = {
        tuple(json.loads(p.read_text())["properties"]["proj:transform"])
        for p in (tmp_path / "c").glob("stac/sentinel-2-l2a/*/*.json")
    }
    assert len(shapes) == len(tile_parcels(_settings(**changes))) > 1


def test_unknown_crop_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="choose from"):
        simulate_county(_settings(crops=("banana",)), county="C", out=tmp_path / "x")
    assert not (tmp_path / "x").exists()
