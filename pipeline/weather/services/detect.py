"""Which weather service a file is from, by what stands in it.

Owns the choice of a reader; a file of none of the services is the lender's own table.
"""

from __future__ import annotations

import json
from pathlib import Path

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.weather.services.grids import grid_weather
from fieldline.pipeline.weather.services.open_meteo import (
    is_open_meteo_csv,
    open_meteo_csv,
    open_meteo_json,
)
from fieldline.pipeline.weather.services.power import is_power_csv, power_csv, power_json
from fieldline.pipeline.weather.services.table import ServiceWeather

_LOOKED = 4096  # bytes


def read_service(path: Path) -> ServiceWeather | None:
    """Read a file of NASA POWER, Open-Meteo, AgERA5 or ERA5-Land; None where it is of none.

    Raises:
        UserError: It is of one of them, and not as that service writes it.
    """
    kind = path.suffix.lower()
    if not path.is_file():
        return None
    if kind in (".nc", ".nc4", ".zip"):
        return grid_weather(path)
    if kind == ".json":
        return _json(path)
    if kind not in (".csv", ".txt"):
        return None
    with path.open("rb") as file:
        start = file.read(_LOOKED).decode("utf-8", errors="replace")
    if is_power_csv(start):
        return power_csv(path, path.read_text(encoding="utf-8-sig", errors="replace"))
    if is_open_meteo_csv(start):
        return open_meteo_csv(path, path.read_text(encoding="utf-8-sig", errors="replace"))
    return None


def _json(path: Path) -> ServiceWeather:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no JSON ({error})", "download it again") from error
    if isinstance(document, dict) and "geometry" in document:
        return power_json(path, document)
    return open_meteo_json(path, document)
