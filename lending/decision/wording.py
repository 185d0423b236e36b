"""Wording: amounts, areas and figures as an English and as a Chinese reader expects them.

Owns how a number of a finding is written in both languages; which number is told is the findings'.
A number that is promised is rounded for display first and reckoned with as displayed.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal

from fieldline.lending.decision.reasons import Finding
from fieldline.pipeline.records.money import shown, shown_chinese, to_minor
from fieldline.pipeline.records.units import M2_PER_HA, in_mu

Told = tuple[str, str]
"""The same in English and in Chinese."""

_MOST_DECIMALS = 4


def told(code: str, **values: str | Told) -> Finding:
    """Return a finding whose values may read differently in the two languages.

    Args:
        code: Reason code, or `code:variant` for another of its texts.
        values: What its placeholders read, by name.
    """
    code, _, variant = code.partition(":")
    english = {name: v if isinstance(v, str) else v[0] for name, v in values.items()}
    chinese = {name: v[1] for name, v in values.items() if not isinstance(v, str)}
    return Finding(code, english, chinese, variant)


def money(minor: int, currency: str) -> Told:
    """Return `CNY 13,600` and `1.36万元`."""
    return shown(minor, currency), shown_chinese(minor, currency)


def amount(units: Decimal, currency: str) -> Told:
    """Return currency units as `money`, rounded to whole minor units first."""
    return money(to_minor(units, currency), currency)


def area(square_metres: Decimal) -> Told:
    """Return `10.5 mu (0.70 ha)` and `10.5亩`; below one mu with two decimals."""
    mu, hectares = in_mu(square_metres), square_metres / M2_PER_HA
    decimals = 1 if mu >= 1 else 2
    return f"{mu:.{decimals}f} mu ({hectares:.{decimals + 1}f} ha)", f"{mu:.{decimals}f}亩"


def next_tenth_of_mu(square_metres: Decimal) -> Decimal:
    """Return the area of the next tenth of a mu, m2: an area as it is displayed."""
    tenths = (in_mu(square_metres) * 10).to_integral_value(rounding=ROUND_CEILING)
    return tenths * M2_PER_HA / 150


def apart(value: float, other: float, show: Callable[[float, int], str]) -> tuple[str, str]:
    """Write two figures with as many more decimals as it takes to read them as two.

    Args:
        value: A figure.
        other: The figure beside it.
        show: Writes a figure with a number of decimals more than its kind has.
    """
    pairs = ((show(value, more), show(other, more)) for more in range(_MOST_DECIMALS))
    return next((pair for pair in pairs if pair[0] != pair[1]), (show(value, 0), show(other, 0)))
