"""Proofs: what is stated of loans, wages and guarantees against what papers prove.

Owns the rule that a proven fact takes the place of a stated one, and that a stated one never does
better than none: loans that nobody verified are no record, and late ones that are admitted count
against all that were stated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

from fieldline.lending.documents.facts import NO_FARMER_PAPERS, FarmerPapers, Guarantee
from fieldline.lending.profile.applications import Application
from fieldline.lending.settings import PolicySettings


def with_proofs(
    applications: Mapping[str, Application], papers: Mapping[str, FarmerPapers]
) -> dict[str, Application]:
    """Return every application with what its farmer's papers prove.

    Args:
        applications: By farmer.
        papers: By farmer; a farmer without papers has none.
    """
    return {
        farmer: _proven(application, papers.get(farmer, NO_FARMER_PAPERS))
        for farmer, application in applications.items()
    }


def _proven(application: Application, papers: FarmerPapers) -> Application:
    record = papers.credit
    if record is None:
        application = replace(application, prior_loans=0, finished_loans=application.prior_loans)
    else:
        application = replace(
            application, prior_loans=record.loans, prior_late=record.late,
            finished_loans=record.loans, debt_minor=record.debt_minor,
        )  # fmt: skip
    return replace(application, off_farm_proven_minor=papers.income_minor, joint=papers.joint)


@dataclass(frozen=True)
class OffFarm:
    """A household's yearly income from work off the farm, as it counts; minor units."""

    proven: int
    """Pays other debts first, which are due by contract, and the need next."""
    for_need: int
    """Of what is stated alone: bears part of the need ..."""
    for_debts: int = 0
    """... and pays debts that the proven part leaves."""
    idle: int = 0
    """What would count besides if it were proven."""

    @property
    def counted(self) -> int:
        """All that counts."""
        return self.proven + self.for_need + self.for_debts


def off_farm_counted(
    stated: Sequence[int | None], proven: Sequence[int | None], need: int, debts: int,
    policy: PolicySettings,
) -> OffFarm | None:  # fmt: skip
    """Return what of the members' off-farm income counts; None where nothing was stated or proven.

    The largest statement is the household's. What of it no paper proves pays debts with at most
    `off_farm_unproven_debt_share` of it, and with what is left carries at most
    `off_farm_unproven_share` of the need, so that no figure on a form lifts a limit by much.

    Args:
        stated: What each member states, minor units.
        proven: What each member's papers prove.
        need: The household's need.
        debts: The household's other yearly debt service.
        policy: The shares.
    """
    said, shown = (max((a for a in amounts if a is not None), default=None)
                   for amounts in (stated, proven))  # fmt: skip
    if said is None and shown is None:
        return None
    sure = int(policy.off_farm_share * (shown or 0))
    beyond = int(policy.off_farm_share * max(0, (said or 0) - (shown or 0)))
    paying = min(max(0, debts - sure), int(policy.off_farm_unproven_debt_share * beyond))
    bearing = min(beyond - paying, int(policy.off_farm_unproven_share * need))
    return OffFarm(sure, bearing, paying, beyond - paying - bearing)


def guaranteed_amounts(
    papers: Mapping[str, FarmerPapers], free_minor: Mapping[str, int], policy: PolicySettings
) -> tuple[dict[str, int], dict[str, int]]:
    """Return what is guaranteed for each farmer, and by each farmer of the county.

    A farmer can vouch for no more than half of the line that a poor year's income would carry with
    the safety factor: guarantees beyond are cut in proportion. What counts for one counts against
    the other and no more, because nothing is lent on the rest; and half, so that a better year is
    never worse for the guarantor. A guarantor from outside the county counts as signed here: a
    company was checked by whoever verified the paper, and who farms in another county is held
    against what stands there when offers are posted (`lending.store.vouchers`).

    Args:
        papers: By farmer.
        free_minor: What a poor year leaves to each farmer of the county.
        policy: Least debt service coverage.
    """
    by_guarantor: dict[str, list[Guarantee]] = defaultdict(list)
    for own in papers.values():
        for guarantee in own.guarantees:
            by_guarantor[guarantee.guarantor].append(guarantee)
    received: dict[str, int] = defaultdict(int)
    given: dict[str, int] = {}
    for guarantor, guarantees in sorted(by_guarantor.items()):
        total = sum(guarantee.amount_minor for guarantee in guarantees)
        most = total
        if guarantor in free_minor:
            most = int(max(0, free_minor[guarantor]) / (2 * policy.dscr_min))
            given[guarantor] = min(total, most)
        for guarantee in guarantees:
            received[guarantee.farmer] += guarantee.amount_minor * min(total, most) // max(1, total)
    return dict(received), given


def outside_guarantees(
    papers: Mapping[str, FarmerPapers], farmers: Container[str]
) -> dict[str, tuple[Guarantee, ...]]:
    """Return the guarantees of those who farm nothing in the county, by the farmer they are for.

    Args:
        papers: By farmer.
        farmers: Farmers of the county.
    """
    found = {
        farmer: tuple(one for one in own.guarantees if one.guarantor not in farmers)
        for farmer, own in papers.items()
    }
    return {farmer: outside for farmer, outside in found.items() if outside}
