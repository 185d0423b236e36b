"""Whether an item's radiometric offset can be believed: its words held against its own pixels.

Owns the look at the parcels' pixels of items whose offset could be applied twice or not at all;
never mends a number and never decides by date. The one idea: vegetation and soil have no negative
reflectance, and a landscape with no pixel below 0.1 in blue and red still holds the offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.errors import RasterioError
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.archive import Asset, SceneItem
from fieldline.pipeline.imagery.grid import Bounds
from fieldline.pipeline.imagery.masks import clear_pixels, mask_asset
from fieldline.pipeline.imagery.resample import project_bounds
from fieldline.pipeline.imagery.settings import MaskSettings, SceneSettings

#: Darkest over vegetation first; the first two that are configured are looked at.
_DARK_BANDS = ("B02", "B04", "B03", "B05")
_BANDS_READ = 2
#: Share of clear parcel pixels below zero from which an offset counts as applied twice. Of 513 real
#: scenes with clear fields in them, taking 0.1 off once too often shows in 502 by blue (in 436 by
#: red alone); haze brightens the rest.
NEGATIVE_SHARE = 0.25
#: Reflectance that the darkest hundredth of the pixels exceeds where an offset is still in the
#: numbers. Six hazy ones of those 513 scenes do so as they are: so it is asked of doubtful items
#: only, and of samples with enough ground in them to hold something dark.
STILL_OFFSET = 0.1
_DARKEST_PERCENT = 1.0
_ENOUGH_PIXELS = 500
_SCENE_CLASSES = (4, 5)  # vegetation and bare soil: water and shadow may truly be negative
_LARGEST = 256  # pixels along an edge read of one parcel

#: Parcels looked at in an item, evenly through the county.
SAMPLED_PARCELS = 16


@dataclass(frozen=True)
class OffsetConflict:
    """Why the pixels of an item speak against its offset."""

    band: str
    offset: float
    """The offset that would be applied."""
    negative: float
    """Share of clear parcel pixels below zero with it."""
    darkest: float
    """Reflectance of the darkest hundredth with it."""


def is_suspect(item: SceneItem, scenes: SceneSettings) -> bool:
    """Whether pixels have to be asked: a negative offset, or words that do not go together."""
    found = [asset.radiometry for asset in _dark_assets(item, scenes)]
    return any(known.doubtful or (known.offset or 0.0) < 0 for known in found)


def _dark_assets(item: SceneItem, scenes: SceneSettings) -> list[Asset]:
    dark = [band for band in _DARK_BANDS if band in scenes.bands][:_BANDS_READ]
    return [asset for band in dark if (asset := item.find(band)) is not None]


def offset_conflict(
    item: SceneItem, outlines: Sequence[BaseGeometry], scenes: SceneSettings
) -> OffsetConflict | None:
    """Hold an item's offsets against its pixels over parcels.

    Args:
        item: An item whose radiometry is complete, defaults included.
        outlines: Parcels under its footprint, EPSG:4326.
        scenes: Bands and mask.

    Returns:
        The conflict; None where there is none, or nothing clear or readable to judge by: a file
        that cannot be read is told when it is observed.
    """
    if not is_suspect(item, scenes):
        return None
    assets = _dark_assets(item, scenes)
    found = [(asset, sample_pixels(item, asset, outlines, scenes.mask)) for asset in assets]
    judged = [_judge(asset, values) for asset, values in found if values.size]
    negative = next((c for c in judged if c.negative >= NEGATIVE_SHARE), None)
    if negative is not None:
        return negative
    bright = all(conflict.darkest >= STILL_OFFSET for conflict in judged)
    enough = bool(judged) and min(values.size for _, values in found) >= _ENOUGH_PIXELS
    doubtful = any(asset.radiometry.doubtful for asset in assets)
    return judged[0] if doubtful and bright and enough else None


def _judge(asset: Asset, values: NDArray[np.float32]) -> OffsetConflict:
    return OffsetConflict(
        asset.key,
        float(asset.radiometry.offset or 0.0),
        float((values < 0).mean()),
        float(np.percentile(values, _DARKEST_PERCENT)),
    )


def sample_pixels(
    item: SceneItem, asset: Asset, outlines: Sequence[BaseGeometry], mask: MaskSettings
) -> NDArray[np.float32]:
    """Return clear reflectances in the boxes of parcels; empty where nothing can be read."""
    name = mask_asset(mask)
    masking = None if name is None else item.find(name)
    try:
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(asset.href) as file,
        ):
            if masking is None:
                parts = [_clear(file, asset, outline.bounds) for outline in outlines]
            else:
                with rasterio.open(masking.href) as classes:
                    parts = [
                        _clear(file, asset, outline.bounds, classes, masking, mask)
                        for outline in outlines
                    ]
    except (RasterioError, ProjError):
        return np.zeros(0, np.float32)
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _clear(
    file: Any,
    asset: Asset,
    degrees: Bounds,
    classes: Any = None,
    masking: Asset | None = None,
    mask: MaskSettings | None = None,
) -> NDArray[np.float32]:
    window = _window(file, degrees)
    if window is None:
        return np.zeros(0, np.float32)
    shape = min(_LARGEST, int(window.height)), min(_LARGEST, int(window.width))
    numbers = file.read(1, window=window, out_shape=shape)
    usable = asset.radiometry.present(numbers)
    if file.nodata is not None:
        usable &= numbers != file.nodata
    if masking is not None and mask is not None:
        place = _window(classes, degrees)
        if place is None:
            return np.zeros(0, np.float32)
        values = classes.read(1, window=place, out_shape=shape)
        usable &= clear_pixels(values, masking.radiometry.present(values), mask)
        if mask.kind == "scl":
            usable &= np.isin(values, _SCENE_CLASSES)
    return asset.radiometry.reflectance(numbers[usable])


def _window(file: Any, degrees: Bounds) -> Window | None:
    """Return the pixels of a file under a box, whatever way the file lies."""
    if file.crs is None:
        return None
    west, south, east, north = project_bounds(degrees, file.crs.to_wkt())
    corners = [~file.transform @ (x, y) for x in (west, east) for y in (south, north)]
    columns, rows = zip(*corners, strict=True)
    if not np.isfinite(corners).all():
        return None
    left, top = max(0, int(np.floor(min(columns)))), max(0, int(np.floor(min(rows))))
    right = min(file.width, int(np.ceil(max(columns))))
    bottom = min(file.height, int(np.ceil(max(rows))))
    return Window(left, top, right - left, bottom - top) if right > left and bottom > top else None
