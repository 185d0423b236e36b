"""Profile: one row per farmer and one per household, sums equal to their parts.

Owns what a person has, earns, owes and needs. The idea: income is drawn per parcel once and added
draw by draw, so that a household's quantiles come from the very draws of its farmers. Risk and
limits are elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.codes import conflicting
from fieldline.lending.documents.facts import (
    NO_FARMER_PAPERS,
    FarmerPapers,
    Guarantee,
    farmer_papers,
    parcel_papers,
)
from fieldline.lending.documents.table import DOCUMENTS, read_documents
from fieldline.lending.evidence.leases import counted_at_harvest
from fieldline.lending.inputs import APPLICATIONS
from fieldline.lending.profile.applications import Application, applications_of
from fieldline.lending.profile.crop_value import crop_values_of
from fieldline.lending.profile.harvest import (
    Horizon,
    next_harvests,
    repayment_harvests,
    season_harvests,
)
from fieldline.lending.profile.income import Draws, IncomeModel, ParcelValue, quantiles
from fieldline.lending.profile.outlooks import Outlooks, added, outlooks_of
from fieldline.lending.profile.proofs import (
    OffFarm,
    guaranteed_amounts,
    off_farm_counted,
    outside_guarantees,
    with_proofs,
)
from fieldline.lending.profile.rotation import Rotation, seen_or_declared
from fieldline.lending.profile.weighted import mean_of, summed, weighted
from fieldline.lending.profile.worth import COUNTS, join_parcels, parcel_values, with_drawn
from fieldline.lending.schemas import HARVESTS, PROFILES
from fieldline.lending.settings import PolicySettings
from fieldline.lending.sources import read_applications, with_applied
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.money import split_evenly, to_minor
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table, write_table


@dataclass
class Party:
    """A farmer, or the farmers of a household taken together."""

    party_id: str
    household_id: str
    parcels: int
    area_m2: float = 0.0
    crops: set[str] = field(default_factory=set)
    valued: int = 0
    draws: Draws = field(default_factory=lambda: np.zeros(1))
    crop_cost_minor: int = 0
    """Growing cost, rent and insurance that the draws are net of."""
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
    guaranteed_minor: int = 0
    """Guaranteed for the farmer by others ..."""
    guaranteeing_minor: int = 0
    """... and by the farmer for others."""
    outlooks: Outlooks = field(default_factory=Outlooks)
    """This season's harvest and the next one, whichever repays."""
    guarantors: tuple[str, ...] = ()
    outside: tuple[Guarantee, ...] = ()
    """Guarantees for the farmer whose guarantor farms nothing in the county."""

    @property
    def free_minor(self) -> int:
        """What a poor year leaves after the need and debts that fall on the land."""
        borne = self.application.debt_minor - self.elsewhere_minor
        return quantiles(self.draws)[0] - self.need_minor - borne


def farmer_parties(
    farmers: pd.DataFrame,
    parcels: pd.DataFrame,
    values: Mapping[str, Sequence[ParcelValue]],
    applications: Mapping[str, Application],
    model: IncomeModel,
) -> list[Party]:
    """Return one party per farmer, also for those without a usable parcel.

    Args:
        farmers: FARMERS rows.
        parcels: Evidence joined with yields, hazards and history.
        values: What each parcel's repayment harvest may be worth.
        applications: Application of each farmer.
        model: Joint draws.
    """
    groups = dict(list(parcels.groupby("farmer_id", sort=False)))
    empty = parcels.iloc[:0]
    return [
        _farmer_party(
            str(farmer), int(declared), groups.get(farmer, empty), values,
            applications[str(farmer)], model,
        )
        for farmer, declared in zip(farmers["farmer_id"], farmers["parcels_declared"], strict=True)
    ]  # fmt: skip


def _farmer_party(
    farmer_id: str,
    declared: int,
    own: pd.DataFrame,
    values: Mapping[str, Sequence[ParcelValue]],
    application: Application,
    model: IncomeModel,
) -> Party:
    usable = own[own["effect"].isin(COUNTS)]
    valued = [parcel for parcel in usable["parcel_id"] if parcel in values]
    harvests = [value for parcel in valued for value in values[parcel]]
    return Party(
        party_id=farmer_id,
        household_id=application.household_id,
        parcels=declared,
        area_m2=float(usable["evidence_area_m2"].sum()),
        crops={value.crop for value in harvests},
        valued=len(valued),
        draws=model.total(harvests),
        # Rounded down: what is not known to have been deducted is not added back.
        crop_cost_minor=int(sum(value.chance * value.charges_minor for value in harvests)),
        conflicts=sum(conflicting(codes) for codes in own["codes"]),
        stability=weighted(usable, "stability"),
        hazard=weighted(usable, "hazard_index"),
        thick=bool((~usable["thin_file"].fillna(True).astype("bool")).any())
        or application.prior_loans > 0,
        application=application,
    )


def share_needs(members: Sequence[Party], policy: PolicySettings, currency: str) -> None:
    """Set what each farmer's land must carry of the household's needs and debts.

    The household's need is per head. Proven off-farm income pays other debts first, which are due
    by contract, and the need next; what is stated alone bears part of the need. Land can be asked
    for at most a share of its poor-year income (`need_income_share`), split by its farmers'
    poor-year incomes: to state off-farm income is never worse than to keep silent.
    """
    size = max(member.application.household_size for member in members)
    need = to_minor(policy.household_need_per_head * size, currency)
    poor = [max(0, quantiles(member.draws)[0]) for member in members]
    counted = off_farm_counted(
        [member.application.off_farm_minor for member in members],
        [member.application.off_farm_proven_minor for member in members], need, policy,
    )  # fmt: skip
    income = counted or OffFarm(0, 0)
    debts = [member.application.debt_minor for member in members]
    elsewhere = min(sum(debts), income.proven)
    left = max(0, need - (income.proven - elsewhere) - income.stated)
    carried = min(left, int(policy.need_income_share * sum(poor)))
    parts = zip(
        members, split_evenly(carried, poor), split_evenly(elsewhere, debts),
        split_evenly(income.proven + income.stated, poor), strict=True,
    )  # fmt: skip
    for member, member_need, member_elsewhere, off_farm in parts:
        member.need_minor, member.elsewhere_minor = member_need, member_elsewhere
        member.off_farm_minor = off_farm if counted else None


def household_party(members: Sequence[Party]) -> Party:
    """Add the farmers of one household up; income draws are added draw by draw."""
    first = members[0].application
    return Party(
        party_id=members[0].household_id,
        household_id=members[0].household_id,
        parcels=sum(m.parcels for m in members),
        area_m2=sum(m.area_m2 for m in members),
        crops=set().union(*(m.crops for m in members)),
        valued=sum(m.valued for m in members),
        draws=np.sum([m.draws for m in members], axis=0),
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
        outlooks=added([m.outlooks for m in members]),
        need_minor=sum(m.need_minor for m in members),
        off_farm_minor=_sum_known([m.off_farm_minor for m in members]),
        elsewhere_minor=sum(m.elsewhere_minor for m in members),
        guaranteed_minor=sum(m.guaranteed_minor for m in members),
        guaranteeing_minor=sum(m.guaranteeing_minor for m in members),
    )


def _sum_known(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def profile_row(party: Party, level: str, currency: str) -> dict[str, Any]:
    """Return one PROFILES row."""
    low, middle, high = quantiles(party.draws)
    return {
        "level": level,
        "party_id": party.party_id,
        "household_id": party.household_id,
        "farmers": party.farmers,
        "parcels": party.parcels,
        "parcels_valued": party.valued,
        "evidence_area_m2": party.area_m2,
        "crops": sorted(party.crops),
        "income_q10_minor": low,
        "income_q50_minor": middle,
        "income_q90_minor": high,
        **party.outlooks.columns(),
        "crop_cost_minor": party.crop_cost_minor,
        "debt_service_minor": party.application.debt_minor,
        "off_farm_minor": party.off_farm_minor,
        "debt_elsewhere_minor": party.elsewhere_minor,
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


def profile_frame(
    parties: Sequence[Party],
    policy: PolicySettings,
    currency: str,
    papers: Mapping[str, FarmerPapers] = MappingProxyType({}),
) -> pd.DataFrame:
    """Return farmer and household rows; sets each farmer's part of need, debts and guarantees."""
    households: dict[str, list[Party]] = defaultdict(list)
    for party in sorted(parties, key=lambda p: p.party_id):
        households[party.household_id].append(party)
    for members in households.values():
        share_needs(members, policy, currency)
    free = {party.party_id: party.free_minor for party in parties}
    received, given = guaranteed_amounts(papers, free, policy)
    outside = outside_guarantees(papers, free)
    for party in parties:
        party.guaranteed_minor = received.get(party.party_id, 0)
        party.guaranteeing_minor = given.get(party.party_id, 0)
        party.outside = outside.get(party.party_id, ())
        own = papers.get(party.party_id, NO_FARMER_PAPERS)
        party.guarantors = tuple(one.guarantor for one in own.guarantees)
    rows = []
    for members in households.values():
        rows.append(profile_row(household_party(members), "household", currency))
        rows.extend(profile_row(member, "farmer", currency) for member in members)
    frame = pd.DataFrame(rows, columns=PROFILES.names)
    whole = [name for name in PROFILES.names if "_income_" in name]
    return frame.astype(dict.fromkeys([*whole, "requested_minor", "off_farm_minor"], "Int64"))


def _outcome(party: Party) -> Outcome:
    application = party.application
    code, numbers = OK, ""
    if application.problem:
        code, numbers = "bad_application", application.problem
    elif not application.known:
        code = "no_application"
    elif party.valued == 0:
        code, numbers = "no_valued_parcel", detail(parcels=party.parcels)
    return Outcome("profile", "", party.party_id, code, numbers)


def run_profile(
    *,
    farmers: Path,
    evidence: Path,
    yields: Path,
    crop_values: Path,
    growth: Path,
    hazards: Path,
    history: Path,
    applications: Path | None,
    documents: Path | None,
    as_of: dt.date,
    currency: str,
    policy: PolicySettings,
    privacy: PrivacySettings,
    table_columns: Mapping[str, Mapping[str, str]],
    out: Path,
    out_harvests: Path,
    outcomes: Path,
    applied: Sequence[Path] = (),
) -> None:
    """Write profiles.parquet, harvests.parquet and one outcome for every farmer.

    Args:
        farmers: farmers.parquet, every farmer who named a parcel.
        evidence: evidence.parquet.
        yields: yields.parquet.
        crop_values: crop_values.parquet.
        growth: growth.parquet.
        hazards: hazards.parquet.
        history: history.parquet.
        applications: Applications, or None (nothing is then known of debts and household).
        documents: Papers, or None (nothing is then proven).
        as_of: Knowledge date.
        currency: The county's currency.
        policy: Household need, draws and losses.
        privacy: Pseudonym key of the applicants.
        table_columns: The lender's own column names by table.
        out: profiles.parquet.
        out_harvests: harvests.parquet.
        outcomes: outcomes/profile.parquet.
        applied: `application.parquet` of every farmer who applied one by one, as
            `lending.sources.read_applications` read it; it stands for the table's own.
    """

    def reading(name: str) -> Reading:
        return Reading(currency, table_columns.get(name, {}), "inputs")

    people = read_table(farmers).sort_values("farmer_id", kind="stable")
    filed = None if applications is None else read_applications(
        applications, as_of=as_of, privacy=privacy, reading=reading(APPLICATIONS.name)
    )  # fmt: skip
    filed = with_applied(filed, applied)
    papers = None if documents is None else read_documents(
        documents, as_of=as_of, privacy=privacy, reading=reading(DOCUMENTS.name)
    )  # fmt: skip
    known = read_table(history)
    made = [read_table(path) for path in (evidence, yields, growth, hazards)]
    parcels = join_parcels(made[0], made[1], made[2], made[3], known)
    crops = seen_or_declared(dict(zip(known["parcel_id"], known["crops"], strict=True)), parcels)
    known_values, rotation = crop_values_of(read_table(crop_values)), Rotation(crops, policy)
    horizon = Horizon(as_of, policy.tenor_days)
    harvests = repayment_harvests(parcels, known_values, rotation, horizon, policy)
    owners = dict(zip(parcels["parcel_id"], parcels["farmer_id"], strict=True))
    of_parcels = parcel_papers(papers, owners)

    def valued(found: pd.DataFrame) -> dict[str, list[ParcelValue]]:
        counted = counted_at_harvest(parcels, found)
        return parcel_values(counted, found, of_parcels, policy, currency)

    values = valued(harvests)
    proofs = farmer_papers(papers)
    read = with_proofs(applications_of(people["farmer_id"].astype("str"), filed, policy), proofs)
    model = IncomeModel(
        policy.draws, policy.seed, float(policy.harvest_loss_share),
        float(policy.insurance_trigger), float(policy.insurance_share),
        policy.crops_yield_correlation, policy.crops_price_correlation,
    )  # fmt: skip
    parties = farmer_parties(people, counted_at_harvest(parcels, harvests), values, read, model)
    both = outlooks_of(
        owners, valued(season_harvests(parcels, known_values, as_of)),
        valued(next_harvests(parcels, known_values, rotation, as_of, policy)), model,
    )  # fmt: skip
    for party in parties:
        party.outlooks = both.get(party.party_id, party.outlooks)
    write_table(with_drawn(harvests, values), HARVESTS, out_harvests)
    write_table(profile_frame(parties, policy, currency, proofs), PROFILES, out)
    write_outcomes([_outcome(party) for party in parties], outcomes)
