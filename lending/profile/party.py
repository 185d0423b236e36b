"""Party: a farmer, or the farmers of a household taken together, and the row that tells of it.

Owns what a party is and how a household is the sum of its farmers. What of the household's needs
falls on whose land is `needs`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldline.lending.documents.facts import Guarantee
from fieldline.lending.profile.applications import Application
from fieldline.lending.profile.income import IncomeModel
from fieldline.lending.profile.outlooks import Harvests, Outlooks, household_outlooks
from fieldline.lending.profile.weighted import mean_of, summed


@dataclass
class Party:
    """A farmer, or the farmers of a household taken together."""

    party_id: str
    household_id: str
    parcels: int
    area_m2: float = 0.0
    crops: set[str] = field(default_factory=set)
    valued: int = 0
    crop_cost_minor: int = 0
    """Growing cost, rent and insurance that the incomes are net of."""
    conflicts: int = 0
    stability: tuple[float, float] = (0.0, 0.0)
    """Area-weighted sum and area of the known values."""
    hazard: tuple[float, float] = (0.0, 0.0)
    thick: bool = False
    """Whether any parcel or any finished loan gives a history to judge by."""
    farmers: int = 1
    application: Application = field(default_factory=lambda: Application("", 1))
    need_minor: int = 0
    off_farm_minor: int | None = None
    """Off-farm income that counts."""
    elsewhere_minor: int = 0
    """Part of the debt service that it pays."""
    idle_minor: int = 0
    """Off-farm income that would count besides if it were proven."""
    guaranteed_minor: int = 0
    """Guaranteed for the farmer by others ..."""
    guaranteeing_minor: int = 0
    """... and by the farmer for others."""
    harvests: Harvests = field(default_factory=Harvests)
    outlooks: Outlooks = field(default_factory=Outlooks)
    """What the harvests bring."""
    guarantors: tuple[str, ...] = ()
    outside: tuple[Guarantee, ...] = ()
    """Guarantees for the farmer whose guarantor farms nothing in the county."""

    @property
    def free_minor(self) -> int:
        """What a poor year leaves after the need and debts that fall on the land."""
        borne = self.application.debt_minor - self.elsewhere_minor
        return self.outlooks.repaying[0] - self.need_minor - borne


def set_outlooks(members: Sequence[Party], model: IncomeModel) -> Outlooks:
    """Set what the harvests of each farmer of a household bring; return what they bring to it."""
    own, whole = household_outlooks([member.harvests for member in members], model)
    for member, outlooks in zip(members, own, strict=True):
        member.outlooks = outlooks
    return whole


def household_party(members: Sequence[Party], outlooks: Outlooks) -> Party:
    """Add the farmers of one household up; what their harvests bring was added draw by draw."""
    first = members[0].application
    return Party(
        party_id=members[0].household_id,
        household_id=members[0].household_id,
        parcels=sum(m.parcels for m in members),
        area_m2=sum(m.area_m2 for m in members),
        crops=set().union(*(m.crops for m in members)),
        valued=sum(m.valued for m in members),
        crop_cost_minor=sum(m.crop_cost_minor for m in members),
        conflicts=sum(m.conflicts for m in members),
        stability=summed([m.stability for m in members]),
        hazard=summed([m.hazard for m in members]),
        thick=any(m.thick for m in members),
        farmers=len(members),
        application=Application(
            household_id=first.household_id,
            household_size=max(m.application.household_size for m in members),
            requested_minor=_sum_known([m.application.requested_minor for m in members]),
            debt_minor=sum(m.application.debt_minor for m in members),
            prior_loans=sum(m.application.prior_loans for m in members),
            prior_late=sum(m.application.prior_late for m in members),
            finished_loans=sum(m.application.finished_loans for m in members),
        ),
        outlooks=outlooks,
        need_minor=sum(m.need_minor for m in members),
        off_farm_minor=_sum_known([m.off_farm_minor for m in members]),
        elsewhere_minor=sum(m.elsewhere_minor for m in members),
        idle_minor=sum(m.idle_minor for m in members),
        guaranteed_minor=sum(m.guaranteed_minor for m in members),
        guaranteeing_minor=sum(m.guaranteeing_minor for m in members),
    )


def _sum_known(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def profile_row(party: Party, level: str, currency: str) -> dict[str, Any]:
    """Return one PROFILES row."""
    return {
        "level": level,
        "party_id": party.party_id,
        "household_id": party.household_id,
        "farmers": party.farmers,
        "parcels": party.parcels,
        "parcels_valued": party.valued,
        "evidence_area_m2": party.area_m2,
        "crops": sorted(party.crops),
        **party.outlooks.columns(),
        "crop_cost_minor": party.crop_cost_minor,
        "debt_service_minor": party.application.debt_minor,
        "off_farm_minor": party.off_farm_minor,
        "debt_elsewhere_minor": party.elsewhere_minor,
        "off_farm_idle_minor": party.idle_minor,
        "household_need_minor": party.need_minor,
        "guaranteed_minor": party.guaranteed_minor,
        "guaranteeing_minor": party.guaranteeing_minor,
        "guarantors": list(party.guarantors),
        "outside_guarantors": [one.guarantor for one in party.outside],
        "outside_amounts": [one.amount_minor for one in party.outside],
        "household_size": party.application.household_size,
        "joint_members": party.application.joint,
        "requested_minor": party.application.requested_minor,
        "stability": mean_of(party.stability),
        "hazard_index": mean_of(party.hazard),
        "conflicts": party.conflicts,
        "prior_loans": party.application.prior_loans,
        "prior_late": party.application.prior_late,
        "finished_loans": party.application.finished_loans,
        "thin_file": not party.thick,
        "currency": currency,
    }
