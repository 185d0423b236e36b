"""Where weather cells lie, and which of them a parcel takes.

Owns the table of cells and the map from parcels to cells; knows no value of the weather. A parcel
takes the nearest cell that has values; coordinates that only fit when exchanged are refused, as a
parcel under another climate would be valued without a word.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem, counted, problems_of, without
from fieldline.pipeline.parcels.rings import WGS84, Floats
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.weather.inputs import CELLS

_EARTH_RADIUS_KM = 6371.0
_LOG = logging.getLogger(__name__)


def cell_places(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read the places of the cells.

    Args:
        path: Table `CELLS`.
        columns: Its own column names by Fieldline's.

    Returns:
        `lon`, `lat` by cell_id. Rows that cannot be used are left out and counted in the log.

    Raises:
        UserError: The table cannot be read or holds no place.
    """
    table = read_input(path, CELLS, Reading(columns=columns, place="inputs"))
    problems = [*table.problems, *cell_problems(table.frame, table.problems)]
    kept = without(table.frame, problems)
    if kept.empty:
        raise UserError(*_no_place(path, table, problems))
    if problems:
        _LOG.warning("%s: rows left out: %s", path, counted(problems))
    return pd.DataFrame(kept.set_index("cell_id")[["lon", "lat"]])


def cell_problems(frame: pd.DataFrame, problems: list[Problem]) -> list[Problem]:
    """Return rows of a table of cells that say again, or say otherwise, where a cell lies.

    Args:
        frame: All rows.
        problems: Their problems so far; such rows are not looked at again.
    """
    good = without(frame, problems)
    again = good.duplicated(["cell_id", "lon", "lat"], keep="last")
    once = good[~again]
    clash = once["cell_id"].duplicated(keep=False)
    return [
        *problems_of(good.loc[again, "cell_id"], "cell_id", "input_repeated"),
        *problems_of(once.loc[clash, "cell_id"], "cell_id", "input_contradicted"),
    ]


def _no_place(path: Path, table: InputTable, problems: list[Problem]) -> tuple[str, str]:
    first = problems[0]
    lats = [p for p in problems if (p.column, p.code) == ("lat", "input_out_of_range")]
    if len(lats) == len(table.frame):
        return (
            f"{path}, row {lats[0].row}: {lats[0].value} is no latitude, and no other row has one",
            "lon and lat look exchanged: exchange the headings, or give both in degrees",
        )
    return (
        f"{path} holds no place of a cell (row {first.row}, column {first.column}: {first.value!r},"
        f" {first.code})",
        "write one row per cell with lon and lat in degrees",
    )


def refuse_exchanged(
    path: Path, positions: pd.DataFrame, places: pd.DataFrame, max_distance_km: float
) -> None:
    """Refuse cells that are near the parcels only where lon and lat are exchanged.

    Args:
        path: Table of the cells, named in the error.
        positions: `lon`, `lat` of the cells.
        places: `lon`, `lat` of the parcels.
        max_distance_km: How far from a cell a parcel may lie.

    Raises:
        UserError: They are exchanged.
    """
    turned = positions.rename(columns={"lon": "lat", "lat": "lon"})
    turned = turned[turned["lat"].between(-90, 90)]
    if len(nearest_cells(places, positions, max_distance_km)) or turned.empty:
        return
    near = len(nearest_cells(places, turned, max_distance_km))
    if near:
        raise UserError(
            f"{path}: no cell lies within {max_distance_km:g} km of a parcel, but with lon and lat "
            f"exchanged {near} of {len(places)} parcels would have one",
            "exchange the headings lon and lat",
        )


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
