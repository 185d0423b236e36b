"""The open files of one item, read onto the county's grid: what its mask says, and its bands.

Owns opening COGs and laying their pixels under the grid's; which item's pixel counts is decided in
`mosaic`. The one idea: a file that fits the grid is picked from by index, so a 20 m pixel keeps its
exact area; any other is averaged by the share of each of its pixels under a grid pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.errors import CRSError, RasterioError
from rasterio.windows import Window

from fieldline.pipeline.imagery.archive import Asset, SceneItem
from fieldline.pipeline.imagery.averaging import Average, TurnedGridError
from fieldline.pipeline.imagery.grid import Bounds, Grid
from fieldline.pipeline.imagery.mask_files import is_elsewhere, is_short
from fieldline.pipeline.imagery.masks import Flags, MaskPlanes, mask_asset, mask_planes
from fieldline.pipeline.imagery.placements import Placements
from fieldline.pipeline.imagery.rasters import unusable
from fieldline.pipeline.imagery.resample import FileGeometry, Lookup, grid_extent
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.imagery.spots import Spots
from fieldline.pipeline.records.errors import ProviderError

_KEPT_PLACES = 8  # geometries of an item's files on a window and around it


class SceneReadError(ProviderError):
    """An item of a day that cannot be read."""

    def __init__(self, item_id: str, asset: str, reason: str) -> None:
        self.item_id, self.asset, self.reason = item_id, asset, reason
        super().__init__(f"scene {item_id}, asset {asset}: {reason}")

    def __reduce__(self) -> tuple[type[SceneReadError], tuple[str, str, str]]:
        """Return how it is made again: workers of a scheduler send it home."""
        return type(self), (self.item_id, self.asset, self.reason)


class ItemReader:
    """The open files of one item; bands are opened only where something is to be filled."""

    def __init__(
        self, item: SceneItem, grid: Grid, bands: Sequence[str], mask: MaskSettings,
        placements: Placements,
    ) -> None:  # fmt: skip
        self._item, self._grid, self._mask = item, grid, mask
        self._bands, self._placements = bands, placements
        self._mask_name = mask_asset(mask)
        self._files: dict[str, _BandFile] = {}
        self._places: dict[tuple[FileGeometry, Bounds, bool], Lookup | Average | None] = {}
        first = self._file(self._mask_name or bands[0])
        try:
            self.extent = grid_extent(first.geometry, grid)
            if self._mask_name is not None:
                self._refuse_elsewhere(first)
        except ProjError as error:
            raise first.failure("crs_unknown") from error

    def _refuse_elsewhere(self, mask: _BandFile) -> None:
        """Refuse a mask of other land: it would read as an image under clouds."""
        if is_short(mask.geometry, self._item.footprint.bounds, self._grid) and is_elsewhere(
            mask.geometry, self._file(self._bands[0]).geometry, self._grid
        ):
            raise mask.failure("mask_elsewhere")

    def planes(self, window: Window) -> MaskPlanes:
        """Return what the item's mask says of a window."""
        name = self._mask_name
        assert name is not None, "the item has no mask"
        file = self._file(name)
        place = self._place(file, Spots(window))
        if place is None:
            nothing = np.zeros((int(window.height), int(window.width)), dtype=bool)
            return MaskPlanes(nothing, nothing, nothing, nothing)
        values = file.read(place.source)
        if isinstance(place, Lookup):
            values = place.pick(values)
            return mask_planes(values, place.within(file.present(values)), self._mask)
        planes = mask_planes(values, file.present(values), self._mask)
        return MaskPlanes(
            place.mostly(planes.said), place.mostly(planes.clear), place.touching(planes.cloud),
            place.mostly(planes.snow),
        )  # fmt: skip

    def fill(self, spots: Spots, view: NDArray[np.float32], empty: Flags, clear: Flags) -> None:
        """Put reflectance into `view` where `empty` and clear, and mark it as no longer empty."""
        usable = empty & clear
        if not usable.any():
            return
        # The first item writes straight into the block: what is not clear stays marked as empty.
        values = view if empty.all() else np.empty(view.shape, dtype=np.float32)
        for index, band in enumerate(self._bands):
            usable &= self._band(band, spots, values[index])
        if values is not view:
            np.copyto(view, values, where=usable)
        empty &= ~usable

    def close(self) -> None:
        """Close its files."""
        while self._files:
            self._files.popitem()[1].close()

    def _band(self, band: str, spots: Spots, out: NDArray[np.float32]) -> Flags:
        """Write a band's reflectance into `out` and return where it has any."""
        file = self._file(band)
        place = self._place(file, spots)
        if place is None:
            return np.zeros(out.shape, dtype=bool)
        numbers = file.read(place.source)
        if isinstance(place, Lookup):
            numbers = place.pick(numbers)
            file.asset.radiometry.reflectance(numbers, out=out)
            return place.within(file.present(numbers))
        means = place.mean(file.asset.radiometry.reflectance(numbers), file.present(numbers))
        out[:], enough = means
        return enough

    def _place(self, file: _BandFile, spots: Spots) -> Lookup | Average | None:
        key = (file.geometry, spots.window.flatten(), spots.cells is None)
        if key not in self._places:
            if len(self._places) > _KEPT_PLACES:
                self._places.clear()
            try:
                self._places[key] = self._placements.of(file.geometry, self._grid, spots)
            except ProjError as error:
                raise file.failure("crs_unknown") from error
            except TurnedGridError as error:
                raise file.failure("turned_grid") from error
        return self._places[key]

    def _file(self, band: str) -> _BandFile:
        if band not in self._files:
            asset = self._item.find(band)
            if asset is None:
                raise SceneReadError(self._item.id, band, "asset_missing")
            self._files[band] = _BandFile(self._item.id, asset)
        return self._files[band]


class _BandFile:
    """One open raster file; every failure names its item and asset."""

    def __init__(self, item_id: str, asset: Asset) -> None:
        self.asset = asset
        self._item_id = item_id
        try:
            self._dataset = rasterio.open(asset.href)
            crs = self._dataset.crs
            reason = "no_crs" if crs is None else unusable(self._dataset)
            words = "" if crs is None else crs.to_wkt()
        except (RasterioError, CRSError) as error:
            raise self.failure(type(error).__name__) from error
        if reason is not None:
            self._dataset.close()
            raise self.failure(reason)
        self._nodata = self._dataset.nodata
        self.geometry = FileGeometry(
            words, self._dataset.transform, self._dataset.height, self._dataset.width
        )

    def read(self, window: Window) -> NDArray[Any]:
        """Read raw numbers of a file window, (rows, columns)."""
        try:
            return np.asarray(self._dataset.read(1, window=window))
        except RasterioError as error:
            raise self.failure(type(error).__name__) from error

    def present(self, numbers: NDArray[Any]) -> Flags:
        """Return where numbers of the file are measured."""
        present = self.asset.radiometry.present(numbers)
        if self._nodata is not None and self._nodata != self.asset.radiometry.nodata:
            present &= numbers != self._nodata
        return present

    def close(self) -> None:
        self._dataset.close()

    def failure(self, reason: str) -> SceneReadError:
        """Return the error of this file, to be raised."""
        return SceneReadError(self._item_id, self.asset.key, reason)
