"""What the desk tells of a farmer's indicators: value, unit and place among the county's farmers.

Owns words and order alone: values, signs and reasons are those of `indicators.parquet`. No
indicator decides anything, and the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.desk.app.places import Place
from fieldline.desk.app.words import Words
from fieldline.lending.indicators.registry import FAMILIES, Indicator, registered
from fieldline.pipeline.records.outcomes import OK, outcome_codes

TABLE = "indicators"
Spread = Mapping[str, NDArray[np.float64]]
"""Sorted known values of a county's farmers by indicator."""


@dataclass(frozen=True)
class IndicatorFacts:
    """One indicator of one farmer in words."""

    name: str
    value: str
    place: str
    """Where the value lies among the county's farmers; empty where nobody can say."""
    why: str
    """Why there is no value; empty where there is one."""


def county_spread(place: Place, suppress_below: int) -> Spread:
    """Return the sorted known values of each indicator that enough farmers of a county have.

    Args:
        place: County and season.
        suppress_below: Fewest farmers among whom a place is told.
    """
    if not place.has(TABLE):
        return {}
    frame = place.table(TABLE, ["indicator", "value"]).dropna()
    return {
        str(name): np.sort(values.to_numpy("float64"))
        for name, values in frame.groupby("indicator")["value"]
        if len(values) >= suppress_below
    }


def indicator_facts(
    place: Place, farmer_id: str, spread: Spread, words: Words
) -> list[tuple[str, list[IndicatorFacts]]]:
    """Return a farmer's indicators by family, in the order of the registry's families.

    Args:
        place: County and season.
        farmer_id: Pseudonym.
        spread: Of `county_spread`.
        words: The language.
    """
    rows = place.records(TABLE, "farmer_id", farmer_id) if place.has(TABLE) else []
    told: dict[str, list[IndicatorFacts]] = {family: [] for family in FAMILIES}
    for row in rows:
        told[row["family"]].append(_told(row, spread, words))
    return [
        (family_name(family, words), sorted(facts, key=lambda fact: fact.name))
        for family, facts in told.items()
        if facts
    ]


def family_name(family: str, words: Words) -> str:
    """Return what a family of indicators is called."""
    return words(f"family.{family.replace(' ', '_')}")


def _told(row: Mapping[str, Any], spread: Spread, words: Words) -> IndicatorFacts:
    name = indicator_name(row["indicator"], words)
    if row["outcome"] != OK or row["value"] is None:
        code = outcome_codes()[row["outcome"]]
        why = words.pick(code.english, code.chinese)
        return IndicatorFacts(name, words("value.none"), "", why)
    value = with_unit(float(row["value"]), row["unit"], words)
    return IndicatorFacts(name, value, _place(row, spread, words), "")


def indicator_name(name: str, words: Words) -> str:
    """Return what an indicator measures; of a county's own layer its name."""
    known = _base().get(name)
    return words.pick(known.english, known.chinese) if known else name.replace("_", " ")


def with_unit(value: float, unit: str, words: Words) -> str:
    """Return a value of an indicator with its unit; a share as a percentage."""
    told = number_of(value, unit)
    return told if unit == "share" else f"{told} {unit_name(unit, words)}"


def number_of(value: float, unit: str) -> str:
    """Return a value of an indicator without its unit."""
    if unit == "share":
        return f"{value:.0%}"
    whole = unit not in ("ratio", "index", "sd") and value == round(value)
    return f"{value:,.0f}" if whole else f"{value:,.2f}"


def unit_name(unit: str, words: Words) -> str:
    """Return what a unit is called; one that only a county's own layer knows as it is written."""
    return words.table.get(f"measure.{unit.replace(' ', '_')}", unit)


def _place(row: Mapping[str, Any], spread: Spread, words: Words) -> str:
    """Say how many of the county's farmers are stronger for a lender, weaker, or the same."""
    values = spread.get(row["indicator"])
    if row["sign"] == 0 or values is None:
        return ""
    below = float(np.searchsorted(values, row["value"], "left")) / len(values)
    above = 1 - float(np.searchsorted(values, row["value"], "right")) / len(values)
    better, worse = (below, above) if row["sign"] > 0 else (above, below)
    if 1 - better - worse > max(better, worse):
        return words("farmer.indicator_equal", share=f"{1 - better - worse:.0%}")
    if better > worse:
        return words("farmer.indicator_worse", share=f"{better:.0%}")
    return words("farmer.indicator_better", share=f"{worse:.0%}")


@cache
def _base() -> dict[str, Indicator]:
    return {row.name: row for row in registered()}
