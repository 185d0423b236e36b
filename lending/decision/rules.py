"""Rules: what price, capacity and stops are by version, so that an old case is decided as then.

Owns what differs between versions; what all versions share is `lending.decision.decision`. The
formulas of today are `pricing` and `limit`; those of a closed version are kept here as they were,
with their faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from fieldline.lending.decision.guarantees import guaranteed_capacity
from fieldline.lending.decision.limit import Capacity, Means, capacity_cap
from fieldline.lending.decision.pricing import Price, annual_price, highest_rate, tenor_factor
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import ceil_to_step


@dataclass(frozen=True)
class Rules:
    """What one version reckons in its own way."""

    price: Callable[[Decimal, PolicySettings], Price]
    """Probability of default below one and policy to a price."""
    highest_rate: Callable[[Decimal, PolicySettings], Decimal]
    """Legal ceiling and policy to the highest rate of the product."""
    capacity: Capacity
    by_parcel: bool
    """A blocked parcel is left out and the farmer judged on the rest, not stopped for it."""
    edge_holds: bool
    """An applicant worse than any loan learnt from is declined where the price is above the
    ceiling, as at the edge of what was learnt; otherwise a worse fact would lift a decline."""
    person_first: bool
    """Without a usable application the price stops nobody: a person asks for it first."""
    minimum_first: bool
    """A line below the least is declined whatever is doubted of the risk: a doubt of the risk would
    otherwise lift a decline."""
    stops_alone: bool
    """A decline names what declined it, never what a person would have settled."""
    either_model: bool
    """A person decides where either model is at its own threshold, and no longer where the two
    differ: the gap between two that both rise may close, and a worse fact lift a review."""
    cap_lends: bool
    """Who could bear more than the product lends gets the most that it lends, not a person: a
    better fact would otherwise lose the offer."""
    minimum_stands: bool
    """A line below the least is declined but for what is unknown and could raise it: a doubt that
    was raised by a worse fact would otherwise lift a decline."""
    told_apart: bool
    """A chance of default that stops or delays is told with its threshold, and no cause of risk
    whose value reads as the usual one."""
    points_told: bool
    """A decline or review whose risk was judged by points and no loans says so, as an offer does;
    and no second model is told of where there is none."""
    leases_told: bool
    """A tenant hears of each parcel that counts for less for want of a lease, whatever is decided:
    what that costs is in every figure of the offer."""
    crops_told: bool
    """A farmer hears of each parcel whose crop was doubted or that has no value, also where the
    line is approved on the others."""


def _first_price(pd: Decimal, policy: PolicySettings) -> Price:
    """Price yearly costs with the loss of a tenor, held against the ceiling as it is."""
    loss = pd * policy.lgd
    cost = policy.funding_rate + policy.opex_rate + policy.capital_charge
    rate = ceil_to_step((cost + loss) / (1 - pd), policy.rate_step)
    return Price(rate, rate, loss, cost)


def _ceiling_itself(ceiling: Decimal, _: PolicySettings) -> Decimal:
    return ceiling


def _first_capacity(means: Means, rate: Decimal, policy: PolicySettings) -> Decimal:
    """Return free income / (DSCR x (1 + r t)): all costs are paid before the line is."""
    return max(Decimal(0), means.free) / (policy.dscr_min * tenor_factor(rate, policy))


_SECOND = Rules(
    annual_price, highest_rate, capacity_cap,
    by_parcel=True, edge_holds=True, person_first=True, minimum_first=True,
    stops_alone=True, either_model=False, cap_lends=False, minimum_stands=False, told_apart=False,
    points_told=False, leases_told=False, crops_told=False,
)  # fmt: skip

_THIRD = replace(
    _SECOND, capacity=guaranteed_capacity, either_model=True, cap_lends=True,
    minimum_stands=True, told_apart=True, points_told=True, leases_told=True, crops_told=True,
)  # fmt: skip

RULES: dict[int, Rules] = {
    1: Rules(
        _first_price, _ceiling_itself, _first_capacity,
        by_parcel=False, edge_holds=False, person_first=False, minimum_first=False,
        stops_alone=False, either_model=False, cap_lends=False, minimum_stands=False,
        told_apart=False, points_told=False, leases_told=False, crops_told=False,
    ),
    2: _SECOND,
    3: _THIRD,
}  # fmt: skip
"""The rules by the version that a case names; none is ever taken away."""
