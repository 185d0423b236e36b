"""The season after the last one: what was harvested once everything had been decided.

Owns a year that nobody in the county knows: weather, growth and prices that go on from the last
season. It is written as truth alone, to hold the income of a repayment harvest against what was
reckoned before; extremes come by chance, as in any year, and are not planted.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fieldline.workflows.simulate.cultivars import planted
from fieldline.workflows.simulate.growth import GrowthTable, grow
from fieldline.workflows.simulate.markets import later_prices
from fieldline.workflows.simulate.perennials import sold
from fieldline.workflows.simulate.settings import SeasonSpan, SimulateSettings
from fieldline.workflows.simulate.weather import Weather, generate_weather

NAME = "next"
#: Set the year apart from all others of the county's seed.
_SEED_STEP = 104_729


@dataclass(frozen=True)
class Future:
    """The year after the last season."""

    settings: SimulateSettings
    """The county's, with that year as its only season."""
    weather: Weather
    growth: GrowthTable
    prices: pd.DataFrame

    @property
    def span(self) -> SeasonSpan:
        """The year."""
        return self.settings.seasons[NAME]


def next_span(span: SeasonSpan) -> SeasonSpan:
    """Return the year that follows a season."""
    start = span.end + dt.timedelta(days=1)
    return SeasonSpan(start=start, end=start.replace(year=start.year + 1) - dt.timedelta(days=1))


def look_ahead(settings: SimulateSettings, prices: pd.DataFrame) -> Future:
    """Return the year after the last season of a county.

    Args:
        settings: The county's settings.
        prices: Its prices, which go on from their last month.
    """
    span = next_span(list(settings.seasons.values())[-1])
    own = {"seasons": {NAME: span}, "seed": settings.seed + _SEED_STEP, "yield_years": 2}
    alone = settings.model_copy(update=own)
    # The year stands among those before a later season, whose extremes come by chance.
    later = alone.model_copy(update={"seasons": {"later": next_span(span)}, "yield_years": 4})
    weather = generate_weather(later)
    growth, _ = grow(alone, weather)
    rng = np.random.default_rng([alone.seed, 5])
    after = later_prices(prices, (*planted(settings.crops), *sold(settings)), span.end, rng)
    return Future(alone, weather, growth, after)
