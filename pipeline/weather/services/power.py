"""NASA POWER's daily files: CSV of a point or a region, and JSON of a point.

Owns their layout: a header between two marks that names units and the missing value, then one row
a day by year and day of year (or month and day). Days are local solar ones or UTC, as ordered.

Source: NASA POWER daily API, https://power.larc.nasa.gov/docs/services/api/temporal/daily/
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.weather.services.table import (
    ServiceWeather,
    Variable,
    known_variables,
    service_weather,
)

SERVICE = "power"
_BEGIN, _END = "-BEGIN HEADER-", "-END HEADER-"
_PLACE = re.compile(r"latitude\s+(-?[\d.]+)\s+longitude\s+(-?[\d.]+)", re.IGNORECASE)
_MISSING = re.compile(r"missing.*?:\s*(-?\d+(?:\.\d+)?)\s*$", re.IGNORECASE | re.MULTILINE)
_PARAMETER = re.compile(r"^(\w+)\s+.*\(([^()]*)\)\s*$", re.MULTILINE)


def is_power_csv(text: str) -> bool:
    """Whether a text is a CSV of NASA POWER."""
    return text.lstrip("\ufeff \n\r").startswith(_BEGIN)


def power_csv(path: Path, text: str) -> ServiceWeather:
    """Read a CSV of NASA POWER.

    Raises:
        UserError: Header or rows are not as the service writes them.
    """
    header, _, body = text.partition(_END)
    missing = _MISSING.search(header)
    frame = _rows(path, body)
    if missing is not None:
        frame = frame.replace(float(missing[1]), np.nan)
    if not {"LAT", "LON"} <= set(frame.columns):
        place = _PLACE.search(header)
        if place is None:
            raise UserError(f"{path} does not say where it is from", "download it again as CSV")
        frame = frame.assign(LAT=float(place[1]), LON=float(place[2]))
    frame = frame.assign(day=_days(path, frame)).sort_values(["LON", "LAT", "day"], kind="stable")
    units = dict(_PARAMETER.findall(header))
    parts = [part for _, part in frame.groupby(["LON", "LAT"], sort=True)]
    return service_weather(
        SERVICE, path, [(float(p["LON"].iloc[0]), float(p["LAT"].iloc[0])) for p in parts],
        [pd.DatetimeIndex(part["day"]) for part in parts],
        [
            Variable(name, units.get(name, ""), frame[name].to_numpy(np.float64))
            for name in frame.columns if name in known_variables(SERVICE)
        ],
    )  # fmt: skip


def power_json(path: Path, document: Mapping[str, Any]) -> ServiceWeather:
    """Read a JSON of NASA POWER, of one point.

    Raises:
        UserError: It lacks what the service writes.
    """
    try:
        lon, lat = (float(value) for value in document["geometry"]["coordinates"][:2])
        series = document["properties"]["parameter"]
        missing = float(document["header"]["fill_value"])
        units = {name: about["units"] for name, about in document["parameters"].items()}
        frame = pd.DataFrame({name: pd.Series(values) for name, values in series.items()})
        days = pd.to_datetime(frame.index, format="%Y%m%d")
        frame = frame.astype(np.float64).replace(missing, np.nan)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not a daily JSON of NASA POWER ({type(error).__name__}: {error})",
            "download daily values of a point, format JSON or CSV",
        ) from error
    variables = [
        Variable(name, units.get(name, ""), frame[name].to_numpy(np.float64))
        for name in frame.columns if name in known_variables(SERVICE)
    ]  # fmt: skip
    return service_weather(SERVICE, path, [(lon, lat)], [pd.DatetimeIndex(days)], variables)


def _rows(path: Path, body: str) -> pd.DataFrame:
    try:
        return pd.read_csv(io.StringIO(body.strip())).astype(np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(
            f"{path}: its rows are not those of a NASA POWER file ({error})", "download it again"
        ) from error


def _days(path: Path, frame: pd.DataFrame) -> pd.Series:
    """Return the day of each row; daily files alone have one."""
    names = set(frame.columns)
    if "HR" in names or "YEAR" not in names or not ({"DOY"} <= names or {"MO", "DY"} <= names):
        raise UserError(f"{path} is not of daily values", "download the daily, not the hourly data")
    if "DOY" in names:
        first = pd.to_datetime(frame["YEAR"].astype(int).astype(str), format="%Y", errors="coerce")
        return first + pd.to_timedelta(frame["DOY"] - 1, unit="D")
    parts = frame[["YEAR", "MO", "DY"]].set_axis(["year", "month", "day"], axis=1)
    return pd.to_datetime(parts, errors="coerce")
