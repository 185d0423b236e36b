"""Schemas of the crops room's artifacts. Money is int64 in minor units of `currency`."""

from __future__ import annotations

import pyarrow as pa

from fieldline.pipeline.records.tables import Column, TableSchema

_DATE = pa.date32()

FIELDS = TableSchema(
    "fields",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("ring_area_m2", pa.float64(), "Area of the drawn ring", "m2", minimum=0),
        Column("planted_fraction", pa.float64(), "Share of the ring that carries its own crop", nullable=True, minimum=0, maximum=1),
        Column("seen_area_m2", pa.float64(), "Planted area inside the ring", "m2", nullable=True, minimum=0),
        Column("pixels", pa.float64(), "Coverage-weighted pixels of the ring", "pixel", minimum=0),
        Column("method", pa.string(), "How planted area was found"),
    ),
    key=("parcel_id",),
)  # fmt: skip

RING_FIELDS = TableSchema(
    "ring_fields",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("field_id", pa.string(), "Seen field that covers most of the ring; null where none does", nullable=True),
        Column("field_share", pa.float64(), "Share of the ring in that field", nullable=True, minimum=0, maximum=1),
        Column("undrawn", pa.float64(), "Share of that field outside the ring", nullable=True, minimum=0, maximum=1),
        Column("fields_in_ring", pa.int32(), "Seen fields that each cover a tenth of the ring", minimum=0),
        Column("seen_area_m2", pa.float64(), "Area of the ring in any seen field", "m2", minimum=0),
        Column("own_area_m2", pa.float64(), "Part of it in the ring's own fields: the one that covers most of it and those that lie mostly inside", "m2", minimum=0),
        Column("foreign_area_m2", pa.float64(), "Part of it in fields that lie mostly outside", "m2", minimum=0),
        Column("foreign_field", pa.string(), "The one of those that covers most of the ring", nullable=True),
        Column("foreign_parcel", pa.string(), "Parcel of another ring that it is the field of", nullable=True),
        Column("open_area_m2", pa.float64(), "Area of the ring on seen land that is no field", "m2", minimum=0),
        Column("open_cover", pa.string(), "What most of that is: `bare`, `water` or `wood`", nullable=True),
    ),
    key=("parcel_id",),
)  # fmt: skip

#: Class probabilities `p_{crop}` are appended per run.
CROPS = TableSchema(
    "crops",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("crop", pa.string(), "Most probable crop code; null where the model cannot tell", nullable=True),
        Column("probability", pa.float64(), "Calibrated probability of the top class", nullable=True, minimum=0, maximum=1),
        Column("cannot_tell", pa.bool_(), "Whether the model declines to answer"),
        Column("reason", pa.string(), "Why it cannot tell, empty otherwise"),
        Column("prediction_set", pa.list_(pa.string()), "Conformal set of plausible crops"),
        Column("surveyed", pa.bool_(), "Whether the parcel carries a survey label"),
        Column("model", pa.string(), "Model name and content hash; empty where none"),
    ),
    key=("parcel_id",),
)  # fmt: skip

GROWTH = TableSchema(
    "growth",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("clear_dates", pa.int32(), "Clear observations used", minimum=0),
        Column("sos", _DATE, "Start of season of the main cycle", nullable=True),
        Column("pos", _DATE, "Peak of season, null until it is passed", nullable=True),
        Column("eos", _DATE, "End of season: the harvest where it is confirmed, else 15 % of the fall", nullable=True),
        Column("harvest_date", _DATE, "Harvest, null until it is confirmed", nullable=True),
        Column("harvest_progress", pa.float64(), "Harvest progress at the as-of date", nullable=True, minimum=0, maximum=1),
        Column("peak", pa.float64(), "NDVI at peak", nullable=True),
        Column("amplitude", pa.float64(), "NDVI peak minus base", nullable=True),
        Column("integral", pa.float64(), "NDVI above base from sos to the curve's end of season", "d", nullable=True),
        Column("cycles", pa.int32(), "Crop cycles in the season", minimum=0),
        Column("anomaly", pa.float64(), "Integral against the county-crop norm, robust z", nullable=True),
        Column("percentile", pa.float64(), "Rank of the integral in county and crop", nullable=True, minimum=0, maximum=1),
        Column("curve_start", _DATE, "Day of the first curve value", nullable=True),
        Column("curve_step_days", pa.int32(), "Step of the curve", "d"),
        Column("curve", pa.list_(pa.float32()), "Smoothed NDVI"),
        Column("sos_sd_days", pa.float64(), "Standard deviation of sos", "d", nullable=True, minimum=0),
        Column("pos_sd_days", pa.float64(), "Standard deviation of pos", "d", nullable=True, minimum=0),
        Column("eos_sd_days", pa.float64(), "Standard deviation of the curve's end of season", "d", nullable=True, minimum=0),
        Column("heading_date", _DATE, "Heading (BBCH 55) of a small grain", nullable=True),
        Column("heading_sd_days", pa.float64(), "Standard deviation of heading", "d", nullable=True, minimum=0),
        Column("harvest_after", _DATE, "Last day on which the crop was seen before a confirmed harvest", nullable=True),
        Column("harvest_before", _DATE, "First day on which the field was seen bare", nullable=True),
        Column("harvest_expected", _DATE, "End of season by the curve where no harvest is confirmed", nullable=True),
        Column("standing", pa.bool_(), "Whether a crop stands after the last observation", nullable=True),
        Column("green_up_rate", pa.float64(), "Mean NDVI slope from sos to pos", "d-1", nullable=True),
        Column("senescence_rate", pa.float64(), "Mean NDVI slope from pos to eos, positive", "d-1", nullable=True),
        Column("cycle_sos", pa.list_(_DATE), "Start of each crop cycle in time order, null where not seen"),
        Column("cycle_pos", pa.list_(_DATE), "Peak of each"),
        Column("cycle_eos", pa.list_(_DATE), "End of season of each"),
        Column("cycle_harvest", pa.list_(_DATE), "Confirmed harvest of each"),
        Column("cycle_peak", pa.list_(pa.float64()), "Highest NDVI of each"),
        Column("cycle_integral", pa.list_(pa.float64()), "NDVI above base from start to end of each"),
        Column("green_up", _DATE, "Day on which the main cycle's crop came up: min_amplitude above bare land; thermal time runs from it", nullable=True),
        Column("thermal_time", pa.float64(), "Degree days from green_up to the last look or the end of season; null where a day between has no weather", "Cel.d", nullable=True),
        Column("vigour", pa.float64(), "Mean NDVI since green_up against the county's fields of the crop at the same thermal time, robust z", nullable=True),
        Column("vigour_percentile", pa.float64(), "Rank of the same in county and crop", nullable=True, minimum=0, maximum=1),
        Column("forecast_q10", pa.list_(pa.float32()), "Lower tenth of the curve ahead, from a step after its last value to the season's end; null where nothing is foretold", nullable=True),
        Column("forecast_q50", pa.list_(pa.float32()), "Middle of the curve ahead", nullable=True),
        Column("forecast_q90", pa.list_(pa.float32()), "Upper tenth of the curve ahead", nullable=True),
    ),
    key=("parcel_id",),
)  # fmt: skip

GROWTH_MEASURED = GROWTH.with_columns([
    Column("last_seen", pa.int32(), "Day of the last look since the season's start", "d"),
    Column("radar", pa.string(), "What radar said of a gap of the clear dates; empty where nothing"),
    Column("weather", pa.bool_(), "Whether the weather since green_up is known"),
    Column("means", pa.list_(pa.float32()), "Mean NDVI from green_up to each thermal step; empty without weather"),
])  # fmt: skip
"""Growth of a block's parcels, and what comparing them with the county's needs besides."""

HARVEST_SHARE = TableSchema(
    "harvest_share",
    (
        Column("crop", pa.string(), "Crop code; `unknown`, and `all` for the county"),
        Column("date", _DATE, "Day"),
        Column("parcels", pa.int32(), "Parcels with a crop cycle of which that day is known", minimum=0),
        Column("harvested", pa.float64(), "Share whose harvest date has come", minimum=0, maximum=1),
        Column("harvested_low", pa.float64(), "Share that was seen bare", minimum=0, maximum=1),
        Column("harvested_high", pa.float64(), "Share that was no longer seen standing", minimum=0, maximum=1),
    ),
    key=("crop", "date"),
)  # fmt: skip

HAZARDS = TableSchema(
    "hazards",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("gdd", pa.float64(), "Growing degree days of the season", "Cel.d", nullable=True),
        Column("dry_spell_days", pa.int32(), "Longest dry spell in the growing season", "d", nullable=True),
        Column("wet_spell_days", pa.int32(), "Longest wet spell in the growing season", "d", nullable=True),
        Column("drought", pa.float64(), "Drought index", nullable=True, minimum=0, maximum=100),
        Column("flood", pa.float64(), "Flood and waterlogging index", nullable=True, minimum=0, maximum=100),
        Column("frost", pa.float64(), "Frost index", nullable=True, minimum=0, maximum=100),
        Column("heat", pa.float64(), "Heat index", nullable=True, minimum=0, maximum=100),
        Column("hazard_index", pa.float64(), "Joint index of drought, flood, frost and heat; null where one of them is", nullable=True, minimum=0, maximum=100),
        Column("dry_wind", pa.float64(), "Dry hot wind index of small grains that fill, not in the joint index", nullable=True, minimum=0, maximum=100),
        Column("water_deficit", pa.float64(), "Unmet share of the crop's water demand, weighted by stage", nullable=True, minimum=0, maximum=1),
        Column("usual_deficit", pa.float64(), "Median of the same in earlier seasons, null where too few are known", nullable=True, minimum=0, maximum=1),
        Column("spei", pa.float64(), "Standardised climatic water balance of the growing season, null where too few seasons are known", nullable=True, minimum=-3, maximum=3),
        Column("waterlogged_days", pa.int32(), "Days of standing water beyond the first of each spell", "d", nullable=True, minimum=0),
        Column("unknown_days", pa.int32(), "Days of the growing season on which an input is missing", "d", minimum=0),
    ),
    key=("parcel_id",),
)  # fmt: skip

YIELDS = TableSchema(
    "yields",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("crop", pa.string(), "Crop that is valued", nullable=True),
        Column("crop_basis", pa.string(), "`classified`, `cheapest_of_set` or `none`"),
        Column("yield_q10_t_ha", pa.float64(), "Lower yield", "t/ha", nullable=True, minimum=0),
        Column("yield_q50_t_ha", pa.float64(), "Median yield", "t/ha", nullable=True, minimum=0),
        Column("yield_q90_t_ha", pa.float64(), "Upper yield", "t/ha", nullable=True, minimum=0),
        Column("prior_t_ha", pa.float64(), "County prior (naive baseline)", "t/ha", nullable=True, minimum=0),
        Column("prior_source", pa.string(), "Source and years of the prior"),
        Column("shared_log_sd", pa.float64(), "Log sd of the shock shared by shock_group", nullable=True, minimum=0),
        Column("own_log_sd", pa.float64(), "Log sd of the parcel's own error", nullable=True, minimum=0),
        Column("shock_group", pa.string(), "Parcels that share a yield shock: crop and harvest year"),
        Column("price_q10_minor", pa.int64(), "Lower price per tonne", "minor/t", nullable=True, minimum=0),
        Column("price_q50_minor", pa.int64(), "Median price per tonne", "minor/t", nullable=True, minimum=0),
        Column("price_q90_minor", pa.int64(), "Upper price per tonne", "minor/t", nullable=True, minimum=0),
        Column("price_log_sd", pa.float64(), "Log sd of the price to harvest, shared by crop", nullable=True, minimum=0),
        Column("price_date", _DATE, "Date of the last price used", nullable=True),
        Column("price_source", pa.string(), "Source of the price series"),
        Column("price_stale", pa.bool_(), "Whether that price is too old", nullable=True),
        Column("cost_per_ha_minor", pa.int64(), "Cash cost of the crop template", "minor/ha", nullable=True, minimum=0),
        Column("value_q10_per_ha_minor", pa.int64(), "Lower gross value", "minor/ha", nullable=True),
        Column("value_q50_per_ha_minor", pa.int64(), "Median gross value", "minor/ha", nullable=True),
        Column("value_q90_per_ha_minor", pa.int64(), "Upper gross value", "minor/ha", nullable=True),
        Column("net_q10_per_ha_minor", pa.int64(), "Lower net income: gross value less cash cost, before rent and a landlord's share; null without a cost", "minor/ha", nullable=True),
        Column("net_q50_per_ha_minor", pa.int64(), "Median net income", "minor/ha", nullable=True),
        Column("net_q90_per_ha_minor", pa.int64(), "Upper net income", "minor/ha", nullable=True),
        Column("value_basis", pa.string(), "`yield_and_price`, or `area`: no yield is known; null where nothing is valued", nullable=True),
        Column("value_base_date", _DATE, "Day on which the value by area was published", nullable=True),
        Column("value_base_source", pa.string(), "Source of the value by area", nullable=True),
        Column("currency", pa.string(), "ISO 4217 code"),
        Column("model", pa.string(), "Model name and content hash; empty where none"),
    ),
    key=("parcel_id",),
)  # fmt: skip

HISTORY = TableSchema(
    "history",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("seasons", pa.int32(), "Seasons with a known curve, this one included", minimum=0),
        Column("idle_seasons", pa.int32(), "Finished seasons in which the land was watched and stayed bare", minimum=0),
        Column("crops", pa.list_(pa.string()), "Crop by season, oldest first"),
        Column("stability", pa.float64(), "1 - relative spread of the integral over the county's usual one of its crop and season", nullable=True, minimum=0, maximum=1),
        Column("regularity", pa.float64(), "1 - spread of the peak date / 60 d", nullable=True, minimum=0, maximum=1),
        Column("thin_file", pa.bool_(), "Fewer than two grown seasons: unknown, not bad"),
        Column("grown_seasons", pa.int32(), "Seasons with a crop cycle, this one included", minimum=0),
        Column("rotation", pa.string(), "`same`, `cycle`, `changing` or `irregular`; null where fewer than two crops are known", nullable=True),
        Column("rotation_period", pa.int32(), "Seasons after which the crops come again", nullable=True, minimum=1),
    ),
    key=("parcel_id",),
)  # fmt: skip

CROP_VALUES = TableSchema(
    "crop_values",
    (
        Column("crop", pa.string(), "Crop code"),
        Column("prior_t_ha", pa.float64(), "County yield of a season of which nothing is known", "t/ha", nullable=True, minimum=0),
        Column("years_log_sd", pa.float64(), "Log sd of its error: between years, and of so few", nullable=True, minimum=0),
        Column("own_log_sd", pa.float64(), "Log sd of a parcel of which nothing is known", minimum=0),
        Column("price_q50_minor", pa.int64(), "Last price per tonne", "minor/t", nullable=True),
        Column("price_log_sd", pa.float64(), "Log sd of the price to its sale", nullable=True),
        Column("price_log_sd_year", pa.float64(), "Log sd of the price a year ahead", nullable=True),
        Column("price_days", pa.int32(), "Horizon of that price error", "d"),
        Column("cost_per_ha_minor", pa.int64(), "Cash cost", "minor/ha", nullable=True, minimum=0),
        Column("value_q10_per_ha_minor", pa.int64(), "Lower gross value of a parcel of which nothing is known", "minor/ha", nullable=True),
        Column("value_q50_per_ha_minor", pa.int64(), "Median gross value", "minor/ha", nullable=True),
        Column("value_q90_per_ha_minor", pa.int64(), "Upper gross value", "minor/ha", nullable=True),
        Column("net_q10_per_ha_minor", pa.int64(), "Lower net income: gross value less cash cost, before rent and a landlord's share; null without a cost", "minor/ha", nullable=True),
        Column("net_q50_per_ha_minor", pa.int64(), "Median net income", "minor/ha", nullable=True),
        Column("net_q90_per_ha_minor", pa.int64(), "Upper net income", "minor/ha", nullable=True),
        Column("sown_by", _DATE, "Last sowing day of the template this season", nullable=True),
        Column("harvest_from", _DATE, "First harvest day of the template this season", nullable=True),
        Column("harvest_by", _DATE, "Last harvest day of the template this season", nullable=True),
        Column("currency", pa.string(), "ISO 4217 code"),
    ),
    key=("crop",),
)  # fmt: skip
