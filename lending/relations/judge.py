"""Judge: which relations of an applicant ask for a person, each with what it rests on.

Owns the rules over what the other modules of this room find; what a code does is data
(`data/relation_codes.csv`). The idea of all rules is the same: what families, neighbours and a
village office do is none. Two households never make a relation alone, and a phone that neighbours
share is the office's until it is shared farther than a village reaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fieldline.lending.codes import relation_codes
from fieldline.lending.relations.guarantors import standing
from fieldline.lending.relations.people import Flags, People
from fieldline.lending.relations.regions import crowded, regions_of
from fieldline.lending.relations.settings import RelationSettings
from fieldline.lending.relations.sharing import Shared, linked_households, shared_contacts
from fieldline.lending.schemas import RELATIONS

MOST_NAMED = 20
"""Others named in a row at most: an officer looks at twenty, the count says how many there are."""


@dataclass(frozen=True)
class Known:
    """What is known of applicants beside who they are."""

    contacts: pd.DataFrame
    """CONTACTS rows."""
    guarantees: pd.DataFrame
    """Columns `farmer_id`, for whom, and `guarantor_id`, by whom."""
    together: tuple[frozenset[str], ...] = ()
    """Groups who apply together."""
    idle: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What `land.idle_parcels` returns."""
    moved: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What `land.moved_parcels` returns."""
    claimed_m2: pd.Series = field(default_factory=lambda: pd.Series(dtype="float64"))
    """Claimed area by farmer."""
    villages: pd.Series = field(default_factory=lambda: pd.Series(dtype="str"))
    """Village by farmer."""


@dataclass(frozen=True)
class Relation:
    """One relation of one farmer."""

    farmer: int
    code: str
    count: int
    """What the code counts: households, farmers, guarantors or parcels."""
    extent_km: float | None = None
    others: tuple[str, ...] = ()
    parcels: tuple[str, ...] = ()
    seasons: tuple[str, ...] = ()


def relations_of(people: People, known: Known, settings: RelationSettings) -> pd.DataFrame:
    """Return the relations that a code names, one row per farmer and code.

    Args:
        people: Applicants.
        known: Contacts, guarantees and land.
        settings: From when a relation is one.

    Returns:
        RELATIONS rows.
    """
    shared = shared_contacts(people, known.contacts)
    found = [
        *_sharing(people, shared, settings),
        *_linked(people, shared, settings),
        *_guarantors(people, known, settings),
        *_idle(people, known, settings),
        *_moved(people, known, settings),
    ]
    found += _crowded(people, known, found, settings)
    largest: dict[tuple[int, str], Relation] = {}
    for relation in found:
        key = (relation.farmer, relation.code)
        if key not in largest or relation.count > largest[key].count:
            largest[key] = relation
    rows = [_row(people, relation) for _, relation in sorted(largest.items())]
    return pd.DataFrame(rows, columns=RELATIONS.names)


def _row(people: People, relation: Relation) -> dict[str, object]:
    return {
        "farmer_id": people.farmer_id[relation.farmer],
        "code": relation.code,
        "effect": relation_codes()[relation.code].effect,
        "count": relation.count,
        "extent_km": relation.extent_km,
        "others": list(relation.others),
        "parcels": list(relation.parcels),
        "seasons": list(relation.seasons),
    }


_CODES = {
    "phone": "shared_phone", "bank_account": "shared_account", "address": "shared_address",
    "id_number": "shared_identity",
}  # fmt: skip


def _sharing(people: People, shared: Shared, settings: RelationSettings) -> Iterator[Relation]:
    """Yield contacts that too many households gave.

    An identity is one person's. An account of three households is nobody's family's. A phone or an
    address is a village's, unless those who give it farm farther apart than a village reaches.
    """
    many = shared.households >= settings.contact_households
    far = shared.extent_km > settings.near_km
    kind = shared.kind
    asks = (
        ((kind == "id_number") & (shared.farmers > 1))
        | ((kind == "bank_account") & many)
        | (np.isin(kind, ["phone", "address"]) & many & far)
    )
    for contact in np.flatnonzero(asks).tolist():
        code, extent = _CODES[kind[contact]], float(shared.extent_km[contact])
        count = shared.farmers if kind[contact] == "id_number" else shared.households
        members = shared.members(contact)
        for farmer in members.tolist():
            yield Relation(
                farmer, code, int(count[contact]), extent if np.isfinite(extent) else None,
                _named(people, members[members != farmer]),
            )  # fmt: skip


def _named(people: People, places: np.ndarray) -> tuple[str, ...]:
    return tuple(str(name) for name in people.farmer_id[places[:MOST_NAMED]])


def _linked(people: People, shared: Shared, settings: RelationSettings) -> Iterator[Relation]:
    """Yield farmers whom pairs of contacts tie into a ring of households.

    What three households share has its own rule, and a village office ties nobody; the rest of a
    farmer's household is not asked for what he alone gave.
    """
    ties = (shared.households == 2) & np.isin(shared.kind, ["phone", "bank_account"])
    linked = linked_households(people, shared, ties)
    gave = np.zeros(len(people), dtype=bool)
    gave[shared.farmer[ties[shared.contact]]] = True
    within = np.flatnonzero(
        gave & (linked.households[linked.component] >= settings.linked_households)
    )
    for component, places in pd.Series(within).groupby(linked.component[within]):
        members = places.to_numpy(dtype=np.int64)
        for farmer in members.tolist():
            yield Relation(
                farmer, "linked_households", int(linked.households[int(str(component))]), None,
                _named(people, members[members != farmer]),
            )  # fmt: skip


def _guarantors(people: People, known: Known, settings: RelationSettings) -> Iterator[Relation]:
    stands = standing(
        people, known.guarantees, known.together,
        least=settings.ring_farmers, most=settings.chain_guarantors,
    )  # fmt: skip
    within = np.flatnonzero(stands.ring >= 0)
    for _, places in pd.Series(within).groupby(stands.ring[within]):
        members = places.to_numpy(dtype=np.int64)
        for farmer in members.tolist():
            others = _named(people, members[members != farmer])
            yield Relation(farmer, "guarantor_ring", len(members), None, others)
    chained = (stands.behind >= settings.chain_guarantors) & (stands.ring < 0)
    for farmer in np.flatnonzero(chained).tolist():
        yield Relation(farmer, "guarantor_chain", int(stands.behind[farmer]))


def _idle(people: People, known: Known, settings: RelationSettings) -> Iterator[Relation]:
    """Yield farmers on several of whose parcels nothing grows in several seasons."""
    if known.idle.empty:
        return
    again = known.idle[_again(known.idle, settings)]
    several = again.groupby("farmer_id")["farmer_id"].transform("size") >= settings.idle_parcels
    for farmer, rows in _by_farmer(people, again[several]):
        share = rows["area_m2"].sum() / max(float(known.claimed_m2[people.farmer_id[farmer]]), 1.0)
        if share >= settings.idle_share:
            yield Relation(farmer, "fake_farming", len(rows), parcels=tuple(rows["parcel_id"]))


def _again(rows: pd.DataFrame, settings: RelationSettings) -> Flags:
    """Whether nothing grew on each parcel in as many seasons as the setting says."""
    return np.asarray(rows["seasons"] >= settings.idle_seasons, dtype=bool)


def _moved(people: People, known: Known, settings: RelationSettings) -> Iterator[Relation]:
    """Yield farmers most of whose land one other household claimed the season before."""
    for farmer, rows in _by_farmer(people, known.moved):
        claimed = max(float(known.claimed_m2[people.farmer_id[farmer]]), 1.0)
        for before, part in rows.drop_duplicates(["parcel_id", "before"]).groupby("before"):
            if part["area_m2"].sum() / claimed >= settings.moved_share:
                yield Relation(
                    farmer, "ground_moved", len(part), None, (str(before),),
                    tuple(part["parcel_id"]), tuple(sorted(set(part["season"]))),
                )  # fmt: skip


def _crowded(
    people: People, known: Known, found: Iterable[Relation], settings: RelationSettings
) -> list[Relation]:
    """Return farmers with one idle parcel among many such farmers of their village."""
    if known.idle.empty:
        return []
    again = known.idle[_again(known.idle, settings)]
    places = people.places(again["farmer_id"])
    sign = np.zeros(len(people), dtype=bool)
    sign[places[places >= 0]] = True
    region = regions_of(people, known.villages)
    count = crowded(
        region, sign, least=settings.region_farmers, chance=settings.region_chance
    )  # fmt: skip
    told = {one.farmer for one in found if one.code == "fake_farming"}
    parcels = again.groupby("farmer_id")["parcel_id"].agg(tuple).to_dict()
    return [
        Relation(
            farmer, "idle_village", int(count[farmer]), parcels=parcels[people.farmer_id[farmer]]
        )
        for farmer in np.flatnonzero(sign & (count > 0)).tolist()
        if farmer not in told
    ]


def _by_farmer(people: People, rows: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    if rows.empty:
        return
    places = people.places(rows["farmer_id"])
    known = rows[places >= 0]
    for place, part in known.groupby(places[places >= 0], sort=True):
        yield int(str(place)), part
