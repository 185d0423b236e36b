"""Decision: access, price and limit of one case, with its reasons.

Owns the rule that joins the three: a veto declines, a doubt goes to a person, the rest is approved
at a limit below every cap and a price below the ceiling. A pure function of the case, so a stored
trace gives the same decision for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from fieldline.lending.codes import reason_ways
from fieldline.lending.decision import findings
from fieldline.lending.decision.caps import caps_of, highest_rate_of, price_of
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.contracts import contract_vetoes
from fieldline.lending.decision.covers import covered_share, under_cover
from fieldline.lending.decision.excluded import exclusion_findings
from fieldline.lending.decision.findings import least_line
from fieldline.lending.decision.limit import (
    Caps,
    posted_limit,
)
from fieldline.lending.decision.preapproved import spared
from fieldline.lending.decision.pricing import Price, within_ceiling
from fieldline.lending.decision.reasons import MOST, Finding, Reason, risk_findings, tell
from fieldline.lending.decision.review import settled
from fieldline.lending.decision.rule_choice import fired, named, rule_findings, under_tables
from fieldline.lending.decision.rule_rows import SETS
from fieldline.lending.decision.rules import RULES
from fieldline.lending.decision.ways import Access, Verdict, Weigh, of_price, with_ways
from fieldline.lending.decision.wording import amount, apart, told
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import floor_to_step, from_minor, to_minor


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
    rows_fired: tuple[str, ...] = ()
    """Rows of decision tables that fired, such as `limits.csv#3`."""
    guarantor: str | None = None
    """Who covers part of the line that is lent."""
    covered_share: Decimal | None = None
    """Share of it that is covered ..."""
    covered_minor: int | None = None
    """... and how much that is: so much of the guarantor's capacity is taken."""

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as plain values; without what says nothing of it and came later."""
        told = {**vars(self), "reasons": [vars(reason) for reason in self.reasons]}
        silent = {name for name in _LATER if not told[name]}
        return {name: value for name, value in told.items() if name not in silent}


_LATER = ("rows_fired", "guarantor", "covered_share", "covered_minor")


def decide_case(case: Case) -> Decision:
    """Decide one case by the rules that it names, and by the person's decision that it holds."""
    ruled = ruled_case(case)
    known = under_cover(ruled)
    decision = replace(_by_rules(known, case.policy), decision_id=case.decision_id)
    decision = decision if case.review is None else _by_person(known, decision)
    return _with_cover(ruled, decision)


def ruled_case(case: Case) -> Case:
    """Return the case as it is decided before any cover: with what is known elsewhere, and the
    policy that its decision tables make."""
    return under_tables(case.counted())


def _with_cover(case: Case, decision: Decision) -> Decision:
    """Return the decision with what of its line is covered.

    Args:
        case: The case before its cover.
        decision: What was decided of it.
    """
    share = covered_share(case) if decision.access == "approve" else Decimal(0)
    if case.cover is None or share == 0:
        return decision
    minor = int(share * decision.limit_minor)
    part = amount(from_minor(minor, case.currency), case.currency)
    finding = told("covered", value=part, threshold=f"{share:.0%}", extra=case.cover.name)
    return replace(
        decision, guarantor=case.cover.guarantor_id, covered_share=share, covered_minor=minor,
        reasons=(*decision.reasons[: MOST - 1], *tell([finding])),
    )  # fmt: skip


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


def _by_rules(case: Case, own: PolicySettings) -> Decision:
    """Decide by the rules alone: price first, from the risk; then the caps.

    Args:
        case: The case under its tables and cover.
        own: The policy before them.
    """
    price, verdict = price_of(case), weigh(case)
    access, caps, limit = verdict.access, verdict.caps, verdict.limit
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
        reasons=tuple(tell(with_ways(case, verdict, _weighing(case, own)))),
        rows_fired=named(fired(case)),
    )


def _weighing(case: Case, own: PolicySettings) -> Weigh:
    """Return how a changed case is weighed: by the rows that fire and the cover that it has then,
    and with what the change itself made of the policy.

    Args:
        case: The case under its tables and cover.
        own: The policy before them.
    """
    if case.tables is None and case.cover is None:
        return weigh

    def changed(other: Case) -> Verdict:
        made = {
            name: getattr(other.policy, name)
            for name in SETS
            if getattr(other.policy, name) != getattr(case.policy, name)
        }
        found = under_tables(other.model_copy(update={"policy": own}))
        if made:
            policy = found.policy.model_copy(update=made)
            found = found.model_copy(update={"policy": policy})
        return weigh(under_cover(found))

    return changed


def weigh(case: Case) -> Verdict:
    """Return access, caps and findings of a case, before anything is put in words."""
    price = price_of(case)
    caps = caps_of(case, highest_rate_of(case) if price is None else price.annual_rate)
    limit = posted_limit(caps, case.policy)
    access, found = _judge(case, price, caps, limit)
    return Verdict(access, caps, limit, found)


def _judge(
    case: Case, price: Price | None, caps: Caps, limit: Decimal
) -> tuple[Access, list[Finding]]:
    """Return access and its findings, most important first."""
    rules = RULES[case.rules]
    rows = fired(case)
    stops = [
        *exclusion_findings(case, "decline"), *findings.vetoes(case),
        *contract_vetoes(case), *rule_findings(rows, "decline"),
    ]  # fmt: skip
    if _price_may_stop(case):
        stops += _price_stops(case, price)
    doubts = [
        *exclusion_findings(case, "review"), *_doubts(case, caps),
        *rule_findings(spared(case, rows), "review"),
    ]  # fmt: skip
    leases = [*findings.unproven_leases(case)]
    if stops:
        told_first, *causes = stops if rules.stops_alone else [*stops, *doubts]
        points = findings.points_judged(case, [told_first, *causes])
        return "decline", [told_first, *leases, *causes, *points]
    bounds = [
        *findings.limits(case, caps), *findings.left_out(case), *findings.doubted_crops(case),
    ]  # fmt: skip
    small = limit < least_line(case)
    if small and rules.minimum_stands:
        doubts = _that_could_raise(doubts) or [*findings.unvalued_part(case, caps)]
    elif small and rules.minimum_first and _of_risk_alone(doubts):
        doubts = []
    if doubts:
        found = [*leases, *doubts, *findings.left_out(case)]
        return "review", [*found, *findings.points_judged(case)]
    if small:
        return "decline", [_below_minimum(case, limit), *leases, *bounds]
    return "approve", [*leases, *bounds]


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
        rate, ceiling = Decimal(1) if price is None else price.effective_rate, case.ceiling.rate
        values = apart(float(rate), float(ceiling), lambda share, more: f"{share:.{2 + more}%}")
        way = of_price(risk.pd, _highest_priced(case))
        yield told("price_above_ceiling", value=values[0], threshold=values[1], way=way)
        yield from _causes(case) if RULES[case.rules].told_apart else _risk(case, policy.pd_decline)
    elif float(risk.pd) >= policy.pd_decline:
        yield from _risk(case, policy.pd_decline)


_PERMILLE = Decimal("0.001")


def _highest_priced(case: Case) -> Decimal | None:
    """Return the highest chance of default, in tenths of a percent, that is priced and lent."""
    chance = highest_priced(case.rules, case.policy, case.ceiling.rate)
    return chance if chance is not None and chance < (case.risk.pd or 0) else None


@lru_cache(maxsize=64)
def highest_priced(rules: int, policy: PolicySettings, ceiling: Decimal) -> Decimal | None:
    """Return the highest tenth of a percent of default risk whose price the ceiling allows.

    Args:
        rules: Version of the rules.
        policy: Costs, loss given default, tenor and the chance from which access is declined.
        ceiling: Legal ceiling.
    """
    low, high = -1, 1000
    while high - low > 1:
        middle = (low + high) // 2
        price = RULES[rules].price(middle * _PERMILLE, policy)
        fits = within_ceiling(price, ceiling) and middle / 1000 < policy.pd_decline
        low, high = (middle, high) if fits else (low, middle)
    return None if low < 0 else low * _PERMILLE


def _doubts(case: Case, caps: Caps) -> list[Finding]:
    found = list(findings.reviews(case, caps))
    pd, other = case.risk.pd, case.risk.challenger
    if pd is None or other is None:
        return found
    if _models_at_odds(case, pd, other):
        found.append(_at_odds(case, pd, other))
    if float(pd) >= case.policy.pd_review:
        found.extend(_risk(case, case.policy.pd_review, person=True))
    return found


def _models_at_odds(case: Case, pd: Decimal, other: Decimal) -> bool:
    """Whether a person decides for what the challenger says.

    A gap counts only above the threshold of the model itself: there the gap of two chances, one at
    the threshold and one below it, is at least the setting's, and neither can leave by rising.
    """
    policy = case.policy
    if RULES[case.rules].either_model:
        if (
            case.risk.by_expert and RULES[case.rules].points_told
        ):  # the points are one model: there is no second one to tell of
            return False
        return float(other) >= policy.pd_review + policy.challenger_gap
    return abs(float(pd - other)) >= policy.challenger_gap


def _at_odds(case: Case, pd: Decimal, other: Decimal) -> Finding:
    if RULES[case.rules].either_model:
        least = case.policy.pd_review + case.policy.challenger_gap
        return told("review_second_model", value=f"{other:.1%}", threshold=f"{least:.1%}")
    return told("review_models_disagree", value=f"{pd:.1%}", threshold=f"{other:.1%}")


_UNKNOWN = (
    "review_not_valued", "review_no_application", "review_bad_application", "review_no_model",
)  # fmt: skip
"""Doubts about something unknown that may make a line larger once it is known. Land in dispute or
unlike its declaration is none: it counts in full while it is doubted."""


def _that_could_raise(doubts: list[Finding]) -> list[Finding]:
    return doubts if any(finding.code in _UNKNOWN for finding in doubts) else []


_OF_RISK = ("review_unlike_loans", "review_models_disagree", "review_second_model", "risk_")


def _of_risk_alone(doubts: list[Finding]) -> bool:
    """Whether a person could settle nothing here that would make the line larger."""
    return all(finding.code.startswith(_OF_RISK) for finding in doubts)


def _risk(case: Case, threshold: float, *, person: bool = False) -> list[Finding]:
    """Return the chance of default with its threshold, and what raised it.

    By the rules before the third the chance is told only where no single cause stands out.
    """
    found = _causes(case)
    if case.risk.pd is None or (found and not RULES[case.rules].told_apart):
        return found
    values = apart(
        float(case.risk.pd) * 100, threshold * 100, lambda count, more: f"{count:.{more}f}"
    )
    extra = ("; from there on a person decides", "，否则由人工审批") if person else ("", "")
    code = "risk_of_default:expert" if case.risk.by_expert else "risk_of_default"
    plain = told(code, value=values[0], threshold=values[1], extra=extra)
    return [plain, *found]


def _causes(case: Case) -> list[Finding]:
    """Return what raised the risk, each with what would lower it for this applicant."""
    found = risk_findings(case.risk, told_apart=RULES[case.rules].told_apart)
    return [_with_remedy(case, finding) for finding in found]


def _with_remedy(case: Case, finding: Finding) -> Finding:
    if finding.code != "risk_free_share":
        return finding
    farmer = case.farmer
    if farmer.debt_service_minor > farmer.debt_elsewhere_minor:
        way = reason_ways()["lower_debts"]
    else:
        way = reason_ways()["more_land" if farmer.household_need_minor > 0 else "more_crops"]
    values, chinese = finding.values, finding.chinese
    return replace(
        finding, values={**values, "way": way.english}, chinese={**chinese, "way": way.chinese}
    )


def _below_minimum(case: Case, limit: Decimal) -> Finding:
    return told(
        "limit_below_minimum",
        value=amount(limit, case.currency),
        threshold=amount(least_line(case), case.currency),
    )
