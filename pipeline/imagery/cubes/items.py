"""The dates of a cube as STAC items, so that each is judged like a scene of any other archive.

Owns what a date's document says: its id, its time, the place that all dates share, and scale,
offset and nodata of each band as CF attributes state them. Reads no pixel.

Source: CF conventions 1.11, section 8.1 (packed data) and 2.5.1 (missing data).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.catalog import BrokenLink, FoundItems, ItemSource
from fieldline.pipeline.imagery.cubes.store import CubeStore, Layer
from fieldline.pipeline.records.errors import UserError

STEP = "fieldline:cube_step"
"""Property of an item: its place along the cube's time."""
_IDS = ("scene_id", "id")
_BASELINES = ("s2:processing_baseline", "baseline")
#: Names without a prefix that mean in a cube what they mean in an item.
_WORDS = ("platform", "constellation", "created", "updated", "published")
_OURS = ("proj:", "datetime")
_POINTS = 8  # of an edge: a straight line of one map is a curve of another


def cube_items(store: CubeStore, collection: str) -> FoundItems:
    """Return the dates of a cube as items, in its own order.

    Args:
        store: The cube.
        collection: Collection that they count as.

    Raises:
        UserError: It has no time, no band or no place.
    """
    footprint, times = _footprint(store), store.times
    assets = {layer.key: _asset(store, layer, len(times)) for layer in store.layers}
    found = FoundItems([], [])
    address, transform = str(store.path), list(store.geometry.transform)[:6]
    for step, moment in enumerate(times):
        place = f"{store.path.name}#{step}"
        if np.isnat(moment):
            found.broken.append(BrokenLink(place, "no_time", "scene_invalid_item"))
            continue
        words = store.said(step)
        time = f"{np.datetime_as_string(moment, 's')}Z"
        name = next((str(words[key]) for key in _IDS if key in words), None)
        document = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": name or f"{store.path.stem}_{time.replace('-', '').replace(':', '')}",
            "collection": collection,
            "geometry": mapping(footprint),
            "bbox": list(footprint.bounds),
            "properties": {
                **_properties(words), "datetime": time, "proj:transform": transform, STEP: step,
            },
            "links": [],
            "assets": assets,
        }  # fmt: skip
        found.sources.append(ItemSource(place, f"{address}/{step}", document))
    return found


def _properties(words: dict[str, Any]) -> dict[str, Any]:
    """Return the words that STAC knows."""
    kept = {
        name: value
        for name, value in words.items()
        if (":" in name or name in _WORDS) and not name.startswith(_OURS)
    }
    baseline = next((words[key] for key in _BASELINES if key in words), None)
    if baseline is not None:
        kept[_BASELINES[0]] = baseline
    return kept


def _asset(store: CubeStore, layer: Layer, dates: int) -> dict[str, Any]:
    """Return an asset; numbers that are not whole and not packed are reflectance as they are."""
    words = layer.attributes
    scale, offset = _number(words, "scale_factor"), _number(words, "add_offset")
    physical = layer.dtype.kind == "f" or scale is not None or offset is not None
    packing: dict[str, Any] = {}
    if physical:
        packing = {"scale": 1.0 if scale is None else scale, "offset": offset or 0.0}
    missing = nodata_of(layer)
    if missing is not None:
        packing["nodata"] = "nan" if math.isnan(missing) else missing
    names = {key: str(words[key]) for key in ("common_name",) if key in words}
    return {
        "href": f"{store.path / layer.variable}#{layer.key}",
        "file:size": store.stored(layer.variable)[0] // max(dates, 1) or 1,
        "eo:bands": [{"name": layer.key, **names}],
        "raster:bands": [packing],
    }


def nodata_of(layer: Layer) -> float | None:
    """Return the packed number that means missing; NaN for floats that state none.

    Raises:
        UserError: It is no number.
    """
    for key in ("_FillValue", "missing_value"):
        stated = _number(layer.attributes, key)
        if stated is not None:
            return stated
    return math.nan if layer.dtype.kind == "f" else None


def _number(words: Any, key: str) -> float | None:
    value = words.get(key)
    if value is None:
        return None
    try:
        return float(np.asarray(value).reshape(-1)[0])
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(
            f"the cube states {key} {value!r}", "write it as a number, or leave it out"
        ) from error


def _footprint(store: CubeStore) -> BaseGeometry:
    """Return the ground of all dates, EPSG:4326; over the antimeridian beyond 180 degrees east."""
    geometry = store.geometry
    right, bottom = geometry.transform @ (geometry.width, geometry.height)
    edge = box(geometry.transform.c, bottom, right, geometry.transform.f)
    dense = shapely.segmentize(edge, edge.length / 4 / _POINTS)
    move = Transformer.from_crs(geometry.crs, "EPSG:4326", always_xy=True)
    places = np.stack(move.transform(*shapely.get_coordinates(dense).T), axis=1)
    if not (np.abs(places) <= (360, 90)).all():
        raise UserError(
            f"{store.path}: its coordinates lie outside its CRS",
            "look at the units of x and y, and at the CRS",
        )
    if np.ptp(places[:, 0]) > 180:
        places[places[:, 0] < 0, 0] += 360
    return shapely.set_coordinates(dense, places)
