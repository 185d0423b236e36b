"""Schemas of parcels.parquet, farmers.parquet and contacts.parquet."""

from __future__ import annotations

import pyarrow as pa

from fieldline.pipeline.records.tables import Column, TableSchema

#: Columns of parcels.parquet besides the geometry (GeoParquet, EPSG:4326, written by geopandas).
#: `id`, `collection`, `geometry`, `bbox`, `metrics:*` and `determination:*` are fiboa/vecorel names.
PARCEL_COLUMNS: tuple[Column, ...] = (
    Column("id", pa.string(), "fiboa identifier, equal to parcel_id"),
    Column("parcel_id", pa.string(), "Parcel identifier that every other table joins by"),
    Column("collection", pa.string(), "fiboa collection: {county}_{season}"),
    Column("farmer_id", pa.string(), "Keyed pseudonym of the farmer"),
    Column("village", pa.string(), "Village or grouping unit", nullable=True),
    Column("declared_crop", pa.string(), "Declared crop, code of data/crops.csv", nullable=True),
    Column("declared_area_m2", pa.float64(), "Declared area", "m2", nullable=True, minimum=0),
    # fiboa 0.3.0 fixes float (32 bits) and nullable for these three; they are never null here.
    Column(
        "metrics:area",
        pa.float32(),
        "Area of the ring on the ellipsoid",
        "m2",
        nullable=True,
        minimum=0,
    ),
    Column(
        "metrics:perimeter", pa.float32(), "Perimeter of the ring", "m", nullable=True, minimum=0
    ),
    Column("determination:method", pa.string(), "fiboa: how the outline came about", nullable=True),
    Column("repair", pa.string(), "Repairs made at intake, empty for none"),
)

FARMERS = TableSchema(
    "farmers",
    (
        Column("farmer_id", pa.string(), "Keyed pseudonym"),
        Column("parcels_declared", pa.int32(), "Input rows that name this farmer", minimum=1),
        Column("parcels_accepted", pa.int32(), "Rows that passed intake", minimum=0),
        Column("refusals", pa.list_(pa.string()), "Outcome codes of the refused rows"),
    ),
    key=("farmer_id",),
)

CONTACTS = TableSchema(
    "contacts",
    (
        Column("farmer_id", pa.string(), "Keyed pseudonym of the farmer"),
        Column("kind", pa.string(), "`phone`, `bank_account`, `address` or `id_number`"),
        Column("mark", pa.string(), "Keyed mark: equal for equal contacts, and nothing else"),
    ),
    key=("farmer_id", "kind", "mark"),
)
