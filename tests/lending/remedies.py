"""What a remedy asks for, as a fixture: a county in which its code is told, and what is supplied.

Each entry names the farmer `ann`; `before` builds the county, `supply` hands in the remedy.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

County = Any
NEXT = dt.date(2025, 8, 1)


@dataclass(frozen=True)
class Remedy:
    """A code, the county that tells it and the paper or figure that answers it."""

    before: Callable[[County], None]
    supply: Callable[[County], None]


def plain(county: County, **parcel: Any) -> None:
    """One parcel of ten thousand m2 of maize and an application."""
    county.add("a", "ann", own_log_sd=0.2, shared_log_sd=0.15, **parcel)
    county.apply("ann")


def registered(county: County, holder: str, area: float = 10_000, parcel: str = "a") -> None:
    county.registry.append({
        "parcel_id": parcel, "area_m2": area, "holder_id": holder, "crop": "maize",
        "recorded_on": "2024-01-01",
    })  # fmt: skip


def lease(county: County, landlord: str = "zoe", **more: Any) -> None:
    more = {"amount": "100", **more}
    county.hand_in("lease_contract", parcel_id="a", counterparty_id=landlord, **more)


def harvested_next_year(county: County) -> None:
    """This season's maize is cut; the next may be cut to the first of October."""
    county.parcels[0].update(harvest_date=dt.date(2024, 9, 20))
    county.templates["maize"] = {
        "harvest_from": dt.date(2024, 8, 1),
        "harvest_by": dt.date(2024, 10, 1),
    }


def photo(county: County, crop: str) -> None:
    county.hand_in("field_photo", parcel_id="a", crop=crop)


def with_rice(county: County, **parcel: Any) -> None:
    """Ann declares rice, which bob grows at a better price."""
    plain(county, declared_crop="rice", **parcel)
    county.add("r", "bob", x=5000, declared_crop="rice", seen_crop="rice", prediction_set=["rice"],
               price_minor=300_000)  # fmt: skip
    county.apply("bob")


def objected(county: County) -> None:
    plain(county)
    registered(county, "zoe")
    county.hand_in("holder_objection", parcel_id="a", counterparty_id="zoe")


def answered(county: County) -> None:
    lease(county, issued_on="2024-07-01")


def rival(county: County) -> None:
    plain(county)
    county.add("q", "bob", x=30)
    county.apply("bob")


def refuted(county: County) -> None:
    rival(county)
    registered(county, "bob", parcel="q")


def protected(county: County) -> None:
    plain(county)
    county.protected.append((county.parcels[0]["geometry"], "2020-01-01", ""))


def unclear(county: County) -> None:
    plain(county)
    registered(county, "ann")
    registered(county, "zoe")


def certificate(county: County) -> None:
    county.hand_in("land_certificate", parcel_id="a", area_m2=10_000)


def twice(county: County) -> None:
    plain(county)
    county.add("b", "ann", x=50)


def moved(county: County) -> None:
    county.parcels[-1]["geometry"] = county.shifted(county.parcels[-1]["geometry"], 400.0)


def of_parcel(**more: Any) -> Callable[[County], None]:
    """Change the first parcel."""
    return lambda county: county.parcels[0].update(more)


def stated(**more: Any) -> Callable[[County], None]:
    """Change ann's application."""
    return lambda county: county.applications[0].update(more)


def built(*steps: Callable[[County], None], **parcel: Any) -> Callable[[County], None]:
    def build(county: County) -> None:
        plain(county, **parcel)
        for step in steps:
            step(county)

    return build


def handed(kind: str, **more: Any) -> Callable[[County], None]:
    return lambda county: county.hand_in(kind, **{"farmer_id": "ann", **more})


def more_land(county: County) -> None:
    county.add("b", "ann", x=2000, own_log_sd=0.2, shared_log_sd=0.15)


def refused(county: County) -> None:
    county.refused["ann"] = ["bow_tie"]
    county.apply("ann")


def joined(county: County) -> None:
    for name in ("ann", "bob", "cat"):
        county.hand_in("joint_application", farmer_id=name, document_id="J")


def policy(**more: Any) -> Callable[[County], None]:
    def change(county: County) -> None:
        county.policy = county.policy.model_copy(update=more)

    return change


GOOD_RECORD = handed("credit_record", prior_loans=6, prior_late=0, amount="0")
INSURED = handed("crop_insurance", parcel_id="a", amount="900", premium="1")
TINY = {"width": 14.0, "height": 14.0}

EVIDENCE: dict[str, Remedy] = {
    "area_overdrawn": Remedy(
        built(declared_area=30_000.0), of_parcel(declared_area=10_000.0)
    ),
    "area_conflict_registry": Remedy(
        built(lambda c: registered(c, "ann", 4_000)), certificate
    ),
    "crop_unknown": Remedy(
        lambda c: with_rice(c, seen_crop=None, prediction_set=[], yield_t_ha=None),
        lambda c: photo(c, "rice"),
    ),
    "crop_unlearnt": Remedy(
        lambda c: (with_rice(c), c.learnt.append("maize"))[0], lambda c: photo(c, "rice")
    ),
    "crop_doubt": Remedy(lambda c: with_rice(c, probability=0.5), lambda c: photo(c, "rice")),
    "crop_conflict": Remedy(with_rice, lambda c: photo(c, "rice")),
    "never_bare": Remedy(built(method="green"), lambda c: photo(c, "maize")),
    "no_crop_cycle": Remedy(
        built(more_land, planted_fraction=0.0, seen_area=0.0), lambda c: photo(c, "maize")
    ),
    "registry_unclear": Remedy(unclear, certificate),
    "holder_conflict": Remedy(objected, answered),
    "lease_ends": Remedy(
        built(harvested_next_year, lambda c: registered(c, "zoe"),
              lambda c: lease(c, valid_to="2025-09-30")),
        lambda c: lease(c, valid_to="2025-10-01"),
    ),
    "lease_unproven": Remedy(built(lambda c: registered(c, "zoe")), lease),
    "claimed_by_other": Remedy(
        rival, lambda c: c.hand_in("village_note", parcel_id="a", farmer_id="ann")
    ),
    "claim_refuted": Remedy(refuted, lambda c: lease(c, "bob")),
    "protected_overlap": Remedy(
        protected, lambda c: c.hand_in("protected_permit", parcel_id="a")
    ),
    "own_overlap": Remedy(twice, moved),
}  # fmt: skip


def _two(build: Callable[[County], None]) -> Callable[[County], None]:
    """Beside the parcel in question ann has one that counts."""

    def both(county: County) -> None:
        build(county)
        more_land(county)

    return both


REASONS: dict[str, Remedy] = {
    **{f"veto_{code}": EVIDENCE[code]
       for code in ("protected_overlap", "holder_conflict", "claim_refuted")},
    **{f"left_out_{code}": Remedy(_two(EVIDENCE[code].before), EVIDENCE[code].supply)
       for code in ("protected_overlap", "holder_conflict", "claim_refuted")},
    **{f"review_{code}": EVIDENCE[code]
       for code in ("claimed_by_other", "crop_conflict", "registry_unclear", "never_bare")},
    "review_no_crop_cycle": EVIDENCE["no_crop_cycle"],
    "no_parcel_accepted": Remedy(refused, more_land),
    "no_capacity": Remedy(
        built(stated(annual_debt_service="9000")), handed("income_proof", amount="40000")
    ),
    "limit_below_minimum": Remedy(
        built(policy(min_limit=Decimal(9000))),
        joined,
    ),
    "review_not_valued": EVIDENCE["crop_unknown"],
    "review_no_application": Remedy(
        lambda c: (plain(c), c.applications.clear(), c.apply("bob"))[0], lambda c: c.apply("ann")
    ),
    "review_bad_application": Remedy(
        built(stated(household_size="abc")), stated(household_size=1)
    ),
    "risk_debt_share": Remedy(
        built(stated(annual_debt_service="3000")), handed("income_proof", amount="40000")
    ),
    "risk_free_share": Remedy(
        built(stated(annual_debt_service="3000")), handed("income_proof", amount="40000")
    ),
    "risk_income_spread": Remedy(
        built(of_parcel(own_log_sd=0.45, shared_log_sd=0.45)), INSURED
    ),
    "risk_stability": Remedy(built(of_parcel(stability=0.4)), of_parcel(stability=0.95)),
    "risk_conflicts": EVIDENCE["area_overdrawn"],
    "risk_late_share": Remedy(built(stated(prior_loans=4, prior_late=4)), GOOD_RECORD),
    "risk_prior_loans": Remedy(built(), GOOD_RECORD),
    "risk_thin_file": Remedy(built(of_parcel(thin_file=True)), GOOD_RECORD),
    "limit_need": Remedy(built(of_parcel(yield_t_ha=16.0)), more_land),
    "limit_request": Remedy(
        built(stated(requested_amount="1000")), stated(requested_amount="3000")
    ),
    "limit_capacity": Remedy(
        built(), handed("guarantee", counterparty_id="company", amount="3000")
    ),
    "limit_exposure": Remedy(
        built(policy(exposure_cap_household=Decimal(4000)), stated(annual_debt_service="1000"),
              of_parcel(yield_t_ha=16.0)),
        handed("credit_record", prior_loans=0, prior_late=0, amount="0"),
    ),
    "area_lowered": EVIDENCE["area_conflict_registry"],
    "crop_doubt": EVIDENCE["crop_doubt"],
    "not_counted": Remedy(
        built(more_land, yield_t_ha=None, seen_crop=None, prediction_set=[]),
        lambda c: photo(c, "maize"),
    ),
    "crop_cheapest": Remedy(
        lambda c: with_rice(c, seen_crop=None, prediction_set=["maize", "rice"],
                            valued_as="maize", crop_basis="cheapest_of_set"),
        lambda c: photo(c, "rice"),
    ),
}  # fmt: skip
