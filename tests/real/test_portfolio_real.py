"""How far two weather cells share a year: soybean yields of 96 Illinois counties, 1980-2022."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.portfolio.settings import PortfolioSettings

pytestmark = pytest.mark.realdata

_KM_PER_DEGREE = 111.2


def test_years_of_neighbouring_cells_correlate_as_the_setting_says(real_data: Path) -> None:
    folder = real_data / "illinois_soy_hls"
    yields = pd.read_csv(folder / "Illinois_soy_NASS_1980_2022.csv")
    places = pd.read_csv(folder / "county_points_96.csv").set_index("location")
    years = yields.pivot_table(index="Year", columns="County", values="Value")
    known = years[[c for c in years if c in places.index]].dropna(axis=1, thresh=40)
    logs = known.map(np.log)
    strays = logs.apply(
        lambda s: s - np.polyval(np.polyfit(s.dropna().index, s.dropna(), 1), s.index)
    )
    correlation = strays.corr().to_numpy()
    at = places.loc[known.columns]
    north, east = at["latitude"].to_numpy(), at["longitude"].to_numpy() * np.cos(np.radians(40))
    apart = _KM_PER_DEGREE * np.hypot(
        np.subtract.outer(north, north), np.subtract.outer(east, east)
    )  # fmt: skip
    pairs = np.triu_indices(len(at), 1)
    means = [
        correlation[pairs][(apart[pairs] >= low) & (apart[pairs] < high)].mean()
        for low, high in ((0, 40), (40, 80), (80, 160), (160, 320))
    ]
    assert means == pytest.approx([0.87, 0.81, 0.69, 0.53], abs=0.01)
    # Cells of reanalyses lie 25 to 60 km apart: the default is no more than what neighbours show.
    assert means[2] < PortfolioSettings().cells_yield_correlation <= means[1]
