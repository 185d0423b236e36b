"""A county from afar: parcels gathered in cells of a few screen pixels.

Owns the gathering. A parcel of 45 m is less than a pixel where a whole county fits the screen;
drawing a million of them costs seconds and shows no more than one dot per cell does. A cell keeps
for each colouring its most frequent classes, so that a class that is hidden gives way to the next
one and no cell lies. From `fine_zoom` on every parcel is drawn by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

CELL_PIXELS = 3.0
"""Edge of a cell on the screen: a dot of 1.5 pixels radius fills it."""
RANKS = 3
"""Classes that a cell keeps of each colouring."""
_TILE_PIXELS = 512
_LEGIBLE_PIXELS = 5.0
"""Edge from which an outline is more than a dot."""
_WORLD_M = 40_075_016.686
"""Circumference of the equator, the width of Web Mercator at zoom 0. Source: EPSG:3857."""
_FINEST, _COARSEST = 14, 9
_SPAN_PIXELS = 300.0
"""A county smaller than this on the screen needs no coarser overview."""


def fine_zoom(frame: gpd.GeoDataFrame) -> int:
    """Return the zoom from which outlines are drawn: that at which half of them are legible.

    Args:
        frame: Outlines, EPSG:4326, with `area_m2`.
    """
    latitude = float(frame.total_bounds[[1, 3]].mean())
    edge = math.sqrt(float(np.median(frame["area_m2"].astype("float64"))))
    pixel = edge / _LEGIBLE_PIXELS
    zoom = math.log2(_WORLD_M * math.cos(math.radians(latitude)) / _TILE_PIXELS / pixel)
    return min(max(math.ceil(zoom), _COARSEST), _FINEST)


def coarse_zooms(frame: gpd.GeoDataFrame) -> range:
    """Return the zooms that have cells of their own; those below share the first one's."""
    west, south, east, north = frame.total_bounds
    fine = fine_zoom(frame)
    widest = max(east - west, north - south, 1e-9) / 360
    first = math.floor(math.log2(_SPAN_PIXELS / _TILE_PIXELS / widest))
    return range(min(max(first, 0), fine - 1), fine)


def cells(frame: gpd.GeoDataFrame, zoom: int, colourings: Sequence[str]) -> gpd.GeoDataFrame:
    """Gather parcels in the cells of a zoom.

    Args:
        frame: Outlines, EPSG:4326, with `parcel_id` and a column `NAME_class` per colouring.
        zoom: Web Mercator zoom with tiles of 512 pixels.
        colourings: Names.

    Returns:
        One point per cell that holds a parcel: their mean place, `n` parcels, `id` where it is one
        parcel, else empty, and `NAME`, `NAME_2`, `NAME_3`: classes from the most frequent one on,
        -1 where there are fewer.
    """
    places = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
    number, count = _numbered(places, zoom)
    size = np.bincount(number, minlength=count)
    mean = [np.bincount(number, places[:, axis], count) / size for axis in (0, 1)]
    first = np.full(count, -1)
    first[number[::-1]] = np.arange(len(frame))[::-1]
    ids = frame["parcel_id"].astype(str).to_numpy()[first]
    told: dict[str, object] = {"id": np.where(size == 1, ids, ""), "n": size.astype("int32")}
    for name in colourings:
        classes = frame[f"{name}_class"].to_numpy("int64")
        for rank, found in enumerate(_ranked(number, classes, count)):
            told[name if rank == 0 else f"{name}_{rank + 1}"] = found
    return gpd.GeoDataFrame(told, geometry=shapely.points(mean[0], mean[1]), crs=frame.crs)


def _numbered(places: NDArray[np.float64], zoom: int) -> tuple[NDArray[np.int64], int]:
    """Return each place's cell, numbered from 0, and how many there are."""
    scale = _TILE_PIXELS * 2.0**zoom / CELL_PIXELS
    column = np.floor((places[:, 0] + 180) / 360 * scale).astype("int64")
    north = np.arcsinh(np.tan(np.radians(places[:, 1])))
    row = np.floor((1 - north / np.pi) / 2 * scale).astype("int64")
    codes, _ = pd.factorize(column * 2**32 + row)
    return codes.astype("int64"), int(codes.max()) + 1


def _ranked(
    number: NDArray[np.int64], classes: NDArray[np.int64], count: int
) -> Iterator[NDArray[np.int32]]:
    """Yield each cell's class of rank 1, 2, ... by frequency, the smaller class first on a tie."""
    width = int(classes.max()) + 1
    pairs, often = np.unique(number * width + classes, return_counts=True)
    cell, kind = pairs // width, pairs % width
    order = np.lexsort((kind, -often, cell))
    cell, kind = cell[order], kind[order]
    start = np.searchsorted(cell, np.arange(count))
    rank = np.arange(len(cell)) - start[cell]
    for wanted in range(RANKS):
        found = np.full(count, -1, dtype="int32")
        here = rank == wanted
        found[cell[here]] = kind[here]
        yield found
