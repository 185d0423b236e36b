import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.recognise.labels import crop_cuts, survey_labels
from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.pooling import CURVE_FEATURES
from fieldline.crops.value.prices import Z80
from fieldline.crops.value.priors import Prior
from fieldline.crops.value.yield_model import fit_yield_model
from fieldline.crops.value.yields import (
    Valuation,
    YieldError,
    run_yields,
    yield_errors,
    yield_interval,
)

SETTINGS = YieldSettings()


def test_without_cuts_the_documented_error_stands():
    prior = Prior(8.0, 0.4, "s")
    rows = pd.DataFrame({"season": ["2024"], "crop": ["maize"]})
    error = yield_errors(rows, Valuation({"maize": prior}, {}, {}, None, "", "CNY"))[0]
    row = yield_interval(prior, error)
    assert row["yield_q50_t_ha"] == 8.0
    assert row["yield_q10_t_ha"] == pytest.approx(8.0 * np.exp(-Z80 * 0.5))  # .4 and .3: .5


def test_joint_draws_reproduce_the_published_interval():
    error = YieldError(0.1, 0.3, 0.4)
    row = yield_interval(Prior(8.0, 0.2, "s"), error)
    noise = np.random.default_rng(0).standard_normal((2, 200_000))
    draws = row["yield_q50_t_ha"] * np.exp(
        row["shared_log_sd"] * noise[0] + row["own_log_sd"] * noise[1]
    )
    low, high = np.quantile(draws, [0.1, 0.9])
    assert low == pytest.approx(row["yield_q10_t_ha"], rel=0.01)
    assert high == pytest.approx(row["yield_q90_t_ha"], rel=0.01)


def test_a_season_without_cuts_keeps_the_spread_of_the_years():
    rows = pd.DataFrame({"season": ["2024", "2024"], "crop": ["maize", "rice"], "size": ""})
    rows = rows.assign(**dict.fromkeys(CURVE_FEATURES, 0.0))
    generator = np.random.default_rng(3)
    learnt = pd.DataFrame({"parcel_id": [f"p{i}" for i in range(60)], "season": "2024"})
    learnt = learnt.assign(crop="maize", size="", log_ratio=generator.normal(-0.5, 0.1, 60))
    learnt = learnt.assign(**dict.fromkeys(CURVE_FEATURES, 0.0))
    priors = {crop: Prior(8.0, 0.4, "s") for crop in ("maize", "rice")}
    model = fit_yield_model(learnt, SETTINGS)
    maize, rice = yield_errors(rows, Valuation(priors, {}, {}, model, "m", "CNY"))
    assert maize.shared < 0.1
    assert rice.shared >= 0.4


def write_county(folder, season, survey=None, settings=SETTINGS, **county):
    ids = ["told", "doubt", "hopeless", "odd"]
    crops = pd.DataFrame({"parcel_id": ids, "crop": ["maize", None, None, "orchard"]})
    crops["prediction_set"] = [["maize"], ["rice", "maize"], ["maize", "grassland"], ["orchard"]]
    crops.to_parquet(folder / "c.parquet")
    growth = pd.DataFrame({"parcel_id": ids, "sos": season.start + dt.timedelta(150)})
    growth["eos"], growth["peak"], growth["anomaly"] = season.end, 0.8, [1.0, None, None, None]
    growth.to_parquet(folder / "g.parquet")
    flat = {"drought": 0.0, "heat": 0.0, "flood": 0.0}
    pd.DataFrame({"parcel_id": ids, **flat}).to_parquet(folder / "h.parquet")
    lines = [f"{c},{y},{v},s" for c, v in (("maize", 8.0), ("rice", 6.0)) for y in (2021, 2022)]
    (folder / "y.csv").write_text("crop,year,yield_t_ha,source\n" + "\n".join(lines) + "\n")
    (folder / "p.csv").write_text(
        "crop,date,price,currency,unit,source\n"
        "maize,2023-09-01,2.5,CNY,CNY/kg,s\nrice,2023-09-01,3.0,CNY,CNY/kg,s\n"
    )
    run_yields(
        crops=folder / "c.parquet", growth=folder / "g.parquet", hazards=folder / "h.parquet",
        county_yields=folder / "y.csv",
        prices=folder / "p.csv", survey=survey, seasons=[season], currency="CNY",
        settings=settings, **({"simulated": True} | county), out=folder / "out.parquet",
        out_crops=folder / "values.parquet", card=folder / "card.json",
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
    assert told["shock_group"] == "maize|2023"
    assert told["cost_per_ha_minor"] == 620_000
    for part in ("q10", "q50", "q90"):
        value = told[f"value_{part}_per_ha_minor"]
        assert told[f"net_{part}_per_ha_minor"] == value - 620_000
    maize = pd.read_parquet(tmp_path / "values.parquet").set_index("crop").loc["maize"]
    assert maize["net_q50_per_ha_minor"] == 8 * 250_000 - 620_000
    spread = np.hypot(np.hypot(maize["years_log_sd"], maize["own_log_sd"]), maize["price_log_sd"])
    lower = 2_000_000 * np.exp(-1.2815515655446004 * spread) - 620_000
    assert maize["net_q10_per_ha_minor"] == pytest.approx(lower, abs=1)
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


def test_a_crop_cut_in_another_unit_is_not_learnt_and_the_crop_still_counts(tmp_path, season):
    survey = tmp_path / "s.csv"
    survey.write_bytes(
        "地块编号,作物,调查日期,实测单产,测产日期\n"
        "told ,玉米,2023/8/1,9.0吨/公顷,2023/9/1\n"
        "doubt,Corn,2023/8/1,600公斤/亩,2023年9月1日\n"
        "odd,玉米,2023/8/1,600 t/ha,2023/9/1\n".encode("gb18030")
    )
    cuts = crop_cuts(survey, season.as_of)
    assert cuts.to_numpy().tolist() == [["told", "maize", 9.0], ["doubt", "maize", 9.0]]
    write_county(tmp_path, season, survey)
    assert json.loads((tmp_path / "card.json").read_text())["crop_cuts"] == 2
    assert survey_labels(survey, season.as_of).crop == dict.fromkeys(
        ("told", "doubt", "odd"), "maize"
    )


def test_cuts_measured_after_the_as_of_date_are_not_learnt(tmp_path, season):
    survey = tmp_path / "s.csv"
    survey.write_text(
        "parcel_id,crop,surveyed_on,yield_t_ha,measured_on\ntold,maize,2023-08-01,9.0,2023-12-01\n"
    )
    write_county(tmp_path, season, survey)
    assert json.loads((tmp_path / "card.json").read_text())["crop_cuts"] == 0


def own_costs(folder, *regions):
    path = folder / "costs.csv"
    rows = "".join(f"maize,{region},{cost},CNY,own\n" for region, cost in regions)
    path.write_text("crop,region,cash_cost_per_ha,currency,basis\n" + rows)
    return SETTINGS.model_copy(update={"cost_file": str(path)})


def test_a_real_county_never_takes_the_simulator_s_costs(tmp_path, season):
    rows, codes = write_county(tmp_path, season, simulated=False)
    told = rows.loc["told"]
    assert told["value_q50_per_ha_minor"] == 2_000_000
    assert pd.isna(told["cost_per_ha_minor"])
    assert pd.isna(told["net_q50_per_ha_minor"])
    assert codes["told"] == codes["doubt"] == "no_cost"
    values = pd.read_parquet(tmp_path / "values.parquet").set_index("crop")
    assert values.loc["maize", "price_q50_minor"] == 250_000
    assert values["cost_per_ha_minor"].isna().all()
    assert values["harvest_from"].isna().all()  # nor its calendar


def test_the_county_s_own_rows_come_before_the_region_that_is_set(tmp_path, season):
    settings = own_costs(tmp_path, ("Some County", 5000), ("north", 4000))
    named = {"county_names": ["SC1", "some county"], "simulated": False}
    rows, _ = write_county(tmp_path, season, settings=settings, **named)
    assert rows.loc["told", "cost_per_ha_minor"] == 500_000
    north = settings.model_copy(update={"cost_region": "north"})
    rows, _ = write_county(tmp_path, season, settings=north, **named)
    assert rows.loc["told", "cost_per_ha_minor"] == 500_000
    rows, codes = write_county(tmp_path, season, settings=north, simulated=False)
    assert rows.loc["told", "cost_per_ha_minor"] == 400_000
    assert codes["doubt"] == "no_cost"  # rice has no row in the region: not another's cost


def test_an_orchard_is_valued_by_area_and_says_so(tmp_path, season):
    rows, codes = write_county(tmp_path, season)
    assert codes["odd"] == "no_price_and_prior"
    assert pd.isna(rows.loc["odd", "value_basis"])
    assert rows.loc["told", "value_basis"] == "yield_and_price"
    areas = tmp_path / "areas.csv"
    day = season.as_of - dt.timedelta(30)
    areas.write_text(
        "crop,region,gross_per_ha,currency,log_sd,published_on,source\n"
        f"orchard,sim,100000,CNY,0.4,{day},survey\n"
    )
    settings = SETTINGS.model_copy(update={"area_value_file": str(areas)})
    rows, codes = write_county(tmp_path, season, settings=settings)
    odd = rows.loc["odd"]
    assert codes["odd"] == "valued_by_area"
    assert (odd["value_basis"], odd["value_base_source"]) == ("area", "survey")
    assert odd["value_q50_per_ha_minor"] == 10_000_000
    assert pd.isna(odd["yield_q50_t_ha"])
    assert pd.isna(odd["price_q50_minor"])  # so that no income is drawn from it
    assert odd["net_q50_per_ha_minor"] == 10_000_000 - 4_500_000  # what its template costs
