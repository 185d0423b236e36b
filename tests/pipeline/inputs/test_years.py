"""Years of two calendar years: read as the later one, and never made of a month."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldline.crops.inputs import COUNTY_YIELDS
from fieldline.pipeline.inputs.read import read_input


def read(folder: Path, *years: str) -> tuple[list[float], list[str]]:
    """Return the years of a yield table, 0 where one was refused, and the refused cells."""
    rows = [f"soybean;{year};2.{place}" for place, year in enumerate(years)]
    path = folder / "yields.csv"
    path.write_text("\n".join(["crop;year;yield_t_ha", *rows]) + "\n", encoding="utf-8")
    table = read_input(path, COUNTY_YIELDS)
    return table.frame["year"].fillna(0).tolist(), [p.value for p in table.problems]


@pytest.mark.parametrize(
    ("written", "later"),
    [("2024/25", 2025), ("2024-25", 2025), ("2024/2025", 2025), ("2024 – 2025", 2025),
     ("1999/00", 2000), ("1999-2000", 2000), ("２０２４／２５", 2025), ("2025", 2025)],
)  # fmt: skip
def test_a_year_of_two_is_the_later(written: str, later: int, tmp_path: Path) -> None:
    assert read(tmp_path, written, "2019") == ([later, 2019], [])


@pytest.mark.parametrize("written", ["2024/26", "2024-2024", "2024/23", "24/25", "2024/2"])
def test_years_that_do_not_follow_are_refused(written: str, tmp_path: Path) -> None:
    assert read(tmp_path, written, "2022/23") == ([0, 2023], [written])


def test_a_run_of_years_that_could_be_months_is_read(tmp_path: Path) -> None:
    written = ["2009/10", "2010/11", "2011/12", "2012/13"]
    assert read(tmp_path, *written) == ([2010, 2011, 2012, 2013], [])


def test_months_are_no_years(tmp_path: Path) -> None:
    # December of three years: the second would pass for 2011/12.
    months = ["2010-12", "2011-12", "2012-12"]
    assert read(tmp_path, *months) == ([0, 0, 0], months)
