import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from crops.prices import Z80
from crops.priors import Prior, county_priors
from crops.settings import YieldSettings
from crops.yield_model import (
    CURVE_FEATURES,
    conformal_quantile,
    fit_yield_model,
    shared_sd,
)
from crops.yields import Valuation, run_yields, yield_interval
from pipeline.errors import UserError

SETTINGS = YieldSettings()


def cuts(count, effect, noise=0.1, seed=0, shock=0.0):
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"parcel_id": [f"p{i:04d}" for i in range(count)], "season": "2024"})
    frame["crop"] = np.where(np.arange(count) % 2, "maize", "rice")
    for name in CURVE_FEATURES:
        frame[name] = generator.normal(0, 1, count)
    frame["log_ratio"] = shock + effect * frame["anomaly"] + generator.normal(0, noise, count)
    return frame


def test_a_curve_that_tells_nothing_leaves_the_prior_alone():
    model = fit_yield_model(cuts(60, 0.0, 0.2), SETTINGS)
    assert model.scores["rmse_log_model"] <= model.scores["rmse_log_prior"]
    strange = cuts(40, 0.0, 0.2, seed=9)
    assert np.abs(model.shift(strange)).max() < 0.1


def test_a_telling_curve_and_a_shared_shock_are_learnt():
    model = fit_yield_model(cuts(80, 0.15, 0.05, shock=-0.3), SETTINGS)
    new = cuts(40, 0.15, 0.0, seed=4, shock=-0.3)
    assert model.scores["verdict"] == "skill"
    assert np.abs(model.shift(new) - new["log_ratio"]).mean() < 0.05


def test_interval_covers_unseen_parcels_as_promised():
    model = fit_yield_model(cuts(120, 0.1, 0.2), SETTINGS)
    new = cuts(3000, 0.1, 0.2, seed=8)
    error = (new["log_ratio"] - model.shift(new)) / new["crop"].map(model.sd)
    assert ((error >= model.lower) & (error <= model.upper)).mean() == pytest.approx(0.8, abs=0.05)


def test_conformal_quantile_by_hand():
    scores = np.arange(1.0, 20.0)  # 19 scores, level .1: second smallest
    assert conformal_quantile(scores, 0.1) == 2.0
    assert conformal_quantile(scores[:3], 0.1) == 1.0


def test_cuts_of_the_season_shrink_the_shared_error():
    assert shared_sd(0.2, 0.3, 0) == pytest.approx(0.2)
    assert shared_sd(0.2, 0.2, 3) == pytest.approx(0.1)


def test_prior_is_the_mean_of_known_years(tmp_path):
    path = tmp_path / "y.csv"
    path.write_text("crop,year,yield_t_ha,source\n" + "".join(
        f"maize,{year},{value},s\n" for year, value in
        [(2018, 99.0), (2021, 6.0), (2022, 8.0), (2023, 7.0), (2024, 50.0)]))  # fmt: skip
    prior = county_priors(path, 2024, 3)["maize"]
    assert prior.mean_t_ha == pytest.approx(7.0)
    assert prior.years_log_sd == pytest.approx(np.log([6, 8, 7]).std(ddof=1))
    assert prior.source == "s, 2021-2023"
    path.write_text("crop,year,yield_t_ha,source\nmaize,2020,0,s\n")
    with pytest.raises(UserError, match="above zero"):
        county_priors(path, 2024, 3)


def test_without_cuts_the_documented_error_stands():
    valuation = Valuation({"maize": Prior(8.0, 0.4, "s")}, {}, {}, None, "", "CNY")
    row = yield_interval("maize", "2024", 0.0, valuation)
    assert row["yield_q50_t_ha"] == 8.0
    assert row["yield_q10_t_ha"] == pytest.approx(8.0 * np.exp(-Z80 * 0.5))  # .4 and .3: .5


def write_county(folder, season, survey=None):
    ids = ["told", "doubt", "hopeless", "odd"]
    crops = pd.DataFrame({"parcel_id": ids, "crop": ["maize", None, None, "orchard"]})
    crops["prediction_set"] = [["maize"], ["rice", "maize"], ["maize", "grassland"], ["orchard"]]
    crops.to_parquet(folder / "c.parquet")
    growth = pd.DataFrame({"parcel_id": ids, "sos": season.start + dt.timedelta(150)})
    growth["eos"], growth["peak"], growth["anomaly"] = season.end, 0.8, [1.0, None, None, None]
    growth.to_parquet(folder / "g.parquet")
    flat = {"drought": 0.0, "heat": 0.0, "flood": 0.0}
    pd.DataFrame({"parcel_id": ids, **flat}).to_parquet(folder / "h.parquet")
    pd.DataFrame({"parcel_id": ids, "cell_id": "w1"}).to_parquet(folder / "w.parquet")
    lines = [f"{c},{y},{v},s" for c, v in (("maize", 8.0), ("rice", 6.0)) for y in (2021, 2022)]
    (folder / "y.csv").write_text("crop,year,yield_t_ha,source\n" + "\n".join(lines) + "\n")
    (folder / "p.csv").write_text(
        "crop,date,price,currency,unit,source\n"
        "maize,2023-09-01,2.5,CNY,CNY/kg,s\nrice,2023-09-01,3.0,CNY,CNY/kg,s\n"
    )
    run_yields(
        folder / "c.parquet", folder / "g.parquet", folder / "h.parquet", folder / "w.parquet",
        folder / "y.csv", folder / "p.csv", survey, season=season, currency="CNY",
        settings=SETTINGS, out=folder / "out.parquet", card=folder / "card.json",
        outcomes=folder / "o.parquet",
    )  # fmt: skip
    codes = pd.read_parquet(folder / "o.parquet").set_index("parcel_id")["outcome"].to_dict()
    return pd.read_parquet(folder / "out.parquet").set_index("parcel_id"), codes


def test_value_by_hand_and_the_cheapest_crop_where_in_doubt(tmp_path, season):
    rows, codes = write_county(tmp_path, season)
    told = rows.loc["told"]
    assert told["yield_q50_t_ha"] == pytest.approx(8.0)
    assert told["price_q50_minor"] == 250_000
    assert told["value_q50_per_ha_minor"] == 2_000_000
    assert told["value_q10_per_ha_minor"] < told["value_q50_per_ha_minor"] * 0.8
    assert told["shock_group"] == "maize|w1"
    assert told["cost_per_ha_minor"] == 620_000
    # rice: 6 t x 3000 = 18,000 against maize 8 t x 2500 = 20,000
    assert rows.loc["doubt", "crop"] == "rice"
    assert rows.loc["doubt", "crop_basis"] == "cheapest_of_set"
    assert pd.isna(rows.loc["hopeless", "crop"])
    assert codes == {
        "told": "ok",
        "doubt": "ok",
        "hopeless": "no_crop",
        "odd": "no_price_and_prior",
    }
    card = json.loads((tmp_path / "card.json").read_text())
    assert not card["trained"]


def test_cuts_measured_after_the_as_of_date_are_not_learnt(tmp_path, season):
    survey = tmp_path / "s.csv"
    survey.write_text(
        "parcel_id,crop,surveyed_on,yield_t_ha,measured_on\ntold,maize,2023-08-01,9.0,2023-12-01\n"
    )
    write_county(tmp_path, season, survey)
    assert json.loads((tmp_path / "card.json").read_text())["crop_cuts"] == 0
