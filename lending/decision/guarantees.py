"""Guarantees: what others vouch for, and what a farmer vouches for, in the capacity.

Owns the one rule: part of a verified guarantee raises what a line may be, the whole of it lowers
the guarantor's own, and a farmer who could repay nothing gets nothing by it.
"""

from __future__ import annotations

from decimal import Decimal

from fieldline.lending.decision.limit import Means, capacity_cap
from fieldline.lending.settings import PolicySettings

_ZERO = Decimal(0)


def guaranteed_capacity(means: Means, rate: Decimal, policy: PolicySettings) -> Decimal:
    """Return the cap by capacity with the guarantees received and given.

    Args:
        means: What the farmer or household has.
        rate: Yearly rate of the line.
        policy: Least debt service coverage, tenor and the share of a guarantee that counts.
    """
    own = capacity_cap(means, rate, policy)
    if own <= 0:
        return _ZERO
    received = policy.guarantee_share * means.guaranteed
    return max(_ZERO, own + received - means.guaranteeing)
