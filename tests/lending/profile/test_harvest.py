from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.profile.crop_value import CropValue
from fieldline.lending.profile.harvest import (
    Horizon,
    next_harvests,
    repayment_harvests,
    season_harvests,
)
from fieldline.lending.profile.rotation import Rotation, seen_or_declared
from fieldline.lending.settings import PolicySettings

POLICY = PolicySettings()
AUTUMN, SPRING = dt.date(2024, 9, 30), dt.date(2024, 3, 15)


def crop(name: str, month: int, price: int) -> CropValue:
    """A crop of 6 t/ha that is cut in one month of 2024."""
    return CropValue(
        name, 6.0, 0.1, 0.3, price, 0.1, 0.14, 180, 600_000, dt.date(2024, month, 1),
        dt.date(2024, month, 20),
    )  # fmt: skip


VALUES = {"maize": crop("maize", 8, 240_000), "rice": crop("rice", 9, 300_000)}


def parcel(**more: Any) -> dict[str, Any]:
    row = {
        "parcel_id": "a", "codes": ["crop_agrees"], "declared_crop": "maize", "proven_crop": None,
        "crop": "maize", "crop_basis": "classified", "yield_q50_t_ha": 6.0, "prior_t_ha": 6.0,
        "shared_log_sd": 0.05, "own_log_sd": 0.2, "shock_group": "maize|W01",
        "price_q50_minor": 240_000, "price_log_sd": 0.1, "cost_per_ha_minor": 600_000,
        "sos": dt.date(2024, 5, 20), "harvest_date": None, "standing": None,
    }  # fmt: skip
    return {**row, **more}


def harvests(
    *parcels: dict[str, Any], as_of: dt.date = AUTUMN, tenor: int = 365, **more: Any
) -> pd.DataFrame:
    rotation = Rotation(more.get("histories", []), POLICY)
    found = repayment_harvests(
        pd.DataFrame(list(parcels)),
        more.get("values", VALUES),
        rotation,
        Horizon(as_of, tenor),
        POLICY,
    )
    return found.set_index(["parcel_id", "crop"])


def test_the_crop_on_the_field_is_the_repayment_harvest_with_what_its_season_still_holds() -> None:
    row = harvests(parcel(), as_of=dt.date(2024, 7, 20)).loc[("a", "maize")]
    assert (row["harvest"], row["harvest_by"]) == ("standing", dt.date(2024, 8, 20))
    # 31 of the 92 days from 20 May to 20 August are still to come and may bring any year
    assert row["shared_log_sd"] == pytest.approx(np.sqrt(61 / 92 * 0.05**2 + 31 / 92 * 0.1**2))
    assert row["yield_q50_t_ha"] == 6.0


def test_a_crop_seen_from_its_middle_stands_and_holds_any_years_rest() -> None:
    """Winter wheat is green when the images begin: it has no start and is no crop to come."""
    row = harvests(parcel(sos=None, standing=True), as_of=dt.date(2024, 7, 20))
    row = row.loc[("a", "maize")]
    assert (row["harvest"], row["harvest_by"]) == ("standing", dt.date(2024, 8, 20))
    # since when it stands nobody knows: what is still to come may bring any year
    assert row["shared_log_sd"] == pytest.approx(0.1)
    gone = harvests(parcel(sos=None, standing=False), as_of=dt.date(2024, 7, 20))
    assert "standing" not in set(gone["harvest"])


def test_a_harvest_that_is_in_is_followed_by_next_years() -> None:
    cut = parcel(harvest_date=dt.date(2024, 8, 15), yield_q50_t_ha=7.2)
    other = parcel(parcel_id="b", yield_q50_t_ha=6.0)
    third = parcel(parcel_id="c", yield_q50_t_ha=6.0)
    row = harvests(cut, other, third).loc[("a", "maize")]
    assert (row["harvest"], row["harvest_by"]) == ("next", dt.date(2025, 8, 20))
    # half of a log departure of ln 1.2 from its neighbours stays with the parcel
    assert row["yield_q50_t_ha"] == pytest.approx(6.0 * np.sqrt(1.2))
    assert row["shared_log_sd"] == pytest.approx(0.1)
    # 324 days to the sale: 144 of the 185 from half a year (.1) to a year (.14)
    assert row["price_log_sd"] == pytest.approx(np.sqrt(0.01 + 144 / 185 * (0.0196 - 0.01)))


def test_a_dry_year_of_all_is_no_parcels_own_level() -> None:
    dry = [parcel(parcel_id=name, yield_q50_t_ha=4.5) for name in "abc"]
    assert harvests(*dry).loc[("a", "maize"), "yield_q50_t_ha"] == pytest.approx(6.0)


def test_a_harvest_after_the_tenor_repays_nothing() -> None:
    cut = parcel(harvest_date=dt.date(2024, 8, 15))
    row = harvests(cut, tenor=300).loc[("a", "maize")]
    assert row["harvest"] == "none"
    assert pd.isna(row["yield_q50_t_ha"])


def test_what_follows_a_crop_is_what_followed_it_in_the_county() -> None:
    histories = [["maize", "rice"]] * 15 + [["maize", "maize"]] * 5 + [["rice", "unknown"]]
    found = harvests(parcel(harvest_date=dt.date(2024, 8, 15)), histories=histories)
    # maize stands 25 times and rice 16 times in the records; 15 of 20 followed with rice
    share = 16 / 41
    assert found.loc[("a", "rice"), "chance"] == pytest.approx((15 + 5 * share) / 25)
    assert found["chance"].sum() == pytest.approx(1)
    assert found["main"].tolist() == [False, True]
    assert found.loc[("a", "rice"), "crop_basis"] == "rotation"


def bare(**more: Any) -> dict[str, Any]:
    """A parcel that is declared for rice and shows nothing yet."""
    return parcel(
        codes=["crop_not_yet_up"], declared_crop="rice", crop=None, crop_basis="none",
        yield_q50_t_ha=None, sos=None, **more,
    )  # fmt: skip


def test_a_crop_that_is_not_up_yet_counts_as_declared_by_a_share() -> None:
    found = harvests(bare(), as_of=SPRING, histories=[["rice"], ["maize"], ["maize"], ["unknown"]])
    assert set(found["harvest"]) == {"unsown"}
    # half as declared, half as the county grows: one in three rice, two in three maize
    assert found.loc[("a", "rice"), "chance"] == pytest.approx(1 / 2 + 1 / 6)
    assert found.loc[("a", "maize"), "chance"] == pytest.approx(1 / 3)
    assert found.loc[("a", "rice"), "harvest_by"] == dt.date(2024, 9, 20)
    assert found.loc[("a", "rice"), "crop_basis"] == "declared"


def test_on_bare_land_nothing_is_expected_that_would_be_up_by_now() -> None:
    wheat = replace(crop("wheat", 6, 250_000), sown_by=dt.date(2023, 10, 25))
    rice = replace(VALUES["rice"], sown_by=dt.date(2024, 3, 1))
    maize = replace(VALUES["maize"], sown_by=dt.date(2024, 3, 10))
    values = {"wheat": wheat, "rice": rice, "maize": maize}
    histories = [["wheat"]] * 8 + [["rice"]] + [["maize"]]
    found = harvests(bare(), as_of=SPRING, histories=histories, values=values)
    assert found["chance"].to_dict() == {("a", "maize"): 0.25, ("a", "rice"): 0.75}


def test_in_spring_the_rotation_knows_what_was_declared_where_nothing_is_up() -> None:
    histories = {"a": ["maize", "unknown"], "b": ["maize", "wheat"], "c": ["rice", "unknown"]}
    seen = pd.DataFrame([bare(), parcel(parcel_id="b"), parcel(parcel_id="c")])
    assert seen_or_declared(histories, seen) == [
        ["maize", "rice"], ["maize", "wheat"], ["rice", "unknown"]
    ]  # fmt: skip
    assert seen_or_declared({}, seen.iloc[:0]) == []


def test_a_proven_crop_takes_the_place_of_the_one_that_was_seen() -> None:
    row = harvests(parcel(proven_crop="rice"), as_of=dt.date(2024, 7, 20)).loc[("a", "rice")]
    assert (row["crop_basis"], row["price_q50_minor"]) == ("proven", 300_000)


def test_nobody_knows_the_crop_and_nothing_is_valued() -> None:
    row = harvests(parcel(crop=None, crop_basis="none", yield_q50_t_ha=None)).iloc[0]
    assert (row["harvest"], row["chance"]) == ("none", 1.0)
    assert pd.isna(row["yield_q50_t_ha"])


def test_a_crop_on_the_field_that_is_cut_after_the_tenor_repays_nothing() -> None:
    """Winter wheat in November, cut from July on, and a line of 90 or 300 days."""
    wheat = replace(crop("wheat", 7, 250_000), sown_by=dt.date(2023, 10, 25))
    autumn = parcel(crop="wheat", sos=dt.date(2023, 11, 1), shock_group="wheat|2024")
    told = {
        tenor: harvests(autumn, as_of=dt.date(2023, 11, 20), tenor=tenor, values={"wheat": wheat})
        for tenor in (90, 300)
    }
    assert told[90]["harvest"].tolist() == ["none"]
    assert told[90]["yield_q50_t_ha"].isna().all()
    assert told[300]["harvest"].tolist() == ["standing"]


def test_both_harvests_are_told_whichever_repays() -> None:
    """A parcel that did well, cut in August: its own harvest is sure, the next may be any."""
    cut = parcel(harvest_date=dt.date(2024, 8, 15), yield_q50_t_ha=7.2, shock_group="maize|2024")
    others = [parcel(parcel_id=name) for name in "bc"]
    rows = pd.DataFrame([cut, *others])
    season = season_harvests(rows, VALUES, AUTUMN).set_index("parcel_id").loc["a"]
    ahead = next_harvests(rows, VALUES, Rotation([], POLICY), AUTUMN, POLICY)
    after = ahead.set_index("parcel_id").loc["a"]
    assert (season["yield_q50_t_ha"], season["shared_log_sd"]) == (7.2, 0.05)
    assert (season["shock_group"], after["shock_group"]) == ("maize|2024", "maize|2025")
    assert after["yield_q50_t_ha"] == pytest.approx(6.0 * np.sqrt(1.2))
    assert after["shared_log_sd"] == pytest.approx(0.1)
    assert after["harvest_by"] == dt.date(2025, 8, 20)


def test_the_nearer_the_harvest_the_surer_this_seasons_estimate() -> None:
    days = [dt.date(2024, month, 1) for month in (6, 7, 8)] + [AUTUMN]
    said = [season_harvests(pd.DataFrame([parcel()]), VALUES, day)["shared_log_sd"].iloc[0]
            for day in days]  # fmt: skip
    assert said == sorted(said, reverse=True)
    assert said[0] < 0.1
    assert said[-1] == pytest.approx(0.05)
