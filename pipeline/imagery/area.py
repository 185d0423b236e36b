"""A county's parcels as something to intersect footprints with; knows no scene and no date."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

_FEW = 256  # parcels asked first


class ParcelArea:
    """The parcels of one county.

    Args:
        parcels: Parcel polygons, EPSG:4326.
    """

    def __init__(self, parcels: gpd.GeoDataFrame) -> None:
        outlines = parcels.geometry.to_numpy()
        self._tree = STRtree(outlines)
        # A footprint usually covers the county: a few parcels then say what a million would.
        self._few = STRtree(outlines[_evenly(len(outlines), _FEW)])
        bounds = parcels.total_bounds if len(parcels) else (0.0, 0.0, 0.0, 0.0)
        self.longitude = float(bounds[0] + bounds[2]) / 2

    def touches(self, footprint: BaseGeometry) -> bool:
        """Whether any parcel lies under a footprint."""
        return bool(self._touched(footprint))

    def sample(self, footprint: BaseGeometry, count: int) -> list[BaseGeometry]:
        """Return up to `count` parcels under a footprint, evenly through the table."""
        touched = self._touched(footprint, count)
        return [touched[place] for place in _evenly(len(touched), count)]

    def _touched(self, footprint: BaseGeometry, enough: int = 1) -> list[BaseGeometry]:
        """Return parcels under a footprint in the table's order: a few where these are enough."""
        found = np.sort(self._few.query(footprint, predicate="intersects"))
        if found.size >= enough:
            return list(self._few.geometries[found])
        found = np.sort(self._tree.query(footprint, predicate="intersects"))
        return list(self._tree.geometries[found])


def _evenly(size: int, count: int) -> NDArray[np.intp]:
    """Return up to `count` places evenly through `size`, the first and the last among them."""
    places: NDArray[np.intp] = np.unique(np.linspace(0, size - 1, min(count, size)).round())
    return places.astype(np.intp)
