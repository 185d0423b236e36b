"""Limit: four caps, the least of them, rounded down once.

Owns the arithmetic of need, capacity, policy and exposure in `Decimal`. The rate depends on the
risk alone and is priced first; the limit then uses that rate, and nothing leads back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from fieldline.lending.decision.pricing import tenor_factor
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import floor_to_step
from fieldline.pipeline.records.units import in_mu

_ZERO = Decimal(0)


@dataclass(frozen=True)
class Means:
    """What a farmer and the household have to repay with, currency units."""

    income_q10: Decimal
    """Lower tenth of yearly income after crop costs."""
    need: Decimal
    """Subsistence need that the land carries."""
    debt: Decimal
    """Other yearly debt service."""
    debt_elsewhere: Decimal = _ZERO
    """Part of it that off-farm income pays."""
    crop_costs: Decimal = _ZERO
    """Growing costs, rent and insurance that `income_q10` is net of, and that a line may pay."""
    guaranteed: Decimal = _ZERO
    """Guaranteed by others."""
    guaranteeing: Decimal = _ZERO
    """Guaranteed for others: owed as soon as they do not pay."""

    @property
    def free(self) -> Decimal:
        """Income of a poor year that is left after all costs; may be negative."""
        return self.income_q10 - self.need - (self.debt - self.debt_elsewhere)

    @property
    def harvest_left(self) -> Decimal:
        """What a poor year's harvest leaves after household and other debts, its costs unpaid."""
        return self.free + self.crop_costs


Capacity = Callable[[Means, Decimal, PolicySettings], Decimal]
"""A rule of capacity: means, yearly rate and policy to the most that can be repaid."""


@dataclass(frozen=True)
class LiveLines:
    """Lines that are live elsewhere, currency units."""

    farmer: Decimal
    """The farmer's own."""
    household: Decimal
    """Those of the whole household, the farmer's among them."""


_NO_LINES = LiveLines(_ZERO, _ZERO)


@dataclass(frozen=True)
class Caps:
    """The four caps, currency units, none below zero."""

    need: Decimal
    capacity: Decimal
    policy: Decimal
    exposure: Decimal

    @property
    def least(self) -> Decimal:
        """The binding amount."""
        return min(self.need, self.capacity, self.policy, self.exposure)

    @property
    def without_policy(self) -> Decimal:
        """What the caps allow before the product's own maximum."""
        return min(self.need, self.capacity, self.exposure)


def growing_cost(areas: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """Return the cost of growing the crops.

    Args:
        areas: Pairs of evidence area, m2, and scale of finance, currency units per mu.
    """
    return sum((in_mu(area) * per_mu for area, per_mu in areas), _ZERO)


def need_cap(growing: Decimal, requested: Decimal | None, policy: PolicySettings) -> Decimal:
    """Return the cap by need: growing, post-harvest and upkeep, and never more than asked for.

    Source: Reserve Bank of India, Kisan Credit Card scheme (10 % and 20 % of the scale of finance).
    """
    full = growing * (1 + policy.post_harvest_share + policy.maintenance_share)
    return full if requested is None else min(full, requested)


def capacity_cap(means: Means, rate: Decimal, policy: PolicySettings) -> Decimal:
    """Return the cap by capacity: what a poor year's harvest can repay with the safety factor.

    With k = DSCR x (1 + r t), costs C and A left of the harvest before them, it is the largest line
    L with k L + max(0, C - L) <= A: the line comes back k times, and only the growing costs that it
    does not pay are paid beside it.

    Args:
        means: What the farmer or household has.
        rate: Yearly rate of the line.
        policy: Least debt service coverage and tenor.
    """
    due = policy.dscr_min * tenor_factor(rate, policy)
    left, costs = means.harvest_left, means.crop_costs
    if left < costs:
        return _ZERO
    if left >= due * costs:
        return left / due
    return (left - costs) / (due - 1)


def exposure_cap(
    means: Means,
    household: Means,
    farmers: int,
    free_of_all: Decimal,
    rate: Decimal,
    policy: PolicySettings,
    capacity: Capacity = capacity_cap,
    lines: LiveLines = _NO_LINES,
) -> Decimal:
    """Return the cap by exposure of farmer and household.

    Live lines elsewhere take their part of both caps, and a harvest is lent on once: the farmer's
    own lines and this one together stay within what the farmer can repay.

    Args:
        means: The farmer's means.
        household: The household's means, sums of its farmers'.
        farmers: Farmers in the household who share its caps in equal parts.
        free_of_all: Sum of the farmers' positive free incomes; one farmer's surplus must not be
            lent twice when another's need or debt eats into it.
        rate: Yearly rate.
        policy: Caps.
        capacity: Rule of the household's capacity.
        lines: What is live elsewhere.
    """
    own = policy.exposure_cap_farmer - means.debt - means.guaranteeing - lines.farmer
    shared = (
        policy.exposure_cap_household - household.debt - household.guaranteeing - lines.household
    ) / farmers
    pooled = own
    if free_of_all > 0:
        part = max(_ZERO, means.free) / free_of_all
        pooled = capacity(household, rate, policy) * part - lines.farmer
    cap = min(own, shared, pooled) if farmers > 1 else min(own, shared)
    if lines.farmer > 0:
        cap = min(cap, capacity(means, rate, policy) - lines.farmer)
    return max(_ZERO, cap)


def smallest_line(policy: PolicySettings) -> Decimal:
    """Return the smallest line of the product: the policy's own, or the one whose part of the
    operating rate over the tenor pays for what any line costs, whichever is larger.

    The rate speaks of the sum of all lines; a smaller line would be carried by the larger ones.
    """
    if policy.line_cost <= 0:
        return policy.min_limit
    borne = policy.line_cost * policy.day_basis / (policy.opex_rate * policy.tenor_days)
    return max(policy.min_limit, borne)


def posted_limit(caps: Caps, policy: PolicySettings) -> Decimal:
    """Return the limit: the least cap, rounded down to the product's step, once."""
    return floor_to_step(caps.least, policy.limit_step)
