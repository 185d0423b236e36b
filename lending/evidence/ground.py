"""Ground: what parcels share with each other and with protected areas, measured in metres.

Owns the overlaps of a county's parcels with their neighbours, with other parcels of the same
applicant and with protected areas; what an overlap means for an offer is `crosscheck`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from fieldline.lending.evidence.claims import counted_twice, disputed_area, rivals
from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.parcels.overlaps import overlapping_pairs

#: Width of a UTM zone.
_GRID_DEGREES = 6.0


@dataclass(frozen=True)
class Ground:
    """Overlaps of each parcel, by its place."""

    rivals: dict[int, list[int]]
    """Parcels of other applicants on the same ground."""
    disputed: dict[int, float]
    """Ground that they claim too, m2."""
    own: dict[int, float]
    """Ground that an earlier parcel of the same applicant holds, m2."""
    protected: npt.NDArray[np.float64]
    """Ground in protected areas, m2."""
    protected_core: npt.NDArray[np.float64]
    """Part of it that lies inside them by more than a phone can err, m2."""


def ground_of(
    parcels: gpd.GeoDataFrame, protected: gpd.GeoDataFrame | None, settings: EvidenceSettings
) -> Ground:
    """Measure what a county's parcels share.

    Args:
        parcels: Accepted parcels (any CRS), in the order of the result.
        protected: Protected areas in force, or None.
        settings: Tolerances.
    """
    metric = parcels.to_crs(parcels.estimate_utm_crs()) if len(parcels) else parcels
    shapes = np.asarray(metric.geometry.array)
    applicants = parcels["farmer_id"].astype("str").tolist()
    pairs = overlapping_pairs(shapes)
    return Ground(
        rivals(pairs, applicants, settings),
        disputed_area(pairs, applicants, settings),
        counted_twice(pairs, applicants, settings),
        _protected_area(metric, protected, 0.0),
        _protected_area(metric, protected, settings.gps_tolerance_m),
    )


def _protected_area(
    metric: gpd.GeoDataFrame, protected: gpd.GeoDataFrame | None, depth_m: float
) -> npt.NDArray[np.float64]:
    """Return each parcel's area, m2, inside the protected polygons by more than a depth."""
    covered = np.zeros(len(metric))
    if protected is None or protected.empty or metric.empty:
        return covered
    zones = _near(protected.geometry, metric)
    shapes = np.asarray(metric.geometry.array)
    parcel, zone = shapely.STRtree(zones).query(shapes, predicate="intersects")
    for i in np.unique(parcel):
        union = shapely.union_all(zones[np.sort(zone[parcel == i])])
        core = union if depth_m == 0 else shapely.buffer(union, -depth_m)
        covered[i] = shapely.area(shapely.intersection(shapes[i], core))
    return covered


def _near(zones: gpd.GeoSeries, metric: gpd.GeoDataFrame) -> npt.NDArray[Any]:
    """Return valid zones on the parcels' grid; one larger than a grid is cut to the county first.

    Far from its middle a grid folds the Earth over, and a country-wide zone would lie elsewhere.
    """
    lonlat = zones.to_crs("EPSG:4326")
    west, south, east, north = lonlat.bounds.to_numpy().T
    large = (east - west > _GRID_DEGREES) | (north - south > _GRID_DEGREES)
    placed = zones.to_crs(metric.crs)
    if large.any():
        around = shapely.box(*metric.to_crs(lonlat.crs).total_bounds).buffer(_GRID_DEGREES / 2)
        placed[large] = lonlat[large].make_valid().intersection(around).to_crs(metric.crs)
    return np.asarray(placed.make_valid().array)
