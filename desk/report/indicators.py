"""The report's section on indicators: how each lies in the county, from indicators.parquet.

Owns the tables of the section; a figure that fewer farmers than `suppress_below` stand behind is
not shown. Words, units and the order of families are `desk.app.indicator_facts`'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from markupsafe import Markup

from fieldline.desk.app.indicator_facts import (
    family_name,
    indicator_name,
    number_of,
    unit_name,
)
from fieldline.desk.app.words import LANGUAGES, Words, words
from fieldline.desk.report.page import in_both
from fieldline.lending.indicators.registry import FAMILIES

_QUANTILES = (0.1, 0.5, 0.9)


def indicator_tables(indicators: pd.DataFrame, suppress_below: int) -> list[dict[str, Any]]:
    """Return one table for each family that has an indicator.

    Args:
        indicators: indicators.parquet.
        suppress_below: Fewest farmers whose values are told.
    """
    return [
        {"title": _both(family, family_name), "rows": _rows(own, suppress_below)}
        for family in FAMILIES
        if len(own := indicators[indicators["family"] == family])
    ]


def _rows(own: pd.DataFrame, suppress_below: int) -> list[dict[str, Any]]:
    return [
        {
            "label": _both(str(name), indicator_name),
            "unit": _both(str(rows["unit"].iloc[0]), unit_name),
            "known": f"{rows['value'].notna().mean():.0%}",
            "values": _values(rows, suppress_below),
        }
        for name, rows in own.groupby("indicator", sort=True)
    ]


def _values(rows: pd.DataFrame, suppress_below: int) -> list[str | None]:
    """Return the tenth, the half and the nine tenths of the known values; None where suppressed."""
    known = rows["value"].dropna()
    if len(known) < suppress_below:
        return [None] * len(_QUANTILES)
    quantiles = known.quantile(list(_QUANTILES))
    return [number_of(float(value), str(rows["unit"].iloc[0])) for value in quantiles]


def _both(key: str, tell: Callable[[str, Words], str]) -> Markup:
    return in_both({name: tell(key, words(name)) for name in LANGUAGES})
