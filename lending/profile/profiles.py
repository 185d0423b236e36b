"""Profile: one row per farmer and one per household, sums equal to their parts.

Owns what a person has, earns, owes and needs. The idea: income is drawn per parcel once and added
draw by draw, so that a household's quantiles come from the very draws of its farmers. Risk and
limits are elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.codes import conflicting
from fieldline.lending.documents.facts import (
    NO_FARMER_PAPERS,
    FarmerPapers,
    farmer_papers,
    parcel_papers,
)
from fieldline.lending.documents.table import DOCUMENTS, read_documents
from fieldline.lending.inputs import APPLICATIONS
from fieldline.lending.profile.applications import Application, applications_of
from fieldline.lending.profile.by_area import area_worths
from fieldline.lending.profile.crop_value import county_norms, crop_values_of
from fieldline.lending.profile.income import IncomeModel, ParcelValue
from fieldline.lending.profile.needs import share_needs
from fieldline.lending.profile.outlooks import Harvests, Outlooks, of_farmers
from fieldline.lending.profile.party import Party, household_party, profile_row, set_outlooks
from fieldline.lending.profile.proofs import guaranteed_amounts, outside_guarantees, with_proofs
from fieldline.lending.profile.rotation import Rotation, seen_or_declared
from fieldline.lending.profile.valuing import Valuing
from fieldline.lending.profile.weighted import weighted
from fieldline.lending.profile.worth import (
    COUNTS,
    OF_EVIDENCE,
    OF_GROWTH,
    OF_HAZARDS,
    join_parcels,
    with_drawn,
)
from fieldline.lending.schemas import HARVESTS, PROFILES
from fieldline.lending.settings import PolicySettings
from fieldline.lending.sources import read_applications, with_applied
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table, write_rows, write_table

_OF_A_PARTY = [
    "parcel_id", "effect", "evidence_area_m2", "codes", "stability", "hazard_index", "thin_file",
]  # fmt: skip
"""Columns of the parcels that a farmer is told by."""


def farmer_parties(
    farmers: pd.DataFrame,
    parcels: pd.DataFrame,
    values: Mapping[str, Sequence[ParcelValue]],
    applications: Mapping[str, Application],
) -> list[Party]:
    """Return one party per farmer, also for those without a usable parcel.

    Args:
        farmers: FARMERS rows.
        parcels: Evidence joined with yields, hazards and history.
        values: What each parcel's repayment harvest may be worth.
        applications: Application of each farmer.
    """
    places = parcels.groupby("farmer_id", sort=False).indices
    facts = parcels[_OF_A_PARTY]
    return [
        _farmer_party(
            str(farmer), int(declared), facts.iloc[places.get(farmer, [])], values,
            applications[str(farmer)],
        )
        for farmer, declared in zip(farmers["farmer_id"], farmers["parcels_declared"], strict=True)
    ]  # fmt: skip


def _farmer_party(
    farmer_id: str,
    declared: int,
    own: pd.DataFrame,
    values: Mapping[str, Sequence[ParcelValue]],
    application: Application,
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
        harvests=Harvests(harvests),
        # Rounded down: what is not known to have been deducted is not added back.
        crop_cost_minor=int(sum(value.chance * value.charges_minor for value in harvests)),
        conflicts=sum(conflicting(codes) for codes in own["codes"]),
        stability=weighted(usable, "stability"),
        hazard=weighted(usable, "hazard_index"),
        thick=bool((~usable["thin_file"].fillna(True).astype("bool")).any())
        or application.prior_loans > 0,
        application=application,
    )


def parties_of(
    farmers: pd.DataFrame,
    parcels: pd.DataFrame,
    valuing: Valuing,
    applications: Mapping[str, Application],
    model: IncomeModel,
) -> tuple[dict[str, list[Party]], dict[str, Outlooks], pd.DataFrame]:
    """Return the farmers of each household, what their harvests bring together, and HARVESTS rows.

    Households are worked through some at a time; what of a harvest is drawn is let go then.

    Args:
        farmers: FARMERS rows.
        parcels: Evidence joined with yields, hazards and history.
        valuing: The county.
        applications: Application of each farmer.
        model: Joint draws.
    """
    declared = dict(
        zip(farmers["farmer_id"].astype("str"), farmers["parcels_declared"], strict=True)
    )
    places = parcels.groupby("farmer_id", sort=False).indices
    households: dict[str, list[Party]] = {}
    sums: dict[str, Outlooks] = {}
    harvests: list[pd.DataFrame] = []
    for names in _together(applications):
        own = np.sort(np.concatenate([_NOWHERE, *(places.get(name, _NOWHERE) for name in names)]))
        found = valuing.of(parcels.iloc[own])
        people = pd.DataFrame({
            "farmer_id": names, "parcels_declared": [declared[name] for name in names],
        })  # fmt: skip
        parties = farmer_parties(people, found.parcels, found.repaying, applications)
        owners = dict(zip(found.parcels["parcel_id"], found.parcels["farmer_id"], strict=True))
        season, ahead = (of_farmers(owners, one) for one in (found.season, found.ahead))
        for party in parties:
            party.harvests = replace(
                party.harvests, season=season.get(party.party_id, ()),
                ahead=ahead.get(party.party_id, ()),
            )  # fmt: skip
        for name, members in _households(parties).items():
            households[name], sums[name] = members, set_outlooks(members, model)
        for party in parties:
            party.harvests = Harvests()
        harvests.append(with_drawn(found.harvests, found.repaying))
    whole = pd.concat(harvests) if harvests else pd.DataFrame(columns=HARVESTS.names)
    return households, sums, whole


_NOWHERE = np.zeros(0, np.intp)
_AT_ONCE = 2000
"""Farmers whose harvests are held together, and as many more as complete the last household."""


def _together(applications: Mapping[str, Application]) -> Iterator[list[str]]:
    """Yield some farmers after others, those of a household together."""
    households: dict[str, list[str]] = defaultdict(list)
    for name in sorted(applications):
        households[applications[name].household_id].append(name)
    some: list[str] = []
    for members in households.values():
        some += members
        if len(some) >= _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def profile_rows(
    households: Mapping[str, Sequence[Party]],
    sums: Mapping[str, Outlooks],
    policy: PolicySettings,
    currency: str,
    papers: Mapping[str, FarmerPapers] = MappingProxyType({}),
) -> Iterator[dict[str, Any]]:
    """Yield farmer and household rows in the order of the table; sets each farmer's part of need,
    debts and guarantees first.

    Args:
        households: Farmers by household.
        sums: What their harvests bring together, by household.
        policy: Needs and guarantees.
        currency: The county's currency.
        papers: By farmer.
    """
    parties = [party for members in households.values() for party in members]
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
    for party in sorted(parties, key=lambda party: party.party_id):
        yield profile_row(party, "farmer", currency)
    for name, members in sorted(households.items()):
        yield profile_row(household_party(members, sums[name]), "household", currency)


def _households(parties: Sequence[Party]) -> dict[str, list[Party]]:
    households: dict[str, list[Party]] = defaultdict(list)
    for party in sorted(parties, key=lambda p: p.party_id):
        households[party.household_id].append(party)
    return dict(households)


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
    parcels, rotation = _read_parcels(evidence, yields, growth, hazards, history, policy)
    of_crops = read_table(crop_values)
    owners = dict(zip(parcels["parcel_id"], parcels["farmer_id"], strict=True))
    valuing = Valuing(
        as_of, policy, currency, crop_values_of(of_crops), rotation, area_worths(of_crops),
        county_norms(parcels), parcel_papers(papers, owners),
    )  # fmt: skip
    proofs = farmer_papers(papers)
    read = with_proofs(applications_of(people["farmer_id"].astype("str"), filed, policy), proofs)
    model = IncomeModel(
        policy.draws, policy.seed, float(policy.harvest_loss_share),
        float(policy.insurance_trigger), float(policy.insurance_share),
        policy.crops_yield_correlation, policy.crops_price_correlation,
    )  # fmt: skip
    households, sums, harvests = parties_of(people, parcels, valuing, read, model)
    write_table(harvests, HARVESTS, out_harvests)
    write_rows(profile_rows(households, sums, policy, currency, proofs), PROFILES, out)
    parties = (party for members in households.values() for party in members)
    write_outcomes(map(_outcome, parties), outcomes)


def _read_parcels(
    evidence: Path, yields: Path, growth: Path, hazards: Path, history: Path, policy: PolicySettings
) -> tuple[pd.DataFrame, Rotation]:
    """Return evidence with what the crops room knows of each parcel, and what follows what."""
    known = read_table(history)
    parcels = join_parcels(
        read_table(evidence, OF_EVIDENCE), read_table(yields), read_table(growth, OF_GROWTH),
        read_table(hazards, OF_HAZARDS), known,
    )  # fmt: skip
    crops = seen_or_declared(dict(zip(known["parcel_id"], known["crops"], strict=True)), parcels)
    return parcels, Rotation(crops, policy)
