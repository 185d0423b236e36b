"""Drawn polygons of any file, on a grid: labels to learn from and truth to be held against.

Owns the reading (formats and coordinate systems are `pipeline.parcels`') and the refusal of files
that do not meet the scenes.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from fieldline.crops.segment.delineate import fine_transform
from fieldline.crops.segment.pairs import NO_FIELD, UPSCALE, Ids
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.parcels.readers import read_layers
from fieldline.pipeline.records.errors import UserError

_GEOPARQUET = (".parquet", ".geoparquet")


def read_outlines(
    path: Path, grid: Grid, *, setting: str = "--train or --validation"
) -> gpd.GeoSeries:
    """Return the polygons of a file that lie on a grid, in its CRS.

    Args:
        path: Any file that a county's parcels may come in, or GeoParquet.
        grid: The grid of the scenes.
        setting: What names the file, for the sentence.

    Raises:
        UserError: The file cannot be read, states no CRS, or none of its polygons lies on the grid.
    """
    parts = [_geoparquet(path)] if path.suffix.lower() in _GEOPARQUET else _layers(path, setting)
    outlines = np.concatenate([np.asarray(part.to_crs(grid.crs), object) for part in parts])
    outlines = shapely.make_valid(outlines)
    west, south, east, north = grid.bounds
    inside = shapely.intersects(outlines, shapely.box(west, south, east, north))
    kept = [o for o in map(_polygons_of, outlines[inside]) if not o.is_empty]
    if not kept:
        raise UserError(
            f"no polygon of {path} lies where the scenes are",
            "check its coordinate system and that it is of the same area as the catalog",
        )
    return gpd.GeoSeries(kept, crs=grid.crs)


def _polygons_of(shape: BaseGeometry) -> BaseGeometry:
    """Return the polygons of a shape: a mended outline may bring lines and points along."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = shapely.get_parts(shapely.get_parts(shape))
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


def _geoparquet(path: Path) -> gpd.GeoSeries:
    if not path.is_file():
        raise UserError(f"{path} does not exist", "name a file of field polygons")
    try:
        series = gpd.read_parquet(path).geometry
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is no GeoParquet", "export it again with its outlines") from error
    return series if series.crs is not None else series.set_crs(4326)


def _layers(path: Path, setting: str) -> list[gpd.GeoSeries]:
    found = []
    for layer in read_layers(path, setting=setting):
        shapes = [shape for shape in layer.shapes if shape.geometry is not None]
        stated = next((shape.crs for shape in shapes if shape.crs is not None), None)
        crs = layer.crs or stated
        if crs is None:
            raise UserError(
                f"{path} does not say its coordinate reference system",
                "export it with one, for example as GeoJSON in EPSG:4326",
            )
        found.append(gpd.GeoSeries([shape.geometry for shape in shapes], crs=CRS(crs)))
    return found


def burnt(
    outlines: gpd.GeoSeries, grid: Grid, *, complete: bool = False,
    held: gpd.GeoSeries | None = None,
) -> Ids:  # fmt: skip
    """Return polygon numbers, from 1 on, on the output grid; later polygons lie on top.

    Args:
        outlines: Polygons in the grid's CRS.
        grid: The grid of the scenes.
        complete: Whether every field within their convex hull is among them: what they leave of it
            is `NO_FIELD` then. Beyond the hull nobody looked.
        held: Fields within the hull that are drawn and held back, in any CRS: unknown, whatever
            `complete` says.
    """
    shapes = [(outline, number) for number, outline in enumerate(outlines, 1)]
    if complete:
        hull = shapely.union_all(np.asarray(outlines)).convex_hull
        back = [] if held is None else [(field, 0) for field in held.to_crs(grid.crs)]
        shapes = [(hull, NO_FIELD), *back, *shapes]
    size = (UPSCALE * grid.height, UPSCALE * grid.width)
    return np.asarray(rasterize(shapes, size, transform=fine_transform(grid), dtype="int32"))
