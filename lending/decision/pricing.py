"""Pricing: the yearly rate at which a line pays for itself over its own tenor.

Owns the formula and the comparison with the dated legal ceiling. Everything is reckoned over the
tenor: costs run by the day, a loss comes once however short the line is. A price above the ceiling
is never cut down to it: a line that cannot pay for its risk is not lent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import ceil_to_step, floor_to_step

_YEAR = 365
"""Days of the year that a legal ceiling speaks of, whatever basis a product counts interest on."""


@dataclass(frozen=True)
class Price:
    """A rate and what it consists of; parts are shares of the limit over the tenor."""

    annual_rate: Decimal
    """Yearly rate on the product's day basis, rounded up to its rate step."""
    effective_rate: Decimal
    """What the ceiling is held against."""
    expected_loss: Decimal
    """PD x loss given default."""
    cost: Decimal
    """Funding + operations + capital + margin."""


def annual_price(pd: Decimal, policy: PolicySettings) -> Price:
    """Return ((funding + opex + capital + margin) t + PD x LGD) / (t (1 - PD)), rounded up.

    Args:
        pd: Probability of default within the tenor, in [0, 1).
        policy: Yearly cost rates, loss given default, tenor and day basis (t = days / basis).

    Raises:
        ValueError: PD outside [0, 1).

    Source: a line of one unit earns r t where it is repaid and loses LGD where it is not, so the
    expected earnings (1 - PD) r t must cover the costs and the expected loss.
    """
    if not 0 <= pd < 1:
        raise ValueError(f"PD {pd} is not in [0, 1)")
    days, basis = policy.tenor_days, policy.day_basis
    loss = pd * policy.lgd
    yearly = policy.funding_rate + policy.opex_rate + policy.capital_charge + policy.margin
    # Both sides times the basis: one division, exact where the rate falls on a step.
    rate = (yearly * days + loss * basis) / (days * (1 - pd))
    rate = ceil_to_step(rate, policy.rate_step)
    return Price(rate, effective_rate(rate, policy), loss, yearly * days / basis)


def effective_rate(rate: Decimal, policy: PolicySettings) -> Decimal:
    """Return the effective yearly rate over 365 days of a line repaid with its interest at the end.

    Source: Directive 2008/48/EC, annex I (annual percentage rate): what is repaid after d days,
    brought to a year by the exponent 365 / d.
    """
    return _effective(rate, policy.tenor_days, policy.day_basis)


@lru_cache(maxsize=8192)
def _effective(rate: Decimal, days: int, basis: int) -> Decimal:
    """Reckon it once for each rate: rates stand on steps, and the power is what takes long."""
    return (1 + rate * days / basis) ** (Decimal(_YEAR) / days) - 1


def highest_rate(ceiling: Decimal, policy: PolicySettings) -> Decimal:
    """Return the highest rate of the product that an effective yearly ceiling allows."""
    grown = (1 + ceiling) ** (Decimal(policy.tenor_days) / _YEAR) - 1
    return floor_to_step(grown * policy.day_basis / policy.tenor_days, policy.rate_step)


def within_ceiling(price: Price, ceiling: Decimal) -> bool:
    """Whether the rounded rate may legally be charged."""
    return price.effective_rate <= ceiling


def tenor_factor(rate: Decimal, policy: PolicySettings) -> Decimal:
    """Return 1 + r x t: what one unit drawn on the first day costs to repay on the last."""
    return 1 + rate * policy.tenor_days / policy.day_basis
