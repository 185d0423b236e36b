"""Units of mass and of yield: what a tonne per hectare is in bushels of wheat or jin per mu.

Owns the reading of `kg/mu`, `bu/ac` or `公斤/亩` by the tables of masses (`price_units.csv`) and
areas (`cell_units.csv`). A bushel weighs by crop, so a unit may mean nothing without one; a unit
that is not in the tables is nobody's guess.

Source: USDA ERS (1992), Agricultural Handbook 697 (bushel weights).
"""

from __future__ import annotations

import re
from functools import cache

from fieldline.pipeline.inputs.numbers import cell_units, folded_text
from fieldline.pipeline.records.reference import crops, table_rows
from fieldline.pipeline.records.units import M2_PER_HA

KG_PER_TONNE = 1000.0
PER = re.compile(r"\s*(?:/|每|(?<=\s)per(?=\s))\s*")
"""What parts a unit from what it is reckoned on."""
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)?\s*([^\W\d_]+(?:\s[^\W\d_]+)*)\.?")
_SPACES = re.compile(r"\s+")


@cache
def unit_kilograms() -> dict[tuple[str, str], float]:
    """Return kilograms by (unit, crop), unit casefolded; crop is empty where it holds for all."""
    return {
        (row["unit"].casefold(), row["crop"]): float(row["kilograms"])
        for row in table_rows("price_units.csv")
    }


def kilograms(text: str, crop: str) -> float | None:
    """Return the mass of `t`, `50 kg` or `bu`; None where it is no known one of the crop.

    Args:
        text: Unit with or without a count.
        crop: Crop code; empty where it is not known.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    name = found[2].replace(" ", "").casefold()
    mass = unit_kilograms().get((name, crop), unit_kilograms().get((name, "")))
    count = float(found[1] or 1)
    return mass * count if mass is not None and count > 0 else None


@cache
def mass_known(text: str) -> bool:
    """Whether a text is a mass, be it of a single crop."""
    return any(kilograms(text, crop) is not None for crop in ("", *crops()))


@cache
def yield_factor(unit: str, crop: str) -> float | None:
    """Return what a yield in a unit is multiplied with for tonnes per hectare.

    Args:
        unit: Such as `t/ha`, `kg/mu`, `BU / ACRE` or `斤/亩`.
        crop: Crop code; empty where it is not known.

    Returns:
        The factor; None where the unit is unknown, or is one of the crop and the crop has none.
    """
    plain = folded_text(unit).casefold()
    fixed = cell_units("yield").get(_SPACES.sub("", plain))
    if fixed is not None:
        return fixed
    parts = PER.split(plain)
    if len(parts) != 2:
        return None
    mass = kilograms(parts[0], crop)
    area = cell_units("area").get(_SPACES.sub("", parts[1]).removesuffix("."))
    return None if mass is None or area is None else mass / KG_PER_TONNE / (area / M2_PER_HA)


@cache
def yield_unit_known(unit: str) -> bool:
    """Whether a unit is one of yields, be it of a single crop."""
    return any(yield_factor(unit, crop) is not None for crop in ("", *crops()))
