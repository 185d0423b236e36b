"""The rings farmers draw: honest ones with a shaking hand, and the planted lies.

Owns the geometry of claims in the tile's metric CRS. A lie keeps to one parcel in all seasons, as a
ring does; what is declared on it may change by season.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely import STRtree
from shapely.affinity import translate
from shapely.geometry import Polygon, box

from fieldline.workflows.simulate.land import (
    COVERS,
    FOREST,
    GREENHOUSE,
    ORCHARD,
    PERMANENT,
    VILLAGE,
    Land,
    shapes_of,
)
from fieldline.workflows.simulate.people import People
from fieldline.workflows.simulate.settings import LandSettings, LieSettings

Floats = npt.NDArray[np.float64]

HONEST, OVERDRAWN, SAME_PARCEL, GREENHOUSE_CLAIM, FAKE, ORCHARD_CLAIM = (
    "honest", "overdrawn", "same_parcel", "greenhouse", "fake_farming", "orchard",
)  # fmt: skip
_DIRECTIONS = 8
_SHIFT_M = (1.5, 4.0)
_FAKE_SIDE_M = (25.0, 80.0)


@dataclass(frozen=True)
class Claim:
    """One drawn ring."""

    ring: Polygon
    farmer: int
    """Row of the farmer who draws it."""
    field: int
    """The field under the ring (position among fields), -1 where there is none."""
    kind: str
    """`honest` or the planted lie."""
    land_use: str
    """What the ground is."""
    rival: int = -1
    """Position of the claim that is rightful, for a parcel claimed twice."""
    ground: int = -1
    """The orchard, greenhouse or tea garden that its grower claims as what it is (position among
    the land's polygons), -1 for any other claim."""


def draw(polygon: Polygon, noise_m: float, rng: np.random.Generator) -> Polygon:
    """Draw a field with a shaking hand: every corner moves a little, the ring stays valid."""
    corners = np.asarray(polygon.exterior.coords)[:-1]
    moved = Polygon(corners + rng.normal(0, noise_m, corners.shape))
    return moved if moved.is_valid and moved.area > 0 else polygon


def _overdraw(field: Polygon, growth: float, others: STRtree) -> Polygon:
    """Sweep the ring to the side where it meets the fewest other claims."""
    best, least = field, np.inf
    for angle in np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS:
        unit = np.array([np.cos(angle), np.sin(angle)])
        across = np.ptp(np.asarray(field.exterior.coords) @ np.array([-unit[1], unit[0]]))
        step = unit * growth * field.area / across
        swept = shapes_of(shapely.union(field, translate(field, *step)).buffer(0.5).simplify(1.0))[
            0
        ]
        hit = others.query(swept, predicate="intersects")
        clash = sum(swept.intersection(others.geometries[i]).area for i in hit)
        if clash < least:
            best, least = swept, clash
    return best


def _fake_ring(ground: Polygon, rng: np.random.Generator) -> Polygon:
    middle = np.asarray(ground.representative_point().coords)[0]
    half = rng.uniform(*_FAKE_SIDE_M, 2) / 2
    ring = box(*(middle - half), *(middle + half)).intersection(ground.buffer(-1))
    parts = shapes_of(ring)
    return parts[0] if parts else ground


def counts(parcels: int, lies: LieSettings) -> dict[str, int]:
    """Return how many claims of each kind a number of parcels holds."""
    planted = {
        SAME_PARCEL: round(lies.same_parcel * parcels),
        GREENHOUSE_CLAIM: round(lies.greenhouse * parcels),
        FAKE: round(lies.fake_farming * parcels),
        OVERDRAWN: round(lies.overdrawn * parcels),
        ORCHARD_CLAIM: round(lies.orchard * parcels),
    }
    return {HONEST: parcels - sum(planted.values()), **planted}


def claims(
    land: Land, people: People, parcels: int, settings: tuple[LandSettings, LieSettings],
    rng: np.random.Generator,
) -> list[Claim]:  # fmt: skip
    """Draw all claims of a tile: exactly `parcels` of them.

    Args:
        land: The tile's land, with at least as many fields as claims on fields.
        people: Its farmers.
        parcels: Number of claims.
        settings: Land and lie settings.
        rng: Generator of this tile.
    """
    noise, wanted = settings[0].ring_noise_m, counts(parcels, settings[1])
    fields = land.polygons[land.fields]
    grown = _grounds(land, people, round(settings[0].permanent * parcels), rng)
    real = wanted[HONEST] + wanted[OVERDRAWN] - len(grown)
    applying = _applying(people, real)
    over = set(rng.permutation(real)[: wanted[OVERDRAWN]].tolist())
    found = []
    for place, field in enumerate(applying):
        kind, ring = HONEST, draw(fields[field], noise, rng)
        if place in over:
            others = STRtree(
                [fields[f] for f in applying if f != field and _near(fields, f, field)]
            )
            growth = settings[1].overdrawn_growth * rng.uniform(0.6, 1.4)
            kind, ring = OVERDRAWN, draw(_overdraw(fields[field], growth, others), noise, rng)
        found.append(Claim(ring, int(people.owner[field]), int(field), kind, "cropland"))
    found += _same_parcels(found, wanted[SAME_PARCEL], people, noise, rng)
    found += [
        Claim(draw(land.polygons[ground], noise, rng), grower, -1, HONEST,
              COVERS[land.kind[ground]], ground=ground)
        for ground, grower in grown
    ]  # fmt: skip
    taken = [ground for ground, _ in grown]
    liars = np.unique(people.owner[applying])
    for kind, number, covers in (
        (GREENHOUSE_CLAIM, wanted[GREENHOUSE_CLAIM], (GREENHOUSE,)),
        (FAKE, wanted[FAKE], (FOREST, VILLAGE)),
        (ORCHARD_CLAIM, wanted[ORCHARD_CLAIM], (ORCHARD,)),
    ):
        found += _off_field(land, kind, number, covers, liars, noise, rng, taken)
    return found


def _grounds(
    land: Land, people: People, number: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Return permanent grounds that are claimed and their growers, at most so many.

    Growers come in chance order, each with all that is theirs; every third ground of a cover is of
    people who do not apply, so that some are left to lie about.
    """
    if number == 0 or not len(people.grower):
        return []
    turn = np.zeros(len(land.permanent), dtype=np.int64)
    for cover in PERMANENT:
        own = land.kind[land.permanent] == cover
        turn[own] = np.arange(own.sum())
    open_to = np.flatnonzero(turn % 3 != 0)
    order = rng.permutation(int(people.grower.max()) + 1)[people.grower[open_to]]
    chosen = np.sort(open_to[np.argsort(order, kind="stable")[:number]])
    return [(int(land.permanent[i]), int(people.grower[i])) for i in chosen]


def _near(fields: npt.NDArray[np.object_], first: int, second: int) -> bool:
    return bool(fields[first].distance(fields[second]) < 120)


def _applying(people: People, number: int) -> npt.NDArray[np.int64]:
    """Return the fields of the first whole farms that make up the number."""
    order = np.argsort(people.owner, kind="stable")
    return np.sort(order[:number])


def _same_parcels(
    rightful: list[Claim], number: int, people: People, noise: float, rng: np.random.Generator
) -> list[Claim]:
    honest = [i for i, claim in enumerate(rightful) if claim.kind == HONEST]
    picked = rng.choice(honest, size=min(number, len(honest)), replace=False)
    liars = np.array(sorted({claim.farmer for claim in rightful}))
    doubled = []
    for place in picked:
        true = rightful[int(place)]
        house = people.farmers["household_id"].iloc[true.farmer]
        rivals = liars[people.farmers["household_id"].iloc[liars].to_numpy() != house]
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(*_SHIFT_M)
        ring = draw(translate(true.ring, far * np.cos(angle), far * np.sin(angle)), noise, rng)
        doubled.append(
            Claim(ring, int(rng.choice(rivals)), true.field, SAME_PARCEL, "cropland", int(place))
        )
    return doubled


def _off_field(
    land: Land, kind: str, number: int, covers: tuple[int, ...], liars: npt.NDArray[np.int64],
    noise: float, rng: np.random.Generator, taken: list[int],
) -> list[Claim]:  # fmt: skip
    grounds = np.setdiff1d(np.flatnonzero(np.isin(land.kind, covers)), taken)
    if not number:
        return []
    # Distinct grounds first: two liars on one ground would be a third kind of lie.
    picked = rng.permutation(grounds)[:number]
    if len(picked) < number:
        picked = np.concatenate([picked, rng.choice(grounds, number - len(picked))])
    made = []
    for ground in picked:
        shape = land.polygons[ground]
        ring = _fake_ring(shape, rng) if kind == FAKE else shape
        made.append(
            Claim(
                draw(ring, noise, rng),
                int(rng.choice(liars)),
                -1,
                kind,
                COVERS[land.kind[ground]],
            )
        )
    return made
