"""The map of the county report: parcels over a true-colour scene, as inline SVG.

No tile server and no script: one background picture from the greenest clear day of the season and
one path per parcel, with a tooltip, so that the page opens on a bank intranet without a network.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from markupsafe import escape
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.grid import Grid

MAX_EDGE = 1400
"""Longest edge of the background picture, pixels."""
FRAME = 8
"""Pixels shown around the outermost parcels."""


@dataclass(frozen=True)
class MapLayer:
    """One way to colour the parcels.

    Args:
        name: Identifier of the layer in the page.
        title: Title for people.
        values: Value of each parcel, index parcel_id.
        colours: Colour of each value.
    """

    name: str
    title: str
    values: Mapping[str, str]
    colours: Mapping[str, str]


def background_png(rgb: NDArray[np.float32]) -> str:
    """Return a true-colour picture as a data URI, stretched between its 2nd and 98th percentile.

    Args:
        rgb: Reflectance (3, height, width), NaN where missing (drawn light grey).
    """
    step = max(1, int(np.ceil(max(rgb.shape[1:]) / MAX_EDGE)))
    small = rgb[:, ::step, ::step]
    low, high = np.nanpercentile(small, [2, 98]) if np.isfinite(small).any() else (0.0, 1.0)
    scaled = np.clip((small - low) / max(high - low, 1e-6), 0, 1) ** 0.8
    pixels = np.where(np.isfinite(small), scaled * 255, 230).astype(np.uint8)
    profile = {"driver": "PNG", "dtype": "uint8", "count": 3}
    with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture needs no CRS
        with memory.open(width=pixels.shape[2], height=pixels.shape[1], **profile) as png:
            png.write(pixels)
        return "data:image/png;base64," + base64.b64encode(memory.read()).decode("ascii")


def parcel_paths(parcels: gpd.GeoDataFrame, grid: Grid) -> dict[str, str]:
    """Return the SVG path of each parcel in grid pixels.

    Args:
        parcels: Outlines in any CRS with parcel_id.
        grid: County grid of the background.
    """
    projected = parcels.to_crs(grid.crs)
    to_pixel = ~grid.transform
    return {
        parcel_id: _path(geometry, to_pixel)
        for parcel_id, geometry in zip(projected["parcel_id"], projected.geometry, strict=True)
    }


def frame_around(parcels: gpd.GeoDataFrame, grid: Grid) -> tuple[float, float, float, float]:
    """Return left, top, width and height in pixels around the parcels, inside the grid."""
    west, south, east, north = parcels.to_crs(grid.crs).total_bounds
    size = grid.transform.a
    left = max((west - grid.transform.c) / size - FRAME, 0)
    top = max((grid.transform.f - north) / size - FRAME, 0)
    right = min((east - grid.transform.c) / size + FRAME, grid.width)
    bottom = min((grid.transform.f - south) / size + FRAME, grid.height)
    return left, top, right - left, bottom - top


def svg_map(
    grid: Grid,
    background: str,
    paths: Mapping[str, str],
    tooltips: Mapping[str, str],
    layers: list[MapLayer],
    frame: tuple[float, float, float, float],
) -> str:
    """Return the SVG with one group per layer; the page shows one group at a time."""
    groups = "".join(_group(layer, paths, tooltips) for layer in layers)
    picture = f'<image href="{background}" width="{grid.width}" height="{grid.height}"/>'
    left, top, width, height = frame
    return (
        f'<svg class="map" role="img" aria-label="Parcels over a true-colour Sentinel-2 scene" '
        f'viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}">{picture}{groups}</svg>'
    )


def _group(layer: MapLayer, paths: Mapping[str, str], tooltips: Mapping[str, str]) -> str:
    drawn = []
    for parcel_id, path in paths.items():
        colour = layer.colours.get(layer.values.get(parcel_id, ""), "#9e9e9e")
        title = escape(tooltips.get(parcel_id, parcel_id))
        drawn.append(
            f'<path d="{path}" fill="{colour}" stroke="{colour}"><title>{title}</title></path>'
        )
    return f'<g class="layer layer-{layer.name}">{"".join(drawn)}</g>'


def _path(geometry: BaseGeometry, to_pixel: Affine) -> str:
    polygons = getattr(geometry, "geoms", [geometry])
    rings = [ring for p in polygons for ring in (p.exterior, *p.interiors)]
    return "".join(_ring(np.asarray(ring.coords)[:, :2], to_pixel) for ring in rings)


def _ring(points: NDArray[np.float64], to_pixel: Affine) -> str:
    columns = to_pixel.a * points[:, 0] + to_pixel.b * points[:, 1] + to_pixel.c
    rows = to_pixel.d * points[:, 0] + to_pixel.e * points[:, 1] + to_pixel.f
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(columns[:-1], rows[:-1], strict=True))
    return f"M{corners}Z"
