"""Findings: what in a case stops, delays or bounds the offer, each with its numbers.

Owns the questions a credit officer asks, one function per kind: vetoes, reviews and limits. It
answers with codes and values only; words are in `lending.reasons`, the outcome in
`lending.decision`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from fieldline.lending.codes import evidence_codes, farmer_remedy, reason_codes
from fieldline.lending.decision.case import Case, ParcelCase
from fieldline.lending.decision.contracts import (
    bound_by_contracts,
    contract_findings,
    contract_limit,
)
from fieldline.lending.decision.limit import Caps, smallest_line
from fieldline.lending.decision.preapproved import preapproved_limit, sparing
from fieldline.lending.decision.reasons import Finding, shown_feature
from fieldline.lending.decision.related import relation_findings
from fieldline.lending.decision.rules import RULES
from fieldline.lending.decision.wording import Told, amount, apart, area, money, told
from fieldline.lending.profile.applications import in_words
from fieldline.lending.risk.features import FEATURES
from fieldline.pipeline.records.money import floor_to_step, from_minor
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.reference import crops

_LOWERED = {"area_overdrawn", "area_conflict_registry", "own_overlap"}


def vetoes(case: Case) -> Iterator[Finding]:
    """Yield what stops the offer whatever its price: blocked ground, no outline, no capacity.

    Blocked ground stops a farmer who has no other (by the first rules any farmer who has some).
    """
    if len(_judged(case)) == len(case.parcels):
        yield from _blocked(case, "veto")
    free = case.farmer.means(case.currency).free
    if not case.parcels:
        yield _refused(case)
    elif any(parcel.counts for parcel in case.parcels) and free <= 0:
        yield _no_capacity(case)


def left_out(case: Case) -> Iterator[Finding]:
    """Yield the blocked parcels that do not count where the farmer is judged on the rest."""
    if len(_judged(case)) < len(case.parcels):
        yield from _blocked(case, "left_out")


def _judged(case: Case) -> tuple[ParcelCase, ...]:
    """Return the parcels that a farmer is judged on: all, or those that are not blocked."""
    free = tuple(parcel for parcel in case.parcels if parcel.effect != "block")
    return free if free and RULES[case.rules].by_parcel else case.parcels


def _blocked(case: Case, kind: str) -> Iterator[Finding]:
    for parcel in case.parcels:
        for code in parcel.codes:
            if evidence_codes()[code].effect == "block":
                protected = code == "protected_overlap"
                ground = parcel.protected_m2 if protected else parcel.evidence_area_m2
                yield _of_evidence(kind, code, ground, parcel.parcel_id)


def _of_evidence(kind: str, code: str, ground: Decimal, parcel: str) -> Finding:
    """Return what an evidence code does to a parcel, in its own words where it has a reason.

    A lender may give any code any effect (`data/evidence_codes.csv`); one that has no reason of its
    own for that effect is told in the words of the code.
    """
    if f"{kind}_{code}" in reason_codes():
        return _of_area(f"{kind}_{code}", [ground], parcel=parcel)
    known = evidence_codes()[code]
    words = (known.english[:1].lower() + known.english[1:], known.chinese)
    return _of_area(f"{kind}_evidence", [ground], parcel=parcel, extra=words)


def _refused(case: Case) -> Finding:
    return _told_outcome("no_parcel_accepted", case.parcels_declared, case.refusals)


def _no_capacity(case: Case) -> Finding:
    farmer, currency = case.farmer, case.currency
    borne = farmer.debt_service_minor - farmer.debt_elsewhere_minor
    claims = farmer.household_need_minor + borne
    if farmer.income_q10_minor < 0:
        return told("no_capacity:loss", value=money(-farmer.income_q10_minor, currency))
    return told(
        "no_capacity",
        value=money(farmer.income_q10_minor, currency),
        threshold=money(claims, currency),
    )


def reviews(case: Case, caps: Caps) -> Iterator[Finding]:
    """Yield what a person must settle before an offer."""
    for parcel in _judged(case):
        for code in parcel.codes:
            if evidence_codes()[code].effect == "review":
                yield _parcel_review(code, parcel)
    yield from _unvalued(case)
    yield from relation_findings(case)
    if case.application == "no_application":
        yield Finding("review_no_application")
    if case.application == "bad_application":
        english, chinese = in_words(case.application_detail)
        yield Finding("review_bad_application", {"value": english}, {"value": chinese})
    if case.risk.problem:
        yield Finding("review_no_model")
    yield from unlike_loans(case)
    # The lower cap of the expert scorecard bounds a line; only the product's own asks a person.
    most = case.policy.max_limit if case.risk.by_expert else caps.policy
    if caps.without_policy > most and not RULES[case.rules].cap_lends:
        yield _above_cap(case, caps)


def unlike_loans(case: Case) -> Iterator[Finding]:
    """Yield the features on which this applicant is worse than any loan the model learnt from.

    The rule: beyond the worse end of the loans' middle 98 % by more than `unlike_margin` of its
    width. Beyond the better end the trees are flat and promise nothing more, so nothing is said.
    """
    for feature in FEATURES:
        own, ends = case.risk.features.get(feature.name), case.risk.cohort.get(feature.name)
        if own is None or ends is None or ends["low"] is None or ends["high"] is None:
            continue
        margin = case.policy.unlike_margin * (ends["high"] - ends["low"])
        worst = ends["high"] if feature.sign > 0 else ends["low"]
        if feature.sign * (own - worst) > margin:
            value, usual = apart(own, worst, shown_feature(feature.name))
            yield told(
                "review_unlike_loans", value=value, threshold=usual,
                extra=(feature.description, feature.chinese),
            )  # fmt: skip


def _parcel_review(code: str, parcel: ParcelCase) -> Finding:
    if code != "crop_conflict":
        return _of_evidence("review", code, parcel.evidence_area_m2, parcel.parcel_id)
    seen, declared = parcel.seen_crop or "", parcel.declared_crop or ""
    return told(
        "review_crop_conflict", parcel=parcel.parcel_id, value=_crop(seen),
        threshold=_crop(declared),
    )  # fmt: skip


def _crop(code: str) -> Told:
    known = crops().get(code)
    return (known.name_en.lower(), known.name_zh) if known else (code, code)


def _unvalued(case: Case) -> Iterator[Finding]:
    usable = [parcel for parcel in case.parcels if parcel.effect != "block"]
    if usable and not any(parcel.counts for parcel in usable):
        codes = [code for parcel in usable for code in parcel.outcomes]
        yield _told_outcome("review_not_valued", len(usable), codes)


def least_line(case: Case) -> Decimal:
    """Return the least line of a case: those who apply together share it."""
    return smallest_line(case.policy) / case.joint_members


def unvalued_part(case: Case, caps: Caps) -> Iterator[Finding]:
    """Yield the parcels without a value where theirs could make a line that is too small larger."""
    asked = case.farmer.requested_minor
    others = [caps.policy, caps.exposure]
    others += [] if asked is None else [from_minor(asked, case.currency)]
    blank = [p for p in case.parcels if p.effect != "block" and not p.counts]
    if blank and min(others) >= least_line(case):
        codes = [code for parcel in blank for code in parcel.outcomes]
        yield _told_outcome("review_not_valued", len(blank), codes)


def _told_outcome(code: str, count: int, outcomes: Iterable[str]) -> Finding:
    """Return a finding with the outcome that stops most: stopping codes first, then by name.

    The farmer reads what happened and what a farmer can do, never what the operator has to do.
    """
    known = outcome_codes()
    ranked = sorted(
        {outcome for outcome in outcomes if outcome in known},
        key=lambda c: (known[c].effect != "stop", c.startswith("evidence"), c),
    )
    if not ranked:
        values = {"value": str(count), "extra": "no outcome is on record"}
        told = {"extra": "没有记录", "remedy": "请咨询贷款机构"}
        return Finding(code, {**values, "remedy": "Ask the lender"}, told)
    first, remedy = known[ranked[0]], farmer_remedy(ranked[0])
    text = first.english[:1].lower() + first.english[1:]
    values = {"value": str(count), "extra": text, "remedy": remedy.english}
    return Finding(code, values, {"extra": first.chinese, "remedy": remedy.chinese})


def _above_cap(case: Case, caps: Caps) -> Finding:
    possible = floor_to_step(caps.without_policy, case.policy.limit_step)
    return told(
        "review_above_cap",
        value=amount(possible, case.currency),
        threshold=amount(caps.policy, case.currency),
    )


def limits(case: Case, caps: Caps) -> Iterator[Finding]:
    """Yield what bounds the limit: the least cap first, then what lowered area or value."""
    yield _binding(case, caps)
    if caps.least == caps.policy:
        yield from contract_findings(case, caps.policy)
    lowered = [p for p in case.parcels if p.counts and _LOWERED.intersection(p.codes)]
    if lowered:
        found = area(_sum(p.evidence_area_m2 for p in lowered))
        declared = area(_sum(p.declared_area_m2 or p.evidence_area_m2 for p in lowered))
        if found != declared or not RULES[case.rules].told_apart:
            yield told("area_lowered", value=found, threshold=declared)
    unsure = [p.evidence_area_m2 for p in _judged(case) if p.crop_basis == "cheapest_of_set"]
    if unsure:
        yield _of_area("crop_cheapest", unsure)
    if case.risk.by_expert:
        share = f"{case.policy.expert_limit_share:.0%}"
        yield Finding("expert_scorecard", {"value": f"{case.risk.pd or 0:.1%}", "threshold": share})


def points_judged(case: Case, stops: Iterable[Finding] | None = None) -> Iterator[Finding]:
    """Yield that points and no loans judged the risk, where no line is offered.

    Args:
        case: The case.
        stops: What declined it: only a risk or a price was judged by points.
    """
    if not case.risk.by_expert or not RULES[case.rules].points_told:
        return
    if stops is None or any(f.code.startswith(("risk_", "price_")) for f in stops):
        yield Finding("expert_scorecard", {"value": f"{case.risk.pd or 0:.1%}"}, variant="judged")


def unproven_leases(case: Case) -> Iterator[Finding]:
    """Yield the rented parcels that count for less because no lease holds to their harvest."""
    if not RULES[case.rules].leases_told:
        return
    for parcel in case.parcels:
        lacking = [code for code in _LEASE_LACKS if code in parcel.codes]
        if not parcel.counts or not lacking:
            continue
        counted: dict[str, str | Told] = {
            "parcel": parcel.parcel_id,
            "value": area(parcel.evidence_area_m2),
        }
        if parcel.declared_area_m2 is None:
            yield told(f"{lacking[0]}:undeclared", **counted)
        else:
            yield told(lacking[0], **counted, threshold=area(parcel.declared_area_m2))


def doubted_crops(case: Case) -> Iterator[Finding]:
    """Yield the parcels whose crop is doubted, and those without a value beside some that have one:
    either way the line is smaller than it would be."""
    if not RULES[case.rules].crops_told:
        return
    for parcel in case.parcels:
        if parcel.counts and "crop_doubt" in parcel.codes:
            yield told(
                "crop_doubt", parcel=parcel.parcel_id, value=_crop(parcel.seen_crop or ""),
                threshold=_crop(parcel.declared_crop or ""), extra=_crop(parcel.valued_crop or ""),
            )  # fmt: skip
    if any(parcel.counts for parcel in case.parcels):
        for parcel in case.parcels:
            if parcel.effect != "block" and not parcel.counts:
                found = _told_outcome("not_counted", 1, parcel.outcomes)
                yield replace(found, values={**found.values, "parcel": parcel.parcel_id})


_LEASE_LACKS = ("lease_unproven", "lease_ends")


def _binding(case: Case, caps: Caps) -> Finding:
    currency, least = case.currency, caps.least
    if least == caps.capacity:
        harvest = max(Decimal(0), case.farmer.means(currency).harvest_left)
        least_cover = f"{case.policy.dscr_min}"
        return told("limit_capacity", value=amount(harvest, currency), threshold=least_cover)
    if least == caps.need:
        return _need(case, caps)
    if least == caps.exposure:
        return _live_lines(case, caps) if case.lines else _exposure(case, caps)
    return _policy_bound(case, caps)


def _policy_bound(case: Case, caps: Caps) -> Finding:
    """Return what makes the policy's cap what it is: the list, the contracts, or the product."""
    entry = sparing(case)
    if entry is not None and caps.policy == from_minor(entry.amount_minor, case.currency):
        return preapproved_limit(entry, case.currency)
    if bound_by_contracts(case, caps.policy):
        return contract_limit(case)
    return told("limit_policy", threshold=amount(caps.policy, case.currency))


def _live_lines(case: Case, caps: Caps) -> Finding:
    taken = amount(case.live_lines(own=False), case.currency)
    return told("limit_live_lines", value=taken, threshold=amount(caps.exposure, case.currency))


def _exposure(case: Case, caps: Caps) -> Finding:
    """Return the part of the exposure cap that binds, with its own threshold."""
    currency, policy, left = case.currency, case.policy, amount(caps.exposure, case.currency)
    mine, home = case.farmer.means(currency), case.household.means(currency)
    own = policy.exposure_cap_farmer - mine.debt - mine.guaranteeing
    owed = home.debt + home.guaranteeing
    shared = (policy.exposure_cap_household - owed) / case.household.farmers
    if caps.exposure == max(Decimal(0), shared):
        cap = amount(policy.exposure_cap_household, currency)
        return told("limit_exposure", value=left, threshold=cap)
    if caps.exposure == max(Decimal(0), own):
        cap = amount(policy.exposure_cap_farmer, currency)
        return told("limit_exposure:own", value=left, threshold=cap)
    together = from_minor(case.household_free_minor, currency)
    part = max(Decimal(0), mine.free)
    pooled = caps.exposure * together / part if part else Decimal(0)
    return told("limit_exposure:pooled", value=left, threshold=amount(pooled, currency))


def _need(case: Case, caps: Caps) -> Finding:
    requested, currency = case.farmer.requested_minor, case.currency
    if requested is not None and caps.need == from_minor(requested, currency):
        return told("limit_request", value=money(requested, currency))
    areas = [parcel.evidence_area_m2 for parcel in case.parcels if parcel.counts]
    return _of_area("limit_need", areas, threshold=amount(caps.need, currency))


def _of_area(code: str, areas: Iterable[Decimal], **values: str | Told) -> Finding:
    return told(code, value=area(_sum(areas)), **values)


def _sum(areas: Iterable[Decimal]) -> Decimal:
    return sum(areas, Decimal(0))
