"""The weather stage: one checked daily table per cell, and the cell of every parcel.

Owns what the stage writes; the lender's files are read in `sources` and `cells`, what a good daily
value is stands in `series`, crops and hazards come later.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table
from fieldline.pipeline.weather.cells import nearest_cells, refuse_exchanged
from fieldline.pipeline.weather.climate import climate_table
from fieldline.pipeline.weather.schemas import CLIMATE, WEATHER, WEATHER_CELLS
from fieldline.pipeline.weather.series import (
    NEEDED,
    VARIABLES,
    Flags,
    Series,
    any_of,
    check_values,
    complete,
    daily_series,
    empty_series,
    fill_gaps,
    has_values,
    runs,
)
from fieldline.pipeline.weather.settings import WeatherSettings
from fieldline.pipeline.weather.sources import DailyRows, weather_rows

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
    out_climate: Path | None = None,
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
        out_climate: Output, `CLIMATE`: what the file holds of the years before; nowhere if None.
        outcomes: Output, one row per parcel.

    Raises:
        UserError: A file or column is missing, in other units, not daily, or matches no place.
    """
    frame = read_parcels(parcels)
    points = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
    places = pd.DataFrame(points, columns=["lon", "lat"], index=frame["parcel_id"].to_numpy())
    rows = None if source is None else weather_rows(source, cells, places, table_columns)
    if source is None or rows is None:
        series, positions, service = empty_series(season), places.iloc[:0], ""
    else:
        series, positions, service = arranged(rows, season)
    if cells is not None:
        refuse_exchanged(cells, positions, places, settings.max_distance_km)
    check_values(series)
    fill_gaps(series, settings.max_gap_days)
    complete(series, positions["lat"].reindex(series.cells).to_numpy(dtype=float))
    positions = positions.reindex(series.cells)[has_values(series)]
    nearest = nearest_cells(places, positions, np.inf)
    near = nearest["distance_m"] <= settings.max_distance_km * 1000
    mapping = nearest[near]
    write_table(_table(series, set(mapping["cell_id"]), service), WEATHER, out)
    write_table(mapping, WEATHER_CELLS, out_cells)
    if out_climate is not None:
        used = set(mapping["cell_id"])
        write_table(climate_table(rows, used, season, settings), CLIMATE, out_climate)
    farmers = dict(zip(frame["parcel_id"], frame["farmer_id"], strict=True))
    far = nearest[~near].set_index("parcel_id")["distance_m"] / 1000
    numbers = {
        parcel: detail(nearest_km=round(distance, 1), limit_km=settings.max_distance_km)
        for parcel, distance in far.items()
    }
    write_outcomes(_outcomes(series, mapping, farmers, numbers), outcomes)


def load_weather(
    source: Path,
    cells: Path | None,
    places: pd.DataFrame,
    season: Season,
    columns: Mapping[str, Mapping[str, str]],
) -> tuple[Series, pd.DataFrame, str]:
    """Read a season's weather; see `arranged`.

    Raises:
        UserError: A file cannot be read, is in other units or by the hour, or its ids match none.
    """
    return arranged(weather_rows(source, cells, places, columns), season)


def arranged(rows: DailyRows, season: Season) -> tuple[Series, pd.DataFrame, str]:
    """Return a season's daily values, the positions (lon, lat) of their cells, and their source."""
    series = daily_series(rows.frame, season)
    unread = rows.unread.reindex(series.cells, fill_value=0)
    series.bad += unread.to_numpy(dtype=np.int64)
    return series, rows.positions.reindex(series.cells), rows.source


def _table(series: Series, used: set[str], source: str) -> pd.DataFrame:
    """Return every day of the cells that a parcel uses; what is not known of a day is null.

    A day without a row would be a day without weather, and hazards would be read from the rest.
    """
    keep = [i for i, cell in enumerate(series.cells) if cell in used]
    day, place = np.divmod(np.arange(len(series.days) * len(keep)), max(len(keep), 1))
    cell = np.array(keep, dtype=int)[place]
    values = {name: series.values[name][day, cell] for name in VARIABLES}
    known = ~np.logical_and.reduce([np.isnan(numbers) for numbers in values.values()])
    filled = any_of(series.filled)[day, cell]
    frame = pd.DataFrame(
        {
            "cell_id": np.array(series.cells, dtype=object)[cell],
            "date": series.days[day],
            **{name: numbers.astype(np.float32) for name, numbers in values.items()},
            "provenance": np.select([~known, filled], ["missing", "filled"], "observed"),
            "filled": _names(series.filled, day, cell),
            "derived": _names(series.derived, day, cell),
            "source": source,
        }
    )
    return frame[WEATHER.names]


def _names(
    marks: Mapping[str, Flags], day: npt.NDArray[np.int64], cell: npt.NDArray[np.int64]
) -> npt.NDArray[np.object_]:
    """Return the marked variables of each row, joined by commas."""
    names = np.full(len(day), "", dtype=object)
    for name, flags in marks.items():
        marked = flags[day, cell]
        names[marked] = [f"{before},{name}" if before else name for before in names[marked]]
    return names


def _outcomes(
    series: Series, mapping: pd.DataFrame, farmers: dict[str, str], far: Mapping[Hashable, str]
) -> list[Outcome]:
    verdicts = {cell: _verdict(series, i) for i, cell in enumerate(series.cells)}
    cell_of = dict(zip(mapping["parcel_id"], mapping["cell_id"], strict=True))
    return [
        Outcome(
            STAGE,
            parcel,
            farmer,
            *verdicts.get(cell_of.get(parcel, ""), ("no_weather", far.get(parcel, ""))),
        )
        for parcel, farmer in farmers.items()
    ]


def _verdict(series: Series, cell: int) -> tuple[str, str]:
    """Return the outcome of a cell: what was never measured weighs most, a short record least."""
    there = {name: ~np.isnan(series.values[name][:, cell]) for name in NEEDED}
    lacking = [name for name, days in there.items() if not days.any()]
    if len(lacking) == len(NEEDED):
        return "no_weather", detail(days=0)
    known = np.logical_and.reduce([days for days in there.values() if days.any()])
    numbers: dict[str, object] = {"days": int(known.sum()), "expected": len(known)}
    extras = {
        "filled": int(any_of(series.filled)[:, cell].sum()),
        "bad": int(series.bad[cell]),
        "tmin_above_tmax": int(series.crossed[cell]),
    }
    numbers |= {name: count for name, count in extras.items() if count}
    if lacking:
        return "weather_incomplete", detail(**numbers, lacking=",".join(lacking))
    return _complete(series, known, numbers, extras)


def _complete(
    series: Series, known: Flags, numbers: dict[str, object], extras: Mapping[str, int]
) -> tuple[str, str]:
    """Return the outcome of a cell by its days, all variables being there."""
    if not known.any():
        return "weather_gap", detail(**numbers, missing=len(known), longest=len(known))
    first, last = np.flatnonzero(known)[[0, -1]]
    inside = ~known[first : last + 1]
    if inside.any():
        start, stop = max(runs(inside), key=lambda run: run[1] - run[0])
        since = series.days[first + start].date()
        told = {"missing": int(inside.sum()), "longest": stop - start, "since": since}
        return "weather_gap", detail(**numbers, **told)
    if not known.all():
        span = {"first": series.days[first].date(), "last": series.days[last].date()}
        return "weather_short", detail(**numbers, **span)
    return OK, detail(**{name: count for name, count in numbers.items() if name in extras})
