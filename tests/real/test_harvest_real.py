"""The spread of next year's county yield against yields that counties had (CY-Bench)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.county_level import alone
from fieldline.crops.value.prices import Z80
from fieldline.crops.value.priors import own_error

FILES = ("maize/*/yield*.csv", "wheat/*/yield*.csv")


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
