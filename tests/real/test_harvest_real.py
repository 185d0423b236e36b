"""The spread of next year's county yield against yields that counties had (CY-Bench)."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.county_level import alone
from fieldline.crops.value.prices import Z80
from fieldline.crops.value.priors import own_error
from tests.benchmarks.known_alone import cy_bench, departures


def of_last(folder: Path, years: int) -> list[float]:
    """Return how far each year lies from what so many years before it promised, in its sd."""
    found = []
    usual = own_error("maize").shared
    for values in itertools.chain(*cy_bench(folder).values()):
        for year in range(years, len(values)):
            past, now = values[year - years : year], values[year]
            if (past > 0).all() and now > 0:
                said = alone(past, usual)
                found.append(np.log(now / said.t_ha) / said.log_sd)
    return found


@pytest.mark.parametrize("years", [2, 3, YieldSettings().prior_years])
def test_one_year_in_ten_lies_below_the_lower_tenth_of_a_county(
    real_data: Path, years: int
) -> None:
    found = np.array(of_last(real_data / "cybench", years))
    assert len(found) > 1000
    assert 0.08 <= (found < -Z80).mean() <= 0.12


def test_where_a_county_has_many_years_its_own_left_out_errors_hold_more_nearly_what_they_promise(
    real_data: Path,
) -> None:
    """Each year is told from those before it: it sets nothing. A fifth should lie outside."""
    off = {"t": 0.0, "told": 0.0}
    for counties in cy_bench(real_data / "cybench").values():
        for rule, rows in departures(counties).items():
            off[rule] += abs(float((np.abs(rows) > 1).mean()) - 0.2) if len(rows) > 50 else 0.0
    assert 0 < off["told"] < 0.85 * off["t"]
