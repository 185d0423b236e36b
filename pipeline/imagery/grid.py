"""The one metric grid of a county: its CRS, origin, size and the windows it is walked by.

Owns pure arithmetic between map coordinates and pixels; opens no file. The one idea: a grid is
snapped to whole multiples of its resolution, so Sentinel-2's own pixels fall exactly onto it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from geopandas import GeoDataFrame, GeoSeries
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.windows import Window

from fieldline.pipeline.imagery.settings import GridSettings
from fieldline.pipeline.records.errors import UserError

Bounds = tuple[float, float, float, float]
"""xmin, ymin, xmax, ymax in the unit of the CRS."""


@dataclass(frozen=True)
class Grid:
    """A north-up raster grid with square pixels."""

    crs: str
    """CRS as an authority string, metric."""
    transform: Affine
    """Pixel corner to map coordinates, m."""
    height: int
    """Rows, pixels."""
    width: int
    """Columns, pixels."""

    @property
    def resolution(self) -> float:
        """Pixel edge, m."""
        return float(self.transform.a)

    @property
    def bounds(self) -> Bounds:
        """Outer edges, m."""
        return self.window_bounds(Window(0, 0, self.width, self.height))

    def window_bounds(self, window: Window) -> Bounds:
        """Return the outer edges of a window, m."""
        xmin, ymax = self.transform @ (window.col_off, window.row_off)
        xmax, ymin = self.transform @ (
            window.col_off + window.width,
            window.row_off + window.height,
        )
        return (xmin, ymin, xmax, ymax)

    def window_of(self, bounds: Bounds) -> Window | None:
        """Return the smallest window that covers `bounds`, cut to the grid; None where disjoint."""
        inverse = ~self.transform
        left, top = inverse @ (bounds[0], bounds[3])
        right, bottom = inverse @ (bounds[2], bounds[1])
        column, row = max(0, math.floor(left)), max(0, math.floor(top))
        columns = min(self.width, math.ceil(right)) - column
        rows = min(self.height, math.ceil(bottom)) - row
        return Window(column, row, columns, rows) if columns > 0 and rows > 0 else None


def utm_crs(longitude: float, latitude: float) -> str:
    """Return the WGS 84 UTM zone of a point as an EPSG string.

    Source: EPSG 32601-32660 (north) and 32701-32760 (south), zones of 6 degrees from 180 W.
    """
    zone = min(int((longitude + 180.0) // 6.0) + 1, 60)
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


def county_grid(parcels_wgs84: GeoDataFrame, settings: GridSettings) -> Grid:
    """Return the grid that covers all parcels of a county plus the configured margin.

    Args:
        parcels_wgs84: Parcel polygons in EPSG:4326, at least one.
        settings: CRS, resolution and margin.

    Raises:
        UserError: No parcel, or a configured CRS that is unknown or not metric.
    """
    if parcels_wgs84.empty:
        raise UserError("the county has no accepted parcel", "correct the refused outlines first")
    crs = _crs_over(parcels_wgs84.total_bounds, settings)
    return grid_around(parcels_wgs84.geometry.to_crs(crs).total_bounds, crs, settings)


def grid_over(parts: Callable[[], Iterable[GeoSeries]], settings: GridSettings) -> Grid:
    """Return the grid of `county_grid` over outlines that are read part by part, twice.

    Args:
        parts: Begins to read outlines in EPSG:4326, at least one.
        settings: CRS, resolution and margin.
    """
    crs = _crs_over(_around(part.total_bounds for part in parts()), settings)
    return grid_around(_around(part.to_crs(crs).total_bounds for part in parts()), crs, settings)


def _around(boxes: Iterable[Sequence[float]]) -> Bounds:
    edges = np.array(list(boxes))
    return (*edges[:, :2].min(axis=0), *edges[:, 2:].max(axis=0))


def _crs_over(box: Sequence[float], settings: GridSettings) -> str:
    """Return the metric CRS of a county that lies in a box of degrees."""
    crs = settings.crs or utm_crs((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    _require_metric(crs)
    return crs


def grid_around(bounds: Sequence[float], crs: str, settings: GridSettings) -> Grid:
    """Return the grid over `bounds` plus margin, snapped outward to resolution multiples."""
    step, margin = settings.resolution_m, settings.margin_m
    left = math.floor((bounds[0] - margin) / step) * step
    bottom = math.floor((bounds[1] - margin) / step) * step
    right = math.ceil((bounds[2] + margin) / step) * step
    top = math.ceil((bounds[3] + margin) / step) * step
    return Grid(
        crs=crs,
        transform=Affine(step, 0.0, left, 0.0, -step, top),
        height=round((top - bottom) / step),
        width=round((right - left) / step),
    )


def iter_windows(
    grid: Grid, block_pixels: int, *, origin: tuple[int, int] = (0, 0)
) -> Iterator[Window]:
    """Yield the windows that tile the grid, row by row.

    Args:
        grid: The county grid.
        block_pixels: Edge of a block, pixels.
        origin: (row, column) of any corner of the block lattice on the grid; blocks at the grid's
            edges are cut. A lattice laid on the tiles of the source files reads each tile once.
    """
    for row, rows in lattice(grid.height, block_pixels, origin[0]):
        for column, columns in lattice(grid.width, block_pixels, origin[1]):
            yield Window(column, row, columns, rows)


def lattice(length: int, step: int, origin: int) -> Iterator[tuple[int, int]]:
    """Yield first pixel and length of the steps along an edge; `origin` is any step's corner."""
    start = 0
    while start < length:
        end = min(length, start + step - (start - origin) % step)
        yield start, end - start
        start = end


def _require_metric(crs: str) -> None:
    try:
        parsed = CRS.from_user_input(crs)
    except CRSError as error:
        raise UserError(f"grid.crs {crs!r} is not a CRS", "give an EPSG code") from error
    if not parsed.is_projected or parsed.linear_units.lower() not in ("metre", "meter", "m"):
        raise UserError(f"grid.crs {crs!r} is not metric", "give a projected CRS in metres")
