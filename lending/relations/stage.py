"""The relations stage: applicants of a county held against one another, one outcome each.

Owns reading what other stages, papers and exclusion lists say, and writing it as tables; what
stands behind lines (contracts, covers, the pre-approved list) is `lending.backing`'s. It sees marks
and pseudonyms only, and it accuses nobody: a relation asks for a person.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd

from fieldline.lending.backing.stage import Around, Tables, Written, write_backing
from fieldline.lending.documents.facts import farmer_papers
from fieldline.lending.documents.table import DOCUMENTS, read_documents
from fieldline.lending.exclusions import read_exclusions
from fieldline.lending.inputs import EXCLUSIONS
from fieldline.lending.relations.judge import Known, relations_of
from fieldline.lending.relations.land import Season, claimed_area, idle_parcels, moved_parcels
from fieldline.lending.relations.people import people_of
from fieldline.lending.relations.settings import RelationSettings
from fieldline.lending.schemas import EXCLUDED, RELATIONS
from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table, write_table

STAGE = "relations"


def run_relations(
    *,
    farmers: Path,
    contacts: Path,
    parcels: Path,
    evidence: Path,
    profiles: Path,
    documents: Path | None,
    history: Path,
    earlier_parcels: Sequence[Path],
    exclusions: Path | None,
    contracts: Path | None,
    guarantors: Path | None,
    preapproved: Path | None,
    harvests: Path,
    county: str,
    as_of: dt.date,
    currency: str,
    settings: RelationSettings,
    evidence_settings: EvidenceSettings,
    privacy: PrivacySettings,
    offer_valid_days: int,
    tenor_days: int,
    table_columns: Mapping[str, Mapping[str, str]],
    out: Path,
    out_exclusions: Path,
    out_contracts: Path,
    out_covers: Path,
    out_preapproved: Path,
    outcomes: Path,
) -> None:
    """Write relations.parquet, exclusions.parquet, what stands behind lines and one outcome for
    every farmer.

    Args:
        farmers: farmers.parquet.
        contacts: contacts.parquet: keyed marks of what farmers gave.
        parcels: parcels.parquet.
        evidence: evidence.parquet.
        profiles: profiles.parquet: who belongs to which household.
        documents: Papers, or None (nobody then guarantees for anybody).
        history: history.parquet: in how many seasons nothing grew.
        earlier_parcels: parcels.parquet of earlier seasons, oldest first.
        exclusions: Exclusion list, or None where the lender keeps none.
        contracts: Purchase contracts, or None.
        guarantors: Guarantee companies and risk pools, or None.
        preapproved: Pre-approved list, or None.
        harvests: harvests.parquet: what the land of who sells in advance may bring.
        county: Id of the county.
        as_of: Knowledge date.
        currency: The county's currency.
        settings: From when a relation is one.
        evidence_settings: From which overlap two outlines claim the same ground.
        privacy: Pseudonym key of the people whom papers name.
        offer_valid_days: Days in which an offer of that day may be signed.
        table_columns: The lender's own column names by table.
        out: relations.parquet.
        out_exclusions: exclusions.parquet: who of the county stands on the list.
        out_contracts: contracts.parquet: what of each purchase contract counts.
        out_covers: covers.parquet: who covers lines of the county.
        out_preapproved: preapproved.parquet: who of the county stands on that list.
        outcomes: outcomes/relations.parquet.
    """
    reading = Reading(currency, table_columns.get(DOCUMENTS.name, {}), "inputs")
    papers = None if documents is None else read_documents(
        documents, as_of=as_of, privacy=privacy, reading=reading
    )  # fmt: skip
    everybody, drawn, told = read_table(farmers), gpd.read_parquet(parcels), read_table(evidence)
    people = people_of(everybody, drawn, read_table(profiles))
    seasons = [_season(path) for path in earlier_parcels]
    households = dict(zip(people.farmer_id.tolist(), people.household.tolist(), strict=True))
    marks = read_table(contacts)
    how = Reading(currency, table_columns.get(EXCLUSIONS.name, {}), "inputs")
    listed = read_exclusions(exclusions, marks, as_of=as_of, privacy=privacy, reading=how)
    write_table(listed, EXCLUDED, out_exclusions)
    signed_by = as_of + dt.timedelta(days=offer_valid_days)
    line_end = as_of + dt.timedelta(days=tenor_days)
    write_backing(
        Tables(contracts, guarantors, preapproved), marks, harvests, told,
        Around(county, currency, as_of, signed_by, line_end, privacy, table_columns),
        Written(out_contracts, out_covers, out_preapproved),
    )  # fmt: skip
    known = Known(
        contacts=marks,
        guarantees=guarantees_of(papers),
        together=together_of(papers),
        idle=idle_parcels(told, read_table(history, ["parcel_id", "idle_seasons"])),
        moved=moved_parcels(drawn, told, seasons, households, evidence_settings),
        claimed_m2=claimed_area(told).groupby(told["farmer_id"]).sum(),
        villages=drawn.dropna(subset=["village"]).groupby("farmer_id")["village"].first(),
    )
    found = relations_of(people, known, settings)
    write_table(found, RELATIONS, out)
    write_outcomes(_outcomes(everybody["farmer_id"].tolist(), found), outcomes)


def _season(parcels: Path) -> Season:
    columns = ["parcel_id", "farmer_id", "geometry"]
    return Season(parcels.parent.parent.name, gpd.read_parquet(parcels, columns=columns))


def guarantees_of(papers: pd.DataFrame | None) -> pd.DataFrame:
    """Return the verified guarantees in force: `farmer_id`, for whom, and `guarantor_id`."""
    pairs = [
        (one.farmer, one.guarantor)
        for found in farmer_papers(papers).values()
        for one in found.guarantees
    ]
    return pd.DataFrame(pairs, columns=["farmer_id", "guarantor_id"], dtype="str")


def together_of(papers: pd.DataFrame | None) -> tuple[frozenset[str], ...]:
    """Return the groups of farmers who sign one joint application."""
    groups: dict[str, set[str]] = defaultdict(set)
    if papers is not None and not papers.empty:
        joint = papers[papers["verified"] & (papers["kind"] == "joint_application")]
        for paper, farmer in zip(joint["document_id"], joint["farmer_id"], strict=True):
            groups[str(paper)].add(str(farmer))
    return tuple(frozenset(group) for _, group in sorted(groups.items()))


def _outcomes(farmers: list[str], found: pd.DataFrame) -> list[Outcome]:
    asks = found[found["effect"] == "review"]
    codes = asks.groupby("farmer_id")["code"].agg("+".join).to_dict()
    return [
        Outcome(STAGE, "", farmer, "related", detail(codes=codes[farmer]))
        if farmer in codes
        else Outcome(STAGE, "", farmer, OK)
        for farmer in farmers
    ]
