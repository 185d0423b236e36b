"""Files without a pixel where their scene says that it shows something: a fault, and not a cloud.

Owns the question alone. The one idea: a provider that answers an empty image with status 200 looks
like a scene that does not reach a parcel, unless the scene's own footprint is held against it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import rasterio
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS
from fieldline.pipeline.imagery.windows import Boxes

_EDGE_M = 500.0
"""Edge of a footprint on which a file may truly be empty: catalogs round footprints."""
_EDGE_SHARE = 0.02
"""The same as a share of a small footprint's side."""
_STEP_DEGREES = 0.05  # between the points of a footprint's edge that are projected


def on_map(footprint: BaseGeometry, crs: str) -> BaseGeometry:
    """Return a footprint in degrees on a metric CRS."""
    moved = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return shapely.transform(
        shapely.segmentize(footprint, _STEP_DEGREES),
        lambda places: np.column_stack(moved.transform(*places.T)),
    )


def surely_shows(footprint: BaseGeometry, boxes: Boxes) -> bool:
    """Whether the middle of one box lies in a footprint, its edge left out; on one metric CRS."""
    edge = min(_EDGE_M, _EDGE_SHARE * math.sqrt(footprint.area))
    middles = shapely.points((boxes[:, :2] + boxes[:, 2:]) / 2)
    return bool(shapely.contains(footprint.buffer(-edge), middles).any())


def is_empty(path: Path, nodata: float | None) -> bool:
    """Whether no pixel of a file is there; False where nothing says which number means missing."""
    with rasterio.Env(**GDAL_OPTIONS), rasterio.open(path) as file:
        missing = nodata if file.nodata is None else file.nodata
        if missing is None:
            return False
        return all(
            bool((file.read(1, window=window) == missing).all())
            for _, window in file.block_windows(1)
        )
