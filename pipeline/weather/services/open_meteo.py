"""Open-Meteo's archive: JSON of one or several places, and CSV as its page saves it.

Owns their layout: daily arrays beside their units, or a block of places above a block of days.

Source: Open-Meteo historical weather API, https://open-meteo.com/en/docs/historical-weather-api
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

SERVICE = "open-meteo"
_COLUMN = re.compile(r"^(\w+) \((.*)\)$")
_REMEDY = "download daily variables of the archive as JSON or CSV"


def is_open_meteo_csv(text: str) -> bool:
    """Whether a text is a CSV of Open-Meteo."""
    first = text.lstrip("\ufeff").splitlines()[:1]
    return bool(first) and {"latitude", "longitude", "utc_offset_seconds"} <= set(
        first[0].split(",")
    )


def open_meteo_json(path: Path, document: Any) -> ServiceWeather:
    """Read a JSON of Open-Meteo: of one place, or a list of several.

    Raises:
        UserError: It lacks what the service writes, or holds no daily values.
    """
    parts = document if isinstance(document, list) else [document]
    try:
        places = [(float(part["longitude"]), float(part["latitude"])) for part in parts]
        days = [pd.DatetimeIndex(pd.to_datetime(part["daily"]["time"])) for part in parts]
        units: Mapping[str, str] = parts[0]["daily_units"]
        variables = [
            Variable(name, units[name], np.concatenate(
                [np.array(part["daily"][name], dtype=np.float64) for part in parts]
            ))
            for name in parts[0]["daily"] if name in known_variables(SERVICE)
        ]  # fmt: skip
        if any(part["daily_units"] != units for part in parts):
            raise UserError(f"{path}: its places are in different units", _REMEDY)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} holds no daily values of Open-Meteo ({type(error).__name__}: {error})", _REMEDY
        ) from error
    return service_weather(SERVICE, path, places, days, variables)


def open_meteo_csv(path: Path, text: str) -> ServiceWeather:
    """Read a CSV of Open-Meteo.

    Raises:
        UserError: It lacks what the service writes, or holds no daily values.
    """
    blocks = re.split(r"\r?\n\s*\r?\n", text.lstrip("\ufeff").strip())
    try:
        about, *rest = (pd.read_csv(io.StringIO(block)) for block in blocks)
        daily = next(frame for frame in rest if any(_daily(name) for name in frame.columns))
        keyed = "location_id" in about.columns
        numbers = about["location_id"].tolist() if keyed else [0]
        parts = [daily[daily["location_id"] == n] if keyed else daily for n in numbers]
        days = [pd.DatetimeIndex(pd.to_datetime(part["time"])) for part in parts]
        rows = pd.concat(parts)
        named = [(name, found) for name in rows.columns if (found := _COLUMN.match(name))]
        variables = [
            Variable(found[1], found[2], rows[name].to_numpy(np.float64))
            for name, found in named if found[1] in known_variables(SERVICE)
        ]  # fmt: skip
        places = [(float(lon), float(lat)) for lon, lat in about[["longitude", "latitude"]].values]
    except (KeyError, StopIteration, ValueError, pd.errors.ParserError) as error:
        raise UserError(
            f"{path} holds no daily values of Open-Meteo ({type(error).__name__}: {error})", _REMEDY
        ) from error
    return service_weather(SERVICE, path, places, days, variables)


def _daily(name: str) -> bool:
    found = _COLUMN.match(name)
    return found is not None and found[1] in known_variables(SERVICE)
