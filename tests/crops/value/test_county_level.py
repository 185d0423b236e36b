"""A county's outlook, held against years that were drawn and not looked at."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.forecast.county_years import CountyYears
from fieldline.crops.value.county_level import alone, unseen_errors, usual_spread
from fieldline.crops.value.prices import Z80
from fieldline.crops.value.priors import Knowing, Prior, county_priors, read_yields, yield_problems
from fieldline.pipeline.records.errors import UserError
from tests.crops.forecast.made import made

AUTUMN = Knowing(dt.date(2014, 9, 30), 2014, ("c0",), published_days=90)


@pytest.mark.parametrize("years", [1, 2, 5, 10])
def test_one_year_in_ten_lies_below_the_lower_tenth_however_few_years_are_known(years: int) -> None:
    """Counties differ in how much their years differ, and nobody tells by how much."""
    rng = np.random.default_rng(years)
    spread = 0.15 * np.sqrt(3 / rng.chisquare(3, 8000))
    past = np.exp(rng.normal(1.8, spread[:, None], (8000, years)))
    ahead = np.exp(rng.normal(1.8, spread))
    said = [alone(values, 0.15) for values in past]
    low = [one.t_ha * np.exp(-Z80 * one.log_sd) for one in said]
    assert np.mean(ahead < low) == pytest.approx(0.1, abs=0.015)
    if 1 < years <= 5:  # a normal with the spread of so few years promises more than it keeps
        plain = [np.exp(np.log(v).mean() - Z80 * np.log(v).std(ddof=1)) for v in past]
        assert np.mean(ahead < plain) > 0.14


@pytest.mark.parametrize("spread", [0.04, 0.3])
def test_with_many_years_a_countys_own_errors_say_how_far_the_next_strays(spread: float) -> None:
    """Usual counties spread by .13: one that is far steadier, or far less steady, shows it."""
    rng = np.random.default_rng(round(100 * spread))
    drawn = np.exp(rng.normal(1.8, spread, (2500, 26)))
    inside = {"own": 0, "usual": 0}
    for values in drawn:
        past, now = values[:-1], values[-1]
        said = {
            "own": alone(past[-5:], 0.13, unseen_errors(past, 5)),
            "usual": alone(past[-5:], 0.13),
        }
        for name, one in said.items():
            inside[name] += abs(np.log(now / one.t_ha)) <= Z80 * one.log_sd
    share = {name: count / len(drawn) for name, count in inside.items()}
    assert share["own"] == pytest.approx(0.8, abs=0.03)
    assert abs(share["usual"] - 0.8) > 0.06


def test_a_reach_worked_by_hand_and_too_few_years_for_one() -> None:
    # Three years of 8, then each year x times the mean of the (at most two) years before it.
    times, values = [1.1, 0.8, 1.3, 0.9, 1.05, 0.7, 1.2, 0.95, 1.02, 0.6], [8.0, 8.0, 8.0]
    for one in times:
        values.append(one * float(np.mean(values[-2:])))
    unseen = unseen_errors(np.array(values), 2)
    assert unseen == pytest.approx(np.log(times))
    # Eleven times .8 is 8.8: from the eighth of ten distances, that of 1.3, .8 of the way to the
    # ninth, .7 (only .6 is farther). Ten errors are a third of the way from 5 to 20, in logs.
    said, plain = (alone(np.array(values[-2:]), 0.13, errors) for errors in (unseen, unseen[:5]))
    assert plain == alone(np.array(values[-2:]), 0.13)
    own = 0.2 * np.log(1.3) - 0.8 * np.log(0.7)
    assert Z80 * said.log_sd == pytest.approx((2 * Z80 * plain.log_sd + own) / 3)
    # Thirty times .8 is 24: of these twenty-nine distances six lie farther than 1.5.
    many = np.log([1.5, *[2.0] * 5, *[1.0] * 23])
    assert np.exp(Z80 * alone(np.array([8.0]), 0.13, many).log_sd) == pytest.approx(1.5)


@pytest.mark.parametrize("lost", [0.6, 2.0, 6.0])
def test_no_further_year_throws_the_lower_tenth_about(lost: float) -> None:
    """The same last years, one of them lost, with ever more usual years before them."""
    values = 6 + np.random.default_rng(0).normal(0, 0.3, 30)
    values[-2] = lost
    said = [
        alone(values[-5:], 0.13, unseen_errors(values[-count:], 5)).log_sd for count in range(5, 31)
    ]
    lower = np.exp(-Z80 * np.array(said))
    assert np.abs(np.log(lower[1:] / lower[:-1])).max() < np.log(1.25)


def test_the_usual_spread_is_that_of_the_other_counties_and_the_documented_one() -> None:
    other = CountyYears.of_columns(["a", "a", "b"], [2001, 2002, 2001], [4.0, 6.0, 9.0])
    # Squares about a's own mean of logs: 2 x (ln 1.5 / 2)^2, one degree of freedom.
    assert usual_spread(other, 0.15) == pytest.approx(
        np.sqrt((3 * 0.15**2 + np.log(1.5) ** 2 / 2) / 4)
    )
    assert usual_spread(other.part(np.zeros(3, bool)), 0.15) == pytest.approx(0.15)


def written(folder: Path, found: CountyYears, **columns: object) -> Path:
    frame = pd.DataFrame({"crop": "maize", "county": found.county, "year": found.year,
                          "yield_t_ha": np.round(found.target, 4), "source": "s"})  # fmt: skip
    frame["rain"] = found.covariates["rain"].to_numpy()
    path = folder / "y.csv"
    frame.assign(**columns).to_csv(path, index=False)
    return path


def rainy(seed: int, season_rain: float | None, counties: int = 30) -> CountyYears:
    """Fourteen years to 2013, and 2014 with its rain and without its yield."""
    found = made(counties, 15, seed, rain=1.0, shock=0.2, noise=0.3)
    target, rain = found.target.copy(), found.covariates["rain"].to_numpy().copy()
    target[found.year == 2014] = np.nan
    if season_rain is not None:
        usual = rain[(found.county == "c0") & (found.year < 2014)].mean()
        rain[(found.county == "c0") & (found.year == 2014)] = usual + season_rain
    told = found if season_rain is not None else found.part(found.year < 2014)
    rain = rain if season_rain is not None else rain[found.year < 2014]
    target = target if season_rain is not None else target[found.year < 2014]
    frame = pd.DataFrame({"rain": rain})
    return CountyYears(told.county, told.year, target, np.empty((len(rain), 0)), frame)


def prior_of(path: Path, knowing: Knowing = AUTUMN) -> Prior:
    return county_priors(path, knowing, 5)["maize"]


def test_a_dry_season_moves_its_own_forecast_and_not_the_year_after(tmp_path: Path) -> None:
    usual = prior_of(written(tmp_path, rainy(4, 0.0)))
    dry = prior_of(written(tmp_path, rainy(4, -100.0)))
    # 50 mm less than usual were drawn to take 1 t/ha.
    assert usual.mean_t_ha - dry.mean_t_ha == pytest.approx(2.0, abs=0.5)
    assert dry.next_t_ha == pytest.approx(usual.next_t_ha, rel=1e-9)
    assert dry.next_log_sd > dry.years_log_sd * 0.9
    assert dry.told["skill"] is True
    assert dry.told["skill_over_naive"] > 0.2
    blank = prior_of(written(tmp_path, rainy(4, None)))
    assert blank.mean_t_ha == pytest.approx(usual.next_t_ha, rel=0.02)
    assert blank.told["skill"] is False
    assert dry.source == "s, 2000-2013"


def test_no_yield_that_was_not_public_and_no_season_after_it_is_read(tmp_path: Path) -> None:
    found = rainy(5, -60.0, counties=12)
    late = np.where(found.year >= 2013, "2014-10-01", "2014-01-15")
    said = prior_of(written(tmp_path, found.part(found.year < 2013)))
    assert said.source == "s, 2000-2012"
    for value in (1.5, 9.0):  # the yields of 2013 come out after the as-of date
        other = CountyYears(
            found.county, found.year, np.where(found.year >= 2013, value, found.target),
            found.lags, found.covariates,
        )  # fmt: skip
        path = written(tmp_path, other, published_on=late)
        assert prior_of(path) == said
        table = read_yields(path)
        told = yield_problems(table.frame, table.problems, AUTUMN)
        assert {p.code for p in told} == {"input_after_as_of"}
        assert len(told) == 24
    a_day_later = Knowing(dt.date(2014, 10, 1), 2015, ("c0",), 90)
    assert prior_of(path, a_day_later).source == "s, 2000-2014"


def test_a_year_is_public_some_days_after_its_end_where_nobody_says_when(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_text("crop,year,yield_t_ha,source\nmaize,2022,6,s\nmaize,2023,7,s\n")
    spring = {day: prior_of(path, Knowing(day, 2024, (), 90)).source
              for day in (dt.date(2024, 3, 29), dt.date(2024, 3, 30))}  # fmt: skip
    assert list(spring.values()) == ["s, 2022", "s, 2022-2023"]


def test_another_regions_yields_are_never_the_countys_own(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_text(
        "crop,region,year,yield_t_ha,source\nmaize,Germany,2012,8.0,a\nmaize,Germany,2013,9.0,a\n"
        "maize,Bavaria,2013,7.0,b\nmaize,Bavaria,2010,6.0,b\nwheat,Germany,2013,8,a\n"
    )
    knowing = Knowing(dt.date(2014, 9, 30), 2014, ("D001", "bavaria"), 90)
    found = county_priors(path, knowing, 5)
    assert found["maize"].mean_t_ha == pytest.approx(6.5)
    assert found["maize"].source == "b, 2010, 2013"
    assert set(found) == {"maize"}
    told = r"tells yields of Bavaria, Germany and none .*'D002'.*yields_county"
    with pytest.raises(UserError, match=told):
        county_priors(path, Knowing(dt.date(2014, 9, 30), 2014, ("D002",), 90), 5)


def test_remarks_and_harvested_area_are_no_measurements_and_refuse_no_row(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_text(
        "crop,year,yield_t_ha,source,note,harvested_area\nmaize,2012,6,s,12,400\n"
        "maize,2013,7,s,hail in June,500\nmaize,2011,,s,,\n"
    )
    table = read_yields(path)
    assert [(p.row, p.code) for p in table.problems] == [(3, "input_missing")]
    assert prior_of(path).mean_t_ha == pytest.approx(6.5)
