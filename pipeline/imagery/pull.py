"""The pull: windows of a provider's scenes over the county, as files for all later stages.

Owns what is fetched, where it lies and how it is known to be whole; which scenes are wanted is
`scenes`' choice. The one idea: a file counts only beside its record (what was asked, size,
checksum), both renamed into place, so that a rerun fetches what is not verified and nothing else,
and a killed pull ends in the same bytes as an undisturbed one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import requests
from pyproj.exceptions import ProjError
from rasterio import Affine
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from fieldline.pipeline.imagery.archive import Asset, SceneItem
from fieldline.pipeline.imagery.catalog import ItemSource
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS, unusable
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.rendering import render_scene
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.sources.source import RemoteSource, RenderingSource
from fieldline.pipeline.imagery.verified_file import clear, is_verified, write_record
from fieldline.pipeline.imagery.web import WebError, patient_session
from fieldline.pipeline.records.errors import ProviderError, UserError
from fieldline.pipeline.records.tables import atomic_path

FOLDER = "scenes"
"""Folder of pulled files, beside `scenes.parquet`."""
_log = logging.getLogger(__name__)
_MARGIN = 2
"""Pixels around the county's grid, for the rounding of one grid onto another."""
_TILE = 256
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}")


class PullError(ProviderError):
    """A file of a scene that could not be fetched in this run."""

    def __init__(self, asset: str, reason: str, attempts: int) -> None:
        self.asset, self.reason, self.attempts = asset, reason, attempts
        super().__init__(f"{asset}: {reason} ({attempts} attempts)")


@dataclass(frozen=True)
class WantedScene:
    """A scene that its own words allow, still at the provider."""

    source: ItemSource
    item: SceneItem


@dataclass(frozen=True)
class PulledScene:
    """What became of a wanted scene."""

    source: ItemSource
    """Its document with the addresses of the files on disk, also of those that did not come: a
    stage that reads them then counts the date as lost, never as without data."""
    fault: PullError | None = None


def pull_scenes(
    wanted: Sequence[WantedScene],
    source: RemoteSource,
    bands: Sequence[str],
    grid: Grid,
    folder: Path,
    settings: PullSettings,
) -> list[PulledScene]:
    """Fetch what is not there yet of every wanted scene.

    Args:
        wanted: Scenes, in any order.
        source: Where they come from.
        bands: Bands and mask.
        grid: The county's grid; each file is cut to it, along the file's own tiles.
        folder: Folder that is written.
        settings: Connections, attempts and waits.

    Returns:
        One result for each wanted scene, in their order.

    Raises:
        UserError: The folder cannot be written.
    """
    pull = _Pull(source, tuple(bands), grid, folder, settings)
    allowed = source.provider.connections or settings.connections
    with ThreadPoolExecutor(max_workers=min(settings.connections, allowed)) as pool:
        waiting = [pool.submit(pull.scene, scene) for scene in wanted]
        try:
            return [result.result() for result in waiting]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _Pull:
    """One pull; shared by its threads, never changed."""

    source: RemoteSource
    bands: tuple[str, ...]
    grid: Grid
    folder: Path
    settings: PullSettings

    def scene(self, scene: WantedScene) -> PulledScene:
        """Fetch one scene band by band; the first fault ends it for this run."""
        found = {band: scene.item.find(band) for band in self.bands}
        assets = {asset.key: asset for asset in found.values() if asset is not None}
        paths = {key: self._path(scene.item.id, asset) for key, asset in assets.items()}
        local = replace(scene.source, document=_relocated(scene.source.read(), paths))
        with patient_session(self.settings, self.source.provider.retry_after_per_s) as session:
            session.auth = self.source.auth
            try:
                if isinstance(self.source, RenderingSource):
                    self._rendered(self.source, session, scene.item, paths)
                else:
                    for key, asset in assets.items():
                        self._file(session, asset, paths[key])
            except PullError as fault:
                _log.warning("%s: %s", scene.item.id, fault)
                return PulledScene(local, fault)
        return PulledScene(local)

    def _rendered(
        self,
        source: RenderingSource,
        session: requests.Session,
        item: SceneItem,
        paths: Mapping[str, Path],
    ) -> None:
        """Have the files rendered that are not there yet."""
        asked = {key: (path, self._asked(item.assets[key])) for key, path in paths.items()}
        wanted = {key: place for key, place in asked.items() if not is_verified(*place)}
        try:
            if wanted:
                render_scene(source, session, item, wanted, self.grid)
        except WebError as fault:
            raise PullError("window", fault.reason, fault.attempts) from fault
        except OSError as error:
            raise _unwritable(next(iter(paths.values())), error) from error

    def _path(self, item_id: str, asset: Asset) -> Path:
        return self.folder / _file_name(item_id) / f"{_file_name(asset.key)}.tif"

    def _file(self, session: requests.Session, asset: Asset, path: Path) -> None:
        asked = self._asked(asset)
        if is_verified(path, asked):
            return
        try:
            clear(path)
            _write(path, asked, self._remote(session, asset), asset.key, self.grid)
        except OSError as error:
            raise _unwritable(path, error) from error

    def _remote(self, session: requests.Session, asset: Asset) -> RemoteFile:
        try:
            return RemoteFile(session, self.source.address_for_reading(asset.href))
        except WebError as fault:
            raise PullError(asset.key, fault.reason, fault.attempts) from fault

    def _asked(self, asset: Asset) -> str:
        """Return what tells one request from another, as one word: address and county."""
        words = json.dumps([asset.href, self.grid.crs, self.grid.bounds])
        return hashlib.sha256(words.encode()).hexdigest()


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be written ({error.strerror or error})",
        "free or mount disk space for the results folder and run again",
    )


def _file_name(name: str) -> str:
    """Return a name as it is where every disk takes it, else a checksum of it."""
    return name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:24]


def _relocated(document: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any]:
    assets = dict(document["assets"])
    for key, path in paths.items():
        assets[key] = {**assets[key], "href": path.absolute().as_uri()}
    return {**document, "assets": assets}


def _write(path: Path, asked: str, remote: RemoteFile, asset: str, grid: Grid) -> None:
    """Copy a window of a remote file, read the copy back and leave its record beside it."""
    with atomic_path(path) as temporary:
        pixels = _copy(temporary, remote, asset, grid)
        if _pixels(temporary) != pixels:
            raise PullError(asset, "copy_differs", 1)
    write_record(path, asked)


def _copy(target: Path, remote: RemoteFile, asset: str, grid: Grid) -> str:
    """Write the window over a county and return the checksum of its pixels."""
    with rasterio.Env(**GDAL_OPTIONS), _opened(remote, asset) as file:
        window, tile = _window(file, asset, grid), _tile(file)
        corner = Affine.translation(window.col_off, window.row_off)
        profile = {
            "driver": "GTiff", "count": 1, "dtype": file.dtypes[0], "crs": file.crs,
            "nodata": file.nodata, "transform": file.transform @ corner,
            "height": int(window.height), "width": int(window.width),
            "tiled": True, "blockysize": tile[0], "blockxsize": tile[1],
            "compress": "deflate", "bigtiff": "if_safer",
        }  # fmt: skip
        seen = hashlib.sha256()
        with rasterio.open(target, "w", **profile) as copy:
            for rows in _rows(window, tile[0]):
                numbers = _read(file, rows, remote, asset)
                seen.update(np.ascontiguousarray(numbers).tobytes())
                place = Window(0, rows.row_off - window.row_off, rows.width, rows.height)
                copy.write(numbers, 1, window=place)
        return seen.hexdigest()


def _opened(remote: RemoteFile, asset: str) -> Any:
    try:
        file = rasterio.open(f"{_file_name(asset)}.tif", opener=remote.opener())
        reason = "no_crs" if file.crs is None else unusable(file)
    except (RasterioError, CRSError) as error:
        raise _of(remote, asset, type(error).__name__) from error
    if reason is not None:
        file.close()
        raise _of(remote, asset, reason)
    return file


def _read(file: Any, rows: Window, remote: RemoteFile, asset: str) -> Any:
    try:
        numbers = file.read(1, window=rows)
    except RasterioError as error:
        raise _of(remote, asset, type(error).__name__) from error
    if remote.fault is not None:
        raise _of(remote, asset, remote.fault.reason)
    return numbers


def _of(remote: RemoteFile, asset: str, reason: str) -> PullError:
    """Return the provider's fault where there was one: GDAL only saw bytes that did not come."""
    fault = remote.fault
    return PullError(asset, reason, 1) if fault is None else PullError(
        asset, fault.reason, fault.attempts
    )  # fmt: skip


def _window(file: Any, asset: str, grid: Grid) -> Window:
    """Return the pixels over a grid, grown to the file's own tiles, which are fetched whole anyway.

    Blocks of the copy and of the original then lie alike. Where the file shows nothing of the
    county its first tile stands for it: there are no pixels to be lost.
    """
    try:
        west, south, east, north = transform_bounds(grid.crs, file.crs, *grid.bounds)
    except (RasterioError, CRSError, ProjError) as error:
        raise PullError(asset, "crs_unknown", 1) from error
    corners = [~file.transform @ (x, y) for x in (west, east) for y in (south, north)]
    columns, rows = zip(*corners, strict=True)
    high, wide = file.block_shapes[0]
    if not np.isfinite(corners).all():
        raise PullError(asset, "crs_unknown", 1)
    top, bottom = _grown(rows, high, file.height)
    left, right = _grown(columns, wide, file.width)
    if bottom <= top or right <= left:
        return Window(0, 0, min(wide, file.width), min(high, file.height))
    return Window(left, top, right - left, bottom - top)


def _grown(places: Sequence[float], step: int, size: int) -> tuple[int, int]:
    first, last = math.floor(min(places)) - _MARGIN, math.ceil(max(places)) + _MARGIN
    return max(0, first // step * step), min(size, -(-last // step) * step)


def _tile(file: Any) -> tuple[int, int]:
    """Return rows and columns of a tile: the original's where a TIFF may have them."""
    high, wide = file.block_shapes[0]
    fits = all(side % 16 == 0 and side <= 4 * _TILE for side in (high, wide))
    return (high, wide) if fits else (_TILE, _TILE)


def _rows(window: Window, step: int) -> Iterator[Window]:
    end = window.row_off + window.height
    for row in range(int(window.row_off), int(end), step):
        yield Window(window.col_off, row, window.width, min(step, end - row))


def _pixels(path: Path) -> str:
    """Return the checksum of a file's pixels, read as they were written."""
    seen = hashlib.sha256()
    with rasterio.Env(**GDAL_OPTIONS), rasterio.open(path) as file:
        whole = Window(0, 0, file.width, file.height)
        for rows in _rows(whole, file.block_shapes[0][0]):
            seen.update(np.ascontiguousarray(file.read(1, window=rows)).tobytes())
    return seen.hexdigest()
