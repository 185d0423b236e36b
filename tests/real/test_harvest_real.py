"""The spread of next year's county yield against yields that counties had (CY-Bench)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.crops.settings import YieldSettings
from fieldline.lending.settings import PolicySettings

Z10 = 1.2815515655446004
FILES = ("maize/*/yield*.csv", "wheat/*/yield*.csv")


def departures(folder: Path, years: int) -> list[float]:
    """Return how far each county year lies from the mean of the years before it, in their sd."""
    found = []
    tables = [path for pattern in FILES for path in sorted(folder.glob(pattern))]
    for path in tables:
        for _, county in pd.read_csv(path).groupby("adm_id"):
            values = county.sort_values("harvest_year")["yield"].to_numpy(float)
            for year in range(years, len(values)):
                past, now = values[year - years : year], values[year]
                if (past > 0).all() and now > 0 and np.log(past).std(ddof=1) > 0:
                    found.append(np.log(now / past.mean()) / np.log(past).std(ddof=1))
    return found


def test_one_year_in_ten_lies_below_the_lower_tenth_of_a_county(real_data: Path) -> None:
    spread = float(PolicySettings().next_year_spread)
    found = np.array(departures(real_data / "cybench", YieldSettings().prior_years))
    assert len(found) > 1000
    assert 0.08 <= (found < -Z10 * spread).mean() <= 0.12
