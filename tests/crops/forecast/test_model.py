from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fieldline.crops.forecast.levels import LEVELS, Levels
from fieldline.crops.forecast.model import Unseen, fit_forecast, story
from fieldline.pipeline.records.errors import UserError
from tests.crops.forecast.made import made, table


def test_naive_levels_by_hand() -> None:
    past = table(["a", "a", "a", "b", "b"], [2001, 2002, 2003, 2001, 2003], [4, 5, 6, 8, 10])
    levels = Levels.of(past)
    # Within counties both rise by 1 a year.
    assert levels.slope == pytest.approx(1.0)
    naive = levels.naive(table(["a", "b", "new"], [2004, 2004, 2004], [np.nan] * 3))
    assert naive["mean"].tolist() == [5, 9, 6.6]
    assert naive["last5"].tolist() == [5, 9, 6.6]  # nobody knows a new county: all counties' mean
    # At year 0: a -1997 thrice, b -1993 twice, all -1995.4; each drawn to that by one year's worth.
    at_zero = [(-1997 * 3 - 1995.4) / 4, (-1993 * 2 - 1995.4) / 3, -1995.4]
    assert naive["trend"] == pytest.approx([2004 + value for value in at_zero])
    # The last years of a are of 2002 on average, those of b too: two years at 1 a year are added.
    assert naive["drift"] == pytest.approx([7, 11, 2004 - 1995.4])


def test_the_last_five_known_years_are_those_before_and_no_others() -> None:
    years = list(range(2000, 2010))
    past = table(["a"] * 10, years, [float(year - 1999) for year in years])
    rows = table(["a", "a", "a"], [2003, 2008, 2015], [99.0] * 3)
    assert Levels.of(past).naive(rows)["last5"].tolist() == [2, 6, 8]  # of 1-3, 4-8 and 6-10
    told = replace(rows, lags=np.array([[7.0, 9], [np.nan, 3], [np.nan, np.nan]]))
    naive = Levels.of(past).naive(told)
    assert naive["last5"].tolist() == [8, 3, 5.5]
    # One a year: of 1.5 and of 2 years ago; nothing told leaves the trend, 2015 - 1999.
    assert naive["drift"] == pytest.approx([9.5, 5, 16])


def test_a_forecast_reads_no_yield_of_its_own_year_or_later() -> None:
    found = made(20, 12, 1, rain=1.0)
    past, rows = found.part(found.year < 2009), found.part(found.year >= 2009)
    model = fit_forecast(past)
    before = model.predict(rows, past)
    spoiled = replace(rows, target=rows.target * 100)
    assert model.predict(spoiled, past).q50.tolist() == before.q50.tolist()
    # Years that are published by then move later ones, never their own or earlier.
    grown = model.predict(
        rows, replace(found, target=np.where(found.year >= 2010, 99.0, found.target))
    )
    for year, moved in (
        (2009, False),
        (2010, False),
        (2011, model.choice.weights[LEVELS.index("last5")] > 0),
    ):
        at = rows.year == year
        same = np.allclose(grown.q50[at], model.predict(rows, found).q50[at])
        assert same is not moved


def test_rain_that_matters_moves_the_forecast_and_rain_that_does_not_leaves_the_naive_levels() -> (
    None
):
    for rain, skilled in ((1.0, True), (0.0, False)):
        found = made(40, 14, 7, rain=rain, shock=0.3)
        past, rows = found.part(found.year < 2011), found.part(found.year >= 2011)
        model = fit_forecast(past)
        assert model.skilled is skilled
        naive = Levels.of(past).naive(rows)
        plain = sum(w * naive[name] for name, w in zip(LEVELS, model.choice.weights, strict=True))
        error = np.mean((model.predict(rows).q50 - rows.target) ** 2)
        if skilled:
            assert error < 0.75 * np.mean((plain - rows.target) ** 2)
        else:
            assert model.predict(rows).q50 == pytest.approx(np.maximum(plain, 0))


def test_a_drought_takes_what_was_planted() -> None:
    found = made(60, 16, 3, rain=1.0, shock=0.1, noise=0.2)
    model = fit_forecast(found, "year")
    usual = found.covariates["rain"].groupby(found.county).mean()
    rain = [usual["c0"] + more for more in (0, -100, 100)]
    dry = table(["c0"] * 3, [2020] * 3, [np.nan] * 3, rain=rain, idle=[0.0] * 3)
    usually, drought, wet = model.predict(dry).q50
    # 50 mm are what was drawn as 1: twice that takes 2 t/ha, and as much more gives nothing.
    assert usually - drought == pytest.approx(2.0, abs=0.4)
    assert abs(wet - usually) < 0.6


def test_a_tenth_of_an_unseen_years_counties_falls_below_and_above() -> None:
    """Years differ as a whole: counties of one year are no independent draws."""
    below, above = [], []
    for seed in range(40):
        found = made(15, 13, 100 + seed, shock=0.6)
        past, rows = found.part(found.year < 2012), found.part(found.year == 2012)
        said = fit_forecast(past).predict(rows)
        below.append((rows.target < said.q10).mean())
        above.append((rows.target > said.q90).mean())
    # 40 years whose shares spread by some .2: a standard error of .03.
    assert np.mean(below) == pytest.approx(0.1, abs=0.06)
    assert np.mean(above) == pytest.approx(0.1, abs=0.06)


def test_the_unit_of_the_table_changes_nothing_else() -> None:
    found = made(15, 10, 5, rain=0.8)
    model, other = fit_forecast(found), fit_forecast(replace(found, target=found.target * 15.93))
    assert other.choice.weights == pytest.approx(model.choice.weights)
    assert (other.choice.doubt, other.choice.hinges) == (model.choice.doubt, model.choice.hinges)
    rows = made(15, 2, 6, first=2010)
    assert other.predict(rows).q10 == pytest.approx(15.93 * model.predict(rows).q10)


def test_two_years_give_the_mean_with_a_wide_interval_and_one_gives_nothing() -> None:
    two = table(["a", "a", "b", "b"], [2001, 2002] * 2, [4, 6, 5, 7])
    model = fit_forecast(two)
    said = model.predict(table(["a"], [2003], [np.nan]))
    # Errors of 1 about each mean; t with one degree of freedom leaves a tenth above 3.078, and the
    # mean of two years is itself unsure: times sqrt(3 / 1).
    assert said.q50.tolist() == [5.0]
    assert said.q90[0] - 5 == pytest.approx(3.0777 * np.sqrt(3), rel=1e-4)
    assert said.q10[0] == 0.0  # no yield is below nothing
    assert story(model)["skill"] is False
    with pytest.raises(UserError, match="the yields are of one year"):
        fit_forecast(table(["a", "b"], [2001, 2001], [4, 5]))


@pytest.mark.parametrize(
    ("counties", "years", "unseen", "enough"),
    [(4, 3, "later", False), (4, 4, "later", True), (4, 2, "year", False), (4, 3, "year", True),
     (1, 9, "county", False), (2, 9, "county", True)],
)  # fmt: skip
def test_a_level_that_is_named_stands_or_is_refused_where_too_little_is_known(
    counties: int, years: int, unseen: Unseen, enough: bool
) -> None:
    past = made(counties, years, 3, slope=0.5)
    assert fit_forecast(past, unseen, "mean").reference == "mean"
    if enough:
        assert fit_forecast(past, unseen, "trend").reference == "trend"
        return
    assert fit_forecast(past, unseen).choice.weights == (1.0, 0.0, 0.0, 0.0)
    said = rf"{years} years of {counties} counties are too few for the reference 'trend'"
    with pytest.raises(UserError, match=said):
        fit_forecast(past, unseen, "trend")


def test_a_county_never_seen_is_as_unsure_as_counties_differ() -> None:
    found = made(30, 10, 5, shock=0.2)
    model = fit_forecast(found)
    asked = table(["c3", "x"], [2010, 2010], [np.nan] * 2, rain=[300.0] * 2, idle=[0.0] * 2)
    said = model.predict(asked)
    known, new = (said.q90 - said.q50) / model.reach
    means = [found.target[found.county == f"c{n}"].mean() for n in range(30)]
    usual = np.sqrt(new**2 - np.var(means, ddof=1))
    assert usual == pytest.approx(known, rel=0.3)  # its own spread, drawn to all counties'
    assert new > 0.9 > known  # levels of counties were drawn with 1 t/ha
