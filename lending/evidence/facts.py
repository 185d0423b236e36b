"""Facts: everything known about one parcel before it is judged, and the verdict's shape.

Owns the records that `gather` fills and `crosscheck` judges; they hold no rule.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from fieldline.lending.documents.facts import NO_PARCEL_PAPERS, ParcelPapers


@dataclass(frozen=True)
class SeenGround:
    """What the outlines of seen fields say of a ring, m2."""

    own_m2: float
    """In the ring's own fields."""
    foreign_m2: float
    """In fields that lie mostly outside the ring."""
    foreign_field: str | None
    """The one of those that covers most of it ..."""
    foreign_parcel: str | None
    """... and the parcel of another ring that it is the field of."""
    open_m2: float
    """On land that is no field."""
    open_cover: str | None
    """What most of that is."""
    main_share: float = 0.0
    """Share of the ring in the seen field that covers most of it ..."""
    main_undrawn: float = 0.0
    """... and the share of that field outside the ring."""


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
    rival_farmers: frozenset[str] = frozenset()
    """Their applicants."""
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
    up_by: dt.date | None = None
    """Day by which the declared crop must be up by its template; None where none is known."""
    papers: ParcelPapers = NO_PARCEL_PAPERS
    """Papers that were handed in for the parcel."""
    let_to_rival: bool = False
    """Whether a rival holds a lease from this applicant for the disputed ground."""
    perimeter_m: float = 0.0
    """Length of the drawn outline."""
    ground: SeenGround | None = None
    """What seen fields say of the ring; None where nobody looked or little was seen."""
    uneven: bool = False
    """Whether the land differs from pixel to pixel as houses and gardens do and no field does."""
    cycle_seen: bool = False
    """Whether its pixels, over all dates, show a crop that came up on bare land."""


@dataclass(frozen=True)
class Verdict:
    """The codes of one parcel and the area that the offer may count."""

    codes: list[str]
    evidence_area_m2: float
    numbers: dict[str, float | str]
    """Numbers behind the codes, for the outcome's detail."""
