"""The same county, year and missing value, as different publishers write it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.forecast.county_years import Columns, CountyYears, joined, read_county_years
from fieldline.crops.forecast.evaluate import evaluate_later
from fieldline.crops.forecast.spelling import same_counties, without_fills
from fieldline.pipeline.records.errors import UserError


def _table(counties: list[str], years: range, scale: float = 1.0) -> CountyYears:
    """County k yields 5 + k in every year but for a wave that all share."""
    rows = [(c, y, (5 + k + np.sin(y)) * scale) for k, c in enumerate(counties) for y in years]
    return CountyYears.of_columns(*(list(column) for column in zip(*rows, strict=True)))


@pytest.mark.parametrize("other", [["1001", "1003"], ["1001.0", "1003.0"], [" 01001", "01003 "]])
def test_a_county_keeps_its_mean_however_its_code_is_written(other: list[str]) -> None:
    train = _table(["01001", "01003"], range(2000, 2012))
    plain = evaluate_later(train, _table(["01001", "01003"], range(2012, 2016)), ["mean"])
    found = evaluate_later(train, _table(other, range(2012, 2016)), ["mean"])
    assert found["figures"] == plain["figures"]
    assert not found["remarks"]


def test_names_that_fit_several_counties_stay_as_they_are() -> None:
    assert same_counties(["adair", "Polk", "New"], ["ADAIR", "POLK", "Polk "]) == {
        "adair": "ADAIR", "Polk": "Polk", "New": "New",
    }  # fmt: skip
    assert same_counties(["a", "A"], ["a "]) == {"a": "a", "A": "A"}  # two of the asked are alike


def test_counties_that_were_not_learnt_are_told() -> None:
    train = _table(["a", "b"], range(2000, 2012))
    found = evaluate_later(train, _table(["a", "c", "d"], range(2012, 2015)), ["mean"])
    assert found["remarks"] == [
        "2 of 3 counties are not in the training table (first c): their mean is that of all "
        "counties"
    ]


@pytest.mark.parametrize("scale", [1000.0, 15.93, 1 / 15.0])
def test_tables_of_other_units_are_refused_whatever_they_state(scale: float) -> None:
    train = _table(["a", "b"], range(2000, 2012))
    with pytest.raises(UserError, match=r"in different units: state each table's unit"):
        evaluate_later(train, _table(["a", "b"], range(2012, 2015), scale), ["mean"])


def test_days_tell_their_year_and_seasons_of_two_years_are_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("county,year,yield\nA,2001-07-15,5\nA,2002-08-01,6\nB,2001,7\n", "utf-8")
    assert read_county_years(path, Columns()).year.tolist() == [2001, 2002, 2001]
    path.write_text("county,year,yield\nA,2001/02,5\nA,2002/03,6\n", "utf-8")
    with pytest.raises(UserError, match=r"row 1 says '2001/02' for its year.*write harvest years"):
        read_county_years(path, Columns())


def test_fill_values_are_missing_where_they_lie_beyond_all_others() -> None:
    values, said = without_fills(np.array([3.0, -9999.0, 7.0, -9999.0]))
    assert np.array_equal(values, [3, np.nan, 7, np.nan], equal_nan=True)
    assert said == "2 cells say -9999, which stands for nothing measured"
    for true in ([-150.0, -99.0, 20.0], [8000.0, 9999.0, 12000.0], [1.0, 2.0, 3.0]):
        values, said = without_fills(np.array(true))
        assert values.tolist() == true
        assert said == ""


def test_a_covariate_that_is_the_yield_rounded_is_none() -> None:
    import pandas as pd

    table = _table([f"c{k}" for k in range(5)], range(2000, 2012))
    noise = np.random.default_rng(0).normal(0, 1, len(table))
    told = pd.DataFrame({"bushels": (table.target * 15.93).round(), "rain": table.target + noise})
    read = CountyYears.of_columns(
        table.county.tolist(), table.year.tolist(), table.target.tolist(), told
    )
    assert list(read.covariates) == ["rain"]
    assert read.left_out == {"bushels": "says the yield in other words"}


def test_slips_of_a_table_are_found_under_the_other_tables_spelling() -> None:
    first = _table(["01001"], range(2000, 2003))
    second = CountyYears(
        np.array(["1001"]), np.array([2004]), np.array([5.0]), np.array([[50.0]]),
        first.covariates.iloc[:1], slipped=frozenset({("1001", 2003)}),
    )  # fmt: skip
    assert joined(first, second).slipped == {("01001", 2003)}
