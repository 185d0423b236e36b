"""The dates of a cube that a county needs, written once as the files that a pull would leave.

Owns the windows that are read, and one verified GeoTIFF for each band and date; judges nothing. The
one idea: numbers are written packed as they are stored, so everything after is the same as with an
archive of files; chunks that hold many dates are read once for all of them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.windows import Window

from fieldline.pipeline.imagery.cubes.items import STEP, nodata_of
from fieldline.pipeline.imagery.cubes.store import CubeStore, Layer
from fieldline.pipeline.imagery.layout import Cover, LayoutError, runs
from fieldline.pipeline.imagery.masks import mask_asset, mask_classes
from fieldline.pipeline.imagery.pull import (
    FOLDER,
    PulledScene,
    PullError,
    WantedScene,
    file_name,
    relocated,
    writing,
)
from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS
from fieldline.pipeline.imagery.scene_table import wanted_assets
from fieldline.pipeline.imagery.settings import SceneSettings
from fieldline.pipeline.imagery.verified_file import clear, is_verified, write_record
from fieldline.pipeline.imagery.windows import Tiles, box_of
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import atomic_path

#: What codecs raise on bytes that are not theirs.
BROKEN = (EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError, zlib.error)
_TILE = (256, 256)
_AT_ONCE = 32  # dates read together; bounds memory and open files
_AT_A_TIME = 64 * 2**20  # bytes of one read
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _File:
    """One band of one date."""

    step: int
    path: Path
    asked: str
    """What it is asked to be, as one word."""


def convert_scenes(
    place: Path, wanted: Sequence[WantedScene], scenes: SceneSettings, cover: Cover, folder: Path
) -> list[PulledScene]:
    """Write what is not there yet of every wanted date.

    Args:
        place: The Zarr store.
        wanted: Dates, in any order.
        scenes: Bands and mask.
        cover: Land that is needed.
        folder: Folder of the county and season.

    Returns:
        One result for each wanted date, in their order.

    Raises:
        UserError: The store cannot be read or the folder cannot be written.
    """
    store = CubeStore.open(place.resolve())
    layers = {layer.key: layer for layer in store.layers}
    faults: dict[int, PullError] = {}
    paths: dict[int, dict[str, Path]] = {}
    for name in dict.fromkeys(wanted_assets(scenes)):
        files: dict[str, list[_File]] = {}
        for scene in wanted:
            asset = scene.item.find(name)
            if asset is not None:
                step = _step(scene)
                path = folder / FOLDER / file_name(scene.item.id) / f"{file_name(asset.key)}.tif"
                paths.setdefault(step, {})[asset.key] = path
                files.setdefault(asset.key, []).append(_File(step, path, ""))
        for key, found in files.items():
            faults |= _convert(store, layers[key], found, scenes, cover)
    return [
        PulledScene(
            replace(scene.source, document=relocated(scene.source.read(), paths[_step(scene)])),
            faults.get(_step(scene)),
        )
        for scene in wanted
    ]


def _step(scene: WantedScene) -> int:
    step: int = scene.source.read()["properties"][STEP]
    return step


def _convert(
    store: CubeStore, layer: Layer, files: Sequence[_File], scenes: SceneSettings, cover: Cover
) -> dict[int, PullError]:
    """Write the files of one band; return the dates whose chunks cannot be read."""
    masking = layer.key.lower() == (mask_asset(scenes.mask) or "").lower()
    nodata = nodata_of(layer)
    whole = nodata is None and not (masking and 0 not in mask_classes(scenes.mask).clear)
    try:
        tiles = cover.tiles(store.geometry, _TILE, whole=whole)
    except LayoutError as error:
        raise UserError(
            f"{store.path}: the parcels cannot be laid onto its CRS", "look at its CRS"
        ) from error
    word = [str(store.path), layer.key, store.stored(layer.variable), tiles.tolist()]
    asked = [
        replace(file, asked=hashlib.sha256(json.dumps([*word, file.step]).encode()).hexdigest())
        for file in files
    ]
    faults: dict[int, PullError] = {}
    for group in _groups([f for f in asked if not is_verified(f.path, f.asked)], layer.step):
        try:
            with writing(group[0].path):
                _write(store, layer, group, tiles, nodata)
        except _BrokenChunkError as error:
            fault = PullError(layer.key, type(error.__cause__).__name__, 1)
            _log.warning("%s, dates %s: %s", store.path, [f.step for f in group], fault)
            faults |= {file.step: fault for file in group}
    return faults


def _groups(files: Sequence[_File], step: int) -> Iterator[list[_File]]:
    """Return files whose dates lie in one chunk."""
    by_chunk: dict[int, list[_File]] = {}
    for file in files:
        by_chunk.setdefault(file.step // step, []).append(file)
    for found in by_chunk.values():
        for first in range(0, len(found), _AT_ONCE):
            yield found[first : first + _AT_ONCE]


class _BrokenChunkError(Exception):
    """A chunk that its codec refuses."""


def _write(
    store: CubeStore, layer: Layer, group: Sequence[_File], tiles: Tiles, nodata: float | None
) -> None:
    """Write the files of dates that lie in one chunk.

    Raises:
        _BrokenChunkError: A chunk cannot be read; none of the files is left.
    """
    height, width = store.geometry.height, store.geometry.width
    whole = box_of(tiles, _TILE, height, width)
    profile = _profile(store, layer, whole, nodata)
    dtype = np.dtype(profile["dtype"])
    with rasterio.Env(**GDAL_OPTIONS), ExitStack() as renamed, ExitStack() as opened:
        targets = []
        for file in group:
            clear(file.path)
            temporary = renamed.enter_context(atomic_path(file.path))
            targets.append(opened.enter_context(rasterio.open(temporary, "w", **profile)))
        for window in _pieces(runs(tiles, _TILE, height, width), len(group) * dtype.itemsize):
            numbers = _numbers(store, layer, [file.step for file in group], window)
            place = Window(
                window.col_off - whole.col_off, window.row_off - whole.row_off,
                window.width, window.height,
            )  # fmt: skip
            for target, date in zip(targets, numbers.astype(dtype, copy=False), strict=True):
                target.write(date, 1, window=place)
    for file in group:
        write_record(file.path, file.asked)


def _numbers(store: CubeStore, layer: Layer, steps: Sequence[int], window: Window) -> NDArray[Any]:
    try:
        return store.read(layer, steps, window)
    except BROKEN as error:
        raise _BrokenChunkError from error


def _profile(
    store: CubeStore, layer: Layer, window: Window, nodata: float | None
) -> dict[str, Any]:
    corner = Affine.translation(window.col_off, window.row_off)
    return {
        "driver": "GTiff", "count": 1, "dtype": _written_as(layer.dtype).name,
        "crs": store.geometry.crs, "nodata": nodata,
        "transform": store.geometry.transform @ corner,
        "height": int(window.height), "width": int(window.width),
        "tiled": True, "blockysize": _TILE[0], "blockxsize": _TILE[1], "compress": "deflate",
        "sparse_ok": True, "bigtiff": "if_safer",
    }  # fmt: skip


def _written_as(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of a file that holds every number of another: true is 1."""
    if dtype.kind == "b":
        return np.dtype("uint8")
    return np.dtype("float32") if dtype == np.float16 else dtype.newbyteorder("=")


def _pieces(windows: Sequence[Window], pixel: int) -> Iterator[Window]:
    """Cut runs of tiles so that one read holds no more than memory allows."""
    step = max(1, _AT_A_TIME // (pixel * _TILE[0] * _TILE[1])) * _TILE[1]
    for window in windows:
        end = int(window.col_off + window.width)
        for left in range(int(window.col_off), end, step):
            width = min(step, end - left)
            yield Window(left, window.row_off, width, window.height)
