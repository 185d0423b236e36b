"""A Zarr store of images: which variables are bands, where its pixels lie and when they were taken.

Owns the conventions (CF packing, `grid_mapping`, `proj:` attributes, a variable per band or a
`band` dimension) of Zarr 2 and 3, read through xarray; numbers stay packed as they are stored, so
that a scene of a cube is the scene of the same file. Writes nothing.
"""

from __future__ import annotations

import itertools
import os
import zipfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio import Affine
from rasterio.windows import Window

from fieldline.pipeline.imagery.resample import FileGeometry
from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

_MARKS = ("zarr.json", ".zgroup", ".zmetadata", ".zarray")
_SUFFIX, _ZIP = ".zarr", ".zip"
_EXTRA = "pip install 'fieldline[cube]'"
_TIMES, _BANDS = ("time", "t"), ("band", "bands")
_MAPS = (("y", "x"), ("lat", "lon"), ("latitude", "longitude"))
_CRS_NAMES = ("spatial_ref", "crs")
#: Attributes that state a CRS, in the order in which they are believed.
_CRS_KEYS = ("crs_wkt", "spatial_ref", "proj:wkt2", "proj:code", "proj:epsg", "epsg", "crs")
_UNEVEN = 0.05  # of a pixel: what 32-bit coordinates of a northing may be off by


def is_cube(place: Path) -> bool:
    """Whether a path is a Zarr store, in a folder or in a zip."""
    if place.is_file():
        return place.suffix.lower() == _ZIP and _root_in(place) is not None
    marked = any((place / mark).is_file() for mark in _MARKS)
    return place.is_dir() and (marked or place.suffix.lower() == _SUFFIX)


def _root_in(packed: Path) -> str | None:
    """Return the folder of a zip that is a Zarr store: its root or the one folder in it."""
    try:
        with zipfile.ZipFile(packed) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return None  # whoever reads it says what is wrong with it
    tops = {name.partition("/")[0] for name in names}
    roots = ["", f"{tops.pop()}/"] if len(tops) == 1 else [""]
    return next((root for root in roots for mark in _MARKS if f"{root}{mark}" in names), None)


@dataclass(frozen=True)
class Layer:
    """One band or mask of a cube: a variable, or one place of its `band` dimension."""

    key: str
    variable: str
    """Variable of the store."""
    place: int | None
    """Place along the `band` dimension; None where the variable has none."""
    dtype: np.dtype[Any]
    """Type of the stored numbers."""
    attributes: Mapping[str, Any]
    """What the variable says of itself, packing among it."""
    step: int
    """Dates of one chunk."""


@dataclass(frozen=True)
class CubeStore:
    """An opened store.

    Raises:
        UserError: It is no cube of images on a map, or what reads it is not installed.
    """

    path: Path
    data: xr.Dataset
    """Packed, not yet read."""

    @classmethod
    def open(cls, path: Path) -> CubeStore:
        """Open a store without reading a pixel."""
        try:
            import xarray as xr
            import zarr.storage  # xarray would name every engine that is not there
        except ImportError as error:
            missing = (
                f"{path} is a Zarr store, and {str(error.name).partition('.')[0]} is not installed"
            )
            raise UserError(missing, _EXTRA) from error
        try:
            root = _root_in(path) if path.is_file() else ""
            data = xr.open_zarr(
                zarr.storage.ZipStore(path, mode="r") if path.is_file() else path,
                group=(root or "").rstrip("/") or None,
                consolidated=False, mask_and_scale=False, decode_times=False, chunks=None,
            )  # fmt: skip
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} cannot be read as a Zarr group ({_line(error)})",
                "write it again with xarray.Dataset.to_zarr, or correct inputs.catalog",
            ) from error
        return cls(path, data)

    @cached_property
    def names(self) -> tuple[str, str, str]:
        """Its dimensions of time, rows and columns."""
        known = set(map(str, self.data.dims))
        time = next((name for name in _TIMES if name in known), None)
        across = next((pair for pair in _MAPS if set(pair) <= known), None)
        if time is None or across is None:
            raise UserError(
                f"{self.path} has the dimensions {', '.join(sorted(known)) or 'none'}, and no cube "
                "of images",
                "name its dimensions time, y and x",
            )
        return (time, *across)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Its bands and masks, in its own order."""
        found = [layer for name in self.data.data_vars for layer in self._layers(name)]
        keys = [layer.key for layer in found]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if not found or twice:
            wrong = f"the band {twice[0]} twice" if twice else "no variable with numbers by "
            wrong += "" if twice else ", ".join(self.names)
            raise UserError(
                f"{self.path} holds {wrong}", "keep one variable for each band, such as B04"
            )
        return tuple(found)

    def _layers(self, name: Hashable) -> Iterator[Layer]:
        variable = self.data[name]
        dimensions = set(variable.dims) - set(self.names)
        band = next((each for each in _BANDS if each in dimensions), None)
        spread = {*self.names} <= set(variable.dims) and dimensions <= {band}
        if not spread or variable.dtype.kind not in "biuf":
            return
        step = int(variable.encoding.get("preferred_chunks", {}).get(self.names[0], 1))
        if band is None:
            yield Layer(str(name), str(name), None, variable.dtype, variable.attrs, step)
            return
        for place, label in enumerate(self._labels(band)):
            yield Layer(label, str(name), place, variable.dtype, variable.attrs, step)

    def _labels(self, band: str) -> list[str]:
        stated = self.data[band].values if band in self.data.coords else ()
        labels: NDArray[Any] = np.asarray(stated)
        if not len(labels) or labels.dtype.kind not in "OUST":
            raise UserError(
                f"{self.path}: the dimension {band} does not name its bands",
                f"give it a coordinate of names, such as {band}=['B04', 'B08']",
            )
        return [label.decode() if isinstance(label, bytes) else str(label) for label in labels]

    @cached_property
    def times(self) -> NDArray[np.datetime64]:
        """When each date was taken, UTC; NaT where it is missing."""
        import xarray as xr

        name = self.names[0]
        stated = self.data[name] if name in self.data.coords else None
        said = "no coordinate" if stated is None else f"units {stated.attrs.get('units')!r}"
        try:
            known = stated is not None and xr.decode_cf(stated.to_dataset(name="times"))[name]
        except (ValueError, OverflowError, TypeError):
            known = False
        if known is False or known.dtype.kind != "M":
            raise UserError(
                f"{self.path}: {name} cannot be read as dates ({said})",
                "store datetime64, or CF units such as 'days since 1970-01-01'",
            )
        return np.asarray(known.values, dtype="datetime64[us]")

    @cached_property
    def geometry(self) -> FileGeometry:
        """Where its pixels lie, first row in the north and first column in the west."""
        _, y, x = self.names
        left, wide = self._edge(x)
        bottom, high = self._edge(y)
        top = bottom + high * self.data.sizes[y]
        transform = Affine(wide, 0, left, 0, -high, top)
        return FileGeometry(self._crs(), transform, self.data.sizes[y], self.data.sizes[x])

    def _edge(self, name: str) -> tuple[float, float]:
        """Return the lower edge of a coordinate's pixels and their size."""
        stated = self.data[name].values if name in self.data.coords else np.array([])
        centres = np.sort(stated.astype(float) if stated.dtype.kind in "iuf" else np.array([]))
        size = float(np.ptp(centres)) / (len(centres) - 1) if len(centres) > 1 else 0.0
        ordered = np.array_equal(centres, stated) or np.array_equal(centres[::-1], stated)
        even = centres[:1] + size * np.arange(len(centres))
        if not (ordered and size > 0 and (np.abs(centres - even) <= _UNEVEN * size).all()):
            raise UserError(
                f"{self.path}: the coordinate {name} is not that of evenly spaced pixels",
                "store pixel centres at one distance, two or more of them",
            )
        return float(centres[0]) - size / 2, size

    def _crs(self) -> str:
        """Return the CRS that the store states, as WKT."""
        named = {str(variable.attrs.get("grid_mapping")) for variable in self.data.values()}
        named |= {str(variable.encoding.get("grid_mapping")) for variable in self.data.values()}
        mappings = [name for name in (*sorted(named), *_CRS_NAMES) if name in self.data.variables]
        places = [self.data[name].attrs for name in mappings]
        places += [self.data.attrs, *(variable.attrs for variable in self.data.values())]
        places.append({name: self._scalar(name) for name in ("proj:code", "proj:epsg", "epsg")})
        stated = [place[key] for place in places for key in _CRS_KEYS if place.get(key) is not None]
        for word in stated:
            try:
                return str(CRS.from_user_input(_plain(word)).to_wkt())
            except CRSError:
                continue
        said = f"no CRS that is known ({str(stated[0])[:40]!r})" if stated else "no CRS"
        raise UserError(
            f"{self.path} states {said}",
            "write it with a spatial_ref variable (rioxarray: .rio.write_crs), or with the "
            "attribute proj:epsg",
        )

    def _scalar(self, name: str) -> Any:
        """Return a coordinate of one value."""
        known = self.data.coords.get(name)
        return None if known is None or known.ndim else known.item()

    def said(self, step: int) -> dict[str, Any]:
        """Return what attributes and coordinates say of one date, by their names."""
        words: dict[str, Any] = dict(self.data.attrs)
        for name, known in self.data.coords.items():
            if known.dims in ((), (self.names[0],)) and known.dtype.kind in "biufOUST":
                value = known.values[()] if not known.dims else known.values[step]
                words[str(name)] = _plain(value)
        return {name: value for name, value in words.items() if _is_said(value)}

    def read(self, layer: Layer, steps: Sequence[int], window: Window) -> NDArray[Any]:
        """Read packed numbers, (dates, rows, columns), north up.

        Args:
            layer: Band or mask.
            steps: Dates, by their places.
            window: Pixels of `geometry`.

        Raises:
            Exception: Whatever the codec says of a chunk that is broken (`conversion.BROKEN`).
        """
        time, y, x = self.names
        variable = self.data[layer.variable].variable
        places: dict[str, Any] = {time: np.asarray(steps)}
        for name, first, count in (
            (y, window.row_off, window.height),
            (x, window.col_off, window.width),
        ):
            places[name] = self._slice(name, int(first), int(count))
        if layer.place is not None:
            places |= {band: layer.place for band in _BANDS if band in variable.dims}
        read = variable.isel(places).transpose(time, y, x).values
        down, right = (-1 if self._turned(name) else 1 for name in (y, x))
        return np.asarray(read[:, ::down, ::right])

    def _turned(self, name: str) -> bool:
        """Whether an axis is stored from south to north, or from east to west."""
        first, last = self.data[name].values[[0, -1]]
        return bool(first < last) == (name == self.names[1])

    def _slice(self, name: str, first: int, count: int) -> slice:
        if not self._turned(name):
            return slice(first, first + count)
        end = self.data.sizes[name] - first
        return slice(end - count, end)

    def stored(self, variable: str) -> tuple[int, int]:
        """Return the bytes of a variable's files and when the newest was written, ns."""
        walked = os.walk(self.path / variable)
        names = itertools.chain.from_iterable(
            (os.path.join(folder, name) for name in files)  # noqa: PTH118
            for folder, _, files in walked
        )
        told = [os.stat(name) for name in names]  # noqa: PTH116  a third of Path's time
        return sum(file.st_size for file in told), max((f.st_mtime_ns for f in told), default=0)


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it."""
    if isinstance(value, np.generic):
        value = value.item()
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _is_said(value: Any) -> bool:
    if isinstance(value, float):
        return bool(np.isfinite(value))
    return isinstance(value, str | int | bool) and value != ""


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
