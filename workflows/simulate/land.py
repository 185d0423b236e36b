"""Land of one tile: roads, river, villages, forest, orchards, greenhouses, tea and fields.

Owns geometry in the tile's metric CRS; knows no date and no crop. A square is cut recursively, by
roads into blocks and by ridges into fields, with tilted cuts at random shares: the long, narrow,
small and irregular strips of a settled plain come out of one rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
import shapely.affinity
from shapely.geometry import LineString, Polygon, box
from shapely.ops import split

from fieldline.pipeline.records.units import M2_PER_MU
from fieldline.workflows.simulate.settings import LandSettings

Floats = npt.NDArray[np.float64]

FIELD, VILLAGE, FOREST, ORCHARD, GREENHOUSE, WATER, ROAD, TEA = range(8)
COVERS = ("field", "village", "forest", "orchard", "greenhouse", "water", "road", "tea")
PERMANENT = (ORCHARD, GREENHOUSE, TEA)
"""Covers that farmers work and no season's crop stands on."""
_VILLAGES, _FORESTS = 0.08, 0.05
_BLOCK_M2 = 90_000.0
_ROAD_M, _LANE_M, _RIDGE_M = 9.0, 4.0, 0.8
_RIVER_M = 28.0
_SMALLEST_FIELD_M2 = 230.0
#: A piece is cut while it exceeds this multiple of its target; sets the median to the target.
_STOP = 4.0


@dataclass(frozen=True)
class Land:
    """Polygons of one tile that do not overlap; what is left between them is verge."""

    polygons: npt.NDArray[np.object_]
    """Shapely polygons in the tile's CRS, metres."""
    kind: npt.NDArray[np.int64]
    """Cover of each polygon, index into `COVERS`."""
    block: npt.NDArray[np.int64]
    """Block of each polygon, -1 where none."""

    @property
    def fields(self) -> npt.NDArray[np.int64]:
        """Positions of the field polygons."""
        return np.flatnonzero(self.kind == FIELD)

    @property
    def permanent(self) -> npt.NDArray[np.int64]:
        """Positions of the orchards, greenhouses and tea gardens."""
        return np.flatnonzero(np.isin(self.kind, PERMANENT))


def _parts(shape: shapely.Geometry) -> list[Polygon]:
    if isinstance(shape, Polygon):
        return [] if shape.is_empty else [shape]
    return [p for p in getattr(shape, "geoms", ()) if isinstance(p, Polygon) and not p.is_empty]


def _cut(polygon: Polygon, rng: np.random.Generator, tilt: float, gap: float) -> list[Polygon]:
    """Cut across the longer side at a random share; the two halves keep a gap between them."""
    frame = shapely.get_coordinates(shapely.oriented_envelope(polygon))
    sides = np.diff(frame[:3], axis=0)
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    long = int(np.argmax(lengths))
    along, reach = sides[long] / lengths[long], lengths.sum() * 2
    start = frame[long] + sides[1 - long] / 2 * (1 if long == 0 else -1)
    point = start + along * lengths[long] * rng.uniform(0.36, 0.64)
    angle = np.arctan2(along[1], along[0]) + np.pi / 2 + rng.normal(0, tilt)
    arm = np.array([np.cos(angle), np.sin(angle)]) * reach
    halves = _parts(split(polygon, LineString([point - arm, point + arm])))
    return [p for half in halves for p in _parts(half.buffer(-gap / 2, join_style="mitre"))]


def _divide(polygon: Polygon, target: float, rng: np.random.Generator, sd: float) -> list[Polygon]:
    """Divide a block into fields whose log size spreads by `sd` around the target, m2."""
    todo, fields = [polygon], list[Polygon]()
    while todo:
        piece = todo.pop()
        limit = target * np.exp(rng.normal(0, sd)) * _STOP
        if piece.area <= max(limit, 2 * _SMALLEST_FIELD_M2):
            fields.append(piece)
        else:
            todo.extend(_cut(piece, rng, 0.07, _RIDGE_M))
    return [f for f in fields if f.area >= _SMALLEST_FIELD_M2]


def _blocks(square: Polygon, rng: np.random.Generator) -> list[Polygon]:
    todo, blocks = [(square, 0)], list[Polygon]()
    while todo:
        piece, depth = todo.pop()
        if piece.area <= _BLOCK_M2 * rng.uniform(0.7, 1.6):
            blocks.append(piece)
        else:
            gap = _ROAD_M if depth < 3 else _LANE_M
            todo.extend((half, depth + 1) for half in _cut(piece, rng, 0.05, gap))
    return blocks


def _river(side: float, rng: np.random.Generator) -> Polygon:
    steps = np.linspace(-0.1, 1.1, 40) * side
    phase = rng.uniform(0, 2 * np.pi, 3)
    bend = sum(np.sin(steps / side * k * 4 + p) / k for k, p in zip((1, 2, 3), phase, strict=True))
    line = LineString(np.column_stack([steps, side * 0.3 + bend * side * 0.06]))
    return line.buffer(_RIVER_M / 2)


def _block_shares(land: LandSettings) -> dict[int, float]:
    """Return what a block between roads becomes, by share; a block of fields otherwise."""
    shares = {VILLAGE: _VILLAGES, FOREST: _FORESTS, ORCHARD: land.orchards,
              GREENHOUSE: land.greenhouses, TEA: land.tea}  # fmt: skip
    return {kind: share for kind, share in shares.items() if share > 0}


def _block_kinds(
    count: int, shares: dict[int, float], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Give every block a cover; each cover stands at least once where there is room."""
    kinds = np.full(count, FIELD)
    order = rng.permutation(count)
    taken = 0
    for kind, share in shares.items():
        number = max(1, round(share * count))
        kinds[order[taken : taken + number]] = kind
        taken += number
    return kinds


def side_length(fields: int, land: LandSettings) -> float:
    """Return the edge of a square that should hold this many fields, metres, even pixels."""
    mean = land.field_median_mu * M2_PER_MU * np.exp(land.field_log_sd**2 / 2)
    metres = np.sqrt(fields * mean / (1 - sum(_block_shares(land).values())) * 1.15) + 60
    return float(np.ceil(metres / 20) * 20)


def lay_out(side: float, land: LandSettings, rng: np.random.Generator) -> Land:
    """Lay out one tile.

    Args:
        side: Edge of the square tile, metres; its origin is the lower left corner.
        land: Land settings (field sizes).
        rng: Generator of this tile.

    Returns:
        Polygons with their covers, fields and blocks in a stable order.
    """
    tile, river = box(0, 0, side, side), _river(side, rng)
    turned = shapely.affinity.rotate(
        box(-0.13 * side, -0.13 * side, 1.13 * side, 1.13 * side), rng.uniform(-12, 12)
    )
    dry = tile.difference(river.buffer(6))
    blocks = [p for b in _blocks(turned, rng) for p in _parts(b.intersection(dry)) if p.area > 900]
    kinds = _block_kinds(len(blocks), _block_shares(land), rng)
    polygons, kind, block = list[Polygon](), list[int](), list[int]()
    for number, (shape, cover) in enumerate(zip(blocks, kinds, strict=True)):
        pieces = [shape]
        if cover == FIELD:
            target = (
                land.field_median_mu * M2_PER_MU * np.exp(rng.normal(0, land.field_log_sd * 0.9))
            )
            pieces = _divide(shape, target, rng, land.field_log_sd * 0.75)
        elif cover in PERMANENT:
            pieces = _divide(shape, land.permanent_median_mu * M2_PER_MU, rng, 0.3)
        polygons += pieces
        kind += [int(cover)] * len(pieces)
        block += [number] * len(pieces)
    wet = _parts(river.intersection(tile))
    return Land(
        np.array([*polygons, *wet], dtype=object),
        np.array([*kind, *[WATER] * len(wet)], dtype=np.int64),
        np.array([*block, *[-1] * len(wet)], dtype=np.int64),
    )


def shapes_of(shape: shapely.Geometry) -> list[Polygon]:
    """Return the polygons of a geometry, largest first."""
    return sorted(_parts(shape), key=lambda part: -part.area)
