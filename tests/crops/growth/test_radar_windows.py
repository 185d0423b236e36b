"""Harvests that fell while no clear date showed the field, told by radar as far as radar can."""

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.growth.grow import run_grow
from fieldline.crops.growth.radar_windows import (
    LevelSums,
    RadarLevels,
    gone_probability,
    harvest_odds,
)
from fieldline.crops.growth.seasons import harvest_rules
from fieldline.crops.series import ClearSeries
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.schemas import RADAR_OBSERVATIONS, radar_columns
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.tables import write_table
from tests.crops.conftest import double_logistic, observation_frame
from tests.crops.growth.test_curves import points_of

CLEAR = ClearSettings(min_valid_fraction=0.5, min_dates=5)


def test_odds_are_what_a_sum_over_days_gives():
    """Every day is tried by itself: the product of the densities of the dates before and after."""
    levels = RadarLevels((0.4, 0.1), (0.9, 0.2), 0.0)
    day, values = np.array([12, 20, 31]), np.array([0.95, 0.5, 0.42])

    def density(value, mean, deviation):
        return np.exp(-0.5 * ((value - mean) / deviation) ** 2) / deviation

    def either(value):
        stands, lies = density(value, 0.9, 0.2), density(value, 0.4, 0.1)
        return [0.9 * one + 0.1 * (stands + lies) / 2 for one in (stands, lies)]

    weights = []
    for harvest in range(6, 41):
        product = 1.0
        for at, value in zip(day, values, strict=True):
            stands, lies = either(value)
            product *= stands if at < harvest else lies
        weights.append(product)
    chance = np.array(weights) / np.sum(weights)
    days = np.arange(6, 41)
    middle, deviation = harvest_odds(day, levels.odds(values), 5, 40)
    assert deviation == pytest.approx(np.sqrt(chance @ (days - chance @ days) ** 2))
    assert abs(np.cumsum(chance)[round(middle) - 6] - 0.5) < chance.max()
    # It stands to the end with one half; the other half is shared by the days.
    none = np.prod([either(value)[0] for value in values])
    gone = gone_probability(day, levels.odds(values), 5, 40)
    assert gone == pytest.approx(np.mean(weights) / (np.mean(weights) + none))


def test_radar_that_tells_nothing_leaves_the_gap_as_it_was():
    same = RadarLevels((0.6, 0.2), (0.6, 0.2), 0.0)
    odds = same.odds(np.array([0.2, 0.9, 0.6]))
    middle, deviation = harvest_odds(np.array([20, 30, 40]), odds, 10, 60)
    assert middle == pytest.approx((11 + 60) / 2)
    assert deviation == pytest.approx(np.sqrt((50**2 - 1) / 12))
    assert gone_probability(np.array([20, 30]), odds[:2], 10, 60) == pytest.approx(0.5)


def test_one_date_and_many_alike_dates_never_say_more_than_their_bound():
    """Ten dates of one field that agree wholly are one witness, and one is bounded by 19 to 1."""
    alone = RadarLevels((0.4, 0.01), (0.9, 0.01), 1.0)
    assert alone.odds(np.array([0.9])) == pytest.approx([np.log(19)])
    assert alone.odds(np.full(10, 0.9)).sum() == pytest.approx(np.log(19))


def test_levels_are_the_means_of_dates_that_both_saw():
    """Radar on day 3 and 30 is near a clear date, on day 60 near none; halfway NDVI is neither."""
    points = points_of((np.array([0, 25, 100]), np.array([0.2, 0.8, 0.45])))
    vv = np.full(4, -10.0)
    index = np.array([0.4, 0.8, 0.1, 0.5])
    vh = vv + 10 * np.log10(index / (4 - index))
    radar = ClearSeries(("a",), np.zeros(4, int), np.array([3, 30, 60, 99]), np.ones(4),
                        {"VV": vv, "VH": vh})  # fmt: skip
    sums = LevelSums(harvest_rules(GrowSettings()))
    assert sums.levels() is None
    for _ in range(29):
        sums.add(points, radar)
    assert sums.levels() is None  # 29 pairs of either
    sums.add(points, radar)
    levels = sums.levels()
    assert levels.bare[0] == pytest.approx(0.4)
    assert levels.standing[0] == pytest.approx(0.8)


HARVEST = 240.0
BLIND = (215, 285)
"""Days without a clear date, between which all fields were cut."""


def write_radar(path, parcels, season, contrast, seed=0):
    """A pass every six days: the index falls from .5 + contrast to .5 on the day of harvest."""
    random, rows = np.random.default_rng(seed), []
    for parcel in parcels:
        for day in range(1, 360, 6):
            index = 0.5 + contrast * (150 < day < HARVEST) + random.normal(0, 0.08)
            vh = -11.0 + 10 * np.log10(index / (4 - index))
            rows.append({
                "parcel_id": parcel, "orbit": "ascending", "scene_id": "s", "vv_mean": -11.0,
                "effective_pixels": 9.0, "vh_mean": vh, "valid_fraction": 1.0, "vv_cv": 0.3,
                "vh_cv": 0.3,
                "datetime": pd.Timestamp(season.start, tz="UTC") + pd.Timedelta(days=day, hours=5),
            })  # fmt: skip
    schema = RADAR_OBSERVATIONS.with_columns(radar_columns(("vv", "vh")))
    frame = pd.DataFrame(rows, columns=[column.name for column in schema.columns])
    frame["datetime"] = frame["datetime"].astype("datetime64[us, UTC]")
    write_table(frame, schema, path)


def grown(folder, season, write_observations, contrast, until=364):
    """Six fields cut on day 240, hidden from day 215 to 285, whose radar tells so much."""
    days = np.asarray([d for d in range(2, until, 6) if not BLIND[0] <= d < BLIND[1]])
    ndvi = np.where(days < HARVEST, double_logistic(days, 150, 900), 0.2)
    parcels = [f"P{number}" for number in range(6)]
    frame = observation_frame(dict.fromkeys(parcels, (days, ndvi)), season.start)
    write_observations(frame, folder / "o.parquet")
    pd.DataFrame({"parcel_id": parcels, "crop": "maize"}).to_parquet(folder / "crops.parquet")
    radar = None if contrast is None else folder / "radar.parquet"
    if radar is not None:
        write_radar(radar, parcels if contrast >= 0 else [], season, contrast)
    run_grow(
        observations=folder / "o.parquet", crops=folder / "crops.parquet", radar=radar,
        season=season, clear_dates=CLEAR, settings=GrowSettings(), out=folder / "growth.parquet",
        outcomes=folder / "outcomes.parquet",
    )  # fmt: skip
    found = pd.read_parquet(folder / "growth.parquet").set_index("parcel_id")
    return found, pd.read_parquet(folder / "outcomes.parquet").set_index("parcel_id")["detail"]


def days_of(growth, column, season):
    return (pd.to_datetime(growth[column]) - pd.Timestamp(season.start)).dt.days


def test_a_harvest_in_a_gap_is_told_by_radar_with_its_deviation(
    tmp_path, season, write_observations
):
    growth, said = grown(tmp_path, season, write_observations, 0.5)
    harvest = days_of(growth, "harvest_date", season)
    assert (abs(harvest - HARVEST) <= 3 * growth["eos_sd_days"]).all()
    assert (growth["eos_sd_days"] < 6).all()
    assert said.str.endswith("radar=harvest").all()
    # What the clear dates themselves bound stays: it is certain.
    assert (days_of(growth, "harvest_after", season) == 212).all()
    assert (days_of(growth, "harvest_before", season) == 290).all()


def test_without_radar_or_with_radar_that_tells_nothing_it_is_the_middle_of_the_gap(
    tmp_path, season, write_observations
):
    told = {}
    for name, contrast in (("none", None), ("empty", -1.0), ("dull", 0.0)):
        (tmp_path / name).mkdir()
        told[name] = grown(tmp_path / name, season, write_observations, contrast)
        assert (days_of(told[name][0], "harvest_date", season) == (212 + 290) // 2).all()
    assert told["dull"][1].str.endswith("radar=unsure").all()
    for name in ("growth.parquet", "outcomes.parquet"):
        plain = (tmp_path / "none" / name).read_bytes()
        assert (tmp_path / "empty" / name).read_bytes() == plain


def test_a_crop_that_nobody_saw_since_is_standing_by_radar_or_unknown_but_has_no_date(
    tmp_path, season, write_observations
):
    """The record ends on day 214, before the cut: radar sees the fields bare from day 241 on."""
    (tmp_path / "cut").mkdir()
    growth, said = grown(tmp_path / "cut", season, write_observations, 0.5, until=214)
    assert said.str.endswith("radar=gone").all()
    assert growth["standing"].isna().all()
    assert growth["harvest_date"].isna().all()
    (tmp_path / "before").mkdir()
    day = season.start + pd.Timedelta(days=int(HARVEST) - 2)
    early = season.model_copy(update={"as_of": day})
    growth, said = grown(tmp_path / "before", early, write_observations, 0.5, until=200)
    assert said.str.endswith("radar=standing").all()
    assert growth["standing"].all()
