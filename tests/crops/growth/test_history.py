import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.growth.history import (
    PastSeason,
    county_share,
    regularity,
    rotation,
    run_history,
    stability,
)
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.records.settings import Season

SETTINGS = GrowSettings(min_norm_parcels=3)


def test_stability_and_regularity_by_hand():
    assert stability(np.array([0.8, 1.2])) == pytest.approx(0.8)
    assert regularity(np.array([180.0, 210.0])) == pytest.approx(0.75)
    assert stability(np.array([0.8])) is None
    assert regularity(np.array([])) is None


@pytest.mark.parametrize(
    ("crops", "pattern", "period"),
    [
        (["maize"] * 3, "same", 1),
        (["maize", "unknown", "maize"], "same", 1),
        (["maize", "wheat"], "changing", None),
        (["maize", "wheat", "soy"], "changing", None),
        (["maize", "wheat", "maize", "wheat"], "cycle", 2),
        (["maize", "wheat", "soy", "maize", "wheat", "soy", "maize"], "cycle", 3),
        (["maize", "wheat", "unknown", "wheat"], "cycle", 2),
        (["maize", "maize", "wheat"], "irregular", None),
        (["maize", "unknown", "unknown"], None, None),
        (["maize"], None, None),
    ],
)
def test_how_crops_follow_each_other(crops, pattern, period):
    assert rotation(crops) == (pattern, period)


def test_a_share_is_over_the_median_of_the_crop():
    amount = pd.Series([10.0, 20, 30, 100, np.nan], index=list("abcde"))
    crop = pd.Series(["maize", "maize", "maize", "rice", "maize"], index=list("abcde"))
    shares = county_share(amount, crop, 3)
    assert shares[list("abc")].tolist() == pytest.approx([0.5, 1.0, 1.5])
    assert shares[["d", "e"]].isna().all()


def write_season(folder, year, rows, dates=30, days=365):
    """Rows of parcel, day of the peak, integral and crop; no integral is bare land."""
    start = dt.date(year - 1, 10, 1)
    growth = pd.DataFrame(rows, columns=["parcel_id", "pos", "integral", "crop"])
    growth["pos"] = [
        None if pd.isna(d) else start + dt.timedelta(days=int(d)) for d in growth["pos"]
    ]
    growth["cycles"] = growth["integral"].notna().astype(int)
    growth["peak"] = np.where(growth["cycles"] > 0, 0.8, 0.2)
    growth["curve_start"], growth["curve_step_days"] = start, 5
    growth["clear_dates"] = dates
    growth["curve"] = [np.zeros(days // 5)] * len(growth)
    folder.mkdir()
    growth.drop(columns="crop").to_parquet(folder / "growth.parquet")
    growth[["parcel_id", "crop"]].to_parquet(folder / "crops.parquet")
    season = Season(start=start, end=dt.date(year, 9, 30), as_of=dt.date(year, 9, 30))
    return PastSeason(season, folder / "growth.parquet", folder / "crops.parquet")


def history(folder, *parts: PastSeason) -> tuple[pd.DataFrame, pd.Series]:
    *before, last = parts
    run_history(
        growth=last.growth, crops=last.crops, earlier_growth=[p.growth for p in before],
        earlier_crops=[p.crops for p in before], seasons=[p.season for p in parts],
        settings=SETTINGS, out=folder / "h.parquet", outcomes=folder / "o.parquet",
    )  # fmt: skip
    rows = pd.read_parquet(folder / "h.parquet").set_index("parcel_id")
    return rows, pd.read_parquet(folder / "o.parquet").set_index("parcel_id")["outcome"]


def test_new_parcels_and_first_year_growers_are_thin_files(tmp_path):
    old = write_season(tmp_path / "a", 2023, [
        ("p", 212, 80.0, "maize"), ("q", None, None, None), ("gone", 212, 80.0, "rice"),
    ])  # fmt: skip
    new = write_season(tmp_path / "b", 2024, [
        ("p", 213, 120.0, "rice"), ("q", 212, 90.0, "rice"), ("r", 212, 90.0, "rice"),
    ])  # fmt: skip
    rows, outcomes = history(tmp_path, old, new)
    assert list(rows.index) == ["p", "q", "r"]
    assert list(rows.loc["p", "crops"]) == ["maize", "rice"]
    assert rows.loc["p", "regularity"] == pytest.approx(1 - 0.5 / 60)
    assert rows["seasons"].to_dict() == {"p": 2, "q": 2, "r": 1}
    assert rows["grown_seasons"].to_dict() == {"p": 2, "q": 1, "r": 1}
    assert rows["thin_file"].to_dict() == {"p": False, "q": True, "r": True}
    assert rows["rotation"].dropna().to_dict() == {"p": "changing"}
    assert rows["idle_seasons"].to_dict() == {"p": 0, "q": 1, "r": 0}
    # two maize fields of 2023 are no norm, so that nothing is said of stability
    assert rows["stability"].isna().all()
    assert outcomes.to_dict() == {"p": "ok", "q": "thin_file", "r": "thin_file"}


@pytest.mark.parametrize(
    ("dates", "days", "idle"),
    [(30, 365, 1), (11, 365, 0), (30, 200, 0)],
    ids=["watched", "fewer than one date a month", "half of the season"],
)
def test_land_is_idle_only_where_it_was_watched(tmp_path, dates, days, idle):
    bare = [("p", None, None, None)]
    old = write_season(tmp_path / "a", 2023, bare, dates, days)
    rows, _ = history(tmp_path, old, write_season(tmp_path / "b", 2024, [("p", 1, 1.0, "rice")]))
    assert rows.loc["p", "idle_seasons"] == idle


def test_a_season_that_still_runs_is_not_idle(tmp_path):
    part = write_season(tmp_path / "a", 2024, [("p", None, None, None)])
    early = part.season.model_copy(update={"as_of": dt.date(2024, 8, 1)})
    rows, _ = history(tmp_path, PastSeason(early, part.growth, part.crops))
    assert rows.loc["p", "idle_seasons"] == 0


def test_a_shared_drought_and_a_healthy_rotation_lower_nobody(tmp_path):
    """Forty fields of two crops whose integrals differ twofold; the second year takes 40 % of all.

    Half of the fields change their crop; every field is as good as in the year before.
    """
    level = np.random.default_rng(3).normal(1.0, 0.05, 40)
    size = {"maize": 100.0, "winter_wheat": 50.0}
    crop = ["maize" if n % 2 else "winter_wheat" for n in range(40)]
    other = {"maize": "winter_wheat", "winter_wheat": "maize"}
    after = [other[c] if n < 20 else c for n, c in enumerate(crop)]
    first = [(f"p{n:02d}", 200, level[n] * size[crop[n]], crop[n]) for n in range(40)]
    second = [(f"p{n:02d}", 200, 0.6 * level[n] * size[after[n]], after[n]) for n in range(40)]
    old = write_season(tmp_path / "a", 2023, first)
    rows, _ = history(tmp_path, old, write_season(tmp_path / "b", 2024, second))
    rotated, same = rows["stability"].iloc[:20], rows["stability"].iloc[20:]
    assert rows["rotation"].tolist() == ["changing"] * 20 + ["same"] * 20
    assert abs(rotated.median() - same.median()) < 0.05
    assert rows["stability"].min() > 0.9
