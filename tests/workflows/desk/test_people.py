"""Parcel page, farmer page and report: every number is the stored one, in both languages."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.words import LANGUAGES, words
from fieldline.workflows.stages import STAGES
from tests.workflows.desk.conftest import IDLE, PLACE, table, wait_for


def told(page: str) -> str:
    """The page's text as a person reads it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def yuan(minor: int) -> str:
    text = f"{Decimal(int(minor)) / 100:,.2f}"
    return "CNY " + text.removesuffix(".00")


def farmers(folder: Path, access: str) -> pd.DataFrame:
    rows = table(folder, "decisions")
    return rows[rows["access"] == access]


def test_every_stage_is_named_in_both_languages() -> None:
    for language in LANGUAGES:
        assert {f"stage.{stage.name}" for stage in STAGES} <= set(words(language).table)
    english = words("en")
    assert [english.stage(s.name, "") for s in STAGES] == [s.title for s in STAGES]


@pytest.mark.parametrize("page", ["farmer", "report"])
@pytest.mark.parametrize("access", ["approve", "review", "decline"])
def test_the_numbers_are_those_of_the_stored_decision(
    client: TestClient, folder: Path, access: str, page: str
) -> None:
    profiles = table(folder, "profiles")
    profiles = profiles[profiles["level"] == "farmer"].set_index("party_id")
    for row in farmers(folder, access).head(3).to_dict("records"):
        text = told(client.get(f"/{page}/{PLACE}/{row['farmer_id']}?lang=en").text)
        for name in ("need", "capacity", "policy", "exposure"):
            assert f"{name.title()} {yuan(row[f'limit_{name}_minor'])} " in text
        assert f"Limit {yuan(row['limit_minor'])} " in text
        assert f"Yearly rate {Decimal(row['annual_rate']):.2%} " in text
        assert f"Legal ceiling {Decimal(row['rate_ceiling']):.2%} " in text
        assert f"Chance of default in the tenor {row['pd']:.1%} " in text
        for reason in row["reasons"]:
            assert reason in text
        profile = profiles.loc[row["farmer_id"]]
        poor = f"Harvest in a poor year (1 in 10), after costs {yuan(profile['income_q10_minor'])} "
        assert poor.replace("CNY -", "-CNY ") in text or poor in text
        for part in (row["decision_id"], row["pd_model"], row["policy"], str(row["as_of"])):
            assert part in text


def test_the_parts_of_the_price_add_up_to_the_stored_rate(client: TestClient, folder: Path) -> None:
    row = farmers(folder, "approve").iloc[0]
    policy = json.loads(row["trace"])["case"]["policy"]
    text = told(client.get(f"/farmer/{PLACE}/{row['farmer_id']}?lang=en").text)
    costs = [Decimal(policy[name]) for name in ("funding_rate", "opex_rate", "capital_charge")]
    risk = re.search(r"lost then (\d+\.\d\d)%", text)
    assert risk is not None
    assert sum(costs) + Decimal(risk.group(1)) / 100 == row["annual_rate"]


def test_the_reasons_are_the_stored_ones_in_chinese(client: TestClient, folder: Path) -> None:
    row = farmers(folder, "decline").iloc[0]
    text = told(client.get(f"/farmer/{PLACE}/{row['farmer_id']}?lang=zh").text)
    assert all(reason in text for reason in row["reasons_zh"])
    assert not set(row["reasons"]) & {text}


def test_a_farmer_without_an_accepted_parcel_has_a_page(client: TestClient, folder: Path) -> None:
    parcels = set(table(folder, "parcels")["farmer_id"])
    rows = table(folder, "decisions")
    without = rows[~rows["farmer_id"].isin(parcels)]
    for farmer in without["farmer_id"]:
        assert client.get(f"/farmer/{PLACE}/{farmer}").status_code == 200
    assert client.get(f"/farmer/{PLACE}/F0000000000000000").status_code == 404


def test_the_parcel_page_says_what_each_code_did(client: TestClient, folder: Path) -> None:
    evidence = table(folder, "evidence")
    row = evidence[evidence["effect"] == "review"].iloc[0]
    page = client.get(f"/parcel/{PLACE}/{row['parcel_id']}?lang=en").text
    assert page.count('<li class="') == len(row["codes"])
    assert "(a person decides)" in told(page)
    mu = f"{row['evidence_area_m2'] / (2000 / 3):,.2f} mu"
    assert mu in told(page)
    yields = table(folder, "yields").set_index("parcel_id").loc[row["parcel_id"]]
    if pd.notna(yields["yield_q50_t_ha"]):
        assert f"{yields['yield_q50_t_ha']:.2f} t/ha" in told(page)


def test_the_curve_is_the_stored_one_and_the_norm_is_reckoned_again(
    client: TestClient, folder: Path
) -> None:
    growth = table(folder, "growth").dropna(subset=["anomaly", "pos"])
    row = growth.iloc[5]
    series = client.get(f"/api/{PLACE}/parcels/{row['parcel_id']}/series").json()
    assert [point["ndvi"] for point in series["curve"]] == [
        round(float(v), 4) for v in row["curve"]
    ]
    assert series["curve"][0]["date"] == row["curve_start"].isoformat()
    assert series["marks"]["pos"] == row["pos"].isoformat()
    crops = table(folder, "crops").set_index("parcel_id")["crop"]
    every = table(folder, "growth")
    same = every[every["parcel_id"].map(crops) == crops[row["parcel_id"]]]
    same = same[same["curve_start"] == row["curve_start"]]
    place = 20
    values = sorted(float(curve[place]) for curve in same["curve"] if len(curve) > place)
    middle = next(p for p in series["norm"] if p["date"] == series["curve"][place]["date"])["mid"]
    below = sum(value <= middle + 1e-4 for value in values)
    above = sum(value >= middle - 1e-4 for value in values)
    # The norm knows the curves with another first day too, a few of each crop's.
    assert min(below, above) >= 0.45 * len(values)


def test_observations_are_flagged_as_the_stored_clear_share_says(
    client: TestClient, folder: Path
) -> None:
    parcel = table(folder, "parcels")["parcel_id"].iloc[2]
    seen = table(folder, "observations")
    seen = seen[seen["parcel_id"] == parcel].sort_values("datetime")
    series = client.get(f"/api/{PLACE}/parcels/{parcel}/series").json()["observed"]
    assert [p["date"] for p in series] == [f"{day:%Y-%m-%d}" for day in seen["datetime"]]
    assert [p["clear"] for p in series] == list(seen["valid_fraction"] >= 0.5)
    red, infrared = (seen[f"{band}_mean"].to_numpy(float) for band in ("B04", "B08"))
    ndvi = (infrared - red) / (infrared + red)
    assert [p["ndvi"] is None for p in series] == list(np.isnan(ndvi))
    assert [p["ndvi"] for p in series if p["ndvi"] is not None] == pytest.approx(
        list(ndvi[~np.isnan(ndvi)]), abs=1e-4
    )


def test_the_charts_come_as_csv(client: TestClient, folder: Path) -> None:
    parcel = table(folder, "parcels")["parcel_id"].iloc[2]
    answer = client.get(f"/csv/{PLACE}/{parcel}")
    assert f'filename="growth-2024-{parcel}.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    seen = table(folder, "observations")
    assert sum(bool(row["scene_id"]) for row in rows) == int((seen["parcel_id"] == parcel).sum())
    weather = client.get(f"/csv/{PLACE}/{parcel}", params={"of": "weather"}).content
    days = list(csv.DictReader(io.StringIO(weather.decode("utf-8-sig"))))
    cell = table(folder, "weather_cells").set_index("parcel_id").loc[parcel, "cell_id"]
    stored = table(folder, "weather")
    stored = stored[stored["cell_id"] == cell]
    assert len(days) == len(stored)
    rain = sum(float(day["precip_mm"]) for day in days)
    assert rain == pytest.approx(float(stored["precip_mm"].sum()), abs=0.05 * len(days))


def test_a_parcel_without_images_says_so(desk: Desk, client: TestClient, folder: Path) -> None:
    parcel = table(folder, "parcels")["parcel_id"].iloc[4]
    path = folder / PLACE / "observations.parquet"
    whole = path.read_bytes()
    pd.read_parquet(path).query("parcel_id != @parcel").to_parquet(path)
    try:
        page = client.get(f"/parcel/{PLACE}/{parcel}?lang=en")
        assert page.status_code == 200
        assert "No image of this parcel has been observed." in page.text
        assert client.get(f"/api/{PLACE}/parcels/{parcel}/series").json()["observed"] == []
    finally:
        path.write_bytes(whole)


def test_dates_are_stepped_through_by_keyboard(page: Any, address: str, folder: Path) -> None:
    parcel = str(table(folder, "parcels")["parcel_id"].iloc[2])
    page.goto(f"{address}/parcel/{PLACE}/{parcel}?lang=en")
    wait_for(page, IDLE)
    series = table(folder, "observations")
    dates = [f"{d:%Y-%m-%d}" for d in sorted(series[series["parcel_id"] == parcel]["datetime"])]
    chips = "() => document.querySelectorAll('#chips button').length"
    assert page.evaluate(chips) == len(dates)
    marked = "() => document.querySelector('#big p')?.textContent"
    first = dates.index(page.evaluate(marked))
    page.locator("#time").focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, f"() => ({marked})() === '{dates[first + 1]}'")
    assert f"date={dates[first + 1]}" in page.url
    loaded = "() => [...document.querySelectorAll('#big img')].every((i) => i.naturalWidth > 100)"
    wait_for(page, loaded)
    page.reload()
    wait_for(page, IDLE)
    wait_for(page, f"() => ({marked})() === '{dates[first + 1]}'")
    assert page.faults == []
