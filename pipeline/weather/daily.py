"""The weather stage: one checked daily table per cell, and the cell of every parcel.

Owns the weather files and the parcel-to-cell map; what a good daily value is stands in
`daily_series`, crops and hazards come later. A parcel takes the nearest cell that has values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.parcels.rings import WGS84, Floats
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table
from fieldline.pipeline.weather.schemas import WEATHER, WEATHER_CELLS
from fieldline.pipeline.weather.series import (
    TEMPERATURES,
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

STAGE = "weather"
REQUIRED = ("date", "precip_mm")
_EARTH_RADIUS_KM = 6371.0


def run_weather(
    *,
    source: Path | None,
    cells: Path | None,
    parcels: Path,
    season: Season,
    settings: WeatherSettings,
    out: Path,
    out_cells: Path,
    outcomes: Path,
) -> None:
    """Check and complete daily weather and map every parcel to its nearest cell.

    Args:
        source: CSV with `cell_id` or `parcel_id`, `date`, temperatures, `precip_mm`; None where
            the county has no weather.
        cells: CSV `cell_id, lon, lat`; not needed where `source` is by parcel.
        parcels: `parcels.parquet`.
        season: Days from its start to its end or as-of date, whichever is earlier, are kept.
        settings: Gap and distance limits.
        out: Output, `WEATHER`.
        out_cells: Output, `WEATHER_CELLS`; parcels without weather have no row.
        outcomes: Output, one row per parcel.

    Raises:
        UserError: A file or column is missing, or no date can be read.
    """
    frame = read_parcels(parcels)
    points = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
    places = pd.DataFrame(points, columns=["lon", "lat"], index=frame["parcel_id"].to_numpy())
    if source is None:
        series, positions = empty_series(season), places.iloc[:0]
    else:
        series, positions = _load(source, cells, places, season)
    check_values(series)
    fill_gaps(series, settings.max_gap_days)
    complete(series, positions["lat"].reindex(series.cells).to_numpy(dtype=float))
    positions = positions.reindex(series.cells)[has_values(series)]
    mapping = nearest_cells(places, positions, settings.max_distance_km)
    write_table(_table(series, set(mapping["cell_id"])), WEATHER, out)
    write_table(mapping, WEATHER_CELLS, out_cells)
    farmers = dict(zip(frame["parcel_id"], frame["farmer_id"], strict=True))
    write_outcomes(_outcomes(series, mapping, farmers), outcomes)


def _load(
    source: Path, cells: Path | None, places: pd.DataFrame, season: Season
) -> tuple[Series, pd.DataFrame]:
    """Read the daily file and the positions (lon, lat) of its cells."""
    frame = _read_csv(source, "inputs.weather")
    key = next((name for name in ("cell_id", "parcel_id") if name in frame), None)
    missing = [name for name in REQUIRED if name not in frame]
    if key is None or missing or not any(name in frame for name in TEMPERATURES):
        raise UserError(
            f"{source} needs cell_id or parcel_id, date, precip_mm and temperatures "
            f"(columns found: {', '.join(frame.columns)})",
            "rename its columns",
        )
    positions = places if key == "parcel_id" else _read_cells(source, cells)
    frame = frame[frame[key].isin(positions.index)]
    series = daily_series(frame.rename(columns={key: "cell_id"}), season, source)
    return series, positions.loc[series.cells]


def _read_csv(path: Path, setting: str) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", f"check {setting}") from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{path} is not a CSV file in UTF-8", "export it again") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def _read_cells(source: Path, cells: Path | None) -> pd.DataFrame:
    if cells is None:
        raise UserError(
            f"{source} is by cell_id but no cell positions are given",
            "set inputs.weather_cells to a CSV with cell_id, lon, lat",
        )
    frame = _read_csv(cells, "inputs.weather_cells")
    if not {"cell_id", "lon", "lat"} <= set(frame):
        raise UserError(
            f"{cells} needs cell_id, lon, lat (columns found: {', '.join(frame.columns)})",
            "rename its columns",
        )
    frame = frame.drop_duplicates("cell_id").set_index("cell_id")[["lon", "lat"]]
    frame = frame.apply(pd.to_numeric, errors="coerce")
    usable = frame["lon"].between(-180, 180) & frame["lat"].between(-90, 90)
    if not usable.any():
        raise UserError(f"{cells} holds no position in degrees", "write lon and lat in degrees")
    return pd.DataFrame(frame[usable])


def nearest_cells(
    places: pd.DataFrame, positions: pd.DataFrame, max_distance_km: float
) -> pd.DataFrame:
    """Map each parcel to its nearest cell on the ellipsoid.

    Args:
        places: `lon`, `lat` of parcels, indexed by parcel_id.
        positions: `lon`, `lat` of cells that have values, indexed by cell_id.
        max_distance_km: Farther parcels are left out.

    Returns:
        Frame of `WEATHER_CELLS`.
    """
    if places.empty or positions.empty:
        return pd.DataFrame(
            {"parcel_id": [], "cell_id": [], "distance_m": []}, dtype=object
        ).astype({"distance_m": float})
    ordered = positions.sort_index()
    _, nearest = cKDTree(_on_sphere(ordered)).query(_on_sphere(places))
    lon, lat = ordered[["lon", "lat"]].to_numpy()[nearest].T
    own = places[["lon", "lat"]].to_numpy().T
    _, _, distance = WGS84.inv(own[0], own[1], lon, lat)
    frame = pd.DataFrame(
        {
            "parcel_id": places.index.to_numpy(),
            "cell_id": ordered.index.to_numpy()[nearest],
            "distance_m": distance,
        }
    )
    return frame[frame["distance_m"] <= max_distance_km * 1000]


def _on_sphere(points: pd.DataFrame) -> Floats:
    lon, lat = np.radians(points[["lon", "lat"]].to_numpy()).T
    xyz = [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]
    return _EARTH_RADIUS_KM * np.column_stack(xyz)


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
