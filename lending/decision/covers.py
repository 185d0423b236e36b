"""Covers: what a guarantee company or risk pool does to the price, and who gets its capacity.

Owns both. A cover bears its share of a loss while its capacity lasts, so loss given default is
lower by what is counted of that share, and its fee is a cost of the line; price and limit follow
from the two. The share is settled before the price, against the whole need, which no line exceeds:
what is lent can then never be more than the capacity carries. Capacity goes to the farmers
of a county in the order of their pseudonyms, each after those before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from fieldline.lending.backing.schemas import COVER_TURNS
from fieldline.lending.decision.backed import CoverCase
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.limit import growing_cost, need_cap
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import from_minor, to_minor
from fieldline.pipeline.records.tables import read_table, write_table

_SHARE_STEP = Decimal("0.0001")
_ONE = Decimal(1)


def covered_share(case: Case) -> Decimal:
    """Return the share of a loss that is covered: the cover's own, or what its capacity carries of
    the largest line that the case could get."""
    cover = case.cover
    if cover is None or case.risk.pd is None:
        return Decimal(0)
    most = whole_need(case)
    if most <= 0:
        return Decimal(0)
    carried = from_minor(cover.open_minor, case.currency) / most
    share = min(cover.share, carried).quantize(_SHARE_STEP, ROUND_FLOOR)
    return share if share > 0 and _cheaper(case, share) else Decimal(0)


def whole_need(case: Case) -> Decimal:
    """Return the need of a case, which no line exceeds, currency units."""
    money, asked = case.currency, case.farmer.requested_minor
    areas = [
        (parcel.evidence_area_m2, from_minor(parcel.scale_minor_per_mu, money))
        for parcel in case.parcels if parcel.counts
    ]  # fmt: skip
    requested = None if asked is None else from_minor(asked, money)
    return need_cap(growing_cost(areas), requested, case.policy)


def most_used(cover: CoverCase, case: Case) -> int:
    """Return what of a cover's capacity a farmer could use, minor units."""
    return to_minor(cover.share * whole_need(case), case.currency) + 1


def with_all_of(case: Case) -> Case:
    """Return the case with as much of its cover's capacity as the farmer could use."""
    cover = case.cover
    if cover is None:
        return case
    most = most_used(cover, case)
    return case.model_copy(update={"cover": cover.model_copy(update={"left_minor": most})})


def _cheaper(case: Case, share: Decimal) -> bool:
    """Whether a cover lowers the price of this risk: the loss that it bears is worth its fee."""
    cover, policy, pd_ = case.cover, case.policy, case.risk.pd
    if cover is None or pd_ is None:
        return False
    borne = pd_ * policy.lgd * policy.cover_counted * share
    return borne * policy.day_basis > cover.fee * share * policy.tenor_days


def under_cover(case: Case) -> Case:
    """Return the case with the policy that its cover makes of its own."""
    share = covered_share(case)
    if case.cover is None or share == 0:
        return case
    return case.model_copy(update={"policy": _covered(case.policy, share, case.cover.fee)})


@lru_cache(maxsize=1024)
def _covered(policy: PolicySettings, share: Decimal, fee: Decimal) -> PolicySettings:
    """Return the policy with less to lose and the fee to pay: the same object for the same."""
    lgd = policy.lgd * (_ONE - policy.cover_counted * share)
    return policy.model_copy(update={"lgd": lgd, "margin": policy.margin + fee * share})


@dataclass
class Pool:
    """A cover that is open to a county, and what of it is left."""

    first: CoverCase
    """As before the county's first farmer."""
    crops: frozenset[str]
    """Crops whose growers it covers; empty for all."""
    left_minor: int

    def fits(self, case: Case) -> bool:
        """Whether it covers whatever the farmer grows."""
        grown = {parcel.valued_crop for parcel in case.parcels if parcel.counts}
        return bool(grown) and (not self.crops or grown <= self.crops)

    @property
    def full_share(self) -> Decimal:
        """Share of a loss that it bears of a line that its capacity carries."""
        return self.first.share.quantize(_SHARE_STEP, ROUND_FLOOR)

    def turn(self, case: Case) -> CoverCase:
        """Return the cover as a farmer finds it; no more of it than he could use, so that the turn
        of others moves his case only where the capacity runs out."""
        most = most_used(self.first, case)
        return self.first.model_copy(update={"left_minor": min(self.left_minor, most)})


def read_pools(table: Path | None) -> list[Pool]:
    """Return the covers of a county in the order in which farmers are offered them.

    Args:
        table: covers.parquet; None where the lender has none.
    """
    rows = pd.DataFrame() if table is None else read_table(table)
    if rows.empty:
        return []
    return [
        Pool(
            _cover(row, row["capacity_minor"]), frozenset(row["crops"]), int(row["capacity_minor"])
        )
        for row in rows.sort_values("place").to_dict("records")
    ]


def _cover(row: Mapping[Any, Any], left: int) -> CoverCase:
    return CoverCase(
        guarantor_id=row["guarantor_id"], name=row["name"], share=Decimal(row["share"]),
        fee=Decimal(row["fee"]), left_minor=int(left), capacity_minor=int(row["capacity_minor"]),
        stated_on=row["stated_on"],
        valid_to=None if pd.isna(row["valid_to"]) else row["valid_to"],
    )  # fmt: skip


def write_turns(covers: Iterable[tuple[str, CoverCase]], out: Path) -> None:
    """Write the cover that each farmer found in turn: COVER_TURNS."""
    rows = [
        {
            "farmer_id": farmer, **cover.model_dump(exclude={"elsewhere_minor", "returned_minor"}),
            "share": str(cover.share), "fee": str(cover.fee),
        }
        for farmer, cover in covers
    ]  # fmt: skip
    write_table(pd.DataFrame(rows, columns=COVER_TURNS.names), COVER_TURNS, out)


def read_turns(table: Path | None) -> dict[str, CoverCase]:
    """Return by farmer the cover found in turn.

    Args:
        table: cover_turns.parquet; None where nobody covers lines.
    """
    rows = [] if table is None else read_table(table).to_dict("records")
    return {str(row["farmer_id"]): _cover(row, row["left_minor"]) for row in rows}
