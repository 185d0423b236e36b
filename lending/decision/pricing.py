"""Pricing: the yearly rate that covers funding, work, expected loss and capital.

Owns the formula and the comparison with the dated legal ceiling. A price above the ceiling is never
cut down to it: a line that cannot pay for its risk is not lent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import ceil_to_step


@dataclass(frozen=True)
class Price:
    """A rate and what it consists of; parts are yearly shares of the limit."""

    annual_rate: Decimal
    """Rounded up to the product's rate step."""
    expected_loss: Decimal
    """PD x loss given default."""
    cost: Decimal
    """Funding + operations + capital."""


def annual_price(pd: Decimal, policy: PolicySettings) -> Price:
    """Return (funding + opex + PD x LGD + capital) / (1 - PD), rounded up.

    Args:
        pd: Probability of default in the tenor, in [0, 1).
        policy: Cost rates and loss given default.

    Raises:
        ValueError: PD outside [0, 1).

    Source: design of the product; interest is earned on lines that are repaid, hence 1 - PD.
    """
    if not 0 <= pd < 1:
        raise ValueError(f"PD {pd} is not in [0, 1)")
    loss = pd * policy.lgd
    cost = policy.funding_rate + policy.opex_rate + policy.capital_charge
    return Price(ceil_to_step((cost + loss) / (1 - pd), policy.rate_step), loss, cost)


def within_ceiling(price: Price, ceiling: Decimal) -> bool:
    """Whether the rounded rate may legally be charged."""
    return price.annual_rate <= ceiling


def tenor_factor(rate: Decimal, policy: PolicySettings) -> Decimal:
    """Return 1 + r x t: what one unit drawn on the first day costs to repay on the last."""
    return 1 + rate * policy.tenor_days / policy.day_basis
