"""Areas: drawn, declared, planted, seen and registered land, and when a ring is too large.

Owns the rule that one kind of evidence alone takes no land from anybody. Three kinds look at a ring
apart from each other: its pixels, the outlines of seen fields, and the registry. Each may err (a
wet spring, a border run through, an old row), so what a ring reaches beyond its field counts
against it where two of them say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fieldline.lending.evidence.facts import ParcelFacts, SeenGround
from fieldline.lending.settings import EvidenceSettings

PLANTED, FIELDS, REGISTRY = "planted", "fields", "registry"
_BARE = "bare"


@dataclass(frozen=True)
class Areas:
    """What is known of a parcel's size, m2; `None` is unknown."""

    claimed: float
    """Least of the declared and the drawn area: what counts where nothing speaks against it."""
    planted: float | None
    """Planted area that the ring's pixels show."""
    fields: float | None
    """Area of the ring in its own seen fields."""
    registered: float | None
    registry_stale: bool
    """Whether the registry's row is too old to speak alone."""
    against: tuple[str, ...]
    """Kinds of evidence that find less than is claimed."""
    drawn_less: bool
    """Whether more is declared than the applicant drew: own words, which need no second kind."""
    unregistered: bool
    """Whether more is declared than is registered: land without a title, drawn well or not."""

    @property
    def overdrawn(self) -> bool:
        """Whether the claim is larger than the field beyond what one kind of evidence may err."""
        return self.drawn_less or len(self.against) > 1

    @property
    def doubted(self) -> bool:
        """Whether the images alone, by one kind of evidence, find less."""
        return not self.overdrawn and self.against in ((PLANTED,), (FIELDS,))

    @property
    def bounding_registered(self) -> float | None:
        """Registered area that bounds the claim.

        An old row bounds it only where a second kind of evidence finds less too, or where the
        images showed nothing.
        """
        looked = self.planted is not None or self.fields is not None
        return None if self.registry_stale and looked and not self.overdrawn else self.registered

    @property
    def seen(self) -> float | None:
        """Area that the images find, where two kinds of evidence say that there is less, else None.

        Pixels measure it where they saw the ring: outlines say that it reaches over a border, but
        run through hidden ones and miss by three times as much (Magdeburg, 287 rings found 30 % too
        large: mean error of the share .033 by pixels, .092 by outlines, .035 by the lesser).
        """
        if len(self.against) < 2:
            return None
        if self.planted is not None:
            return self.planted
        return self.fields if FIELDS in self.against else None


def areas_of(facts: ParcelFacts, settings: EvidenceSettings, *, registry_stale: bool) -> Areas:
    """Hold the areas of a parcel against each other.

    Args:
        facts: What is known.
        settings: Tolerances.
        registry_stale: Whether the registry's row is too old to speak alone.
    """
    ring, stated = facts.ring_area_m2, facts.declared_area_m2
    declared = ring if stated is None else stated
    claimed = min(declared, ring)
    pixel = pixel_area(facts)
    slack = settings.area_tolerance * claimed + pixel
    planted = facts.seen_area_m2 if facts.pixels >= settings.min_pixels_seen else None
    ground = facts.ground
    fields = None if ground is None else min(ring, ground.own_m2)
    against = []
    if planted is not None and claimed - planted > slack:
        against.append(PLANTED)
    if ground is not None:
        beyond = ground.foreign_m2 + _open(ground, facts, planted)
        border = settings.field_border_m * facts.perimeter_m
        if beyond - (ring - claimed) - _left_out(ground, facts, settings) > pixel + border:
            against.append(FIELDS)
    registered = facts.registry_area_m2
    allowed = None if registered is None else registered * (1 + settings.area_tolerance)
    if allowed is not None and claimed > allowed:
        against.append(REGISTRY)
    drawn_less = declared - ring > settings.area_tolerance * declared + pixel
    return Areas(
        claimed, planted, fields, registered, registry_stale, tuple(against), drawn_less,
        allowed is not None and declared > allowed,
    )  # fmt: skip


def _open(ground: SeenGround, facts: ParcelFacts, planted: float | None) -> float:
    """Return how much of a ring is no field, m2.

    Outlines look on few dates, and a crop that grew between two of them leaves land that was never
    green. Where the pixels, which look on all, saw a crop come up, only what they did not see
    planted can be bare.
    """
    if planted is None or not facts.cycle_seen or ground.open_cover != _BARE:
        return ground.open_m2
    return min(ground.open_m2, max(0.0, facts.ring_area_m2 - planted))


def _left_out(ground: SeenGround, facts: ParcelFacts, settings: EvidenceSettings) -> float:
    """Return how much of its own field a ring leaves undrawn, m2: it is misplaced, not too large.

    A strip along the outline bounds it: a seen field may be several that nobody told apart.
    """
    drawn = ground.main_share * facts.ring_area_m2
    undrawn = min(ground.main_undrawn, 1.0 - 1e-9)
    return min(drawn * undrawn / (1.0 - undrawn), settings.misplaced_m * facts.perimeter_m)


def pixel_area(facts: ParcelFacts) -> float:
    """Return the ground of one pixel, m2: a difference of one pixel is resolution, not a lie."""
    return facts.ring_area_m2 / facts.pixels if facts.pixels > 0 else 0.0


def area_codes(areas: Areas) -> Iterator[str]:
    """Yield what the kinds of evidence say of the area."""
    if areas.planted is None:
        yield "area_unseen"
    if areas.overdrawn:
        yield "area_overdrawn"
    elif areas.doubted:
        yield "area_doubt"
    if areas.unregistered:
        bounds = areas.bounding_registered is not None
        yield "area_conflict_registry" if bounds else "area_registry_old"
    if areas.planted is not None and not (areas.drawn_less or areas.unregistered or areas.against):
        yield "area_agrees"


def covered(facts: ParcelFacts, areas: Areas) -> dict[str, float | str | None]:
    """Name what an over-drawn ring covers besides its own field: whose field, or what land."""
    ground = facts.ground
    if ground is None or not areas.overdrawn:
        return {}
    least = pixel_area(facts)
    found: dict[str, float | str | None] = {}
    if ground.foreign_m2 > least:
        found["covers_field"] = ground.foreign_parcel or ground.foreign_field
        found["covers_field_m2"] = ground.foreign_m2
    if ground.open_m2 > least:
        found["covers"], found["covers_m2"] = ground.open_cover, ground.open_m2
    return found


def ground_columns(ground: SeenGround | None) -> dict[str, float | str | None]:
    """Return the columns of seen fields, empty where nobody looked."""
    return {
        "fields_area_m2": None if ground is None else ground.own_m2,
        "foreign_area_m2": None if ground is None else ground.foreign_m2,
        "foreign_parcel": None if ground is None else ground.foreign_parcel,
        "foreign_field": None if ground is None else ground.foreign_field,
        "open_area_m2": None if ground is None else ground.open_m2,
        "open_cover": None if ground is None else ground.open_cover,
    }
