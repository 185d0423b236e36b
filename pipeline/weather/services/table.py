"""One daily table out of a service's own variables.

Owns `data/weather_variables.csv` (name and unit of each variable, and how it becomes ours) and the
form that every reader of a service returns. A variable that the service does not give is no column,
so that nobody can take its absence for calm weather; one in an unknown unit is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fieldline.pipeline.inputs.cells import Cells
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ServiceWeather:
    """A file of a weather service."""

    service: str
    """Name in `data/weather_variables.csv`."""
    cells: Cells
    """`cell_id`, `date` and the variables that it gives, in our units."""
    places: pd.DataFrame
    """`lon`, `lat` by cell_id."""


@dataclass(frozen=True)
class Variable:
    """One variable of a service as it stands in a file."""

    name: str
    unit: str
    values: Numbers
    """One for each row of the table; NaN where missing."""


@dataclass(frozen=True)
class _Conversion:
    column: str
    scale: float
    offset: float


def known_variables(service: str) -> frozenset[str]:
    """Return the names of a service's variables that are read."""
    return frozenset(name for name, _ in _conversions(service))


def service_weather(
    service: str, path: Path, places: Sequence[tuple[float, float]],
    days: Sequence[pd.DatetimeIndex], variables: Iterable[Variable],
) -> ServiceWeather:  # fmt: skip
    """Return the table of a file.

    Args:
        service: Name of the service.
        path: The file, for errors.
        places: Longitude and latitude of each cell.
        days: Days of each cell, in order; rows are those of the first cell, then of the second.
        variables: What it gives, one value for each row.

    Raises:
        UserError: A unit is unknown, or none of the variables is one that is read.
    """
    ids = [_cell_id(lon, lat) for lon, lat in places]
    names = [name for name, dates in zip(ids, days, strict=True) for _ in dates]
    moments = np.concatenate([dates.to_numpy() for dates in days]).astype("datetime64[D]")
    columns = {"cell_id": pa.array(names, pa.string()), "date": pa.array(moments, pa.date32())}
    for variable in variables:
        found = _conversion(service, variable, path)
        if found is not None and found.column not in columns:
            ours = variable.values * found.scale + found.offset
            columns[found.column] = pa.array(ours, pa.float64(), from_pandas=True)
    if len(columns) == 2:
        raise UserError(
            f"{path} holds no daily variable of {service} that is read",
            f"order daily values of {', '.join(sorted(known_variables(service)))}",
        )
    table = Cells(path, tuple(columns), tuple(columns.values()), service, "")
    frame = pd.DataFrame(places, columns=["lon", "lat"], index=pd.Index(ids, name="cell_id"))
    return ServiceWeather(service, table, frame[~frame.index.duplicated()])


def _cell_id(lon: float, lat: float) -> str:
    return f"{lat:+.4f}{lon:+.4f}"


def _conversion(service: str, variable: Variable, path: Path) -> _Conversion | None:
    known = _conversions(service)
    found = known.get((variable.name, _plain(variable.unit)))
    units = sorted(unit for name, unit in known if name == variable.name)
    if found is None and units:
        raise UserError(
            f"{path}: {variable.name} is in {variable.unit or 'no unit'}, which is not read",
            f"order it in {' or '.join(units)}",
        )
    return found


@cache
def _conversions(service: str) -> Mapping[tuple[str, str], _Conversion]:
    return {
        (row["variable"], _plain(row["unit"])): _Conversion(
            row["column"], float(row["scale"]), float(row["offset"])
        )
        for row in table_rows("weather_variables.csv")
        if row["service"] == service
    }


def _plain(unit: str) -> str:
    """Return a unit as it is compared: `mm d**-1` and `mm d-1` are one."""
    return " ".join(unit.replace("**", "").replace("^", "").split())
