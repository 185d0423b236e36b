"""Evidence: what was declared, what was seen and what the registry says, side by side.

Owns the codes of every parcel and its evidence area, the least of the known areas. It measures and
names; what a code does to the offer is data (`data/evidence_codes.csv`), and no code accuses a
farmer of less than one pixel or of a neighbour's unsteady phone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from fieldline.lending.codes import strongest
from fieldline.lending.evidence.ground import ground_of
from fieldline.lending.inputs import PROTECTED, REGISTRY
from fieldline.lending.schemas import EVIDENCE
from fieldline.lending.settings import EvidenceSettings
from fieldline.lending.sources import read_protected, read_registry
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.inputs.schema import InputSchema
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.reference import crops as known_crops
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table, write_table

_OUTCOME = {
    "none": OK,
    "lower": "evidence_lowered",
    "review": "evidence_review",
    "block": "evidence_blocked",
}


@dataclass(frozen=True)
class ParcelFacts:
    """Everything known about one parcel before it is judged; `None` is unknown."""

    parcel_id: str
    farmer_id: str
    ring_area_m2: float
    declared_area_m2: float | None
    declared_crop: str | None
    seen_area_m2: float | None = None
    """Planted area seen inside the ring."""
    planted_fraction: float | None = None
    pixels: float = 0.0
    green_throughout: bool = False
    """Whether the land stayed green over a whole season, as no yearly crop does."""
    seen_crop: str | None = None
    probability: float | None = None
    """Probability of the crop seen."""
    prediction_set: tuple[str, ...] = ()
    """Plausible crops; empty where the model cannot tell."""
    declared_learnt: bool = True
    """Whether the crop model learnt the declared crop: it cannot contradict what it never saw."""
    registry_area_m2: float | None = None
    registry_holder: str | None = None
    registry_crop: str | None = None
    registry_on: dt.date | None = None
    """Date of the registry row."""
    registry_unclear: bool = False
    """Whether the newest registry row cannot be read, or rows of its day contradict each other."""
    rivals: tuple[str, ...] = ()
    """Parcels of other applicants on the same ground."""
    disputed_m2: float = 0.0
    """Ground of this parcel that they claim too."""
    named_on_rival: bool = False
    """Whether the registry names this applicant as holder of one of the rival parcels."""
    rival_holds: bool = False
    """Whether the registry gives the disputed ground to one of these applicants."""
    own_overlap_m2: float = 0.0
    """Ground that an earlier parcel of the same applicant already holds."""
    protected_m2: float = 0.0
    """Overlap with protected areas in force."""
    protected_core_m2: float = 0.0
    """Part of it that lies inside them by more than a phone can err."""


@dataclass(frozen=True)
class Verdict:
    """The codes of one parcel and the area that the offer may count."""

    codes: list[str]
    evidence_area_m2: float
    numbers: dict[str, float | str]
    """Numbers behind the codes, for the outcome's detail."""


def judge(facts: ParcelFacts, settings: EvidenceSettings, as_of: dt.date) -> Verdict:
    """Compare the three sources for one parcel.

    Args:
        facts: What is known.
        settings: Tolerances.
        as_of: Knowledge date (registry age).

    Returns:
        Codes in the order area, crop, registry, claims, place.
    """
    seen = _seen_area(facts, settings)
    known = [facts.declared_area_m2, facts.ring_area_m2, seen, facts.registry_area_m2]
    least = min(area for area in known if area is not None)
    codes = [
        *_area_codes(facts, seen, settings),
        *_crop_codes(facts, settings),
        *_registry_codes(facts, settings, as_of),
        *_claim_codes(facts, settings),
        *_place_codes(facts, settings),
    ]
    numbers = {"declared": facts.declared_area_m2, "seen": seen, "registry": facts.registry_area_m2}
    shown = {name: value for name, value in numbers.items() if value is not None}
    if facts.protected_m2 > 0:
        shown["protected"] = facts.protected_m2
    return Verdict(codes, max(0.0, least - facts.own_overlap_m2), {**shown})


def _seen_area(facts: ParcelFacts, settings: EvidenceSettings) -> float | None:
    """Return the seen area where the parcel is large enough to be seen."""
    return facts.seen_area_m2 if facts.pixels >= settings.min_pixels_seen else None


def _pixel_area(facts: ParcelFacts) -> float:
    """Return the ground of one pixel, m2: a difference of one pixel is resolution, not a lie."""
    return facts.ring_area_m2 / facts.pixels if facts.pixels > 0 else 0.0


def _area_codes(
    facts: ParcelFacts, seen: float | None, settings: EvidenceSettings
) -> Iterator[str]:
    declared = facts.declared_area_m2 if facts.declared_area_m2 is not None else facts.ring_area_m2
    if seen is None:
        yield "area_unseen"
    found = facts.ring_area_m2 if seen is None else min(seen, facts.ring_area_m2)
    overdrawn = declared - found > settings.area_tolerance * declared + _pixel_area(facts)
    registered = facts.registry_area_m2
    conflict = registered is not None and declared > registered * (1 + settings.area_tolerance)
    if overdrawn:
        yield "area_overdrawn"
    if conflict:
        yield "area_conflict_registry"
    if seen is not None and not (overdrawn or conflict):
        yield "area_agrees"


def _crop_codes(facts: ParcelFacts, settings: EvidenceSettings) -> Iterator[str]:
    idle = facts.planted_fraction is not None and facts.planted_fraction < settings.idle_fraction
    if idle and facts.pixels >= settings.idle_min_pixels:
        yield "no_crop_cycle"
    elif facts.green_throughout and _is_annual(facts.declared_crop):
        yield "never_bare"
    elif facts.declared_crop is None or facts.seen_crop is None or not facts.prediction_set:
        yield "crop_unknown"
    elif facts.declared_crop in (facts.seen_crop, *facts.prediction_set):
        yield "crop_agrees"
    elif not facts.declared_learnt:
        yield "crop_unlearnt"
    else:
        sure = (facts.probability or 0.0) >= settings.crop_conflict_probability
        yield "crop_conflict" if sure else "crop_doubt"


def _is_annual(crop: str | None) -> bool:
    known = known_crops().get(crop) if crop else None
    return known is not None and known.annual


def _registry_codes(
    facts: ParcelFacts, settings: EvidenceSettings, as_of: dt.date
) -> Iterator[str]:
    if facts.registry_on is None:
        yield "registry_unclear" if facts.registry_unclear else "registry_missing"
        return
    if (as_of - facts.registry_on).days > settings.registry_max_age_days:
        yield "registry_stale"
    if facts.registry_holder is not None:
        agrees = facts.registry_holder == facts.farmer_id
        yield "holder_agrees" if agrees else "holder_conflict"
    crops = (facts.registry_crop, facts.declared_crop)
    if None not in crops and crops[0] != crops[1]:
        yield "crop_registry_differs"


def holds_ground(facts: ParcelFacts, settings: EvidenceSettings) -> bool:
    """Whether the registry gives the disputed ground of a parcel to its applicant.

    Naming the holder is not enough: a ring that reaches into a neighbour's field carries its own
    registered parcel too. The registered area is laid on the undisputed part first; who needs the
    disputed ground to find the registered area again, holds it.
    """
    if facts.named_on_rival:
        return True
    registered = facts.registry_area_m2
    if registered is None or facts.registry_holder != facts.farmer_id:
        return False
    undisputed = max(0.0, facts.ring_area_m2 - facts.disputed_m2)
    return registered >= undisputed + settings.claim_registered_share * facts.disputed_m2


def _claim_codes(facts: ParcelFacts, settings: EvidenceSettings) -> Iterator[str]:
    if facts.own_overlap_m2 > 0:
        yield "own_overlap"
    if not facts.rivals:
        return
    holds = holds_ground(facts, settings)
    if holds and not facts.rival_holds:
        yield "claim_upheld"
        return
    yield "claimed_by_other"
    if facts.rival_holds and not holds and facts.registry_holder != facts.farmer_id:
        yield "claim_refuted"


def _place_codes(facts: ParcelFacts, settings: EvidenceSettings) -> Iterator[str]:
    if facts.protected_m2 <= 0:
        return
    share = settings.protected_min_share * facts.ring_area_m2
    most = settings.protected_most_share * facts.ring_area_m2
    least = min(max(settings.protected_min_m2, share), most)
    deep = facts.protected_core_m2 >= least and facts.protected_core_m2 > 0
    yield "protected_overlap" if deep else "protected_touch"


def gather(
    parcels: gpd.GeoDataFrame,
    fields: pd.DataFrame,
    crops: pd.DataFrame,
    registry: pd.DataFrame | None,
    protected: gpd.GeoDataFrame | None,
    settings: EvidenceSettings,
) -> list[ParcelFacts]:
    """Bring the three sources and the neighbours of every parcel together.

    Args:
        parcels: Accepted parcels (any CRS), one row each.
        fields: FIELDS rows; a parcel that was not seen has none.
        crops: CROPS rows.
        registry: Registry as of the day, indexed by parcel_id, or None.
        protected: Protected areas in force, or None.
        settings: Tolerances.
    """
    parcels = parcels.sort_values("parcel_id", kind="stable").reset_index(drop=True)
    ids = parcels["parcel_id"].tolist()
    seen = fields.set_index("parcel_id").reindex(ids)
    told = crops.set_index("parcel_id").reindex(ids)
    if registry is None:
        registry = pd.DataFrame(columns=["area_m2", "holder_id", "crop", "recorded_on", "unclear"])
    record = registry.reindex(ids)
    unclear = record["unclear"].eq(other=True).to_numpy(dtype=bool)
    ground = ground_of(parcels, protected, settings)
    learnt = {name.removeprefix("p_") for name in crops.columns if name.startswith("p_")}
    holders = record["holder_id"].tolist()
    facts = [
        ParcelFacts(
            parcel_id=ids[i],
            farmer_id=str(parcels["farmer_id"].iloc[i]),
            ring_area_m2=float(parcels["metrics:area"].iloc[i]),
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
            disputed_m2=ground.disputed.get(i, 0.0),
            named_on_rival=any(
                holders[j] == parcels["farmer_id"].iloc[i] for j in ground.rivals.get(i, [])
            ),
            own_overlap_m2=ground.own.get(i, 0.0),
            protected_m2=float(ground.protected[i]),
            protected_core_m2=float(ground.protected_core[i]),
        )
        for i in range(len(ids))
    ]
    return _with_rights(facts, settings)


def _with_rights(facts: list[ParcelFacts], settings: EvidenceSettings) -> list[ParcelFacts]:
    """Tell each parcel whether the registry gives the disputed ground to a rival."""
    holding = {fact.parcel_id for fact in facts if fact.rivals and holds_ground(fact, settings)}
    return [replace(fact, rival_holds=not holding.isdisjoint(fact.rivals)) for fact in facts]


def _seen(seen: pd.DataFrame, told: pd.DataFrame, i: int) -> dict[str, Any]:
    unsure = told["cannot_tell"].iloc[i]
    members = told["prediction_set"].iloc[i]
    tells = pd.notna(unsure) and not unsure
    return {
        "seen_area_m2": _number(seen["seen_area_m2"].iloc[i]),
        "planted_fraction": _number(seen["planted_fraction"].iloc[i]),
        "pixels": _number(seen["pixels"].iloc[i]) or 0.0,
        "green_throughout": seen["method"].iloc[i] == "green",
        "seen_crop": _text(told["crop"].iloc[i]),
        "probability": _number(told["probability"].iloc[i]),
        "prediction_set": tuple(members) if tells and members is not None else (),
    }


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _text(value: Any) -> str | None:
    return None if pd.isna(value) or value == "" else str(value)


def _day(value: Any) -> dt.date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()


def run_evidence(
    *,
    parcels: Path,
    fields: Path,
    crops: Path,
    registry: Path | None,
    protected: Path | None,
    as_of: dt.date,
    settings: EvidenceSettings,
    privacy: PrivacySettings,
    table_columns: Mapping[str, Mapping[str, str]],
    out: Path,
    outcomes: Path,
) -> None:
    """Write evidence.parquet and one outcome for every accepted parcel.

    Args:
        parcels: parcels.parquet.
        fields: fields.parquet.
        crops: crops.parquet.
        registry: Registry extract, or None (every parcel is then `registry_missing`).
        protected: Protected areas, or None.
        as_of: Knowledge date.
        settings: Tolerances.
        privacy: Pseudonym key of the registry's holders.
        table_columns: The lender's own column names by table.
        out: evidence.parquet.
        outcomes: outcomes/evidence.parquet.
    """
    facts = gather(
        gpd.read_parquet(parcels),
        read_table(fields),
        read_table(crops),
        read_registry(
            registry, as_of=as_of, privacy=privacy, reading=_reading(REGISTRY, table_columns)
        )
        if registry
        else None,
        read_protected(protected, as_of=as_of, reading=_reading(PROTECTED, table_columns))
        if protected
        else None,
        settings,
    )
    verdicts = [judge(fact, settings, as_of) for fact in facts]
    write_table(evidence_frame(facts, verdicts), EVIDENCE, out)
    write_outcomes(
        [_outcome(fact, verdict) for fact, verdict in zip(facts, verdicts, strict=True)], outcomes
    )


def _reading(schema: InputSchema, columns: Mapping[str, Mapping[str, str]]) -> Reading:
    return Reading(columns=columns.get(schema.name, {}), place="inputs")


def evidence_frame(facts: Sequence[ParcelFacts], verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return facts and verdicts as EVIDENCE rows."""
    rows = [
        {
            "parcel_id": fact.parcel_id,
            "farmer_id": fact.farmer_id,
            "declared_area_m2": fact.declared_area_m2,
            "seen_area_m2": fact.seen_area_m2,
            "registry_area_m2": fact.registry_area_m2,
            "evidence_area_m2": verdict.evidence_area_m2,
            "declared_crop": fact.declared_crop,
            "seen_crop": fact.seen_crop,
            "registry_crop": fact.registry_crop,
            "codes": verdict.codes,
            "effect": strongest(verdict.codes),
            "rivals": list(fact.rivals),
            "protected_m2": fact.protected_m2,
        }
        for fact, verdict in zip(facts, verdicts, strict=True)
    ]
    return pd.DataFrame(rows, columns=EVIDENCE.names)


def _outcome(fact: ParcelFacts, verdict: Verdict) -> Outcome:
    effect = strongest(verdict.codes)
    if effect == "none":
        return Outcome("evidence", fact.parcel_id, fact.farmer_id)
    codes = "+".join(code for code in verdict.codes if strongest([code]) != "none")
    numbers = detail(codes=codes, **verdict.numbers)
    return Outcome("evidence", fact.parcel_id, fact.farmer_id, _OUTCOME[effect], numbers)
