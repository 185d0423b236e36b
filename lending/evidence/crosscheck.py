"""Evidence: what was declared, what was seen and what the registry says, side by side.

Owns the codes of every parcel and its evidence area, the least of the known areas. It measures and
names; what a code does to the offer is data (`data/evidence_codes.csv`), and no code accuses a
farmer of less than one pixel or of a neighbour's unsteady phone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pandas as pd

from fieldline.crops.value.crop_values import up_by
from fieldline.lending.codes import strongest
from fieldline.lending.documents.facts import parcel_papers
from fieldline.lending.documents.table import DOCUMENTS, read_documents
from fieldline.lending.evidence.areas import area_codes, areas_of, covered, ground_columns
from fieldline.lending.evidence.facts import ParcelFacts, Verdict
from fieldline.lending.evidence.gather import (
    Known,
    gather,
    has_right,
    holds_ground,
    lease_of_holder,
)
from fieldline.lending.inputs import PROTECTED, REGISTRY
from fieldline.lending.schemas import EVIDENCE
from fieldline.lending.settings import EvidenceSettings
from fieldline.lending.sources import read_protected, read_registry
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.reference import crops as known_crops
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table, write_table

PROVEN_COVER = "facility_agrees"
"""Code of land that is declared as under a cover, shows no open field, and has a paper or the
registry say the same."""
UNPROVEN_COVER = "facility_unproven"
"""Code of such land that nothing but the declaration says is under a cover: bare land looks no
different, so a person or a photograph tells."""

_OUTCOME = {
    "none": OK,
    "lower": "evidence_lowered",
    "review": "evidence_review",
    "block": "evidence_blocked",
}


def judge(facts: ParcelFacts, settings: EvidenceSettings, as_of: dt.date) -> Verdict:
    """Compare the sources and papers of one parcel.

    Args:
        facts: What is known.
        settings: Tolerances.
        as_of: Knowledge date.

    Returns:
        Codes in the order area, crop, registry, claims, place.
    """
    facts = certified(facts)
    crop = list(_crop_codes(facts, settings, as_of))
    registry = list(_registry_codes(facts, settings, as_of))
    shows = not _STANDS_UNSEEN.intersection(crop)
    areas = areas_of(
        facts if shows else replace(facts, seen_area_m2=None), settings,
        registry_stale="registry_stale" in registry,
    )  # fmt: skip
    # Land without a crop is idle by its pixels alone: that asks a person, who sees what was seen.
    seen = areas.planted if "no_crop_cycle" in crop else areas.seen
    known = [areas.claimed, seen, areas.bounding_registered]
    least = min(area for area in known if area is not None)
    codes = [
        *area_codes(areas),
        *crop,
        *registry,
        *_claim_codes(facts, settings),
        *_place_codes(facts, settings),
    ]
    counted = max(0.0, least - facts.own_overlap_m2)
    if "lease_unproven" in registry:
        counted *= settings.unproven_lease_share
    numbers = {
        "declared": facts.declared_area_m2, "drawn": facts.ring_area_m2, "seen": areas.planted,
        "fields": areas.fields, "registry": facts.registry_area_m2,
        **covered(facts, areas),
    }  # fmt: skip
    shown = {name: value for name, value in numbers.items() if value is not None}
    if facts.protected_m2 > 0:
        shown["protected"] = facts.protected_m2
    return Verdict(codes, counted, {**shown})


_WOOD = "wood"
"""Cover of RING_FIELDS that is a wood."""
#: Codes under which the images show too little by nature: what they see bounds no area.
_STANDS_UNSEEN = frozenset({"crop_not_yet_up", "crop_proven_unseen", PROVEN_COVER, UNPROVEN_COVER})


def certified(facts: ParcelFacts) -> ParcelFacts:
    """Return the facts with a newer land certificate in place of the registry's row.

    A lease of more land from somebody else adds to the area that the applicant holds himself.
    """
    certificate, lease = facts.papers.certificate, facts.papers.lease
    newer = certificate is not None and (
        facts.registry_on is None or certificate.issued_on >= facts.registry_on
    )
    if certificate is not None and newer:
        facts = replace(
            facts, registry_area_m2=certificate.area_m2, registry_holder=facts.farmer_id,
            registry_on=certificate.issued_on, registry_unclear=False,
        )  # fmt: skip
    held = facts.registry_area_m2
    if held is not None and facts.registry_holder == facts.farmer_id and lease is not None:
        return replace(facts, registry_area_m2=held + (lease.area_m2 or facts.ring_area_m2))
    return facts


def _crop_codes(facts: ParcelFacts, settings: EvidenceSettings, as_of: dt.date) -> Iterator[str]:
    """Yield what declaration, images and papers say of the crop.

    A crop that its template does not yet ask to be up is not yet seen, whatever stands before it.
    """
    proven = facts.declared_crop in facts.papers.crops
    told = proven or facts.papers.photo
    code = _crop_code(facts, settings)
    early = facts.up_by is not None and as_of < facts.up_by + dt.timedelta(
        days=settings.emergence_days
    )
    if early and code not in ("crop_agrees", PROVEN_COVER, UNPROVEN_COVER):
        yield "crop_not_yet_up"
    elif code == UNPROVEN_COVER and settings.photo_settles == "accept" and told:
        yield PROVEN_COVER
    elif code == "no_crop_cycle" and facts.papers.photo:
        yield "crop_proven_unseen" if settings.photo_settles == "accept" else "crop_shown"
    elif code in ("crop_conflict", "never_bare", "no_field_seen") and proven:
        yield "crop_proven" if settings.photo_settles == "accept" else "crop_shown"
    elif code in _SETTLED_BY_PROOF and (proven or _first_proof(facts)):
        yield "crop_proven"
    else:
        yield code


#: What a photo or receipt settles outright: the images do not say otherwise beyond doubt.
_SETTLED_BY_PROOF = ("crop_unknown", "crop_unlearnt", "crop_doubt")


def _first_proof(facts: ParcelFacts) -> bool:
    """Whether a paper names the crop of a parcel for which none was declared."""
    return facts.declared_crop is None and bool(facts.papers.crops)


def _crop_code(facts: ParcelFacts, settings: EvidenceSettings) -> str:
    idle = facts.planted_fraction is not None and facts.planted_fraction < settings.idle_fraction
    idle = idle and facts.pixels >= settings.idle_min_pixels
    if _is_facility(facts.declared_crop) and (idle or facts.seen_crop is None):
        return PROVEN_COVER if _is_facility(facts.registry_crop) else UNPROVEN_COVER
    if idle:
        return "no_crop_cycle"
    if _is_annual(facts.declared_crop):
        if facts.uneven or _in_wood(facts):
            return "no_field_seen"
        if facts.green_throughout:
            return "never_bare"
    if facts.declared_crop is None or facts.seen_crop is None or not facts.prediction_set:
        return "crop_unknown"
    if facts.declared_crop in (facts.seen_crop, *facts.prediction_set):
        return "crop_agrees"
    if not facts.declared_learnt:
        return "crop_unlearnt"
    sure = (facts.probability or 0.0) >= settings.crop_conflict_probability
    return "crop_conflict" if sure else "crop_doubt"


def _in_wood(facts: ParcelFacts) -> bool:
    """Whether seen polygons say that most of a ring is wood, and pixels and crop do not deny it.

    Two crops in a season may be green on all of their few dates. Pixels that saw bare land are not
    enough against that, for trees shed their leaves; with the declared crop recognised they are.
    """
    recognised = facts.prediction_set and facts.seen_crop == facts.declared_crop
    ground = facts.ground
    if ground is None or ground.open_cover != _WOOD or (facts.cycle_seen and recognised):
        return False
    return ground.open_m2 > facts.ring_area_m2 / 2


def _is_facility(crop: str | None) -> bool:
    """Whether a crop grows under a cover, below which no image shows a cycle."""
    known = known_crops().get(crop) if crop else None
    return known is not None and known.group == "facility"


def _is_annual(crop: str | None) -> bool:
    known = known_crops().get(crop) if crop else None
    return known is not None and known.annual


def _registry_codes(
    facts: ParcelFacts, settings: EvidenceSettings, as_of: dt.date
) -> Iterator[str]:
    if any(paper.by != facts.registry_holder for paper in facts.papers.objections):
        yield "objection_of_other"
    if facts.registry_on is None:
        yield "registry_unclear" if facts.registry_unclear else "registry_missing"
        return
    if (as_of - facts.registry_on).days > settings.registry_max_age_days:
        yield "registry_stale"
    if facts.registry_holder is not None:
        yield _holder_code(facts)
    crops = (facts.registry_crop, facts.declared_crop)
    if None not in crops and crops[0] != crops[1]:
        yield "crop_registry_differs"


def _holder_code(facts: ParcelFacts) -> str:
    """Return whether the applicant holds the land, rents it, says so, or is denied it.

    A tenant is no liar: without a paper from the registered holder the parcel counts for less, and
    for nothing only where that holder objects and no later lease answers. Anybody else's objection
    says nothing of land that is not theirs and is only noted (`objection_of_other`).
    """
    if facts.registry_holder == facts.farmer_id:
        return "holder_agrees"
    if lease_of_holder(facts):
        return "lease_upheld"
    denied = any(paper.by == facts.registry_holder for paper in facts.papers.objections)
    return "holder_conflict" if denied else "lease_unproven"


def _claim_codes(facts: ParcelFacts, settings: EvidenceSettings) -> Iterator[str]:
    """Yield what becomes of ground that other applicants claim too.

    The committee's note settles a claim that the registry leaves open; a lease from the rival who
    holds the ground settles one that the registry decides for that rival.
    """
    if facts.own_overlap_m2 > 0:
        yield "own_overlap"
    if not facts.rivals:
        return
    holds, held = holds_ground(facts, settings), facts.rival_holds
    lease = facts.papers.lease
    of_rival = lease is not None and lease.landlord in facts.rival_farmers
    own = facts.registry_holder == facts.farmer_id or facts.named_on_rival
    if holds and not held and not facts.let_to_rival:
        yield "claim_upheld"
    elif held and of_rival and not own:
        yield "claim_settled"
    elif held and not holds and not has_right(facts):
        yield "claim_refuted"
    elif facts.papers.noted:
        yield "claim_settled"
    elif facts.papers.noted_other:
        yield "claim_refuted"
    else:
        yield "claimed_by_other"


def _place_codes(facts: ParcelFacts, settings: EvidenceSettings) -> Iterator[str]:
    if facts.protected_m2 <= 0:
        return
    share = settings.protected_min_share * facts.ring_area_m2
    most = settings.protected_most_share * facts.ring_area_m2
    least = min(max(settings.protected_min_m2, share), most)
    deep = facts.protected_core_m2 >= least and facts.protected_core_m2 > 0
    if not deep:
        yield "protected_touch"
    else:
        yield "protected_permitted" if facts.papers.permit else "protected_overlap"


def run_evidence(
    *,
    parcels: Path,
    fields: Path,
    ring_fields: Path,
    crops: Path,
    crop_values: Path,
    registry: Path | None,
    protected: Path | None,
    documents: Path | None,
    as_of: dt.date,
    currency: str,
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
        ring_fields: ring_fields.parquet.
        crops: crops.parquet.
        crop_values: crop_values.parquet: when each crop must be up.
        registry: Registry extract, or None (every parcel is then `registry_missing`).
        protected: Protected areas, or None.
        documents: Papers that were handed in, or None.
        as_of: Knowledge date.
        currency: The county's currency.
        settings: Tolerances.
        privacy: Pseudonym key of the people whom registry and papers name.
        table_columns: The lender's own column names by table.
        out: evidence.parquet.
        outcomes: outcomes/evidence.parquet.
    """

    def reading(name: str) -> Reading:
        return Reading(currency, table_columns.get(name, {}), "inputs")

    drawn = gpd.read_parquet(parcels)
    known = Known(
        None if registry is None else read_registry(
            registry, as_of=as_of, privacy=privacy, reading=reading(REGISTRY.name)
        ),
        None if protected is None else read_protected(
            protected, as_of=as_of, reading=reading(PROTECTED.name)
        ),
        parcel_papers(
            None if documents is None else read_documents(
                documents, as_of=as_of, privacy=privacy, reading=reading(DOCUMENTS.name)
            ),
            dict(zip(drawn["parcel_id"], drawn["farmer_id"], strict=True)),
        ),
        up_by(read_table(crop_values)),
        read_table(ring_fields),
    )  # fmt: skip
    facts = gather(drawn, read_table(fields), read_table(crops), known, settings)
    verdicts = [judge(fact, settings, as_of) for fact in facts]
    write_table(evidence_frame(facts, verdicts, settings), EVIDENCE, out)
    write_outcomes(
        [_outcome(fact, verdict) for fact, verdict in zip(facts, verdicts, strict=True)], outcomes
    )


def evidence_frame(
    facts: Sequence[ParcelFacts], verdicts: Sequence[Verdict], settings: EvidenceSettings
) -> pd.DataFrame:
    """Return facts and verdicts as EVIDENCE rows."""
    rows = [
        {
            "parcel_id": fact.parcel_id,
            "farmer_id": fact.farmer_id,
            "declared_area_m2": fact.declared_area_m2,
            "seen_area_m2": fact.seen_area_m2,
            "registry_area_m2": fact.registry_area_m2,
            "drawn_area_m2": fact.ring_area_m2,
            **ground_columns(fact.ground),
            "evidence_area_m2": verdict.evidence_area_m2,
            "declared_crop": fact.declared_crop,
            "seen_crop": fact.seen_crop,
            "registry_crop": fact.registry_crop,
            "codes": verdict.codes,
            "effect": strongest(verdict.codes),
            "rivals": list(fact.rivals),
            "protected_m2": fact.protected_m2,
            "proven_crop": proven_crop(fact, verdict),
            "leased": {"lease_upheld", "lease_unproven"}.intersection(verdict.codes) != set()
            or fact.papers.stated_lease,
            **_lease_end(fact, verdict, settings),
        }
        for fact, verdict in zip(facts, verdicts, strict=True)
    ]
    return pd.DataFrame(rows, columns=EVIDENCE.names)


def _lease_end(
    fact: ParcelFacts, verdict: Verdict, settings: EvidenceSettings
) -> dict[str, dt.date | float | None]:
    """Return until when a lease adds to a parcel, and what counts of it without the lease.

    Of land that another holds a share does, as if nothing proved the lease; of land that was rented
    beside the applicant's own, the applicant's own.
    """
    lease, counted = fact.papers.lease, verdict.evidence_area_m2
    unleased = counted
    if lease is not None and "lease_upheld" in verdict.codes:
        unleased = counted * settings.unproven_lease_share
    elif lease is not None and "holder_agrees" in verdict.codes:
        held = certified(replace(fact, papers=replace(fact.papers, lease=None))).registry_area_m2
        own = counted if held is None else held - fact.own_overlap_m2
        unleased = min(counted, max(0.0, own))
    if lease is None or unleased >= counted:
        return {"lease_to": None, "unleased_area_m2": None}
    return {"lease_to": lease.valid_to, "unleased_area_m2": unleased}


def proven_crop(fact: ParcelFacts, verdict: Verdict) -> str | None:
    """Return the crop that papers prove where they settled it: it is valued, whatever was seen."""
    settled = {"crop_proven", "crop_proven_unseen"}.intersection(verdict.codes)
    crops = fact.papers.crops
    if not settled or not crops:
        return None
    return fact.declared_crop if fact.declared_crop in crops else min(crops)


def _outcome(fact: ParcelFacts, verdict: Verdict) -> Outcome:
    effect = strongest(verdict.codes)
    if effect == "none":
        return Outcome("evidence", fact.parcel_id, fact.farmer_id)
    codes = "+".join(code for code in verdict.codes if strongest([code]) != "none")
    numbers = detail(codes=codes, **verdict.numbers)
    return Outcome("evidence", fact.parcel_id, fact.farmer_id, _OUTCOME[effect], numbers)
