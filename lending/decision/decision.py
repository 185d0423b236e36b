"""Decision: access, price and limit of one case, with its reasons.

Owns the rule that joins the three: a veto declines, a doubt goes to a person, the rest is approved
at a limit below every cap and a price below the ceiling. A pure function of the case, so a stored
trace gives the same decision for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from fieldline.lending.decision import findings
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.limit import (
    Caps,
    LiveLines,
    exposure_cap,
    growing_cost,
    need_cap,
    posted_limit,
)
from fieldline.lending.decision.pricing import Price, within_ceiling
from fieldline.lending.decision.reasons import MOST, Finding, Reason, risk_findings, tell
from fieldline.lending.decision.review import settled
from fieldline.lending.decision.rules import RULES
from fieldline.pipeline.records.money import floor_to_step, from_minor, shown_amount, to_minor

Access = Literal["approve", "review", "decline"]


@dataclass(frozen=True)
class Decision:
    """The result of one case; money in minor units."""

    decision_id: str
    access: Access
    pd: Decimal | None
    pd_challenger: Decimal | None
    annual_rate: Decimal | None
    limit_need_minor: int
    limit_capacity_minor: int
    limit_policy_minor: int
    limit_exposure_minor: int
    limit_minor: int
    reasons: tuple[Reason, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as plain values."""
        return {**vars(self), "reasons": [vars(reason) for reason in self.reasons]}


def decide_case(case: Case) -> Decision:
    """Decide one case by the rules that it names, and by the person's decision that it holds."""
    decision = _by_rules(case)
    return decision if case.review is None else _by_person(case, decision)


def most_allowed(case: Case, decision: Decision) -> Decimal:
    """Return the largest line that a person may give: the caps but the product's maximum."""
    caps = (
        decision.limit_need_minor, decision.limit_capacity_minor, decision.limit_exposure_minor,
    )  # fmt: skip
    return floor_to_step(from_minor(min(caps), case.currency), case.policy.limit_step)


def _by_person(case: Case, decision: Decision) -> Decision:
    """A line that no model priced bears the highest rate of the product, as its caps do."""
    price = price_of(case)
    lawful = price is None or within_ceiling(price, case.ceiling.rate)
    found = settled(case, decision.access, most_allowed(case, decision), lawful=lawful)
    if found is None:
        return decision
    access, limit, finding = found
    told = tell([finding])
    if access == "decline" and decision.access != "approve":
        told = [*told, *decision.reasons][:MOST]
    rate = decision.annual_rate
    if access == "approve" and rate is None:
        rate = highest_rate_of(case)
    return replace(
        decision,
        access=access,
        annual_rate=rate,
        limit_minor=to_minor(limit, case.currency),
        reasons=tuple(told),
    )


def _by_rules(case: Case) -> Decision:
    """Decide by the rules alone: price first, from the risk; then the caps."""
    price = price_of(case)
    caps = caps_of(case, highest_rate_of(case) if price is None else price.annual_rate)
    limit = posted_limit(caps, case.policy)
    access, found = _judge(case, price, caps, limit)
    return Decision(
        decision_id=case.decision_id,
        access=access,
        pd=case.risk.pd,
        pd_challenger=case.risk.challenger,
        annual_rate=None if price is None else price.annual_rate,
        limit_need_minor=to_minor(caps.need, case.currency),
        limit_capacity_minor=to_minor(caps.capacity, case.currency),
        limit_policy_minor=to_minor(caps.policy, case.currency),
        limit_exposure_minor=to_minor(caps.exposure, case.currency),
        limit_minor=to_minor(limit, case.currency) if access == "approve" else 0,
        reasons=tuple(tell(found)),
    )


def price_of(case: Case) -> Price | None:
    """Return the price of a case; None where no model gave a PD below one."""
    pd = case.risk.pd
    return RULES[case.rules].price(pd, case.policy) if pd is not None and pd < 1 else None


def highest_rate_of(case: Case) -> Decimal:
    """Return the highest rate that a line of the case may bear by law."""
    return RULES[case.rules].highest_rate(case.ceiling.rate, case.policy)


def caps_of(case: Case, rate: Decimal) -> Caps:
    """Return the four caps of a case at a yearly rate."""
    policy, farmer, money = case.policy, case.farmer, case.currency
    capacity = RULES[case.rules].capacity
    areas = [
        (parcel.evidence_area_m2, from_minor(parcel.scale_minor_per_mu, money))
        for parcel in case.parcels
        if parcel.counts
    ]
    asked = farmer.requested_minor
    requested = None if asked is None else from_minor(asked, money)
    return Caps(
        need=need_cap(growing_cost(areas), requested, policy),
        capacity=capacity(farmer.means(money), rate, policy),
        policy=_policy_cap(case),
        exposure=exposure_cap(
            farmer.means(money),
            case.household.means(money),
            case.household.farmers,
            from_minor(case.household_free_minor, money),
            rate,
            policy,
            capacity,
            LiveLines(case.live_lines(own=True), case.live_lines(own=False)),
        ),
    )


def _policy_cap(case: Case) -> Decimal:
    """Return what the product lends at most; less where points and no loans judged the risk."""
    share = case.policy.expert_limit_share if case.risk.by_expert else Decimal(1)
    return case.policy.max_limit * share


def _judge(
    case: Case, price: Price | None, caps: Caps, limit: Decimal
) -> tuple[Access, list[Finding]]:
    """Return access and its findings, most important first."""
    stops = [*findings.vetoes(case)]
    if _price_may_stop(case):
        stops += _price_stops(case, price)
    doubts = _doubts(case, caps)
    if stops:
        return "decline", stops if RULES[case.rules].stops_alone else [*stops, *doubts]
    bounds = [*findings.limits(case, caps), *findings.left_out(case)]
    small = limit < case.policy.min_limit
    if doubts and not (small and RULES[case.rules].minimum_first and _of_risk_alone(doubts)):
        return "review", [*doubts, *findings.left_out(case)]
    if small:
        return "decline", [_below_minimum(case, limit), *bounds]
    return "approve", bounds


def _price_may_stop(case: Case) -> bool:
    """Whether risk and price are reason enough to decline."""
    rules = RULES[case.rules]
    if rules.person_first and case.application in ("no_application", "bad_application"):
        return False
    return rules.edge_holds or not any(findings.unlike_loans(case))


def _price_stops(case: Case, price: Price | None) -> Iterator[Finding]:
    risk, policy = case.risk, case.policy
    if risk.pd is None:
        return
    if price is None or not within_ceiling(price, case.ceiling.rate):
        rate = "100%" if price is None else f"{price.effective_rate:.2%}"
        ceiling = f"{case.ceiling.rate:.2%}"
        yield Finding("price_above_ceiling", {"value": rate, "threshold": ceiling})
        yield from _risk(case, policy.pd_decline)
    elif float(risk.pd) >= policy.pd_decline:
        yield from _risk(case, policy.pd_decline)


def _doubts(case: Case, caps: Caps) -> list[Finding]:
    found = list(findings.reviews(case, caps))
    pd, other = case.risk.pd, case.risk.challenger
    if pd is None or other is None:
        return found
    if abs(float(pd - other)) >= case.policy.challenger_gap:
        values = {"value": f"{pd:.1%}", "threshold": f"{other:.1%}"}
        found.append(Finding("review_models_disagree", values))
    if float(pd) >= case.policy.pd_review:
        found.extend(_risk(case, case.policy.pd_review))
    return found


_OF_RISK = ("review_unlike_loans", "review_models_disagree", "risk_")


def _of_risk_alone(doubts: list[Finding]) -> bool:
    """Whether a person could settle nothing here that would make the line larger."""
    return all(finding.code.startswith(_OF_RISK) for finding in doubts)


def _risk(case: Case, threshold: float) -> list[Finding]:
    """Return what raised the risk; the plain chance where no single item stands out."""
    found = list(risk_findings(case.risk))
    if found or case.risk.pd is None:
        return found
    values = {"value": f"{case.risk.pd * 100:.0f}", "threshold": f"{threshold * 100:.0f}"}
    return [Finding("risk_of_default", values)]


def _below_minimum(case: Case, limit: Decimal) -> Finding:
    return Finding(
        "limit_below_minimum",
        {
            "value": shown_amount(limit, case.currency),
            "threshold": shown_amount(case.policy.min_limit, case.currency),
        },
    )
