from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.forecast.county_years import Columns, read_county_years
from fieldline.crops.forecast.slips import slips_of_ten

YEARS = list(range(2000, 2008))


def table(*counties: list[float]) -> tuple[list[str], np.ndarray, np.ndarray]:
    names = [f"c{place}" for place, row in enumerate(counties) for _ in row]
    years = np.array([2000 + at for row in counties for at in range(len(row))])
    return names, years, np.array([value for row in counties for value in row])


def test_ten_times_and_a_tenth_of_what_a_county_tells_are_slips() -> None:
    usual = [4.0, 5.0, 4.5, 5.5, 4.2, 5.1, 4.8, 4.6]
    names, years, yields = table([*usual[:3], 55.0, *usual[4:]], [*usual[:6], 0.48, usual[7]])
    found = slips_of_ten(names, years, yields)
    assert np.flatnonzero(found).tolist() == [3, 14]


def test_a_drought_comes_in_degrees_and_is_believed() -> None:
    usual = [9.0, 10.0, 9.5, 10.5, 9.2, 10.1, 9.8]
    bad = [1.0, 4.0, 5.5]  # the year 2007: one county at a tenth, two between
    names, years, yields = table(*([*usual, low] for low in bad))
    assert not slips_of_ten(names, years, yields).any()
    slipped = [1.0, 0.9, 5.5]  # two at a tenth and one between: a table's column of that year
    names, years, yields = table(*([*usual, low] for low in slipped))
    assert np.flatnonzero(slips_of_ten(names, years, yields)).tolist() == [7, 15]


@pytest.mark.parametrize(
    "row",
    [
        [4.0, 5.0, 4.5, 50.0],  # three others tell too little
        [4.0, 5.0, 4.5, 5.5, 4.2, 16.0],  # four times as much: no decimal place
        [4.0, 5.0, 4.5, 5.5, 4.2, 200.0],  # a tenth of it lies outside too
        [4.0, 5.0, 4.5, 5.5, 4.2, 0.0, np.nan],  # nothing was told
    ],
)
def test_what_is_no_slip(row: list[float]) -> None:
    assert not slips_of_ten(*table(row)).any()


def test_a_table_says_which_row_is_not_believed_and_what_to_mend(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"A,{year},{value}\n" for year, value in zip(YEARS, "45674544", strict=True))
    path.write_text("county,year,yield\n" + rows + "A,2008,46\n", encoding="utf-8")
    found = read_county_years(path, Columns())
    assert 2008 not in found.year
    assert found.remarks == (
        "1 rows whose yield is ten times too small or too large are left out (row 9, A in 2008: "
        "46, usually 5): mend the decimal mark, or the area that it was divided by",
    )


@pytest.mark.realdata
def test_spanish_maize_of_2002_is_not_believed_and_no_drought_of_others_is_lost(
    real_data: Path,
) -> None:
    spain = read_county_years(real_data / "cybench/maize/ES/yield_maize_ES.csv", Columns())
    assert any(remark.startswith("21 rows whose yield is ten times") for remark in spain.remarks)
    for path in ("grain_maize_US_train.csv", "data_FR/YIELD_NUTS3_FR.csv"):
        table = read_county_years(real_data / "cybench" / path, Columns())
        assert not any("ten times" in remark for remark in table.remarks)
