"""The spread of next year's county yield against yields that counties had (CY-Bench)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.forecast.slips import slips_of_ten
from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.county_level import alone, unseen_errors
from fieldline.crops.value.prices import Z80
from fieldline.crops.value.priors import own_error

MANY = 10
"""Left-out years from which a county's own should tell better than usual ones."""
FILES = ("maize/*/yield*.csv", "wheat/*/yield*.csv")


def county_series(folder: Path) -> dict[str, list[np.ndarray]]:
    """Return the yields of each county by year, by table."""
    return {
        path.stem: [
            county.sort_values("harvest_year")["yield"].to_numpy(float)
            for _, county in pd.read_csv(path).groupby("adm_id")
        ]
        for pattern in FILES for path in sorted(folder.glob(pattern))
    }  # fmt: skip


def without_slips(counties: list[np.ndarray]) -> list[np.ndarray]:
    """Return the yields of each county that a run's statistics believe."""
    lengths = [len(values) for values in counties]
    county = np.repeat([str(at) for at in range(len(counties))], lengths)
    years = np.concatenate([np.arange(length) for length in lengths])
    yields = np.concatenate(counties)
    kept = ~slips_of_ten(county, years, yields).slipped & (yields > 0)
    return [yields[kept & (county == str(at))] for at in range(len(counties))]


def departures(folder: Path, years: int) -> list[float]:
    """Return how far each county year lies from what the years before it promised, in its sd."""
    found = []
    usual = own_error("maize").shared
    tables = [path for pattern in FILES for path in sorted(folder.glob(pattern))]
    for path in tables:
        for _, county in pd.read_csv(path).groupby("adm_id"):
            values = county.sort_values("harvest_year")["yield"].to_numpy(float)
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
    found = np.array(departures(real_data / "cybench", years))
    assert len(found) > 1000
    assert 0.08 <= (found < -Z80).mean() <= 0.12


def test_where_a_county_has_many_years_its_own_left_out_errors_hold_more_nearly_what_they_promise(
    real_data: Path,
) -> None:
    """Each year is told from those before it: it sets nothing. A fifth should lie outside."""
    usual, off = own_error("maize").shared, {"own": 0.0, "usual": 0.0}
    for counties in county_series(real_data / "cybench").values():
        outside: dict[str, list[bool]] = {"own": [], "usual": []}
        for values in without_slips(counties):
            for year in range(len(values)):
                unseen = unseen_errors(values[:year], 5)
                if len(unseen) < MANY:
                    continue
                past = values[year - 5 : year]
                said = {"own": alone(past, usual, unseen), "usual": alone(past, usual)}
                for name, one in said.items():
                    error = np.log(values[year] / one.t_ha)
                    outside[name].append(abs(error) > Z80 * one.log_sd)
        for name, rows in outside.items():
            off[name] += abs(float(np.mean(rows)) - 0.2) if len(rows) > 50 else 0.0
    assert off["own"] < 0.85 * off["usual"]
