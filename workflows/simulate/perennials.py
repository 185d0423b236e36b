"""Orchards, tea gardens and greenhouses that are claimed as what they are: what they bring in.

Owns the loader of `data/simulated_perennials.csv`, the county's statistics of these crops and what
each ground earns in a season. A greenhouse has no yield that anybody publishes: it is worth what
the table of values by area says. Their look is `appearance`'s, who works them `people`'s.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.pipeline.records.reference import calendar, checked_rows
from fieldline.workflows.simulate.land import COVERS, Land
from fieldline.workflows.simulate.settings import SeasonSpan, SimulateSettings

Floats = npt.NDArray[np.float64]

REGION = "sim"
AREA_VALUES = "area_values_sim.csv"
"""Template of the values by area that the simulated county publishes and lends by."""
_YEARS_STREAM, _OWN_STREAM = 600, 601


@dataclass(frozen=True)
class Perennial:
    """One crop that stands for years."""

    code: str
    yield_t_ha: float | None
    """Mean market yield; None where the crop is worth its area."""
    years_log_sd: float
    """Spread of the county's log yield (or value) between years."""
    own_log_sd: float
    """Spread between grounds of one year."""
    price_cny_kg: float
    price_amplitude: float
    price_harvest_month: int
    """As of a cultivar; nothing where there is no yield."""

    @property
    def sold_by_weight(self) -> bool:
        """Whether yields and prices of it are published."""
        return self.yield_t_ha is not None


@cache
def all_perennials() -> tuple[Perennial, ...]:
    """Return every perennial of the table, in its order."""
    with (files("fieldline") / "data" / "simulated_perennials.csv").open(encoding="utf-8") as table:
        return tuple(
            Perennial(
                row["code"],
                float(row["yield_t_ha"]) if row["yield_t_ha"] else None,
                float(row["years_log_sd"]),
                float(row["own_log_sd"]),
                float(row["price_cny_kg"] or 0),
                float(row["price_amplitude"] or 0),
                int(row["price_harvest_month"] or 1),
            )
            for row in csv.DictReader(table)
        )


def grown(settings: SimulateSettings) -> tuple[Perennial, ...]:
    """Return the perennials that anybody claims in a county."""
    return all_perennials() if settings.land.permanent > 0 else ()


def sold(settings: SimulateSettings) -> tuple[Perennial, ...]:
    """Return those of them that have a price."""
    return tuple(crop for crop in grown(settings) if crop.sold_by_weight)


def year_effects(settings: SimulateSettings, year: int) -> dict[str, float]:
    """Return what a harvest year makes of each perennial's yield or value, as a factor."""
    rng = np.random.default_rng([settings.seed, _YEARS_STREAM, year])
    return {crop.code: float(np.exp(rng.normal(0, crop.years_log_sd)))
            for crop in all_perennials()}  # fmt: skip


def statistics(settings: SimulateSettings) -> pd.DataFrame:
    """Return county yields of earlier years: `crop, year, yield_t_ha, source`."""
    first = next(iter(settings.seasons.values())).start.year
    rows = [
        {
            "crop": crop.code,
            "year": year,
            "yield_t_ha": round(
                (crop.yield_t_ha or 0) * year_effects(settings, year)[crop.code], 3
            ),
            "source": "simulated: mean of published figures times a year's effect",
        }
        for crop in sold(settings)
        for year in range(first - settings.yield_years + 1, first + 1)
    ]
    return pd.DataFrame(rows, columns=["crop", "year", "yield_t_ha", "source"])


@dataclass(frozen=True)
class Harvests:
    """What the permanent grounds of a tile bring in, one season; arrays of shape (grounds,)."""

    yields: Floats
    """Market yield, t/ha; NaN where the crop is worth its area."""
    gross: Floats
    """Gross value, yuan per hectare, where it is; else NaN."""


def harvest(land: Land, settings: SimulateSettings, span: SeasonSpan, tile: int) -> Harvests:
    """Draw the season of every permanent ground of a tile from streams of its own.

    Args:
        land: The tile's land.
        settings: Seed.
        span: The season.
        tile: Position of the tile.
    """
    rng = np.random.default_rng([settings.seed, _OWN_STREAM, tile, span.end.year])
    effects, table = year_effects(settings, span.end.year), {c.code: c for c in all_perennials()}
    kinds = [COVERS[kind] for kind in land.kind[land.permanent]]
    own = rng.normal(size=len(kinds))
    factor = np.array([
        effects[kind] * np.exp(table[kind].own_log_sd * luck)
        for kind, luck in zip(kinds, own, strict=True)
    ])  # fmt: skip
    means = np.array([table[kind].yield_t_ha or np.nan for kind in kinds], dtype=np.float64)
    areas = np.array([_area_value(kind) if table[kind].yield_t_ha is None else np.nan
                      for kind in kinds], dtype=np.float64)  # fmt: skip
    return Harvests(means * factor, areas * factor)


@cache
def _area_value(code: str) -> float:
    columns = ("crop", "region", "gross_per_ha")
    rows = [row for row in checked_rows(AREA_VALUES, columns)
            if (row.text("crop"), row.text("region")) == (code, REGION)]  # fmt: skip
    return float(rows[-1].decimal("gross_per_ha"))


def picked_on(code: str, span: SeasonSpan) -> dt.date:
    """Return the last day of the harvest that begins in a season; it may end after it."""
    return calendar(code, REGION).harvest.in_season(span.start)[1]
