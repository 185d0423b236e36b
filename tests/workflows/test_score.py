"""Scores against hand-made truth: every figure here can be worked out on paper."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from fieldline.pipeline.records.units import M2_PER_MU as MU
from fieldline.workflows.score import (
    score_area,
    score_crop,
    score_evidence,
    score_harvest,
    score_income,
    score_yield,
)


def joined(**columns: list[Any]) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    base: dict[str, list[Any]] = {
        "parcel_id": [f"p{i}" for i in range(rows)],
        "surveyed": [False] * rows,
        "land_use_true": ["cropland"] * rows,
        "ring_area_m2_true": [5 * MU] * rows,
    }
    return pd.DataFrame(base | columns)


def test_cannot_tell_and_survey_labels_are_no_free_points() -> None:
    frame = joined(
        crop_true=["maize", "maize", "rice", "rice", "rice"],
        crop=["maize", None, "rice", "rice", "rice"],
        surveyed=[False, False, False, False, True],
    )
    scores = score_crop(frame)
    # maize: recall 1/2, precision 1 -> 2/3; rice: 1
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores["parcels"] == 4
    assert scores["cannot_tell_share"] == pytest.approx(0.25)
    assert scores["accuracy_where_answered"] == 1.0


def test_land_without_crops_is_not_scored_as_a_crop() -> None:
    frame = joined(
        crop_true=["maize", None], crop=["maize", "rice"], land_use_true=["cropland", "forest"]
    )
    assert score_crop(frame)["parcels"] == 1


def test_area_error_is_relative_and_by_size_band() -> None:
    frame = joined(
        planted_area_m2_true=[1000.0, 1000.0, 20_000.0, 20_000.0],
        seen_area_m2=[1050.0, 1500.0, 18_100.0, None],
        ring_area_m2_true=[2 * MU, 2 * MU, 30 * MU, 30 * MU],
    )
    scores = score_area(frame)
    assert scores["within_10_percent_over_10_mu"] == 0.5
    assert scores["within_10_percent_by_band"]["1 to 3 mu"] == 0.5
    assert scores["within_10_percent_by_band"]["under 1 mu"] is None
    assert scores["not_seen"] == 1


def test_yield_interval_counts_truths_inside() -> None:
    frame = joined(
        crop_true=["maize"] * 4,
        crop=["maize", "maize", "maize", "rice"],
        yield_t_ha_true=[8.0, 11.0, 5.0, 6.0],
        yield_q10_t_ha=[7.0] * 4,
        yield_q50_t_ha=[9.0] * 4,
        yield_q90_t_ha=[12.0] * 4,
        prior_t_ha=[8.0] * 4,
    )
    scores = score_yield(frame)
    assert scores["parcels"] == 3
    assert scores["coverage_80"] == pytest.approx(2 / 3, abs=1e-4)
    assert scores["rmse_t_ha"] == pytest.approx(((1 + 4 + 16) / 3) ** 0.5)
    assert scores["rmse_prior_t_ha"] == pytest.approx(((0 + 9 + 9) / 3) ** 0.5)


def test_harvest_error_is_in_days_and_misses_are_counted() -> None:
    day = dt.date(2024, 6, 10)
    frame = joined(
        harvest_date_true=[day, day, day],
        harvest_date=[dt.date(2024, 6, 14), dt.date(2024, 6, 8), None],
    )
    scores = score_harvest(frame)
    assert scores["mean_absolute_error_days"] == 3.0
    assert scores["harvested_without_estimate"] == 1


def test_income_is_summed_by_farmer() -> None:
    frame = joined(
        farmer_id=["F1", "F1", "F2"],
        value_q50_per_ha_minor=[1_500_000, 1_500_000, 2_500_000],
        cost_per_ha_minor=[500_000, 500_000, 500_000],
        evidence_area_m2=[10_000.0, 10_000.0, 10_000.0],
        income_minor_true=[1_000_000, 1_000_000, 1_000_000],
    )
    scores = score_income(frame)
    assert scores["farmers"] == 2
    assert scores["median_ratio"] == pytest.approx(1.5)
    assert scores["within_25_percent"] == 0.5


def test_lies_found_and_honest_people_accused() -> None:
    frame = joined(
        same_parcel_true=[True, True, False],
        overdrawn_true=[False, False, False],
        wrong_crop_true=[False, False, True],
        codes=[["claimed_by_other"], [], ["claimed_by_other", "crop_conflict"]],
    )
    scores = score_evidence(frame)
    assert scores["same_parcel"] == {
        "planted": 2, "found": 1, "honest": 1, "honest_accused": 1,
    }  # fmt: skip
    assert scores["wrong_crop"]["found"] == 1
