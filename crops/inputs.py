"""Tables of agronomy that a lender hands over: prices, yields, survey, labelled series, photos.

Owns their declarations and the ranges by crop; `pipeline.inputs` reads them, the modules that use
them decide which rows count.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem
from fieldline.pipeline.records.reference import crops

#: Above this no yield is one in t/ha, whatever the crop, so `6,180` can only be 6.18.
_MOST_T_HA = 3000.0
_FIRST_YEAR, _LAST_YEAR = 1900.0, 2100.0


_UNIT = InputColumn(
    "unit", "text", "Unit of the row's yield, a mass on an area (t/ha, kg/mu, bu/ac), where the "
    "header or the cell does not state it; bushels weigh by crop: see data/price_units.csv",
)  # fmt: skip


def _yield_column(description: str, *, needed: bool) -> InputColumn:
    return InputColumn(
        "yield_t_ha", "number", description, unit="t/ha", required=needed, needed=needed,
        minimum=0.0, maximum=_MOST_T_HA, quantity="yield",
        units={"yield_kg_ha": 0.001, "yield_kg_mu": 0.015, "yield_jin_mu": 0.0075,
               "yield_dt_ha": 0.1},
        row_unit="unit", crop_units={"yield_bu_ac": "bu/ac"},
    )  # fmt: skip


def implausible_yields(table: pd.DataFrame) -> list[Problem]:
    """Return the yields that the row's crop cannot reach: another unit, or a slip.

    A field may fail, and so may a county, so a small yield is no such slip by itself: leaving
    disasters out would teach that there are none. What county statistics under the crop's range are
    believed by is `crops.value.low_yields`'s. Nothing at all is more often a blank than a loss: it
    counts where a person confirms it.

    Args:
        table: Columns `crop`, `yield_t_ha` and, of counties, `confirmed`; bounds are those of
            `data/crops.csv`.
    """
    values = table["yield_t_ha"].to_numpy(dtype=float)
    high = table["crop"].map({code: c.max_plausible_t_ha for code, c in crops().items()})
    wrong, nothing = values > high.to_numpy(dtype=float), values <= 0
    if "confirmed" in table:
        nothing &= ~table["confirmed"].fillna(False).to_numpy(dtype=bool)
    return [
        Problem(int(row) + 1, "yield_t_ha", "input_implausible", f"{values[row]:g} t/ha")
        for row in np.flatnonzero(wrong | nothing)
    ]


def _undated_cuts(table: pd.DataFrame) -> list[Problem]:
    """Return crop cuts without a date: nobody can say whether they were known."""
    undated = table["yield_t_ha"].notna() & table["measured_on"].isna()
    rows = np.flatnonzero(undated.to_numpy(dtype=bool))
    return [Problem(int(row) + 1, "measured_on", "input_missing") for row in rows]


def _half_places(table: pd.DataFrame) -> list[Problem]:
    """Return the places of which one coordinate is blank."""
    return [
        Problem(int(row) + 1, blank, "input_missing")
        for blank, given in (("lon", "lat"), ("lat", "lon"))
        for row in np.flatnonzero((table[blank].isna() & table[given].notna()).to_numpy(bool))
    ]


def _not_above_zero(table: pd.DataFrame) -> list[Problem]:
    rows = np.flatnonzero((table["price"] == 0).to_numpy(dtype=bool))
    return [Problem(int(row) + 1, "price", "input_out_of_range", "0") for row in rows]


PRICES = InputSchema(
    "prices",
    "the price table",
    (
        InputColumn("crop", "crop", "Crop, by code or name of data/crops.csv or crop_names.csv",
                    required=True, needed=True),
        InputColumn("date", "date", "Day of the price; a month (2024-04, 2024M04, Apr 2024, "
                    "2024年4月) stands for its last day, and so does a day that every row of a "
                    "monthly series names (the 1st, the 15th)", required=True, needed=True,
                    months=True),
        InputColumn("published_on", "date", "Day from which the price was public; not said: its "
                    "own day"),
        InputColumn("price", "number", "Price, above zero; a unit beside the number or in brackets "
                    "in the header counts as `unit`", unit="as `unit` says", required=True,
                    needed=True, minimum=0.0, unit_column="unit"),
        InputColumn("currency", "currency", "Currency, by ISO 4217 code or name; where the column "
                    "is absent the unit must name it (CNY/kg)"),
        InputColumn("unit", "text", "Mass that the price is for, with or without the currency "
                    "(CNY/kg, 元/斤, EUR/dt, €/t, CNY/500g): see data/price_units.csv",
                    needed=True),
        InputColumn("source", "text", "Who published it; shown beside every value"),
    ),
    key=("crop", "date"),
    rules=(_not_above_zero,),
)  # fmt: skip

COUNTY_YIELDS = InputSchema(
    "county_yields",
    "the county's yield statistics",
    (
        InputColumn("crop", "crop", "Crop, by code or name of data/crops.csv or crop_names.csv",
                    required=True, needed=True),
        InputColumn("year", "year", "Harvest year; of `2024/25` it is the later, 2025, as of a "
                    "season that ends in 2025", required=True, needed=True,
                    minimum=_FIRST_YEAR, maximum=_LAST_YEAR, quantity="year"),
        _UNIT,
        _yield_column("County mean yield in market mass, up to the crop's range of "
                      "data/crops.csv, and under it where `confirmed` says so or four years of the "
                      "county lie in it and low ones are few and apart; the header, the cell or "
                      "`unit` must state its unit; blank where it is not told yet and something "
                      "was measured of the season",
                      needed=True),
        InputColumn("county", "text", "County of the row, where the table tells several; the run's "
                    "own is found by inputs.yields_county, else by its id or title"),
        InputColumn("published_on", "date", "Day from which the row was public; not said: "
                    "crops.yields.published_days after the end of its year"),
        InputColumn("confirmed", "flag", "Whether a person looked at the yield and found it true: "
                    "then it counts even where it looks like a slip of ten or "
                    "lies under the crop's range; a lost harvest of 0 counts so alone"),
        InputColumn("source", "text", "Who published it; shown beside every yield"),
    ),
    key=("crop", "county", "year"),
    rules=(implausible_yields,),
    open_ended=True,
)  # fmt: skip
"""Every further column of numbers is something measured of the season (rain of a stage, NDVI)."""

SURVEY = InputSchema(
    "survey",
    "the crop survey",
    (
        InputColumn("parcel_id", "id", "Parcel that was visited", required=True, needed=True),
        InputColumn("crop", "crop", "Crop that stood there, by code or name of data/crops.csv or "
                    "crop_names.csv", required=True, needed=True),
        InputColumn("surveyed_on", "date", "Day of the visit", required=True, needed=True),
        _UNIT,
        _yield_column("Crop cut in market mass, where one was taken, above zero and not above "
                      "the crop's range of data/crops.csv; else the cut is left out, the crop kept",
                      needed=False),
        InputColumn("measured_on", "date", "Day of the crop cut; needed where there is one"),
    ),
    key=("parcel_id", "surveyed_on"),
    joins="parcel_id",
    rules=(implausible_yields, _undated_cuts),
)  # fmt: skip

LABELLED = InputSchema(
    "labelled_series",
    "the labelled series of other parcels",
    (
        InputColumn("sample_id", "id", "Sample; its rows are one series", required=True,
                    needed=True),
        InputColumn("crop", "text", "Crop by code or name, or a foreign code that "
                    "inputs.label_codes maps", required=True, needed=True,
                    named_as=("declared_crop",)),
        InputColumn("date", "date", "Day of the observation", required=True, needed=True),
        InputColumn("lon", "number", "Longitude, degrees: near samples share a fold",
                    minimum=-180.0, maximum=180.0, unit="degree"),
        InputColumn("lat", "number", "Latitude, degrees", minimum=-90.0, maximum=90.0,
                    unit="degree"),
    ),
    key=("sample_id", "date"),
    open_ended=True,
)  # fmt: skip
"""Every further column of numbers is a band, under its own name."""

PHOTOS = InputSchema(
    "photos",
    "the photographs of fields",
    (
        InputColumn("parcel_id", "id", "Parcel that it shows, as in the outlines", required=True,
                    needed=True),
        InputColumn("file", "text", "File, JPEG or PNG, in the folder of this table or below it",
                    required=True, needed=True, personal=True, named_as=("photo_file",)),
        InputColumn("taken_on", "date", "Day on which it was taken, where its file does not say so "
                    "(messengers drop what the camera wrote); where both do they must agree"),
        InputColumn("lon", "number", "Longitude of where it was taken, as `taken_on`",
                    minimum=-180.0, maximum=180.0, unit="degree"),
        InputColumn("lat", "number", "Latitude", minimum=-90.0, maximum=90.0, unit="degree"),
    ),
    joins="parcel_id",
    rules=(_half_places,),
)  # fmt: skip
"""Its rows name no key: a parcel may have many photographs."""
