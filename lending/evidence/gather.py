"""Gather: the sources of every parcel brought together as facts.

Owns the joining of outlines, images, registry, papers and neighbours, and who holds disputed
ground by the registry; what the facts amount to is `crosscheck`'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import pandas as pd

from fieldline.lending.documents.facts import NO_PARCEL_PAPERS, ParcelPapers
from fieldline.lending.evidence.facts import ParcelFacts, SeenGround
from fieldline.lending.evidence.ground import ground_of
from fieldline.lending.settings import EvidenceSettings

_SEEN_ENOUGH = 0.5
"""Share of a ring in any seen polygon from which their outlines speak for it."""


@dataclass(frozen=True)
class Known:
    """What is known beside outlines and images; each part may be absent."""

    registry: pd.DataFrame | None = None
    """Registry as of the day, indexed by parcel_id."""
    protected: gpd.GeoDataFrame | None = None
    """Protected areas in force."""
    papers: Mapping[str, ParcelPapers] = field(default_factory=dict)
    """Papers by parcel."""
    up_by: Mapping[str, dt.date] = field(default_factory=dict)
    """Day by which a crop must be up, by crop."""
    ring_fields: pd.DataFrame | None = None
    """RING_FIELDS rows: what seen fields say of each ring."""


def lease_of_holder(facts: ParcelFacts) -> bool:
    """Whether a lease of the registered holder stands, answering whatever the holder objected."""
    lease, holder = facts.papers.lease, facts.registry_holder
    objected = [paper.issued_on for paper in facts.papers.objections if paper.by == holder]
    return (
        lease is not None
        and holder is not None
        and lease.landlord == holder
        and all(lease.issued_on > day for day in objected)
    )


def has_right(facts: ParcelFacts) -> bool:
    """Whether the registered row of a parcel speaks for its applicant: as holder, or as tenant."""
    return facts.registry_holder == facts.farmer_id or lease_of_holder(facts)


def holds_ground(facts: ParcelFacts, settings: EvidenceSettings) -> bool:
    """Whether the registry gives the disputed ground of a parcel to its applicant.

    A tenant has the right of the holder whose lease he brings. But naming the holder is not enough:
    a ring that reaches into a neighbour's field carries its own registered parcel too. The
    registered area is laid on the undisputed part first; who needs the disputed ground to find the
    registered area again, holds it.
    """
    if facts.named_on_rival:
        return True
    registered = facts.registry_area_m2
    if registered is None or not has_right(facts):
        return False
    undisputed = max(0.0, facts.ring_area_m2 - facts.disputed_m2)
    return registered >= undisputed + settings.claim_registered_share * facts.disputed_m2


def gather(
    parcels: gpd.GeoDataFrame,
    fields: pd.DataFrame,
    crops: pd.DataFrame,
    known: Known,
    settings: EvidenceSettings,
) -> list[ParcelFacts]:
    """Bring the three sources and the neighbours of every parcel together.

    Args:
        parcels: Accepted parcels (any CRS), one row each.
        fields: FIELDS rows; a parcel that was not seen has none.
        crops: CROPS rows.
        known: Registry, protected areas, papers and templates.
        settings: Tolerances.
    """
    parcels = parcels.sort_values("parcel_id", kind="stable").reset_index(drop=True)
    ids = parcels["parcel_id"].tolist()
    seen = fields.set_index("parcel_id").reindex(ids)
    told = crops.set_index("parcel_id").reindex(ids)
    outlined = {} if known.ring_fields is None else _grounds(known.ring_fields)
    registry = known.registry
    if registry is None:
        registry = pd.DataFrame(columns=["area_m2", "holder_id", "crop", "recorded_on", "unclear"])
    record = registry.reindex(ids)
    unclear = record["unclear"].eq(other=True).to_numpy(dtype=bool)
    ground = ground_of(parcels, known.protected, settings)
    learnt = {name.removeprefix("p_") for name in crops.columns if name.startswith("p_")}
    holders = record["holder_id"].tolist()
    facts = [
        ParcelFacts(
            parcel_id=ids[i],
            farmer_id=str(parcels["farmer_id"].iloc[i]),
            ring_area_m2=float(parcels["metrics:area"].iloc[i]),
            perimeter_m=float(parcels["metrics:perimeter"].iloc[i]),
            ground=looked(outlined.get(ids[i]), float(parcels["metrics:area"].iloc[i])),
            declared_area_m2=_number(parcels["declared_area_m2"].iloc[i]),
            declared_crop=_text(parcels["declared_crop"].iloc[i]),
            declared_learnt=not learnt or parcels["declared_crop"].iloc[i] in learnt,
            **_seen(seen, told, i),
            registry_area_m2=_number(record["area_m2"].iloc[i]),
            registry_holder=_text(holders[i]),
            registry_crop=_text(record["crop"].iloc[i]),
            registry_on=_day(record["recorded_on"].iloc[i]),
            registry_unclear=bool(unclear[i]),
            rivals=tuple(ids[j] for j in ground.rivals.get(i, [])),
            rival_farmers=frozenset(
                str(parcels["farmer_id"].iloc[j]) for j in ground.rivals.get(i, [])
            ),
            disputed_m2=ground.disputed.get(i, 0.0),
            named_on_rival=any(
                holders[j] == parcels["farmer_id"].iloc[i] for j in ground.rivals.get(i, [])
            ),
            own_overlap_m2=ground.own.get(i, 0.0),
            protected_m2=float(ground.protected[i]),
            protected_core_m2=float(ground.protected_core[i]),
            up_by=known.up_by.get(str(parcels["declared_crop"].iloc[i])),
            papers=known.papers.get(ids[i], NO_PARCEL_PAPERS),
        )
        for i in range(len(ids))
    ]
    return _with_rights(facts, settings)


def _with_rights(facts: list[ParcelFacts], settings: EvidenceSettings) -> list[ParcelFacts]:
    """Tell each parcel what the registry and the papers say of its rivals."""
    holding = {fact.parcel_id for fact in facts if fact.rivals and holds_ground(fact, settings)}
    landlords = {
        fact.parcel_id: fact.papers.lease.landlord
        for fact in facts
        if fact.papers.lease is not None
    }
    return [
        replace(
            fact,
            rival_holds=not holding.isdisjoint(fact.rivals),
            let_to_rival=any(landlords.get(rival) == fact.farmer_id for rival in fact.rivals),
        )
        for fact in facts
    ]


def _seen(seen: pd.DataFrame, told: pd.DataFrame, i: int) -> dict[str, Any]:
    unsure = told["cannot_tell"].iloc[i]
    members = told["prediction_set"].iloc[i]
    tells = pd.notna(unsure) and not unsure
    return {
        "seen_area_m2": _number(seen["seen_area_m2"].iloc[i]),
        "planted_fraction": _number(seen["planted_fraction"].iloc[i]),
        "pixels": _number(seen["pixels"].iloc[i]) or 0.0,
        "green_throughout": seen["method"].iloc[i] == "green",
        "cycle_seen": seen["method"].iloc[i] == "unmixed",
        "uneven": seen["method"].iloc[i] == "uneven",
        "seen_crop": _text(told["crop"].iloc[i]),
        "probability": _number(told["probability"].iloc[i]),
        "prediction_set": tuple(members) if tells and members is not None else (),
    }


def _grounds(ring_fields: pd.DataFrame) -> dict[str, SeenGround]:
    return {
        row["parcel_id"]: SeenGround(
            own_m2=row["own_area_m2"],
            foreign_m2=row["foreign_area_m2"],
            foreign_field=_text(row["foreign_field"]),
            foreign_parcel=_text(row["foreign_parcel"]),
            open_m2=row["open_area_m2"],
            open_cover=_text(row["open_cover"]),
            main_share=_number(row["field_share"]) or 0.0,
            main_undrawn=_number(row["undrawn"]) or 0.0,
        )
        for row in ring_fields.to_dict("records")
    }


def looked(ground: SeenGround | None, ring_m2: float) -> SeenGround | None:
    """Return what was seen of a ring unless most of it was not: cloud is no evidence."""
    if ground is None:
        return None
    seen = ground.own_m2 + ground.foreign_m2 + ground.open_m2
    return ground if seen >= _SEEN_ENOUGH * ring_m2 else None


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _text(value: Any) -> str | None:
    return None if pd.isna(value) or value == "" else str(value)


def _day(value: Any) -> dt.date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()
