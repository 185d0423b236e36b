"""Thermal time in the grow stage: what it needs of weather and of earlier seasons, batch by batch.

Owns which files are read for it and the columns that come of it; the reckoning stands in `thermal`,
`vigour` and `outlook`. Without weather there is no thermal time, and without earlier seasons of the
county nothing is foretold: both are null, and the outcome names what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.curves import Curves
from fieldline.crops.growth.outlook import Outlook, ahead
from fieldline.crops.growth.seasons import Seasons
from fieldline.crops.growth.thermal import Names, ThermalClock, usual_clock
from fieldline.crops.growth.vigour import Courses, courses, green_up
from fieldline.crops.series import Floats, known_until
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table

_OF_GROWTH = ["parcel_id", "green_up", "curve_start", "curve_step_days", "curve"]
_A_CROP = 1000
"""Curves of a crop and season that are read; more make it slower and no better."""
FORECAST = ("forecast_q10", "forecast_q50", "forecast_q90")


@dataclass(frozen=True)
class SeasonFiles:
    """Artifacts of one season that thermal time needs."""

    season: Season
    growth: Path
    crops: Path
    weather: Path
    cells: Path


@dataclass(frozen=True)
class Paced:
    """What thermal time says of a batch."""

    columns: dict[str, Any]
    means: Floats
    """(parcels, steps) mean NDVI since green-up at each thermal step."""
    weather: np.ndarray[Any, np.dtype[np.bool_]]
    """Whether the weather since green-up is known; true where green-up was not seen."""


@dataclass(frozen=True)
class Pace:
    """Thermal time of a county's season."""

    season: Season
    settings: GrowSettings
    clock: ThermalClock
    usual: ThermalClock
    """Of the usual weather, to the season's end."""
    outlook: Outlook

    @classmethod
    def read(
        cls, weather: Path, cells: Path, season: Season, earlier: Sequence[SeasonFiles],
        settings: GrowSettings,
    ) -> Pace:  # fmt: skip
        """Return the thermal time of a season and what earlier ones say of it.

        Args:
            weather: `weather.parquet`.
            cells: `weather_cells.parquet`.
            season: The season.
            earlier: Earlier seasons of the county, oldest first.
            settings: Settings of the stage.
        """
        clock = ThermalClock.read(weather, cells, season)
        clocks = [ThermalClock.read(part.weather, part.cells, part.season) for part in earlier]
        parts = [_past(part, then) for part, then in zip(earlier, clocks, strict=True)]
        length = (season.end - season.start).days + 1
        return cls(
            season, settings, clock, usual_clock(clocks, clock, length),
            Outlook.learnt(parts, settings.min_norm_parcels),
        )  # fmt: skip

    def of(self, parcel_ids: Sequence[str], crop: pd.Series[str], found: Seasons) -> Paced:
        """Return the columns of a batch, still without its place in the county.

        Args:
            parcel_ids: Parcels of the batch.
            crop: Crop of each, null where unknown.
            found: Their growth.
        """
        names = crop.to_numpy(dtype=object)
        start = green_up(found, self.settings.min_amplitude)
        rows = self.clock.rows(parcel_ids, names)
        grown = courses(found.curves, start, rows, found.of_main(found.ends))
        told = self._foretold(parcel_ids, names, found, start)
        columns: dict[str, Any] = {"green_up": start, "thermal_time": grown.now, **told}
        return Paced(columns, grown.means, ~np.isfinite(start) | np.isfinite(grown.now))

    def _foretold(
        self, parcel_ids: Sequence[str], names: Names, found: Seasons, start: Floats
    ) -> Mapping[str, list[Any]]:
        length = (self.season.end - self.season.start).days + 1
        standing = np.isnan(found.of_main(found.ends)) & (found.main >= 0)
        if not self.outlook.known or known_until(self.season) >= length - 1 or not standing.any():
            return {name: [None] * len(parcel_ids) for name in FORECAST}
        begin = np.where(standing, start, np.nan)
        seen = courses(found.curves, begin, self.clock.rows(parcel_ids, names))
        usual = self.usual.rows(parcel_ids, names)
        curves = ahead(self.outlook, seen, found.curves, names, usual, length)
        lists = [curves.of(row) for row in range(len(parcel_ids))]
        return {name: [part[at] for part in lists] for at, name in enumerate(FORECAST)}


def _past(part: SeasonFiles, clock: ThermalClock) -> tuple[Courses, Names]:
    """Return the courses of an earlier season to its last looks, and their crops."""
    table = read_table(part.growth, _OF_GROWTH)
    table = table[table["green_up"].notna() & table["curve_start"].notna()]
    table = table.merge(read_table(part.crops, ["parcel_id", "crop"]), on="parcel_id")
    table = table[table["crop"].notna()].sort_values(["crop", "parcel_id"], kind="stable")
    place, size = table.groupby("crop").cumcount(), table.groupby("crop")["crop"].transform("size")
    table = table[(place * _A_CROP // size) != ((place - 1) * _A_CROP // size)]
    names = table["crop"].to_numpy(dtype=object)
    start = _days(table["green_up"], part.season)
    rows = clock.rows(table["parcel_id"].tolist(), names)
    return courses(_curves(table, part.season), start, rows), names


def _curves(table: pd.DataFrame, season: Season) -> Curves:
    """Return stored curves on the season's grid."""
    step = int(table["curve_step_days"].iloc[0]) if len(table) else 1
    first = (_days(table["curve_start"], season) // step).astype(np.int64)
    length = table["curve"].map(len).to_numpy(dtype=np.int64)
    last = first + length - 1
    values = np.full((len(table), int(last.max(initial=0)) + 1), np.nan)
    for row, (begin, curve) in enumerate(zip(first, table["curve"], strict=True)):
        values[row, begin : begin + len(curve)] = curve
    return Curves(step, values, first, last, np.zeros(len(table)))


def _days(dates: pd.Series[Any], season: Season) -> Floats:
    since = pd.to_datetime(dates) - pd.Timestamp(season.start)
    return np.asarray(since.dt.days, dtype=float)
