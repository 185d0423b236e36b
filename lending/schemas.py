"""Schemas of the lending room's artifacts. Money is int64 in minor units of `currency`."""

from __future__ import annotations

import pyarrow as pa

from fieldline.pipeline.records.tables import Column, TableSchema

_MONEY = pa.int64()

EVIDENCE = TableSchema(
    "evidence",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("farmer_id", pa.string(), "Pseudonym"),
        Column("declared_area_m2", pa.float64(), "Declared area", "m2", nullable=True),
        Column("seen_area_m2", pa.float64(), "Planted area seen", "m2", nullable=True),
        Column("registry_area_m2", pa.float64(), "Registered area", "m2", nullable=True),
        Column("drawn_area_m2", pa.float64(), "Area of the drawn ring", "m2", minimum=0),
        Column(
            "fields_area_m2",
            pa.float64(),
            "Area of the ring in its own seen fields",
            "m2",
            nullable=True,
            minimum=0,
        ),
        Column(
            "foreign_area_m2",
            pa.float64(),
            "Area of the ring in fields that lie mostly outside",
            "m2",
            nullable=True,
            minimum=0,
        ),
        Column(
            "foreign_parcel", pa.string(), "Parcel that most of that is the field of", nullable=True
        ),
        Column("foreign_field", pa.string(), "Seen field that most of that is", nullable=True),
        Column(
            "open_area_m2",
            pa.float64(),
            "Area of the ring on land that is no field",
            "m2",
            nullable=True,
            minimum=0,
        ),
        Column("open_cover", pa.string(), "What that is: `bare`, `water` or `wood`", nullable=True),
        Column(
            "evidence_area_m2",
            pa.float64(),
            "Area that counts: the least of those that bound it",
            "m2",
            minimum=0,
        ),
        Column("declared_crop", pa.string(), "Declared crop", nullable=True),
        Column("seen_crop", pa.string(), "Classified crop", nullable=True),
        Column("registry_crop", pa.string(), "Registered crop", nullable=True),
        Column("codes", pa.list_(pa.string()), "Codes of data/evidence_codes.csv"),
        Column("effect", pa.string(), "`none`, `lower`, `review` or `block`: the strongest code"),
        Column("rivals", pa.list_(pa.string()), "Parcels of other applicants on the same ground"),
        Column("protected_m2", pa.float64(), "Overlap with protected areas", "m2", minimum=0),
        Column("proven_crop", pa.string(), "Crop that photo or receipt prove", nullable=True),
        Column("leased", pa.bool_(), "Whether the applicant rents the land"),
        Column(
            "lease_to",
            pa.date32(),
            "Last day of the lease by which it counts in full",
            nullable=True,
        ),
        Column(
            "unleased_area_m2",
            pa.float64(),
            "Area that counts for a harvest after that day",
            "m2",
            nullable=True,
            minimum=0,
        ),
    ),
    key=("parcel_id",),
)

PROFILES = TableSchema(
    "profiles",
    (
        Column("level", pa.string(), "`farmer` or `household`"),
        Column("party_id", pa.string(), "Farmer or household pseudonym"),
        Column("household_id", pa.string(), "Household pseudonym"),
        Column("farmers", pa.int32(), "Farmers in the row", minimum=1),
        Column("parcels", pa.int32(), "Parcels declared", minimum=0),
        Column("parcels_valued", pa.int32(), "Parcels with yield and price", minimum=0),
        Column("evidence_area_m2", pa.float64(), "Evidence area", "m2", minimum=0),
        Column("crops", pa.list_(pa.string()), "Crops valued"),
        Column("income_q10_minor", _MONEY, "q10 of the repayment harvest: gross income minus its costs, joint draws", "minor"),
        Column("income_q50_minor", _MONEY, "Median of the same", "minor"),
        Column("income_q90_minor", _MONEY, "q90 of the same", "minor"),
        Column("season_income_q10_minor", _MONEY, "q10 of this season's harvest, whether it repays or not; null where no parcel has one", "minor", nullable=True),
        Column("season_income_q50_minor", _MONEY, "Median of the same", "minor", nullable=True),
        Column("season_income_q90_minor", _MONEY, "q90 of the same", "minor", nullable=True),
        Column("next_income_q10_minor", _MONEY, "q10 of the harvest after it, of whose season nothing is known; null likewise", "minor", nullable=True),
        Column("next_income_q50_minor", _MONEY, "Median of the same", "minor", nullable=True),
        Column("next_income_q90_minor", _MONEY, "q90 of the same", "minor", nullable=True),
        Column("crop_cost_minor", _MONEY, "Growing cost, rent and insurance that the income is net of", "minor", minimum=0),
        Column("debt_service_minor", _MONEY, "Other yearly debt service", "minor", minimum=0),
        Column("off_farm_minor", _MONEY, "Off-farm income that counts", "minor", nullable=True, minimum=0),
        Column("debt_elsewhere_minor", _MONEY, "Part of the debt service that off-farm income pays", "minor", minimum=0),
        Column("off_farm_idle_minor", _MONEY, "Off-farm income that would count besides if it were proven", "minor", minimum=0),
        Column("household_need_minor", _MONEY, "Subsistence need that the land carries", "minor", minimum=0),
        Column("guaranteed_minor", _MONEY, "Guaranteed by others, as far as they can", "minor", minimum=0),
        Column("guaranteeing_minor", _MONEY, "Guaranteed for others", "minor", minimum=0),
        Column("guarantors", pa.list_(pa.string()), "Who guarantees for the farmer, pseudonyms"),
        Column("outside_guarantors", pa.list_(pa.string()), "Guarantors who farm nothing in the county, pseudonyms"),
        Column("outside_amounts", pa.list_(_MONEY), "What each of them guarantees", "minor"),
        Column("household_size", pa.int32(), "People of the household, as stated or the policy's default", minimum=1),
        Column("joint_members", pa.int32(), "Farmers who apply together", minimum=1),
        Column("requested_minor", _MONEY, "Amount asked for", "minor", nullable=True, minimum=0),
        Column("stability", pa.float64(), "Area-weighted stability", nullable=True),
        Column("hazard_index", pa.float64(), "Area-weighted hazard index", nullable=True),
        Column("conflicts", pa.int32(), "Parcels whose statement was found wrong (codes with `conflict`)", minimum=0),
        Column("prior_loans", pa.int32(), "Finished loans on record", minimum=0),
        Column("prior_late", pa.int32(), "Finished loans paid late, on record or admitted", minimum=0),
        Column("finished_loans", pa.int32(), "Finished loans that the late ones are of, on record or stated", minimum=0),
        Column("thin_file", pa.bool_(), "No history to judge by"),
        Column("currency", pa.string(), "ISO 4217 code"),
    ),
    key=("level", "party_id"),
)  # fmt: skip

HARVESTS = TableSchema(
    "harvests",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("crop", pa.string(), "Crop that may stand at the harvest; empty where none is known"),
        Column("chance", pa.float64(), "Chance of that crop; the chances of a parcel add up to 1", minimum=0, maximum=1),
        Column("main", pa.bool_(), "Whether it is the parcel's most likely crop: need is reckoned by it"),
        Column("harvest", pa.string(), "`standing`, `unsown`, `next`, or `none` within the tenor"),
        Column("harvest_by", pa.date32(), "Last day of that harvest by the template", nullable=True),
        Column("crop_basis", pa.string(), "`classified`, `cheapest_of_set`, `proven`, `declared`, `rotation` or `none`"),
        Column("yield_q50_t_ha", pa.float64(), "Median yield", "t/ha", nullable=True, minimum=0),
        Column("shared_log_sd", pa.float64(), "Log sd of the shock shared by shock_group", nullable=True, minimum=0),
        Column("own_log_sd", pa.float64(), "Log sd of the parcel's own part", nullable=True, minimum=0),
        Column("shock_group", pa.string(), "Parcels that share a yield shock: crop and harvest year"),
        Column("price_q50_minor", pa.int64(), "Median price per tonne", "minor/t", nullable=True, minimum=0),
        Column("gross_q50_minor_ha", pa.int64(), "Median gross value of a hectare that has no yield and price and is valued by area", "minor/ha", nullable=True, minimum=0),
        Column("price_log_sd", pa.float64(), "Log sd of the price at that harvest, shared by crop", nullable=True, minimum=0),
        Column("cost_per_ha_minor", pa.int64(), "Cash cost of growing the crop", "minor/ha", nullable=True, minimum=0),
        Column("area_ha", pa.float64(), "Area that the income is drawn of; null where none is, with what follows", "ha", nullable=True, minimum=0),
        Column("rent_minor_ha", pa.float64(), "Rent of leased land", "minor/ha", nullable=True, minimum=0),
        Column("crop_share", pa.float64(), "Landlord's share of the crop", nullable=True, minimum=0, maximum=1),
        Column("premium_minor_ha", pa.float64(), "Insurance premium", "minor/ha", nullable=True, minimum=0),
        Column("insured_minor_ha", pa.float64(), "Sum insured", "minor/ha", nullable=True, minimum=0),
    ),
    key=("parcel_id", "crop"),
)  # fmt: skip

RELATIONS = TableSchema(
    "relations",
    (
        Column("farmer_id", pa.string(), "Pseudonym"),
        Column("code", pa.string(), "Code of data/relation_codes.csv"),
        Column("effect", pa.string(), "`none` or `review`"),
        Column("count", pa.int32(), "What the code counts: households, farmers, guarantors or parcels", minimum=1),
        Column("extent_km", pa.float64(), "Diagonal of the box around the land of those who share a contact", "km", nullable=True, minimum=0),
        Column("others", pa.list_(pa.string()), "The other farmers, at most twenty, pseudonyms"),
        Column("parcels", pa.list_(pa.string()), "Parcels that it rests on"),
        Column("seasons", pa.list_(pa.string()), "Earlier seasons that it rests on"),
    ),
    key=("farmer_id", "code"),
)  # fmt: skip

EXCLUDED = TableSchema(
    "exclusions",
    (
        Column("farmer_id", pa.string(), "Pseudonym"),
        Column("effect", pa.string(), "`decline`, `review`, or `unclear`: the entry cannot be read in full"),
        Column("reason", pa.string(), "Why, as the list says"),
        Column("source", pa.string(), "Who keeps the list"),
        Column("valid_from", pa.date32(), "First day in force", nullable=True),
        Column("valid_to", pa.date32(), "Last day in force; null without end", nullable=True),
    ),
    key=("farmer_id", "effect", "reason", "source", "valid_from", "valid_to"),
)  # fmt: skip

INDICATORS = TableSchema(
    "indicators",
    (
        Column("farmer_id", pa.string(), "Pseudonym"),
        Column("indicator", pa.string(), "Row of data/indicators.csv or of the county's layer"),
        Column("family", pa.string(), "Family of the indicator"),
        Column("value", pa.float64(), "Value; empty where `outcome` says why", nullable=True),
        Column("unit", pa.string(), "Unit of the value"),
        Column("sign", pa.int32(), "1 where more is worse for the lender, -1 where more is better, 0 where neither"),
        Column("version", pa.string(), "Version of the indicator"),
        Column("outcome", pa.string(), "`ok`, `indicator_unknown`, `indicator_implausible`, `indicator_no_input` or `indicator_failed`"),
    ),
    key=("farmer_id", "indicator"),
)  # fmt: skip

DECISIONS = TableSchema(
    "decisions",
    (
        Column("decision_id", pa.string(), "Hash of the stored case: inputs, model, policy"),
        Column("farmer_id", pa.string(), "Pseudonym"),
        Column("household_id", pa.string(), "Pseudonym"),
        Column("access", pa.string(), "`approve`, `review` or `decline`"),
        Column("pd", pa.float64(), "Probability of default in the tenor", nullable=True, minimum=0, maximum=1),
        Column("pd_challenger", pa.float64(), "The readable challenger's probability", nullable=True, minimum=0, maximum=1),
        Column("limit_need_minor", _MONEY, "Cap by need", "minor", nullable=True),
        Column("limit_capacity_minor", _MONEY, "Cap by q10 capacity", "minor", nullable=True),
        Column("limit_policy_minor", _MONEY, "Policy cap", "minor", nullable=True),
        Column("limit_exposure_minor", _MONEY, "Exposure cap of farmer and household", "minor", nullable=True),
        Column("limit_minor", _MONEY, "Limit offered, 0 unless approved", "minor", minimum=0),
        Column("annual_rate", pa.decimal128(9, 6), "Yearly rate", nullable=True),
        Column("guarantor", pa.string(), "Who covers part of the line that is lent; null for nobody", nullable=True),
        Column("covered_minor", _MONEY, "What of the line is covered", "minor", nullable=True, minimum=0),
        Column("rate_ceiling", pa.decimal128(9, 6), "Dated legal ceiling", nullable=True),
        Column("reason_codes", pa.list_(pa.string()), "At most four, vetoes first"),
        Column("reasons", pa.list_(pa.string()), "The same in English with the applicant's numbers"),
        Column("reasons_zh", pa.list_(pa.string()), "The same in Chinese"),
        Column("outcomes", pa.list_(pa.string()), "Outcome codes of the farmer's parcels"),
        Column("pd_model", pa.string(), "Model name and content hash; empty where none"),
        Column("policy", pa.string(), "Policy content hash"),
        Column("as_of", pa.date32(), "Knowledge date"),
        Column("currency", pa.string(), "ISO 4217 code"),
        Column("trace", pa.string(), "Case, versions, result and words as canonical JSON, enough to replay"),
    ),
    key=("farmer_id",),
)  # fmt: skip
