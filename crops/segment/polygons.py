"""Regions as polygons: topologically clean outlines with the columns of fiboa.

Owns the step from a raster of region numbers to `field_polygons.parquet`. Outlines are simplified
as a coverage, so that neighbours keep one common border and no gap or overlap arises; holes and
tiny fields stay.

Source: fiboa specification 0.3.0 (metrics, determination); Visvalingam and Whyatt (1993), as GEOS's
coverage simplification does it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import shapes

from fieldline.crops.segment.cover import COVERS
from fieldline.crops.segment.regions import Labels
from fieldline.pipeline.parcels.fiboa import FIBOA, GEOPARQUET_VERSION, VECOREL
from fieldline.pipeline.records.tables import atomic_path

METHOD = "auto-imagery"
"""fiboa's word for outlines that a program found on images."""


def polygons_of(labels: Labels, transform: Affine, tolerance: float) -> gpd.GeoDataFrame:
    """Return one polygon per region.

    Args:
        labels: Regions, 0 for none.
        transform: Of the raster, metres.
        tolerance: Triangles smaller than its square are taken off the outlines, metres.

    Returns:
        `label` and a valid polygon in the raster's CRS; a region in several pieces is several rows.
    """
    drawn = shapes(labels, mask=labels > 0, transform=transform, connectivity=4)
    numbers, outlines = [], []
    for shape, number in drawn:
        numbers.append(int(number))
        outlines.append(shapely.geometry.shape(shape))
    if outlines and tolerance > 0:
        outlines = list(shapely.coverage_simplify(np.array(outlines, dtype=object), tolerance))
    return gpd.GeoDataFrame({"label": numbers}, geometry=outlines)


def mean_inside(labels: Labels, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of a raster over each region, by region number from 0 on."""
    count = np.bincount(labels.ravel())
    total = np.bincount(labels.ravel(), values.ravel().astype(float), len(count))
    return np.asarray(total / np.maximum(count, 1))


def write_fields(fields: gpd.GeoDataFrame, collection: str, path: Path) -> None:
    """Write field polygons as GeoParquet in the columns of fiboa.

    Args:
        fields: `id`, `confidence`, `cover`, `seen_on` (last date that told of it) and `details`,
            with polygons in a metric CRS.
        collection: fiboa collection id.
        path: File to replace atomically.
    """
    ordered = fields.sort_values("id", kind="stable")
    lonlat = np.asarray(ordered.geometry.to_crs(4326))
    table = pa.table({
        "id": pa.array(ordered["id"], pa.string()),
        "collection": pa.array([collection] * len(ordered), pa.string()),
        "metrics:area": pa.array(ordered.geometry.area, pa.float32()),
        "metrics:perimeter": pa.array(ordered.geometry.length, pa.float32()),
        "determination:method": pa.array([METHOD] * len(ordered), pa.string()),
        "determination:datetime": pa.array(list(ordered["seen_on"]), pa.timestamp("ms", "UTC")),
        "determination:details": pa.array(ordered["details"], pa.string()),
        "confidence": pa.array(ordered["confidence"], pa.float32()),
        "cover": pa.array(ordered["cover"], pa.string()),
        "geometry": pa.array(shapely.to_wkb(shapely.orient_polygons(lonlat)), pa.binary()),
    })  # fmt: skip
    header = {
        "fieldline": "field_polygons",
        "geo": json.dumps(_geo(lonlat), sort_keys=True),
        "collection": json.dumps(_collection(collection), sort_keys=True),
    }
    with atomic_path(path) as temporary:
        pq.write_table(table.replace_schema_metadata(header), temporary, compression="zstd")


def _geo(outlines: NDArray[Any]) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted({outline.geom_type for outline in outlines}),
        "orientation": "counterclockwise",
        "edges": "planar",
    }
    if len(outlines):
        column["bbox"] = [float(v) for v in shapely.total_bounds(outlines)]
    return {
        "version": GEOPARQUET_VERSION,
        "primary_column": "geometry",
        "columns": {"geometry": column},
    }


def _collection(name: str) -> dict[str, Any]:
    own = {
        "confidence": {"type": "float", "minimum": 0, "maximum": 1},
        "cover": {"type": "string", "enum": list(COVERS)},
    }
    return {
        "schemas": {name: [VECOREL, FIBOA]},
        "schemas:custom": {"required": [], "properties": own},
    }
