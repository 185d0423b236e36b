"""Shared: the farmers of a county decided one after another, each with what the covers still carry.

Owns the order and what each takes. A line that is lent takes its covered part; one that a person
may still lend keeps back the most that it could take, so that no approval exceeds the capacity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.covers import Pool, covered_share, with_all_of
from fieldline.lending.decision.decision import (
    Decision,
    decide_case,
    most_allowed,
    ruled_case,
)
from fieldline.pipeline.records.money import to_minor


def in_turn(cases: Iterable[Case], pools: Sequence[Pool]) -> Iterator[tuple[Case, Decision]]:
    """Yield every case with the cover that it finds in turn, and its decision.

    Args:
        cases: Of a county, in the order of its farmers.
        pools: Covers that are open to it; what is left of them is changed.
    """
    return (_turn(case, pools) for case in cases)


def _turn(case: Case, pools: Sequence[Pool]) -> tuple[Case, Decision]:
    found = _best(case, pools)
    if found is None:
        case = _waiting(case, pools)
        return case, decide_case(case)
    pool, offered, share = found
    decision = decide_case(offered)
    taken = decision.covered_minor or 0
    if decision.access == "review":
        taken = int(share * to_minor(most_allowed(offered, decision), case.currency))
    pool.left_minor -= taken
    return offered, decision


def _best(case: Case, pools: Sequence[Pool]) -> tuple[Pool, Case, Decimal] | None:
    """Return the pool of a farmer, the case under it and the share that it bears: the first that
    still gives its full share, else the one that bears most, the first of equals; None where none
    bears anything, because it is exhausted or its fee is not worth it for this risk."""
    best: tuple[Pool, Case, Decimal] | None = None
    for pool in pools:
        if not pool.fits(case):
            continue
        offered = case.model_copy(update={"cover": pool.turn(case)})
        share = covered_share(ruled_case(offered))
        if share > (best[2] if best else 0):
            best = pool, offered, share
            if share >= pool.full_share:
                return best
    return best


def _waiting(case: Case, pools: Sequence[Pool]) -> Case:
    """Return the case of whom no pool bears anything with the first that would if more of it were
    left: a posting knows whether the lines that it replaces give some of it back."""
    for pool in pools:
        offered = case.model_copy(update={"cover": pool.turn(case)})
        if pool.fits(case) and covered_share(ruled_case(with_all_of(offered))) > 0:
            return offered
    return case
