"""AgERA5 and ERA5-Land as NetCDF files of the Climate Data Store, single or in its zip.

Owns their layout: one variable a file on a grid of degrees, days along `time`. GDAL reads them (it
comes with rasterio), so no further library is needed. A file of a whole continent is refused: the
Store cuts to an area, and a county needs some dozens of cells.

Source: Copernicus Climate Data Store, sis-agrometeorological-indicators (AgERA5) and
derived-era5-land-daily-statistics.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.errors import RasterioError

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.weather.services.table import (
    Numbers,
    ServiceWeather,
    Variable,
    known_variables,
    service_weather,
)

SERVICES = ("agera5", "era5-land")
_LARGEST = 2_500  # cells; 5 degrees by 5 of a tenth of a degree
_STATISTIC = re.compile(r"daily[-_ ]?(min|max|mean|sum)", re.IGNORECASE)
_SUMS = frozenset({"tp", "ssrd"})
_SINCE = re.compile(r"^(days|hours|seconds) since (\S+)(?:[ T](\S+))?")
_SECONDS = {"days": 86_400, "hours": 3_600, "seconds": 1}


@dataclass(frozen=True)
class _Layer:
    """One variable of one file."""

    service: str
    name: str
    unit: str
    days: pd.DatetimeIndex
    lon: Numbers
    lat: Numbers
    values: Numbers
    """(days, cells): rows of the grid from north to south."""


def grid_weather(path: Path) -> ServiceWeather:
    """Read a NetCDF file of AgERA5 or ERA5-Land, or a zip of such files.

    Raises:
        UserError: It cannot be read, holds none of the variables, or too many cells.
    """
    with _files(path) as found:
        layers = [layer for file in found for layer in _layers(path, file)]
    if not layers:
        wanted = sorted(known_variables("agera5"))
        raise UserError(
            f"{path} holds no daily variable of AgERA5 or ERA5-Land",
            f"order some of {', '.join(wanted)}, or daily statistics of ERA5-Land",
        )
    services = {layer.service for layer in layers}
    grids = {(layer.lon.tobytes(), layer.lat.tobytes()) for layer in layers}
    if len(services) > 1 or len(grids) > 1:
        raise UserError(f"{path} holds files of several grids", "order all of one area and product")
    return _joined(path, services.pop(), layers)


def _joined(path: Path, service: str, layers: Sequence[_Layer]) -> ServiceWeather:
    """Bring files of single days and years onto one calendar; a day that none holds is missing."""
    first = layers[0]
    days = pd.DatetimeIndex(np.unique(np.concatenate([layer.days for layer in layers])))
    cells = len(first.lon)
    values: dict[tuple[str, str], Numbers] = {}
    for layer in layers:
        table = values.setdefault((layer.name, layer.unit), np.full((len(days), cells), np.nan))
        table[days.get_indexer(layer.days)] = layer.values
    return service_weather(
        service, path, [*zip(first.lon.tolist(), first.lat.tolist(), strict=True)],
        [days] * cells,
        [Variable(name, unit, table.T.ravel()) for (name, unit), table in values.items()],
    )  # fmt: skip


@contextmanager
def _files(path: Path) -> Iterator[list[Path]]:
    if path.suffix.lower() != ".zip":
        yield [path]
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                names = [n for n in archive.namelist() if n.lower().endswith(".nc")]
                yield [Path(archive.extract(name, folder)) for name in sorted(names)]
        except zipfile.BadZipFile as error:
            raise UserError(f"{path} is no zip file ({error})", "download it again") from error


def _layers(path: Path, file: Path) -> Iterator[_Layer]:
    try:
        with rasterio.open(file) as opened:
            places = opened.subdatasets or [str(file)]
        for place in places:
            with rasterio.open(place) as data:
                layer = _layer(path, file, data)
                if layer is not None:
                    yield layer
    except RasterioError as error:
        raise UserError(
            f"{path}: {file.name} cannot be read as NetCDF ({error})", "download it again"
        ) from error


def _layer(path: Path, file: Path, data: rasterio.DatasetReader) -> _Layer | None:
    tags = data.tags(1)
    variable = tags.get("NETCDF_VARNAME", "")
    named = _named(variable, file.name)
    if named is None:
        return None
    if data.width * data.height > _LARGEST:
        raise UserError(
            f"{path} holds {data.width * data.height} cells",
            f"cut it to the county's area when ordering it ({_LARGEST} cells at most)",
        )
    columns, rows = np.meshgrid(np.arange(data.width) + 0.5, np.arange(data.height) + 0.5)
    lon, lat = data.transform @ (columns.ravel(), rows.ravel())
    numbers = data.read(masked=True).astype(np.float64).filled(np.nan)
    scale, offset = np.array(data.scales)[:, None, None], np.array(data.offsets)[:, None, None]
    values = (numbers * scale + offset).reshape(data.count, -1)
    lon = np.round((lon + 180) % 360 - 180, 6)
    days = _days(path, data.tags(), [data.tags(n + 1) for n in range(data.count)])
    return _Layer(*named, tags.get("units", ""), days, lon, np.round(lat, 6), values)


def _named(variable: str, file: str) -> tuple[str, str] | None:
    """Return service and name of a variable: of ERA5-Land the statistic is in the file's name."""
    if variable in known_variables("agera5"):
        return "agera5", variable
    found = _STATISTIC.search(file)
    statistic = found[1].lower() if found else "sum" if variable in _SUMS else ""
    name = f"{variable}_{statistic}"
    return ("era5-land", name) if name in known_variables("era5-land") else None


def _days(
    path: Path, tags: Mapping[str, str], bands: Sequence[Mapping[str, str]]
) -> pd.DatetimeIndex:
    axis = next((n for n in ("time", "valid_time") if f"{n}#units" in tags), "time")
    since = _SINCE.match(tags.get(f"{axis}#units", ""))
    if since is None:
        raise UserError(f"{path} does not say what its times count from", "download it again")
    steps = np.array([float(band[f"NETCDF_DIM_{axis}"]) for band in bands])
    origin = pd.Timestamp(f"{since[2]} {since[3] or ''}".strip()).tz_localize(None)
    after = pd.to_timedelta(steps * _SECONDS[since[1]], unit="s")
    return pd.DatetimeIndex(origin + after).normalize()
