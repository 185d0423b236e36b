"""Money: `Decimal` in arithmetic, integer minor units in files, one rounding at posting.

Owns the conversions and the two roundings of an offer (limits down to a step, rates up to a step);
knows no product and no policy. Every supported currency has two decimals.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

MINOR_PER_UNIT = Decimal(100)
"""Minor units in one currency unit (CNY, EUR, USD, KES, INR: ISO 4217 exponent 2)."""


def to_minor(amount: Decimal) -> int:
    """Return currency units as whole minor units, half to even."""
    return int((amount * MINOR_PER_UNIT).to_integral_value(rounding=ROUND_HALF_EVEN))


def from_minor(minor: int) -> Decimal:
    """Return minor units as currency units."""
    return Decimal(minor) / MINOR_PER_UNIT


def floor_to_step(amount: Decimal, step: Decimal) -> Decimal:
    """Round an amount down to a multiple of `step`; a negative amount becomes zero.

    Rounding down keeps a limit under every cap that it was the least of.
    """
    if amount <= 0:
        return Decimal(0)
    return (amount / step).to_integral_value(rounding=ROUND_FLOOR) * step


def ceil_to_step(rate: Decimal, step: Decimal) -> Decimal:
    """Round a rate up to a multiple of `step`, so that rounding never lends at a loss."""
    return (rate / step).to_integral_value(rounding=ROUND_CEILING) * step


def plain(amount: Decimal) -> str:
    """Write a decimal without exponent or trailing noise: `12300.00`, `0.0525`."""
    return format(amount, "f")


def shown(minor: int, currency: str) -> str:
    """Write an amount for people: `CNY 12,300`, cents only where there are any."""
    amount = from_minor(minor)
    whole = amount == amount.to_integral_value()
    return f"{currency} {amount:,.0f}" if whole else f"{currency} {amount:,.2f}"


def split_evenly(minor: int, weights: list[int]) -> list[int]:
    """Split minor units in proportion to weights so that the parts sum to the whole.

    Args:
        minor: Amount to split, not negative.
        weights: Non-negative weights; all zero means equal parts.

    Returns:
        Parts by largest remainder, earlier parts first among equals.
    """
    effective = weights if any(weights) else [1] * len(weights)
    total = sum(effective)
    parts = [minor * weight // total for weight in effective]
    remainders = [minor * weight % total for weight in effective]
    order = sorted(range(len(parts)), key=lambda i: (-remainders[i], i))
    for index in order[: minor - sum(parts)]:
        parts[index] += 1
    return parts
