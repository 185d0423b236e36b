"""Writes and reads `parcels.parquet`: GeoParquet 1.1 that follows the vecorel core and fiboa.

Owns the file layout (WKB geometry, bbox covering, collection metadata in the header) and nothing
of what is in the rows. Fieldline's own columns are declared in the header as a custom schema,
generated from `PARCEL_COLUMNS`, so that a fiboa reader knows their types as well.

Source: vecorel specification 0.1.0, fiboa specification 0.3.0, GeoParquet 1.1.0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from fieldline.pipeline.parcels.schemas import PARCEL_COLUMNS
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import Column, TableSchema, atomic_path

VECOREL = "https://vecorel.org/specification/v0.1.0/schema.yaml"
FIBOA = "https://fiboa.org/specification/v0.3.0/schema.yaml"
SDL = "https://vecorel.org/sdl/v0.2.0/schema.json"
GEOPARQUET_VERSION = "1.1.0"

PARCELS = TableSchema("parcels", PARCEL_COLUMNS, key=("parcel_id",))
_BOX = ("xmin", "ymin", "xmax", "ymax")
_SPECIFIED = ("id", "collection", "metrics:area", "metrics:perimeter", "determination:method")
_SDL_TYPES = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.float32(): "float",
    pa.int32(): "int32",
}


def write_parcels(frame: gpd.GeoDataFrame, collection: str, path: Path) -> None:
    """Write parcels sorted by parcel_id; equal frames give equal bytes.

    Args:
        frame: Columns of `PARCEL_COLUMNS` and a lon/lat geometry (EPSG:4326), valid polygons.
        collection: fiboa collection id, such as `SIM001_2023`.
        path: File to replace atomically.

    Raises:
        SchemaError: The frame breaks `PARCEL_COLUMNS`; nothing is written.
    """
    ordered = frame.sort_values("parcel_id", kind="stable")
    table = PARCELS.conform(pd.DataFrame(ordered.drop(columns="geometry")))
    geometries = ordered.geometry.to_numpy()
    table = table.append_column(
        pa.field("geometry", pa.binary(), nullable=False),
        pa.array(shapely.to_wkb(geometries, byte_order=1), pa.binary()),
    )
    table = table.append_column(_bbox_field(), _boxes(geometries))
    header = {
        "fieldline": "parcels",
        "geo": json.dumps(_geo_metadata(geometries), sort_keys=True),
        "collection": json.dumps(collection_metadata(collection), sort_keys=True),
    }
    with atomic_path(path) as temporary:
        pq.write_table(table.replace_schema_metadata(header), temporary, compression="zstd")


def read_parcels(path: Path, crs: str | None = None) -> gpd.GeoDataFrame:
    """Read `parcels.parquet`, sorted by parcel_id.

    Args:
        path: The artifact.
        crs: CRS to project to; EPSG:4326 where None.

    Raises:
        UserError: The file is absent or not GeoParquet.
    """
    try:
        frame = gpd.read_parquet(path)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "run the intake stage first") from error
    except (pa.ArrowInvalid, ValueError) as error:
        raise UserError(f"{path} is not GeoParquet", "delete it and rerun intake") from error
    frame = frame.drop(columns="bbox", errors="ignore")
    return frame if crs is None else frame.to_crs(crs)


def collection_metadata(collection: str) -> dict[str, Any]:
    """Return the vecorel collection header: schemas in force and our own columns."""
    own = {c.name: _property(c) for c in PARCEL_COLUMNS if c.name not in _SPECIFIED}
    required = [c.name for c in PARCEL_COLUMNS if c.name in own and not c.nullable]
    return {
        "schemas": {collection: [VECOREL, FIBOA]},
        "schemas:custom": {"$schema": SDL, "required": required, "properties": own},
    }


def _property(column: Column) -> dict[str, Any]:
    rules: dict[str, Any] = {"type": _SDL_TYPES[column.type], "description": column.description}
    if column.minimum is not None:
        rules["minimum"] = column.minimum
    return rules


def _bbox_field() -> pa.Field:
    return pa.field("bbox", pa.struct([pa.field(n, pa.float64(), nullable=False) for n in _BOX]))


def _boxes(geometries: Any) -> pa.Array:
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    columns: Sequence[pa.Array] = [pa.array(bounds[:, i], pa.float64()) for i in range(4)]
    return pa.StructArray.from_arrays(columns, fields=list(_bbox_field().type))


def _geo_metadata(geometries: Any) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "crs": CRS.from_epsg(4326).to_json_dict(),
        "geometry_types": sorted({geometry.geom_type for geometry in geometries}),
        "orientation": "counterclockwise",
        "edges": "planar",
        "covering": {"bbox": {name: ["bbox", name] for name in _BOX}},
    }
    if len(geometries):
        column["bbox"] = [float(v) for v in shapely.total_bounds(geometries)]
    return {
        "version": GEOPARQUET_VERSION,
        "primary_column": "geometry",
        "columns": {"geometry": column},
    }
