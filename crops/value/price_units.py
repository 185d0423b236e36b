"""What a price unit means: a currency and a mass (`元/斤`, `EUR/dt`, `CNY/500g`), and its bracket.

Owns the reading of units and the widest prices that can be meant. A unit that names no known mass
or another currency is refused, never converted by guess. The brackets only find slips (a price per
kilogram called one per tonne is a thousand times off); they are no rates and convert nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from fieldline.pipeline.inputs.amounts import currency_and_factor
from fieldline.pipeline.inputs.numbers import folded_text
from fieldline.pipeline.inputs.units import KG_PER_TONNE, PER, kilograms
from fieldline.pipeline.inputs.values import BadCellError
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import exponent
from fieldline.pipeline.records.reference import table_rows


@dataclass(frozen=True)
class PriceUnit:
    """What a number in a price unit is multiplied with."""

    currency: str
    """Currency that the unit names; empty where it names none."""
    per_tonne: float
    """Factor to currency units per tonne."""


@cache
def price_unit(unit: str, crop: str, currency: str) -> PriceUnit:
    """Return what a unit means for a crop.

    Args:
        unit: Such as `CNY/kg`, `元/斤`, `USD/bu`, `kg` or `100 kg`.
        crop: Crop code; bushels weigh differently by crop.
        currency: The row's currency, or the county's: spellings such as `$` follow it.

    Raises:
        BadCellError: `input_unknown_unit`.
    """
    parts = PER.split(folded_text(unit))
    mass = kilograms(parts[-1], crop)
    if mass is None or len(parts) > 2:
        raise BadCellError("input_unknown_unit")
    named, factor = ("", 1) if len(parts) == 1 else currency_and_factor(parts[0], currency)
    if named and not _is_currency(named):
        raise BadCellError("input_unknown_unit")
    return PriceUnit(named, factor * KG_PER_TONNE / mass)


def _is_currency(code: str) -> bool:
    try:
        exponent(code)
    except UserError:
        return False
    return True


@cache
def price_bracket(crop: str, currency: str) -> tuple[float, float] | None:
    """Return the lowest and highest price per tonne that can be meant; None where none is known.

    The crop's bracket in US dollars, twenty times either way, times the currency's bracket to the
    dollar: so wide that no right price is refused.
    """
    dollars = {row["crop"]: row for row in table_rows("price_brackets.csv")}.get(crop)
    rates = {row["currency"]: row for row in table_rows("currency_brackets.csv")}.get(currency)
    if dollars is None or rates is None:
        return None
    return (
        float(dollars["min_usd_t"]) * float(rates["min_per_usd"]),
        float(dollars["max_usd_t"]) * float(rates["max_per_usd"]),
    )
