"""County-years made with known truths."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fieldline.crops.forecast.county_years import CountyYears


def table(
    county: list[str], year: list[int], target: list[float], **covariates: list[float]
) -> CountyYears:
    frame = pd.DataFrame(covariates, index=range(len(year)), dtype=float)
    return CountyYears(
        np.array(county), np.array(year), np.array(target, dtype=float),
        np.empty((len(year), 0)), frame,
    )  # fmt: skip


def made(
    counties: int, years: int, seed: int, *, rain: float = 0.0, slope: float = 0.0,
    shock: float = 0.5, noise: float = 0.4, first: int = 2000,
) -> CountyYears:  # fmt: skip
    """Return yields with levels of counties, a shock of each year and an effect of rain.

    Args:
        counties: How many.
        years: How many, from `first` on.
        seed: Of the draws.
        rain: What a standard deviation less rain than usual takes, t/ha; more rain gives nothing.
        slope: Rise a year, t/ha.
        shock: Standard deviation of what all counties of a year share, t/ha.
        noise: Of what each has alone, t/ha.
        first: First year.
    """
    rng = np.random.default_rng(seed)
    level = rng.normal(7, 1, counties)
    usual = rng.normal(300, 60, counties)
    shared = rng.normal(0, shock, years)
    far = rng.normal(0, 1, years)[None] * 0.8 + rng.normal(0, 0.6, (counties, years))
    number, place = np.divmod(np.arange(counties * years), years)
    found = (
        level[number] + slope * place + shared[place] + rain * np.minimum(far, 0)[number, place]
        + rng.normal(0, noise, counties * years)
    )  # fmt: skip
    return table(
        [f"c{n}" for n in number], (first + place).tolist(), found.tolist(),
        rain=(usual[number] + 50 * far[number, place]).tolist(),
        idle=rng.normal(0, 1, counties * years).tolist(),
    )  # fmt: skip
