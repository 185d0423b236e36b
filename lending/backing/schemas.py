"""Schemas of what stands behind lines. Money is int64 in minor units of the county's currency."""

from __future__ import annotations

import pyarrow as pa

from fieldline.pipeline.records.tables import Column, TableSchema

CONTRACTED = TableSchema(
    "contracts",
    (
        Column("contract_id", pa.string(), "Contract"),
        Column("farmer_id", pa.string(), "Pseudonym of who sells"),
        Column("buyer", pa.string(), "Who buys"),
        Column("crop", pa.string(), "Crop that is bought"),
        Column("value_minor", pa.int64(), "What the buyer pays by the contract", "minor", minimum=0),
        Column("counted_minor", pa.int64(), "What of it counts", "minor", minimum=0),
        Column("quantity_t", pa.float64(), "Quantity bought; null where the contract names none and the crop has no price", "t", nullable=True, minimum=0),
        Column("possible_t", pa.float64(), "What the farmer's land can bring of the crop in a good year, less what earlier contracts take", "t", nullable=True, minimum=0),
        Column("possible_minor", pa.int64(), "The same in money, of a crop that is valued by area", "minor", nullable=True, minimum=0),
        Column("assigned", pa.bool_(), "Whether the claim on the buyer is assigned to the lender"),
        Column("outcome", pa.string(), "`ok`, or why it counts for less or nothing: a code of data/outcome_codes.csv"),
        Column("valid_to", pa.date32(), "Last day on which the buyer takes the crop"),
    ),
    key=("contract_id",),
)  # fmt: skip

COVERS = TableSchema(
    "covers",
    (
        Column("place", pa.int32(), "Order of the lender's table: of equals the first covers a farmer", minimum=0),
        Column("guarantor_id", pa.string(), "Guarantee company or risk pool"),
        Column("name", pa.string(), "Its name"),
        Column("share", pa.string(), "Share of a loss that it bears, a decimal"),
        Column("fee", pa.string(), "Yearly fee as a share of what it covers, a decimal"),
        Column("capacity_minor", pa.int64(), "What it could still take on", "minor", minimum=0),
        Column("stated_on", pa.date32(), "Day of that figure, net of the lines offered before"),
        Column("valid_to", pa.date32(), "Last day on which a covered line may be signed; null without end", nullable=True),
        Column("crops", pa.list_(pa.string()), "Crops whose growers it covers; empty for all"),
    ),
    key=("guarantor_id",),
)  # fmt: skip

LISTED = TableSchema(
    "preapproved",
    (
        Column("farmer_id", pa.string(), "Pseudonym"),
        Column("amount_minor", pa.int64(), "Up to which the size of the line needs no person", "minor", minimum=0),
        Column("source", pa.string(), "Who approved it"),
        Column("valid_to", pa.date32(), "Last day in force"),
    ),
    key=("farmer_id",),
)  # fmt: skip

COVER_TURNS = TableSchema(
    "cover_turns",
    (
        Column("farmer_id", pa.string(), "Pseudonym"),
        Column("guarantor_id", pa.string(), "Guarantee company or risk pool"),
        Column("name", pa.string(), "Its name"),
        Column("share", pa.string(), "Share of a loss that it bears, a decimal"),
        Column("fee", pa.string(), "Yearly fee as a share of what it covers, a decimal"),
        Column("left_minor", pa.int64(), "What it could still take on, at most what the farmer could use", "minor", minimum=0),
        Column("capacity_minor", pa.int64(), "What it could take on before the county's first farmer", "minor", minimum=0),
        Column("stated_on", pa.date32(), "Day of that figure, net of the lines offered before"),
        Column("valid_to", pa.date32(), "Last day on which a covered line may be signed; null without end", nullable=True),
    ),
    key=("farmer_id",),
)  # fmt: skip
