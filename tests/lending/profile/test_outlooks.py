"""What harvests bring to farmers and to their household, held against laws of distributions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fieldline.lending.profile.income import IncomeModel
from fieldline.lending.profile.outlooks import Harvests, household_outlooks, of_farmers
from fieldline.lending.profile.records import records
from tests.lending.profile.test_income import SURE

MODEL = IncomeModel(draws=20_000, seed=7)
MEDIAN = 2 * 6 * 240_000
SHARED = replace(SURE, cost_minor_ha=0.0, shared_log_sd=0.3)


def test_a_shared_year_is_as_bad_for_a_household_as_for_each_of_its_farmers() -> None:
    members = [Harvests(repaying=[replace(SHARED, parcel_id=name)]) for name in "ab"]
    own, whole = household_outlooks(members, MODEL)
    low = MEDIAN * np.exp(0.3 * norm.ppf(0.1))
    assert [one.repaying[0] for one in own] == pytest.approx([low, low], rel=0.02)
    assert whole.repaying[0] == pytest.approx(2 * low, rel=0.02)


def test_errors_of_their_own_even_out_in_the_household() -> None:
    # Two lognormal parcels of their own: no quantile of the sum is the sum of the quantiles.
    value = replace(SURE, cost_minor_ha=0.0, own_log_sd=0.3)
    members = [Harvests(season=[replace(value, parcel_id=name)]) for name in "ab"]
    own, whole = household_outlooks(members, MODEL)
    generator = np.random.default_rng(1)
    low = np.quantile(MEDIAN * np.exp(0.3 * generator.standard_normal((2, 400_000))).sum(0), 0.1)
    assert whole.season is not None
    assert whole.season[0] == pytest.approx(low, rel=0.01)
    assert whole.season[0] > 1.05 * sum(one.season[0] for one in own if one.season)


def test_a_harvest_that_nobody_has_is_not_known_and_one_that_some_have_is_theirs() -> None:
    members = [Harvests(), Harvests(season=[SURE])]
    own, whole = household_outlooks(members, MODEL)
    sure = 2 * (6 * 240_000 - 600_000)
    assert own[0].season is None
    assert whole.season == own[1].season == (sure, sure, sure)
    assert whole.ahead is None
    assert whole.columns()["next_income_q50_minor"] is None
    assert whole.columns()["season_income_q90_minor"] == sure
    assert (whole.repaying, whole.columns()["income_q10_minor"]) == ((0, 0, 0), 0)


def test_values_go_to_the_farmer_of_their_parcel() -> None:
    values = {name: [replace(SURE, parcel_id=name)] for name in "abc"}
    found = of_farmers({"a": "F1", "b": "F2", "c": "F1", "d": "F3"}, values)
    told = {name: [one.parcel_id for one in own] for name, own in found.items()}
    assert told == {"F1": ["a", "c"], "F2": ["b"]}


def test_rows_come_one_by_one_as_they_stand_in_the_table() -> None:
    frame = pd.DataFrame({"number": range(2500), "name": [f"p{n}" for n in range(2500)]})
    frame["day"] = pd.Timestamp("2024-05-01")
    assert list(records(frame)) == frame.to_dict("records")
    assert list(records(frame.iloc[:0])) == []
