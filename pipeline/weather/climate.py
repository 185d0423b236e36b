"""Climate: what a lender's weather file holds of the years before the season.

Owns `climate.parquet`. A file of thirty years says what a usual season of the place is even where
Fieldline has run one; each day is checked and completed as those of the season are.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.weather.schemas import CLIMATE
from fieldline.pipeline.weather.series import check_values, complete, daily_series, fill_gaps
from fieldline.pipeline.weather.settings import WeatherSettings
from fieldline.pipeline.weather.sources import DailyRows

_MOST_YEARS = 40
"""Years before the season that count; older ones are another climate (WMO normals: 30)."""


def climate_table(
    rows: DailyRows | None, used: set[str], season: Season, settings: WeatherSettings
) -> pd.DataFrame:
    """Return the days before a season.

    Args:
        rows: Rows of the weather file; None where the county has none.
        used: Cells that a parcel takes.
        season: The season; no day of it or after it is read.
        settings: Gap limit.

    Returns:
        Frame of `CLIMATE`, days on which nothing is known left out.
    """
    nothing = pd.DataFrame(columns=CLIMATE.names, dtype=object)
    if rows is None:
        return nothing
    frame = rows.frame[rows.frame["cell_id"].isin(used)]
    first = season.start - dt.timedelta(days=round(365.25 * _MOST_YEARS))
    days = frame["date"][(frame["date"] < pd.Timestamp(season.start))
                         & (frame["date"] >= pd.Timestamp(first))]  # fmt: skip
    if days.empty:
        return nothing
    last = season.start - dt.timedelta(days=1)
    # A span of days has two at least: a file that begins the day before gets an empty one.
    first = min(days.min().date(), last - dt.timedelta(days=1))
    series = daily_series(frame, Season(start=first, end=last, as_of=last))
    check_values(series)
    fill_gaps(series, settings.max_gap_days)
    complete(series, rows.positions["lat"].reindex(series.cells).to_numpy(dtype=float))
    day, cell = np.divmod(np.arange(len(series.days) * len(series.cells)), len(series.cells))
    names = [name for name in CLIMATE.names if name not in ("cell_id", "date")]
    table = pd.DataFrame({
        "cell_id": np.array(series.cells, dtype=object)[cell], "date": series.days[day],
        **{name: series.values[name][day, cell].astype(np.float32) for name in names},
    })  # fmt: skip
    return table[table[names].notna().any(axis=1)].sort_values(["cell_id", "date"])
