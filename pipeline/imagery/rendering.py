"""Windows that a service renders, written as the files that a pull of files would leave.

Owns the cutting of a county into windows that the service takes, the checks of what it renders and
one file per band from it; asks for nothing itself. The one idea: a rendered window says by its data
mask where there is a pixel, so a missing one can never pass for a dark one, nor an empty answer for
a scene without clouds or fields.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import requests
import shapely
from pyproj import CRS
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window, intersect
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.emptiness import on_map, surely_shows
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.limits import Guard
from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS
from fieldline.pipeline.imagery.sources.source import RenderingSource
from fieldline.pipeline.imagery.tariffs import processing_units
from fieldline.pipeline.imagery.verified_file import clear, is_verified, write_record, written
from fieldline.pipeline.imagery.web import WebError
from fieldline.pipeline.imagery.windows import Boxes
from fieldline.pipeline.records.tables import atomic_path

_PARTS = "windows"
"""Folder of rendered windows, until the scene is whole."""
_TILE = 256
_EDGE_M = 500.0
"""Land around a footprint that is asked for too: catalogs round footprints."""
_NUMBERS = np.dtype("uint16")
_FRACTION = 1e-6  # of a pixel


@dataclass(frozen=True)
class Rendering:
    """What a source is asked of one scene."""

    source: RenderingSource
    item: SceneItem
    """Its assets state the number that means missing."""
    paths: Mapping[str, Path]
    """File of each asset."""
    grid: Grid
    """The county's grid."""
    boxes: Boxes
    """Land that is needed, in the grid's CRS."""

    @property
    def folder(self) -> Path:
        """Where rendered windows lie until the scene is whole."""
        return next(iter(self.paths.values())).parent / _PARTS

    @cached_property
    def footprint(self) -> BaseGeometry:
        """The scene's, in the grid's CRS."""
        return on_map(self.item.footprint, self.grid.crs)

    @cached_property
    def windows(self) -> list[Window]:
        """Windows of the grid that are asked for; none where no land is needed or shown."""
        return _windows(self.grid, self.footprint, self.boxes, self.source.side)

    @cached_property
    def keys(self) -> list[str]:
        """Assets whose files are not there yet."""
        paths = self.paths.items()
        return sorted(key for key, path in paths if not is_verified(path, self._word(key)))

    def to_come(self) -> list[Grid]:
        """Return the windows that are still to be rendered."""
        missing = [window for window in self.windows if not self._is_there(window)]
        return [_part(self.grid, window) for window in missing] if self.keys else []

    def run(self, session: requests.Session, guard: Guard) -> None:
        """Have everything rendered that is not there yet, each band as a verified file.

        Args:
            session: Signed for the source.
            guard: Allows processing units.

        Raises:
            WebError: A window does not come, or is not what was asked for.
            OutOfTimeError: Its turn comes too late.
            BudgetError: It would exceed the budget.
            OSError: A file cannot be written.
        """
        root = self.source.provider.root
        if not self.windows:
            raise WebError(root, "footprint_beside_the_county")
        if not self.keys:
            return
        for key in self.keys:
            clear(
                self.paths[key]
            )  # one of other land must not be read where this one does not come
        for window in self.windows:
            part = _part(self.grid, window)
            if not self._is_there(window):
                guard.spend(processing_units(part.height, part.width, len(self.keys)))
                answer = self.source.render(session, self.item, self.keys, part)
                _check(answer, len(self.keys) + 1, part, self.footprint, root)
                _keep(self._place(window), self._asked(self.keys, [window]), answer)
        wanted = {key: self.paths[key] for key in self.keys}
        places = {self._place(window): window for window in self.windows}
        _assemble(self.item, wanted, self.grid, places)
        for key, path in wanted.items():
            write_record(path, self._word(key))
        shutil.rmtree(self.folder)

    def _place(self, window: Window) -> Path:
        return self.folder / f"{window.row_off}_{window.col_off}.tif"

    def _is_there(self, window: Window) -> bool:
        return is_verified(self._place(window), self._asked(self.keys, [window]))

    def _word(self, key: str) -> str:
        return self._asked([key], self.windows)

    def _asked(self, keys: Sequence[str], windows: Sequence[Window]) -> str:
        """Return what tells one request from another, as one word."""
        places = [[self.grid.crs, self.grid.window_bounds(window)] for window in windows]
        words = [[self.item.assets[key].href for key in keys], places]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _part(grid: Grid, window: Window) -> Grid:
    corner = grid.transform @ type(grid.transform).translation(window.col_off, window.row_off)
    return Grid(grid.crs, corner, int(window.height), int(window.width))


def _windows(grid: Grid, footprint: BaseGeometry, boxes: Boxes, side: int) -> list[Window]:
    """Return the windows of the grid to be rendered: none where no land is needed or shown.

    The grid is cut into equal parts, as few as the service's size allows; of each, the box of what
    is needed in it is asked for.
    """
    shown = shapely.box(*footprint.buffer(_EDGE_M).bounds)
    high = math.ceil(grid.height / math.ceil(grid.height / side))
    wide = math.ceil(grid.width / math.ceil(grid.width / side))
    found = []
    for row in range(0, grid.height, high):
        for column in range(0, grid.width, wide):
            size = min(wide, grid.width - column), min(high, grid.height - row)
            cell = Window(column, row, *size)
            part = shapely.box(*grid.window_bounds(cell)) & shown
            inside = np.asarray(shapely.intersection(shapely.box(*boxes.T), part))
            needed = inside[shapely.area(inside) > 0]
            if needed.size:
                west, south, east, north = map(float, shapely.total_bounds(needed))
                window = grid.window_of((west, south, east, north))
                if window is not None and intersect(window, cell):
                    found.append(window.intersection(cell))  # rounding must not make them overlap
    return found


def _check(answer: bytes, bands: int, part: Grid, footprint: BaseGeometry, root: str) -> None:
    """Refuse an answer that is not the window asked for, to its last pixel."""
    try:
        with rasterio.Env(**GDAL_OPTIONS), MemoryFile(answer) as memory, memory.open() as file:
            wrong = _wrong(file, bands, part)
            if wrong is None:
                mask = file.read()[-1]
    except RasterioError as error:
        raise WebError(root, "not_an_image") from error
    if wrong is not None:
        raise WebError(root, wrong)
    if not np.isin(mask, (0, 1)).all():
        raise WebError(root, "no_data_mask")
    if not mask.any() and surely_shows(footprint, np.array([part.bounds])):
        raise WebError(root, "empty_answer")


def _wrong(file: Any, bands: int, part: Grid) -> str | None:
    if file.count != bands:
        return f"{file.count}_bands"
    if set(file.dtypes) != {_NUMBERS.name}:
        return f"dtype_{file.dtypes[0]}"
    if (file.height, file.width) != (part.height, part.width):
        return "another_size"
    if file.crs is None or CRS.from_user_input(file.crs) != CRS.from_user_input(part.crs):
        return "another_crs"
    step = part.resolution * _FRACTION
    return None if file.transform.almost_equals(part.transform, step) else "another_place"


def _keep(path: Path, asked: str, answer: bytes) -> None:
    clear(path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(answer)
    write_record(path, asked)


def _assemble(
    item: SceneItem, paths: Mapping[str, Path], grid: Grid, places: Mapping[Path, Window]
) -> None:
    """Write one file for each band from the windows, missing pixels as the asset states them.

    Raises:
        OSError: A file cannot be written, or does not hold what was written.
    """
    with rasterio.Env(**GDAL_OPTIONS), ExitStack() as renamed:
        drafts = {
            key: renamed.enter_context(atomic_path(path)) for key, path in sorted(paths.items())
        }
        folder = next(iter(drafts.values())).parent
        with written(folder):
            sums = _write(item, drafts, grid, places)
            for path, digest in zip(drafts.values(), sums, strict=True):
                if _digest(path, places.values()) != digest:
                    raise RasterioError("the file is not what was written")


def _write(
    item: SceneItem, paths: Mapping[str, Path], grid: Grid, places: Mapping[Path, Window]
) -> list[str]:
    """Write the files; return the digest of the numbers of each, in the order they were written."""
    sums = [hashlib.sha256() for _ in paths]
    with ExitStack() as opened:
        files = []
        for key, path in paths.items():
            profile = _profile(grid, item.assets[key].radiometry.nodata)
            files.append(opened.enter_context(rasterio.open(path, "w", **profile)))
        for path, place in places.items():
            part = opened.enter_context(rasterio.open(path))
            for strip in _strips(place):
                source = Window(0, strip.row_off - place.row_off, strip.width, strip.height)
                numbers = part.read(window=source)
                for file, digest, band in zip(files, sums, numbers[:-1], strict=True):
                    filled = np.where(numbers[-1] > 0, band, _NUMBERS.type(file.nodata))
                    file.write(filled, 1, window=strip)
                    digest.update(filled.tobytes())
    return [digest.hexdigest() for digest in sums]


def _digest(path: Path, places: Iterable[Window]) -> str:
    """Read a file back; GDAL tells nobody of a write that failed when it was closed."""
    digest = hashlib.sha256()
    with rasterio.open(path) as file:
        for place in places:
            for strip in _strips(place):
                digest.update(np.ascontiguousarray(file.read(1, window=strip)).tobytes())
    return digest.hexdigest()


def _strips(place: Window) -> Iterator[Window]:
    for start in range(0, place.height, _TILE):
        count = min(_TILE, place.height - start)
        yield Window(place.col_off, place.row_off + start, place.width, count)


def _profile(grid: Grid, nodata: float | None) -> dict[str, Any]:
    return {
        "driver": "GTiff", "count": 1, "dtype": _NUMBERS.name, "crs": grid.crs,
        "nodata": nodata, "transform": grid.transform, "height": grid.height, "width": grid.width,
        "tiled": True, "blockysize": _TILE, "blockxsize": _TILE, "compress": "deflate",
        "sparse_ok": True, "bigtiff": "if_safer",
    }  # fmt: skip
