"""Shared: the farmers of a county decided one after another, each with what the covers still carry.

Owns the order and what each takes. A line that is lent takes its covered part; one that a person
may still lend keeps back the most that it could take, so that no approval exceeds the capacity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.covers import Pool, covered_share, first_fitting
from fieldline.lending.decision.decision import (
    Decision,
    decide_case,
    most_allowed,
    ruled_case,
)
from fieldline.pipeline.records.money import to_minor


def in_turn(cases: Iterable[Case], pools: Sequence[Pool]) -> list[tuple[Case, Decision]]:
    """Return every case with the cover that it finds in turn, and its decision.

    Args:
        cases: Of a county, in the order of its farmers.
        pools: Covers that are open to it; what is left of them is changed.
    """
    return [_turn(case, pools) for case in cases]


def _turn(case: Case, pools: Sequence[Pool]) -> tuple[Case, Decision]:
    pool = first_fitting(pools, case)
    if pool is not None:
        offered = case.model_copy(update={"cover": pool.turn(case)})
        share = covered_share(ruled_case(offered))
        if share > 0:
            decision = decide_case(offered)
            taken = decision.covered_minor or 0
            if decision.access == "review":
                taken = int(share * to_minor(most_allowed(offered, decision), case.currency))
            pool.left_minor -= taken
            return offered, decision
    return case, decide_case(case)
