"""The weather stage: one checked daily table per cell, and the cell of every parcel.

Owns what the stage writes; the lender's files are read in `sources` and `cells`, what a good daily
value is stands in `series`, crops and hazards come later.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table
from fieldline.pipeline.weather.cells import nearest_cells, refuse_exchanged
from fieldline.pipeline.weather.schemas import WEATHER, WEATHER_CELLS
from fieldline.pipeline.weather.series import (
    VARIABLES,
    Series,
    check_values,
    complete,
    daily_series,
    empty_series,
    fill_gaps,
    has_values,
    runs,
)
from fieldline.pipeline.weather.settings import WeatherSettings
from fieldline.pipeline.weather.sources import refuse_hours, weather_rows

STAGE = "weather"


def run_weather(
    *,
    source: Path | None,
    cells: Path | None,
    parcels: Path,
    season: Season,
    settings: WeatherSettings,
    table_columns: Mapping[str, Mapping[str, str]] = {},
    out: Path,
    out_cells: Path,
    outcomes: Path,
) -> None:
    """Check and complete daily weather and map every parcel to its nearest cell.

    Args:
        source: Table `WEATHER`; None where the county has no weather.
        cells: Table `CELLS`; not needed where `source` is by parcel.
        parcels: `parcels.parquet`.
        season: Days from its start to its end or as-of date, whichever is earlier, are kept.
        settings: Gap and distance limits.
        table_columns: The lender's own column names by table and Fieldline name.
        out: Output, `WEATHER`.
        out_cells: Output, `WEATHER_CELLS`; parcels without weather have no row.
        outcomes: Output, one row per parcel.

    Raises:
        UserError: A file or column is missing, in other units, not daily, or matches no place.
    """
    frame = read_parcels(parcels)
    points = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
    places = pd.DataFrame(points, columns=["lon", "lat"], index=frame["parcel_id"].to_numpy())
    if source is None:
        series, positions = empty_series(season), places.iloc[:0]
    else:
        series, positions = load_weather(source, cells, places, season, table_columns)
    if cells is not None:
        refuse_exchanged(cells, positions, places, settings.max_distance_km)
    check_values(series)
    fill_gaps(series, settings.max_gap_days)
    complete(series, positions["lat"].reindex(series.cells).to_numpy(dtype=float))
    positions = positions.reindex(series.cells)[has_values(series)]
    mapping = nearest_cells(places, positions, settings.max_distance_km)
    write_table(_table(series, set(mapping["cell_id"])), WEATHER, out)
    write_table(mapping, WEATHER_CELLS, out_cells)
    farmers = dict(zip(frame["parcel_id"], frame["farmer_id"], strict=True))
    write_outcomes(_outcomes(series, mapping, farmers), outcomes)


def load_weather(
    source: Path,
    cells: Path | None,
    places: pd.DataFrame,
    season: Season,
    columns: Mapping[str, Mapping[str, str]],
) -> tuple[Series, pd.DataFrame]:
    """Return the daily values of a season and the positions (lon, lat) of their cells.

    Raises:
        UserError: A file cannot be read, is in other units or by the hour, or its ids match none.
    """
    rows = weather_rows(source, cells, places, columns)
    series = daily_series(rows.frame, season)
    refuse_hours(source, series.rows_a_day)
    unread = rows.unread.reindex(series.cells, fill_value=0)
    series.bad += unread.to_numpy(dtype=np.int64)
    return series, rows.positions.reindex(series.cells)


def _table(series: Series, used: set[str]) -> pd.DataFrame:
    """Return days with a mean temperature, in long form, for the cells that a parcel uses."""
    keep = [i for i, cell in enumerate(series.cells) if cell in used]
    day, column = np.nonzero(~np.isnan(series.values["tmean_c"][:, keep]))
    cell = np.array(keep, dtype=int)[column]
    frame = pd.DataFrame(
        {
            "cell_id": np.array(series.cells, dtype=object)[cell],
            "date": series.days[day],
            **{name: series.values[name][day, cell].astype(np.float32) for name in VARIABLES},
            "provenance": np.where(series.filled[day, cell], "filled", "observed"),
        }
    )
    return frame[WEATHER.names]


def _outcomes(series: Series, mapping: pd.DataFrame, farmers: dict[str, str]) -> list[Outcome]:
    verdicts = {cell: _verdict(series, i) for i, cell in enumerate(series.cells)}
    cell_of = dict(zip(mapping["parcel_id"], mapping["cell_id"], strict=True))
    nothing = ("no_weather", "")
    return [
        Outcome(STAGE, parcel, farmer, *verdicts.get(cell_of.get(parcel, ""), nothing))
        for parcel, farmer in farmers.items()
    ]


def _verdict(series: Series, cell: int) -> tuple[str, str]:
    """Return the outcome of a cell: holes inside its record weigh more than a short record."""
    known = ~np.isnan(series.values["tmean_c"][:, cell]) & ~np.isnan(
        series.values["precip_mm"][:, cell]
    )
    if not known.any():
        return "no_weather", detail(days=0)
    first, last = np.flatnonzero(known)[[0, -1]]
    inside = int((~known[first : last + 1]).sum())
    numbers = {"days": int(known.sum()), "expected": len(known)}
    extras = {"filled": int(series.filled[:, cell].sum()), "bad": int(series.bad[cell])}
    numbers |= {name: count for name, count in extras.items() if count}
    if inside:
        longest = max(stop - start for start, stop in runs(~known[first : last + 1]))
        return "weather_gap", detail(**numbers, missing=inside, longest=longest)
    if not known.all():
        span = {"first": series.days[first].date(), "last": series.days[last].date()}
        return "weather_short", detail(**numbers, **span)
    return OK, detail(**{name: count for name, count in numbers.items() if name in extras})
