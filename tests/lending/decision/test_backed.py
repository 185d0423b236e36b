"""What stands behind a line: contracts, covers and the pre-approved list, each by hand."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fieldline.lending.decision.backed import ContractCase, CoverCase, PreapprovedCase
from fieldline.lending.decision.case import Case, ExclusionCase, RuleCase, TablesCase
from fieldline.lending.decision.covers import Pool, covered_share
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import replay
from fieldline.lending.decision.row import decision_row
from fieldline.lending.decision.shared import in_turn

DAY = dt.date(2025, 12, 31)


def sold(counted: int, outcome: str = "ok") -> ContractCase:
    return ContractCase(
        contract_id="c", buyer="Mill", crop="maize", value_minor=9_000_000,
        counted_minor=counted * 100, outcome=outcome, valid_to=DAY,
    )  # fmt: skip


def under(case: Case, **policy: Any) -> Case:
    return case.model_copy(update={"policy": case.policy.model_copy(update=policy)})


def codes(case: Case) -> list[str]:
    return [reason.code for reason in decide_case(case).reasons]


def test_a_supply_chain_line_is_at_most_the_share_of_what_the_contract_counts_for(
    case: Case,
) -> None:
    plain = decide_case(case)
    assert (plain.access, plain.limit_minor) == ("approve", 440_000)
    asks = under(case, contract_required=True, contract_share=Decimal("0.6"))
    held = asks.model_copy(update={"contracts": (sold(3000),)})
    found = decide_case(held)
    assert (found.access, found.limit_minor) == ("approve", 180_000)  # .6 x 3,000
    first = found.reasons[0]
    assert first.code == "limit_contract"
    assert "60% of your purchase contracts, which count for CNY 3,000" in first.english
    # the harvest can repay 6,000 / (1.25 x 1.0707) = 4,483, which is .6 of 7,472
    assert "that count for CNY 7,500 in all up to CNY 4,400 would be possible" in first.english
    ample = asks.model_copy(update={"contracts": (sold(20_000),)})
    assert decide_case(ample).limit_minor == plain.limit_minor


def test_without_a_contract_that_counts_a_supply_chain_line_is_declined_with_the_reason(
    case: Case,
) -> None:
    asks = under(case, contract_required=True)
    found = decide_case(asks)
    assert (found.access, found.reasons[0].code) == ("decline", "veto_no_contract")
    over = asks.model_copy(update={"contracts": (sold(0, "contract_expired"),)})
    (reason,) = decide_case(over).reasons
    assert "with Mill for maize does not count: the purchase contract has ended" in reason.english
    assert "购销合同已到期" in reason.chinese
    assert decide_case(case.model_copy(update={"contracts": over.contracts})).access == "approve"


def test_a_contract_that_counts_for_nothing_though_nothing_is_wrong_with_it_is_none(
    case: Case,
) -> None:
    asks = under(case, contract_required=True)
    late = sold(0, "contract_expired")
    for held, told in (((sold(0),), "none of yours is on record"), ((sold(0), late), "has ended")):
        found = decide_case(asks.model_copy(update={"contracts": held}))
        assert (found.access, len(found.reasons)) == ("decline", 1)
        assert told in found.reasons[0].english


def test_an_assigned_contract_lifts_what_untested_points_may_lend(case: Case) -> None:
    points = case.risk.model_copy(update={"model": "expert:points"})
    small = under(case.model_copy(update={"risk": points}), expert_limit_share=Decimal("0.01"))
    assert decide_case(small).limit_minor == 300_000  # a hundredth of 300,000 yuan
    assert decide_case(small.model_copy(update={"contracts": (sold(6000),)})).limit_minor == 360_000
    assert decide_case(small.model_copy(update={"contracts": (sold(100),)})).limit_minor == 300_000
    ample = small.model_copy(update={"contracts": (sold(10**6),)})
    assert decide_case(ample).limit_minor == 440_000  # what the harvest can repay
    short = small.model_copy(update={"contracts": (sold(2000, "contract_beyond_land"),)})
    assert "contract_not_counted" in codes(short)


# --- pre-approved


def tiered(case: Case, *bands: str, **more: Any) -> Case:
    """Return the case under a row that asks for a person from 4,000 on, or as the bands say."""
    band = (Decimal(0), None)
    row = RuleCase(
        table="t.csv", row=1, crops=("maize",), bands=dict.fromkeys(bands or ("amount",), band),
        access="review", reason=("a large line", "额度较大"), **more,
    )  # fmt: skip
    return case.model_copy(
        update={"tables": TablesCase(county="T", crops=("maize",), rows=(row,)),
                "confidence": Decimal("0.5")}
    )  # fmt: skip


LISTED = PreapprovedCase(amount_minor=300_000, source="branch 7", valid_to=DAY)


def on_list(case: Case) -> Case:
    return case.model_copy(update={"preapproved": LISTED})


def test_the_list_spares_a_person_for_the_size_and_lends_no_more_than_its_amount(
    case: Case,
) -> None:
    assert decide_case(tiered(case)).access == "review"
    found = decide_case(on_list(tiered(case)))
    assert (found.access, found.limit_minor) == ("approve", 300_000)
    assert found.reasons[0].code == "limit_preapproved"
    assert "list of branch 7 for lines up to CNY 3,000" in found.reasons[0].english
    assert decide_case(on_list(case)).limit_minor == 440_000  # nothing to spare: nothing is bound


@pytest.mark.parametrize(
    ("bands", "more"),
    [(("amount", "confidence"), {}), (("confidence",), {}), (("pd",), {}), (("amount", "pd"), {})],
)
def test_the_list_spares_nobody_a_person_for_anything_else(
    case: Case, bands: tuple[str, ...], more: dict[str, Any]
) -> None:
    asked = tiered(case, *bands, **more)
    assert decide_case(asked).access == decide_case(on_list(asked)).access == "review"


def test_evidence_access_rules_and_exclusions_beat_the_list(case: Case) -> None:
    doubted = case.parcels[0].model_copy(update={"codes": ("no_crop_cycle",), "effect": "review"})
    assert decide_case(
        on_list(tiered(case)).model_copy(update={"parcels": (doubted,)})
    ).access == "review"  # fmt: skip
    for effect, access in (("decline", "decline"), ("review", "review")):
        entry = ExclusionCase(effect=effect, reason="r", source="office", valid_to=None)
        excluded = on_list(tiered(case)).model_copy(update={"exclusions": (entry,)})
        assert decide_case(excluded).access == access
        told = codes(excluded)
        assert ("review_policy_rule" in told) == (effect == "review")  # the list says nothing


# --- covers


def cover(left: int, **more: Any) -> CoverCase:
    values = {
        "guarantor_id": "G", "name": "County pool", "share": Decimal("0.8"),
        "fee": Decimal("0.005"), "left_minor": left * 100, "capacity_minor": left * 100,
        "stated_on": dt.date(2024, 9, 1), "valid_to": None,
    }  # fmt: skip
    return CoverCase(**(values | more))


def test_a_cover_lowers_the_loss_by_its_share_alone_and_price_and_limit_follow(case: Case) -> None:
    plain = decide_case(case)
    found = decide_case(case.model_copy(update={"cover": cover(100_000)}))
    # (.05 x 330 + .04 x .55 x 360) / (330 x .96) = 24.42 / 316.8 = .07708
    assert plain.annual_rate == Decimal("0.0771")
    # .55 x (1 - .9 x .8) = .154 is lost and .8 x .005 = .004 paid:
    # (.054 x 330 + .04 x .154 x 360) / 316.8 = 20.0376 / 316.8 = .06325
    assert found.annual_rate == Decimal("0.0633")
    assert found.limit_minor >= plain.limit_minor
    assert found.limit_capacity_minor > plain.limit_capacity_minor
    assert (found.guarantor, found.covered_share) == ("G", Decimal("0.8000"))
    assert found.covered_minor == found.limit_minor * 8 // 10
    told = found.reasons[-1]
    assert told.code == "covered"
    assert "County pool bears 80% of a loss on this line (CNY 3,600)" in told.english
    assert "guarantor" not in plain.to_dict()


def test_a_covered_line_earns_what_it_costs_by_its_cash_flows_and_a_step_less_does_not(
    case: Case,
) -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        share = Fraction(int(rng.integers(1, 100)), 100)
        fee = Fraction(int(rng.integers(0, 9)), 1000)
        pd_, tenor = Fraction(int(rng.integers(1, 90)), 1000), int(rng.integers(30, 367))
        risk = case.risk.model_copy(update={"pd": _decimal(pd_), "challenger": _decimal(pd_)})
        held = cover(10**6, share=_decimal(share), fee=_decimal(fee))
        one = under(case.model_copy(update={"risk": risk, "cover": held}), tenor_days=tenor)
        found = decide_case(one)
        if found.annual_rate is None or found.access != "approve":
            continue
        carried = Fraction(found.covered_share or 0)
        # no fee is paid that costs more than it spares
        worth = pd_ * Fraction(55, 100) * Fraction(9, 10) * 360 > fee * tenor
        assert carried == (share if worth else 0)
        step = found.annual_rate - one.policy.rate_step
        assert _expected(one, Fraction(found.annual_rate), pd_, carried, fee) >= 0
        assert _expected(one, Fraction(step), pd_, carried, fee) < 0


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _expected(
    case: Case, rate: Fraction, pd_: Fraction, share: Fraction, fee: Fraction
) -> Fraction:
    """Return what a line of 10,000 earns on average, let run day by day: costs and fee every day,
    interest if it is repaid, and else the loss, of which nine tenths of the guarantor's share are
    counted on."""
    policy, line = case.policy, 10_000
    yearly = Fraction(policy.funding_rate + policy.opex_rate + policy.capital_charge)
    costs = sum(
        (line * (yearly + share * fee) / 360 for _ in range(policy.tenor_days)), Fraction(0)
    )
    interest = sum((line * rate / 360 for _ in range(policy.tenor_days)), Fraction(0))
    lost = line * Fraction(policy.lgd)
    return (1 - pd_) * interest - pd_ * (lost - lost * share * Fraction(9, 10)) - costs


def asking(case: Case, amount: int) -> Case:
    farmer = case.farmer.model_copy(update={"requested_minor": amount * 100})
    return case.model_copy(update={"farmer": farmer})


def test_a_capacity_that_carries_a_part_covers_that_part(case: Case) -> None:
    # 6,500 are asked for and needed: 1,300 of capacity carry a fifth of any line
    case = asking(case, 6500)
    found = decide_case(case.model_copy(update={"cover": cover(1300)}))
    assert found.covered_share == Decimal("0.2000")
    assert found.covered_minor == found.limit_minor // 5 <= 130_000
    less = cover(1300).model_copy(update={"elsewhere_minor": 65_000})
    assert covered_share(case.model_copy(update={"cover": less})) == Decimal("0.1000")
    nothing = decide_case(case.model_copy(update={"cover": cover(0)}))
    assert nothing.to_dict()["annual_rate"] == decide_case(case).annual_rate


def test_capacity_goes_from_farmer_to_farmer_and_is_never_exceeded(case: Case) -> None:
    farmers = [
        asking(case, 6500).model_copy(update={"farmer_id": f"F{n}", "household_id": f"H{n}"})
        for n in range(6)
    ]
    pool = Pool(cover(8000), frozenset(), 800_000)
    found = list(in_turn(farmers, [pool]))
    left = 800_000
    for _, decision in found:
        # each is covered by .8, or by what is left of the 6,500 that he needs
        share = min(Fraction(8, 10), Fraction(left * 10_000 // 650_000, 10_000))
        assert decision.covered_share is not None
        assert Fraction(decision.covered_share) == share
        assert decision.covered_minor == int(share * decision.limit_minor)
        left -= decision.covered_minor
    assert pool.left_minor == left > 0
    rates = [decision.annual_rate for _, decision in found if decision.annual_rate is not None]
    assert len(rates) == 6
    assert rates == sorted(rates)
    # as long as there is enough, others' turns do not show in a case
    ample = list(in_turn(farmers[:2], [Pool(cover(80_000), frozenset(), 8_000_000)]))
    assert ample[0][0].cover == ample[1][0].cover


def test_a_pool_covers_growers_of_its_crops_and_the_next_one_covers_the_others(case: Case) -> None:
    rice = Pool(cover(9000, guarantor_id="R"), frozenset({"rice"}), 900_000)
    other = Pool(cover(9000, guarantor_id="M"), frozenset({"maize", "rice"}), 900_000)
    ((_, decision),) = in_turn([case], [rice, other])
    assert decision.guarantor == "M"
    assert rice.left_minor == 900_000


def pool_of(name: str, left: int, **more: Any) -> Pool:
    return Pool(cover(left, guarantor_id=name, **more), frozenset(), left * 100)


def test_the_first_pool_that_gives_its_full_share_covers_and_else_the_one_that_bears_most(
    case: Case,
) -> None:
    case = asking(case, 6500)
    dear = {"fee": Decimal("0.2")}  # .2 of what is covered to spare .04 x .55 x .9 of it
    for pools, name, share in (
        ([pool_of("A", 50), pool_of("B", 9000)], "B", "0.8"),  # A carries .0076
        ([pool_of("A", 0), pool_of("B", 9000)], "B", "0.8"),
        ([pool_of("A", 9000, **dear), pool_of("B", 9000)], "B", "0.8"),
        ([pool_of("A", 9000, share=Decimal("0.5")), pool_of("B", 9000)], "A", "0.5"),
        ([pool_of("A", 650), pool_of("B", 1300)], "B", "0.2"),
        ([pool_of("A", 1300), pool_of("B", 1300)], "A", "0.2"),
    ):  # fmt: skip
        ((_, decision),) = in_turn([case], pools)
        assert (decision.guarantor, decision.covered_share) == (name, Decimal(share))
    ((_, decision),) = in_turn([case], [pool_of("A", 0), pool_of("B", 9000, **dear)])
    assert decision.guarantor is None


def test_no_pool_of_several_gives_more_than_it_has(case: Case) -> None:
    rng = np.random.default_rng(11)
    for _ in range(10):
        sizes = {name: int(rng.integers(0, 9000)) for name in "ABC"}
        pools = [pool_of(name, left) for name, left in sizes.items()]
        farmers = [
            asking(case, int(rng.integers(2000, 6500))).model_copy(update={"farmer_id": f"F{n}"})
            for n in range(8)
        ]
        found = [decision for _, decision in in_turn(farmers, pools)]
        for pool in pools:
            name = pool.first.guarantor_id
            given = sum(one.covered_minor or 0 for one in found if one.guarantor == name)
            assert given + pool.left_minor == sizes[name] * 100
            assert pool.left_minor >= 0


def test_a_line_that_a_person_may_still_lend_keeps_its_capacity_back(case: Case) -> None:
    pool = Pool(cover(8000), frozenset(), 800_000)
    ((_, decision),) = in_turn([tiered(case)], [pool])
    assert (decision.access, decision.covered_minor) == ("review", None)
    assert pool.left_minor == 440_000
    declined = case.model_copy(update={
        "exclusions": (ExclusionCase(effect="decline", reason="r", source="s", valid_to=None),)
    })  # fmt: skip
    list(in_turn([declined], [pool]))
    assert pool.left_minor == 440_000


def test_a_backed_case_replays_from_its_trace_and_a_case_without_any_keeps_its_name(
    case: Case,
) -> None:
    backed = on_list(tiered(case)).model_copy(
        update={"cover": cover(1300), "contracts": (sold(3000),)}
    )
    decision = decide_case(backed)
    row = decision_row(backed, decision, "p")
    assert (row["guarantor"], row["covered_minor"]) == ("G", decision.covered_minor)
    assert replay(row["trace"]) == decision
    names = {decide_case(one).decision_id for one in (case, backed, on_list(case))}
    assert len(names) == 3
    plain = _told(decision_row(case, decide_case(case), "p"))
    assert not {"contracts", "preapproved", "cover"} & set(plain)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row["trace"])["case"]
    return found
