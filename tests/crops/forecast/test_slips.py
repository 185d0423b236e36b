from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.forecast.county_years import Columns, joined, read_county_years
from fieldline.crops.forecast.slips import slips_of_ten

USUAL = [9.0, 10.0, 9.5, 10.5, 9.2, 10.1, 9.8]


def table(*counties: list[float]) -> tuple[list[str], np.ndarray, np.ndarray]:
    names = [f"c{place}" for place, row in enumerate(counties) for _ in row]
    years = np.array([2000 + at for row in counties for at in range(len(row))])
    return names, years, np.array([value for row in counties for value in row])


def places(rows: np.ndarray) -> list[int]:
    return np.flatnonzero(rows).tolist()


def in_2007(*lasts: float) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return counties with the same usual years and each its own yield of 2007."""
    return table(*([*USUAL, last] for last in lasts))


def test_ten_times_and_a_tenth_of_what_a_county_tells_are_slips_where_others_had_a_usual_year() -> (
    None
):
    high = [4.0, 5.0, 4.5, 55.0, 4.2, 5.1, 4.8, 4.6]
    names, years, yields = table(high, [*USUAL, 0.98], *([*USUAL, 9.0 + n] for n in range(3)))
    found = slips_of_ten(names, years, yields)
    assert places(found.slipped) == [3, 15]
    assert not found.unusual.any()


def test_a_tenth_in_a_lone_county_counts_and_is_told() -> None:
    found = slips_of_ten(*table([*USUAL, 1.05]))
    assert not found.slipped.any()
    assert places(found.unusual) == [7]


@pytest.mark.parametrize(
    ("tenth", "between", "near", "slipped"),
    [
        (12, 5, 3, 0),  # frost: hardly any county had a usual year
        (12, 5, 8, 0),  # as many had one, and a harvest was lost by degrees
        (12, 4, 6, 12),  # a quarter as usual, a third as many between: a column of that year
        (12, 4, 5, 0),
        (1, 0, 3, 1),
        (1, 0, 2, 0),  # two others tell too little
        (1, 1, 20, 0),
    ],
)
def test_a_lost_harvest_comes_in_degrees_and_a_slip_beside_usual_years(
    tenth: int, between: int, near: int, slipped: int
) -> None:
    found = slips_of_ten(*in_2007(*[1.0] * tenth, *[4.0] * between, *[9.5] * near))
    assert found.slipped.sum() == slipped
    assert found.unusual.sum() == tenth - slipped


def test_counties_of_few_years_do_not_tell_that_a_year_was_usual() -> None:
    names, years, yields = in_2007(1.0)
    for n in range(9):  # each its own median, whatever the year was
        names, years, yields = [*names, f"new{n}"], np.append(years, 2007), np.append(yields, 1.0)
    assert not slips_of_ten(names, years, yields).slipped.any()


def test_an_arid_countys_wet_year_counts_and_ten_times_its_usual_does_not() -> None:
    arid = [0.1, 0.15, 0.25, 0.3, 0.25, 0.2, 0.25]
    wet, tenfold = (slips_of_ten(*table([*arid, last])) for last in (1.4, 2.4))
    assert (places(wet.slipped), places(wet.unusual)) == ([], [7])  # 5.6 times
    assert (places(tenfold.slipped), places(tenfold.unusual)) == ([7], [])  # 9.6 times


def test_what_a_person_confirms_is_no_slip() -> None:
    names, years, yields = in_2007(0.98, 99.0, 9.0, 9.0, 9.0)
    assert places(slips_of_ten(names, years, yields).slipped) == [7, 15]
    found = slips_of_ten(names, years, yields, yields == 0.98)
    assert places(found.slipped) == [15]
    assert not found.unusual.any()


@pytest.mark.parametrize(
    "row",
    [
        [4.0, 5.0, 4.5, 50.0],  # three others tell too little
        [4.0, 5.0, 4.5, 5.5, 4.2, 16.0],  # four times as much: no decimal place
        [4.0, 5.0, 4.5, 5.5, 4.2, 200.0],  # a tenth of it lies outside too
        [4.0, 5.0, 4.5, 5.5, 4.2, 0.0, np.nan],  # nothing was told
        [np.nan],
    ],
)
def test_what_is_no_slip(row: list[float]) -> None:
    found = slips_of_ten(*table(row))
    assert not (found.slipped | found.unusual).any()


def written(path: Path, *rows: str, head: str = "county,year,crop,yield") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_table_says_which_row_is_not_believed_and_what_to_mend(tmp_path: Path) -> None:
    rows = [f"A,{2000 + n},maize,{value}" for n, value in enumerate("45674544")]
    rows += [f"A,{2000 + n},potato,{value}0" for n, value in enumerate("45674544")]
    path = written(tmp_path / "t.csv", *rows, "A,2008,maize,46", "A,2009,maize,.5")
    found = read_county_years(path, Columns(crop="maize"))
    assert found.year.tolist() == [*range(2000, 2008), 2009]
    assert found.remarks == (
        "1 rows whose yield is ten times too small or too large are left out (row 17, A in 2008: "
        "46, usually 4.5): mend the decimal mark, or the area that it was divided by, or say yes "
        "in a column `confirmed` where it is true",
        "1 rows whose yield is far from the usual count all the same (row 18, A in 2009: 0.5, "
        "usually 4.5): a season can make that; mend it if a decimal mark slipped, or say yes in a "
        "column `confirmed`",
    )


def test_a_confirmed_row_counts_and_the_column_is_no_covariate(tmp_path: Path) -> None:
    rows = [f"A,{2000 + n},{value},0" for n, value in enumerate("45674544")]
    path = written(tmp_path / "t.csv", *rows, "A,2008,46,1", head="county,year,yield,Confirmed")
    found = read_county_years(path, Columns())
    assert found.target[-1] == 46
    assert found.remarks == ()
    assert found.covariates.empty


def test_no_later_row_of_either_table_tells_a_slip_as_an_earlier_yield(tmp_path: Path) -> None:
    yields = [4.0, 5.0, 6.0, 7.0, 4.0, 5.0, 46.0, 4.0]
    head = "county,year,yield-1,yield-2,yield"
    rows = [
        f"{county},{2000 + n},{yields[n - 1] / part},{yields[n - 2] / part},{yields[n] / part}"
        for county, part in (("A", 1), ("B", 2))
        for n in range(2, 8)
    ]
    rows = [row.replace("23.0", "3.0") for row in rows]  # B has no slip
    past = read_county_years(written(tmp_path / "t.csv", *rows, head=head), Columns())
    assert past.slipped == {("A", 2006)}
    last = past.lags[past.year == 2007]
    np.testing.assert_allclose(last, [[np.nan, 5], [3, 2.5]])
    asked = written(tmp_path / "u.csv", "A,2008,4,46,", "B,2008,2,3,", head=head)
    both = joined(past, read_county_years(asked, Columns(), known=False))
    np.testing.assert_allclose(both.lags[-2:], [[4, np.nan], [2, 3]])


@pytest.mark.realdata
def test_spanish_maize_of_2002_is_not_believed_and_no_drought_of_others_is_lost(
    real_data: Path,
) -> None:
    slipped = {"maize/ES/yield_maize_ES.csv": 21, "wheat/ES/yield_wheat_ES.csv": 1,
               "grain_maize_US_train.csv": 0, "data_FR/YIELD_NUTS3_FR.csv": 0}  # fmt: skip
    for path, count in slipped.items():
        assert len(read_county_years(real_data / "cybench" / path, Columns()).slipped) == count
