"""How good field polygons are against polygons that somebody drew.

Owns the figures: best-matching overlap per drawn field, objects found and invented over a grid of
overlaps, panoptic quality, distance between borders in metres, by size band, with bootstrap
intervals over fields. Knows no network.

Source: Kirillov et al. (2019) Panoptic Segmentation (PQ); Persello and Bruzzone (2010) on object
measures; Csillik and others' best-match IoU as in the data's reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]

IOU_GRID = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Overlaps from which a pair counts as one object."""
SIZE_BANDS_HA = ((0.0, 0.5), (0.5, 2.0), (2.0, 10.0), (10.0, 50.0), (50.0, np.inf))
_DRAWS = 1000
_INTERVAL = (2.5, 97.5)
_STEP_M = 5.0


def overlaps(
    drawn: gpd.GeoSeries, seen: gpd.GeoSeries
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """Return all pairs that overlap, their IoU, and the overlap's share of the smaller of the two.

    Args:
        drawn: Polygons in a metric CRS.
        seen: Polygons in the same CRS.

    Returns:
        Positions in `drawn`, positions in `seen`, IoU and share.
    """
    one, other = (np.asarray(list(series), dtype=object) for series in (drawn, seen))
    at, to = shapely.STRtree(other).query(one, predicate="intersects")
    common = shapely.area(shapely.intersection(one[at], other[to]))
    first, second = shapely.area(one[at]), shapely.area(other[to])
    kept = common > 0
    share = common / np.minimum(first, second)
    iou = common / (first + second - common)
    return at[kept], to[kept], iou[kept], share[kept]


def best_overlaps(drawn: gpd.GeoSeries, seen: gpd.GeoSeries) -> Floats:
    """Return the IoU of the best-matching seen polygon of each drawn one; 0 where none overlaps."""
    at, _, iou, _ = overlaps(drawn, seen)
    best = np.zeros(len(drawn))
    np.maximum.at(best, at, iou)
    return best


def score_fields(
    drawn: gpd.GeoSeries, seen: gpd.GeoSeries, *, complete: bool = False, seed: int = 0
) -> dict[str, Any]:
    """Return all figures.

    Args:
        drawn: Polygons that count as true, in a metric CRS.
        seen: Polygons to judge, in the same CRS.
        complete: Whether every field of the area was drawn. Otherwise seen polygons count only
            where they share half of the smaller area with a drawn one: land where nobody drew says
            nothing about invented fields.
        seed: Seed of the bootstrap.
    """
    at, to, iou, share = overlaps(drawn, seen)
    best = np.zeros(len(drawn))
    np.maximum.at(best, at, iou)
    judged = len(seen) if complete else len(np.unique(to[share >= 1 / 2]))
    hectares = np.asarray(drawn.area) / 1e4
    distance = boundary_distances(drawn, seen, at, to, iou)
    return {
        "fields": len(drawn),
        "seen": len(seen),
        "judged": judged,
        "complete": complete,
        "iou": _mean(best, seed),
        "iou_by_field": [round(float(value), 4) for value in best],
        "boundary_m": _mean(distance, seed),
        "objects": _objects(iou, (len(drawn), judged), (best, seed)),
        "by_size_ha": {
            f"{low:g}-{high:g}": {"fields": int(inside.sum()), "iou": _mean(best[inside], seed),
                                  "boundary_m": _mean(distance[inside], seed)}
            for low, high in SIZE_BANDS_HA
            if (inside := (hectares >= low) & (hectares < high)).any()
        },
    }  # fmt: skip


def _objects(iou: Floats, count: tuple[int, int], drawn: tuple[Floats, int]) -> dict[str, Any]:
    """Return precision, recall, F1 and panoptic quality per overlap, and their means.

    From one half on no polygon can match two others, so matches need no assignment.
    """
    found: dict[str, Any] = {}
    for limit in IOU_GRID:
        matched = iou[iou > limit] if limit <= 1 / 2 else iou[iou >= limit]
        hits = len(matched)
        precision = hits / count[1] if count[1] else 0.0
        recall = hits / count[0] if count[0] else 0.0
        both = (count[0] + count[1]) / 2
        found[f"{limit:.2f}"] = {
            "precision": precision, "recall": recall,
            "f1": hits / both if both else 0.0,
            "pq": float(matched.sum()) / both if both else 0.0,
            "recall_interval": _mean((drawn[0] >= limit).astype(float), drawn[1])["interval"],
        }  # fmt: skip
    means = {
        name: float(np.mean([row[name] for row in found.values()]))
        for name in ("precision", "recall", "f1", "pq")
    }
    return {"by_iou": found, "mean": means}


def boundary_distances(
    drawn: gpd.GeoSeries, seen: gpd.GeoSeries, at: NDArray[np.int64], to: NDArray[np.int64],
    iou: Floats,
) -> Floats:  # fmt: skip
    """Return per drawn field the mean distance between its outline and its best match's, m.

    Both ways, every 5 m along the outlines; NaN where nothing overlaps.
    """
    found = np.full(len(drawn), np.nan)
    order = np.argsort(iou, kind="stable")
    best = dict(zip(at[order].tolist(), to[order].tolist(), strict=True))
    for field, match in best.items():
        one, other = drawn.iloc[field].boundary, seen.iloc[match].boundary
        ways = [
            shapely.distance(shapely.points(shapely.get_coordinates(
                shapely.segmentize(here, _STEP_M))), there).mean()
            for here, there in ((one, other), (other, one))
        ]  # fmt: skip
        found[field] = float(np.mean(ways))
    return found


def _mean(values: Floats, seed: int) -> dict[str, Any]:
    """Return the mean of what is known with its 95 % bootstrap interval over fields."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {"value": None, "interval": None, "fields": 0}
    draws = np.random.default_rng(seed).integers(0, len(known), (_DRAWS, len(known)))
    low, high = np.percentile(known[draws].mean(axis=1), _INTERVAL)
    return {"value": float(known.mean()), "interval": [float(low), float(high)],
            "fields": len(known)}  # fmt: skip


def pooled(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean, least and most of the main figures over several seeds."""

    def over(pick: Any) -> dict[str, Any]:
        values = [v for score in scores if (v := pick(score)) is not None]
        if not values:
            return {"mean": None, "low": None, "high": None}
        return {"mean": float(np.mean(values)), "low": min(values), "high": max(values)}

    return {
        "seeds": len(scores),
        "iou": over(lambda s: s["iou"]["value"]),
        "boundary_m": over(lambda s: s["boundary_m"]["value"]),
        "f1_at_50": over(lambda s: s["objects"]["by_iou"]["0.50"]["f1"]),
        "pq_at_50": over(lambda s: s["objects"]["by_iou"]["0.50"]["pq"]),
    }
