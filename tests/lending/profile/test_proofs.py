from __future__ import annotations

from decimal import Decimal

import pytest

from fieldline.lending.decision.guarantees import guaranteed_capacity
from fieldline.lending.decision.limit import Means
from fieldline.lending.documents.facts import FarmerPapers, Guarantee
from fieldline.lending.profile.proofs import guaranteed_amounts
from fieldline.lending.settings import PolicySettings

POLICY = PolicySettings()


def vouched(*amounts: tuple[str, int], by: str = "wang") -> dict[str, FarmerPapers]:
    """Farmers for whom one guarantor signed."""
    return {
        farmer: FarmerPapers(guarantees=(Guarantee(farmer, by, amount),))
        for farmer, amount in amounts
    }


def test_what_a_guarantor_cannot_bear_counts_for_nobody_and_against_nobody() -> None:
    papers = vouched(("ann", 300_000), ("bo", 100_000))
    # A poor year leaves 2,000: half of 2,000 / 1.25 is 800, three quarters of it for ann.
    received, given = guaranteed_amounts(papers, {"wang": 200_000}, POLICY)
    assert (received, given) == ({"ann": 60_000, "bo": 20_000}, {"wang": 80_000})


def test_a_guarantor_whose_poor_year_leaves_nothing_vouches_for_nothing() -> None:
    received, given = guaranteed_amounts(vouched(("ann", 300_000)), {"wang": -50_000}, POLICY)
    assert (received, given) == ({"ann": 0}, {"wang": 0})


def test_a_guarantor_from_outside_counts_as_signed() -> None:
    received, given = guaranteed_amounts(vouched(("ann", 300_000)), {"ann": 0}, POLICY)
    assert (received, given) == ({"ann": 300_000}, {})


@pytest.mark.parametrize("costs", [0, 500, 20_000])
@pytest.mark.parametrize("signed", [0, 100_000, 10_000_000])
def test_a_better_year_never_lowers_what_a_guarantor_may_borrow(costs: int, signed: int) -> None:
    lines = []
    for free in range(0, 20_001, 250):
        _, given = guaranteed_amounts(vouched(("ann", signed)), {"wang": 100 * free}, POLICY)
        means = Means(
            Decimal(free), Decimal(0), Decimal(0), crop_costs=Decimal(costs),
            guaranteeing=Decimal(given["wang"]) / 100,
        )  # fmt: skip
        lines.append(guaranteed_capacity(means, Decimal("0.15"), POLICY))
    assert lines == sorted(lines)
