"""A county for other tools: one joined layer as GeoPackage with its style, or as GeoParquet.

Owns the columns of the layer, in plain types that every GIS reads, and the styles that QGIS finds
in the file. The values are the stored ones; people appear by pseudonym.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fieldline.desk.app.layer import ClassOf, Layer
from fieldline.desk.app.places import Place
from fieldline.desk.app.words import Words
from fieldline.pipeline.parcels.fiboa import FIBOA, SDL, VECOREL
from fieldline.pipeline.records.money import from_minor

TABLE = "parcels"
_BETWEEN = " | "
_COLUMNS = (
    "parcel_id", "farmer_id", "village", "declared_crop", "declared_area_m2", "area_m2",
    "seen_area_m2", "evidence_area_m2", "crop", "probability", "yield_q10_t_ha", "yield_q50_t_ha",
    "yield_q90_t_ha", "harvest_date", "anomaly", "hazard_index", "effect", "codes", "access",
    "limit_per_mu", "decision_id", "geometry",
)  # fmt: skip
_NUMBERS = (
    "declared_area_m2", "seen_area_m2", "evidence_area_m2", "probability", "yield_q10_t_ha",
    "yield_q50_t_ha", "yield_q90_t_ha", "anomaly", "hazard_index", "limit_per_mu",
)  # fmt: skip
_SPECIFIED = ("id", "collection", "metrics:area")
_TEXTS = ("crop", "effect", "access", "decision_id")
_STYLES = """CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT,
styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT,
ui TEXT, update_time DATETIME DEFAULT CURRENT_TIMESTAMP)"""


def joined(place: Place, layer: Layer) -> gpd.GeoDataFrame:
    """Return the parcels with what was seen of them and decided on their farmers.

    Returns:
        One row per accepted parcel, EPSG:4326: areas in m2, yields in t/ha, the farmer's `limit`
        in units of `currency` and yearly `rate`; lists joined by ` | `.
    """
    frame = layer.frame[list(_COLUMNS)].copy()
    frame["codes"] = frame["codes"].map(_BETWEEN.join, na_action="ignore")
    for name in _NUMBERS:
        frame[name] = pd.to_numeric(frame[name]).astype("float64")
    for name in _TEXTS:
        frame[name] = frame[name].astype("string")
    frame["harvest_date"] = pd.to_datetime(frame["harvest_date"])
    frame.insert(0, "county", place.county)
    frame.insert(1, "season", place.season)
    return frame.merge(_decided(place), on="farmer_id", how="left")


def _decided(place: Place) -> pd.DataFrame:
    names = ["farmer_id", "limit_minor", "annual_rate", "currency", "reasons", "reasons_zh"]
    if not place.has("decisions"):
        return pd.DataFrame(columns=["farmer_id", "limit", "rate", "currency", *names[4:]])
    rows = place.table("decisions", names)
    currency = rows["currency"].iloc[0] if len(rows) else "CNY"
    return pd.DataFrame({
        "farmer_id": rows["farmer_id"],
        "limit": rows["limit_minor"].astype(float) * float(from_minor(1, str(currency))),
        "rate": pd.to_numeric(rows["annual_rate"]).astype(float),
        "currency": rows["currency"],
        "reasons": rows["reasons"].map(_BETWEEN.join),
        "reasons_zh": rows["reasons_zh"].map(_BETWEEN.join),
    })  # fmt: skip


def geopackage(place: Place, layer: Layer, words: Words) -> bytes:
    """Return the layer as a GeoPackage that opens in QGIS coloured by crop, or by decision."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.gpkg"
        joined(place, layer).to_file(path, layer=TABLE, driver="GPKG", engine="pyogrio")
        styles = [
            (words("layer.crop"), _qml("crop", layer.legends["crop"], words), True),
            (words("layer.decision"), _qml("access", layer.legends["decision"], words), False),
        ]
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(_STYLES)
            database.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier)"
                " VALUES ('layer_styles', 'attributes', 'layer_styles')"
            )
            database.executemany(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,"
                " f_geometry_column, styleName, styleQML, useAsDefault, owner)"
                f" VALUES ('', '', '{TABLE}', 'geom', ?, ?, ?, '')",
                styles,
            )
        return path.read_bytes()


def geoparquet(place: Place, layer: Layer) -> bytes:
    """Return the layer as GeoParquet that follows fiboa, with a bounding box per row."""
    frame, collection = joined(place, layer), f"{place.county}_{place.season}"
    frame = frame.assign(
        **{"id": frame["parcel_id"], "metrics:area": frame["area_m2"].astype("float32")},
        collection=collection,
        harvest_date=frame["harvest_date"].dt.strftime("%Y-%m-%d"),
    ).drop(columns="area_m2")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.parquet"
        frame.to_parquet(path, write_covering_bbox=True, schema_version="1.1.0")
        table = _strict(pq.read_table(path))
        head = {b"collection": json.dumps(_fiboa(table.schema, collection)).encode("utf-8")}
        table = table.replace_schema_metadata({**table.schema.metadata, **head})
        pq.write_table(table, path, compression="zstd")
        return path.read_bytes()


def _strict(table: pa.Table) -> pa.Table:
    """Return a table as fiboa wants it: plain strings, and no gap in what it asks for."""
    large = pa.types.is_large_string
    fields = [
        field.with_type(pa.string() if large(field.type) else field.type).with_nullable(
            field.name not in ("id", "collection", "geometry")
        )
        for field in table.schema
    ]
    return table.cast(pa.schema(fields, table.schema.metadata))


def _fiboa(schema: pa.Schema, collection: str) -> dict[str, Any]:
    """Return the collection header: the schemas in force and the columns that are ours."""
    own = {
        field.name: {"type": str(field.type)}
        for field in schema
        if field.name not in (*_SPECIFIED, "geometry", "bbox")
    }
    return {
        "schemas": {collection: [VECOREL, FIBOA]},
        "schemas:custom": {"$schema": SDL, "required": [], "properties": own},
    }


def _qml(column: str, classes: Sequence[ClassOf], words: Words) -> str:
    """Return a QGIS style that colours a column by its classes."""
    root = Xml.Element("qgis", {"version": "3.22.0", "styleCategories": "Symbology"})
    renderer = Xml.SubElement(
        root, "renderer-v2", {"type": "categorizedSymbol", "attr": column, "enableorderby": "0"}
    )
    categories = Xml.SubElement(renderer, "categories")
    symbols = Xml.SubElement(renderer, "symbols")
    for number, entry in enumerate(classes):
        last = number == len(classes) - 1
        label = entry.text.get(words.language) or words(f"class.{entry.key}")
        Xml.SubElement(categories, "category", {
            "symbol": str(number), "value": "" if last else entry.key, "label": label,
            "render": "true", "type": "NULL" if last else "string",
        })  # fmt: skip
        symbol = Xml.SubElement(symbols, "symbol", {"type": "fill", "name": str(number)})
        part = Xml.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1"})
        red, green, blue = (int(entry.colour[at : at + 2], 16) for at in (1, 3, 5))
        Xml.SubElement(part, "prop", {"k": "color", "v": f"{red},{green},{blue},170"})
        Xml.SubElement(part, "prop", {"k": "outline_color", "v": "38,51,46,255"})
        Xml.SubElement(part, "prop", {"k": "outline_width", "v": "0.2"})
        Xml.SubElement(part, "prop", {"k": "style", "v": "solid"})
    Xml.indent(root)
    return "<!DOCTYPE qgis>\n" + Xml.tostring(root, encoding="unicode")
