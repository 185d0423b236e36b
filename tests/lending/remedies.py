"""What a remedy asks for, as a fixture: a county in which its code is told, and what is supplied.

Each entry names the farmer `ann`; `before` builds the county, `supply` hands in the remedy.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.lending.relation_remedies import RELATIONS

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


def redrawn(county: County) -> None:
    """The second ring begins where the first one ends."""
    county.parcels[-1]["geometry"] = county.shifted(county.parcels[-1]["geometry"], 50.0)


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


def drawn_again(county: County) -> None:
    county.refused.clear()
    county.add("a", "ann", own_log_sd=0.2, shared_log_sd=0.15)


def two_crops(county: County) -> None:
    """The western half stays as it is, the eastern half grows rice of its own luck."""
    half = county.parcels[0]
    half.update(geometry=county.shifted(half["geometry"], 0.0, 0.5), area=5_000)
    county.add("b", "ann", x=50, width=50, own_log_sd=0.45, shared_log_sd=0.45,
               declared_crop="rice", seen_crop="rice", prediction_set=["rice"],
               shock_group="rice:cell")  # fmt: skip


def with_brother(county: County) -> None:
    """Bob farms beside ann in one household."""
    county.applications[0]["household_id"] = "H"
    county.add("q", "bob", x=5000)
    county.apply("bob", household_id="H", annual_debt_service="5000")


def record(loans: int, late: int = 0, debt: str = "0") -> Callable[[County], None]:
    """A verified credit record."""
    return handed("credit_record", prior_loans=loans, prior_late=late, amount=debt)


def joined(county: County) -> None:
    for name in ("ann", "bob", "cat"):
        county.hand_in("joint_application", farmer_id=name, document_id="J")


def policy(**more: Any) -> Callable[[County], None]:
    def change(county: County) -> None:
        county.policy = county.policy.model_copy(update=more)

    return change


REPAID = handed("credit_record", prior_loans=0, prior_late=0, amount="0")
"""Debts that were stated and are repaid: the office's record knows of none."""

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
    "no_field_seen": Remedy(built(method="uneven"), lambda c: photo(c, "maize")),
    "no_crop_cycle": Remedy(
        built(more_land, planted_fraction=0.0, seen_area=0.0), lambda c: photo(c, "maize")
    ),
    "facility_unproven": Remedy(
        built(more_land, declared_crop="greenhouse", seen_crop=None, prediction_set=[],
              yield_t_ha=None, planted_fraction=0.0, seen_area=0.0),
        lambda c: photo(c, "greenhouse"),
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
    "own_overlap": Remedy(twice, redrawn),
}  # fmt: skip


def _two(build: Callable[[County], None]) -> Callable[[County], None]:
    """Beside the parcel in question ann has one that counts."""

    def both(county: County) -> None:
        build(county)
        more_land(county)

    return both


def sold(**more: Any) -> Callable[[County], None]:
    """Add a contract that sells ann's maize in advance and is assigned to the lender."""
    row = {
        "contract_id": "k1", "farmer_id": "ann", "buyer": "Mill", "crop": "maize",
        "currency": "CNY", "amount": 9000, "quantity_t": "", "price_per_t": "",
        "signed_on": "2024-06-01", "valid_from": "2024-09-01", "valid_to": "2026-12-31",
        "assigned": "yes",
    }  # fmt: skip
    return lambda county: county.contracts.append(row | more)


def assigned(county: County) -> None:
    county.contracts[-1] |= {"assigned": "yes"}


def worth(county: County, amount: str) -> None:
    county.contracts[-1] |= {"amount": amount}


REASONS: dict[str, Remedy] = {
    "veto_no_contract": Remedy(
        built(policy(contract_required=True), sold(assigned="no")), assigned
    ),
    "veto_no_contract:none": Remedy(built(policy(contract_required=True)), sold()),
    "limit_contract": Remedy(
        built(policy(contract_required=True), sold(amount=1000)), sold(contract_id="k2")
    ),
    "contract_not_counted": Remedy(
        built(
            policy(contract_required=True), sold(amount=1000),
            sold(contract_id="k2", assigned="no"),
        ),
        assigned,
    ),
    **{code: Remedy(*steps) for code, steps in RELATIONS.items()},
    **{f"veto_{code}": EVIDENCE[code]
       for code in ("protected_overlap", "holder_conflict", "claim_refuted")},
    **{f"left_out_{code}": Remedy(_two(EVIDENCE[code].before), EVIDENCE[code].supply)
       for code in ("protected_overlap", "holder_conflict", "claim_refuted")},
    **{f"review_{code}": EVIDENCE[code]
       for code in ("claimed_by_other", "crop_conflict", "facility_unproven", "registry_unclear",
                    "never_bare", "no_field_seen")},
    "review_no_crop_cycle": EVIDENCE["no_crop_cycle"],
    "no_parcel_accepted": Remedy(refused, drawn_again),
    "no_capacity": Remedy(built(stated(annual_debt_service="9000")), REPAID),
    "limit_below_minimum": Remedy(built(policy(min_limit=Decimal(9000))), joined),
    "review_not_valued": EVIDENCE["crop_unknown"],
    "review_no_application": Remedy(
        lambda c: (plain(c), c.applications.clear(), c.apply("bob"))[0], lambda c: c.apply("ann")
    ),
    "review_bad_application": Remedy(
        built(stated(household_size="abc")), stated(household_size=1)
    ),
    "risk_debt_share": Remedy(built(stated(annual_debt_service="3000")), REPAID),
    "risk_free_share": Remedy(built(stated(annual_debt_service="3000")), REPAID),
    "risk_income_spread": Remedy(
        built(of_parcel(own_log_sd=0.45, shared_log_sd=0.45)), two_crops
    ),
    "risk_stability": Remedy(built(of_parcel(stability=0.4)), of_parcel(stability=0.95)),
    "risk_conflicts": EVIDENCE["area_overdrawn"],
    "risk_late_share": Remedy(built(record(4, late=4)), record(8, late=4)),
    "risk_prior_loans": Remedy(built(record(0)), record(1)),
    "risk_thin_file": Remedy(built(of_parcel(thin_file=True)), record(1)),
    "limit_need": Remedy(built(of_parcel(yield_t_ha=16.0)), more_land),
    "limit_request": Remedy(
        built(stated(requested_amount="1000")), stated(requested_amount="3000")
    ),
    "limit_capacity": Remedy(built(), more_land),
    "limit_exposure": Remedy(
        built(policy(exposure_cap_household=Decimal(4000)), stated(annual_debt_service="1000"),
              of_parcel(yield_t_ha=16.0)),
        REPAID,
    ),
    "limit_exposure:own": Remedy(
        built(policy(exposure_cap_farmer=Decimal(4000)), stated(annual_debt_service="1000"),
              of_parcel(yield_t_ha=16.0)),
        REPAID,
    ),
    "limit_exposure:pooled": Remedy(
        built(with_brother),
        lambda c: c.hand_in("credit_record", farmer_id="bob", prior_loans=0, prior_late=0,
                            amount="0"),
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


@dataclass(frozen=True)
class Promise:
    """A sentence with figures, the county whose letter holds it and the paper that it names."""

    before: Callable[[County], None]
    sentence: str
    supply: Callable[..., None]
    """Takes the county and the figures that the sentence names, the promised line left out."""


def brothers(county: County) -> None:
    """Two farmers of one household without debts: neither is told to farm more."""
    plain(county)
    county.applications[0]["household_id"] = "H"
    county.add("q", "bob", x=5000, own_log_sd=0.2, shared_log_sd=0.15)
    county.apply("bob", household_id="H")


def group(county: County, count: str) -> None:
    for number in range(int(count)):
        name = "ann" if number == 0 else f"neighbour {number}"
        county.hand_in("joint_application", farmer_id=name, document_id="J")


def guaranteed(county: County, amount: str) -> None:
    county.hand_in("guarantee", farmer_id="ann", counterparty_id="company", amount=amount)


def stretched(county: County, mu: str) -> None:
    """Ann's square becomes so many mu of the same land."""
    wide = float(mu) * 10_000 / 15 / 100
    parcel = county.parcels[0]
    parcel.update(geometry=county.shifted(parcel["geometry"], 0.0, wide / 100), area=100 * wide)


PROMISES: dict[str, Promise] = {
    "contract": Promise(
        built(policy(contract_required=True), sold(amount=1000)),
        r"count for CNY ([\d,]+) in all up to CNY ([\d,]+)", worth,
    ),
    "wages": Promise(
        built(stated(off_farm_income="3000", annual_debt_service="1500")),
        r"proof of the wages that you stated .* up to CNY ([\d,]+)",
        lambda county: county.hand_in("income_proof", farmer_id="ann", amount="3000"),
    ),
    "request": Promise(
        built(stated(requested_amount="1000")), r"Ask for more: up to CNY ([\d,]+)",
        lambda county: stated(requested_amount="")(county),
    ),
    "debt": Promise(
        built(stated(annual_debt_service="2000")),
        r"debt service of at most CNY ([\d,]+) up to CNY ([\d,]+)",
        lambda county, amount: record(0, debt=amount)(county),
    ),
    "debt_free": Promise(
        built(stated(annual_debt_service="1000")),
        r"Without your other yearly debt service of CNY ([\d,]+) up to CNY ([\d,]+)",
        lambda county, _: REPAID(county),
    ),
    "household": Promise(
        built(with_brother), r"debts of your household's other members up to CNY ([\d,]+)",
        lambda county: county.hand_in(
            "credit_record", farmer_id="bob", prior_loans=0, prior_late=0, amount="0"
        ),
    ),
    "land": Promise(
        built(of_parcel(yield_t_ha=16.0)),
        r"With ([\d.]+) mu \([\d.]+ ha\) of such land in all up to CNY ([\d,]+)", stretched,
    ),
    "guarantee": Promise(
        brothers, r"verified guarantee of CNY ([\d,]+) up to CNY ([\d,]+)", guaranteed,
    ),
    "joint": Promise(
        built(policy(min_limit=Decimal(9000))),
        r"at least (\d+) of you, .*: up to CNY ([\d,]+)", group,
    ),
}  # fmt: skip


def figures(promise: Promise, letter: str) -> list[str]:
    """Return the figures of a promise as a letter tells them, amounts without commas."""
    said = re.search(promise.sentence, letter)
    assert said, letter
    return [figure.replace(",", "") for figure in said.groups()]
