"""Needs: what of a household's needs and debts falls on each of its farmers' land.

Owns the order in which income from work off the farm is spent: debts first, which are due by
contract, the household next. What is proven pays in full; what is stated alone pays the shares of
each that the policy says, and none of it twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from fieldline.lending.profile.party import Party
from fieldline.lending.profile.proofs import OffFarm, off_farm_counted
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import split_evenly, to_minor


def share_needs(members: Sequence[Party], policy: PolicySettings, currency: str) -> None:
    """Set what each farmer's land must carry of the household's needs and debts.

    The household's need is per head. Proven off-farm income pays other debts first, which are due
    by contract, and the need next; of what is stated alone a share pays debts and a share bears
    part of the need. Land can be asked for at most a share of its poor-year income
    (`need_income_share`), split by its farmers' poor-year incomes: to state off-farm income is
    never worse than to keep silent.
    """
    size = max(member.application.household_size for member in members)
    need = to_minor(policy.household_need_per_head * size, currency)
    poor = [max(0, member.outlooks.repaying[0]) for member in members]
    debts = [member.application.debt_minor for member in members]
    counted = off_farm_counted(
        [member.application.off_farm_minor for member in members],
        [member.application.off_farm_proven_minor for member in members], need, sum(debts), policy,
    )  # fmt: skip
    income = counted or OffFarm(0, 0)
    elsewhere = min(sum(debts), income.proven) + income.for_debts
    left = max(0, need - max(0, income.proven - sum(debts)) - income.for_need)
    carried = min(left, int(policy.need_income_share * sum(poor)))
    parts = zip(
        members, split_evenly(carried, poor), split_evenly(elsewhere, debts),
        split_evenly(income.counted, poor), split_evenly(income.idle, debts), strict=True,
    )  # fmt: skip
    for member, member_need, member_elsewhere, off_farm, idle in parts:
        member.need_minor, member.elsewhere_minor = member_need, member_elsewhere
        member.off_farm_minor = off_farm if counted else None
        member.idle_minor = idle
