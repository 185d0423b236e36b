"""A second crop in the same season: maize sown into the stubble of a winter cereal.

Owns which fields carry it, its growth and what therefore stands on a field on a day. The papers
know one crop per field and season; they are `papers`' and say nothing of it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fieldline.workflows.simulate.appearance import Seasons
from fieldline.workflows.simulate.cultivars import Cultivar, all_cultivars
from fieldline.workflows.simulate.growth import FieldGrowth, GrowthTable, grow_crop
from fieldline.workflows.simulate.settings import SimulateSettings
from fieldline.workflows.simulate.weather import Weather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_EARLINESS = 0.85
"""Summer maize is an earlier type than spring maize: share of its thermal time."""
_SOWN = (6, 10)
_TURN_DAYS = 4.0
"""Days from the cereal's harvest to the maize at least."""
_LATEST_HARVEST = (6, 25)
"""A first crop that stands longer leaves no time for a second."""


def summer_maize() -> Cultivar:
    """Return the second crop: the table's maize, of an earlier type and sown in June."""
    maize = all_cultivars()["maize"]
    return replace(maize, sow_date=_SOWN, thermal_scale=maize.thermal_scale * _EARLINESS)


def grow_second(settings: SimulateSettings, weather: Weather) -> GrowthTable | None:
    """Return the runs of the second crop; None where no field carries one."""
    if settings.land.double_cropping == 0:
        return None
    return grow_crop(settings, weather, summer_maize())


def standing(
    seasons: Seasons, table: GrowthTable | None, settings: SimulateSettings,
    people: tuple[Ints, Floats], rng: np.random.Generator,
) -> Seasons:  # fmt: skip
    """Return what stands on the fields, second crops among the first in order of sowing.

    Args:
        seasons: The first crop of every season.
        table: Runs of the second; None leaves the seasons as they are.
        settings: Share of the fields and the seasons' days.
        people: Weather cell of each field and skill of its farmer.
        rng: Generator of this tile's second crops.
    """
    if table is None:
        return seasons
    cell, skill = people
    crops, growth = list[Ints](), list[FieldGrowth]()
    for order, span in enumerate(settings.seasons.values()):
        first = seasons.growth[order]
        second = table.fields(
            order, np.zeros(len(cell), np.int64), cell, np.zeros(len(cell)), skill
        )
        latest = (dt.date(span.end.year, *_LATEST_HARVEST) - dt.date(1970, 1, 1)).days
        early = first.sow_day + first.length <= latest
        sown = early & (rng.random(len(cell)) < settings.land.double_cropping)
        day = np.maximum(second.sow_day, first.sow_day + first.length + _TURN_DAYS)
        crops += [seasons.crop[order], np.full(len(cell), len(seasons.cultivars))]
        growth += [first, replace(second, sow_day=np.where(sown, day, np.inf))]
    return Seasons((*seasons.cultivars, summer_maize()), np.stack(crops), tuple(growth))
