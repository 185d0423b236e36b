"""Drawn fields to be held against: each once, within the scenes, and none of them learnt from.

Owns what is left out of two files of outlines before figures are made of them, and says it. Lineage
tells files by their hash; here the fields themselves are compared, so the same field in another
file, format or coordinate system is still the same field.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.records.errors import UserError

_SAME = 0.5
"""From this overlap on no polygon matches two others: what the figures take for granted."""
_INSIDE = 0.5
"""Least share of a field that lies where the scenes are."""


@dataclass(frozen=True)
class Drawn:
    """Outlines to be judged by and to learn from, in the grid's CRS."""

    truth: gpd.GeoSeries
    learnt: gpd.GeoSeries | None
    notes: tuple[str, ...]
    """What was left out, in words."""


def drawn_apart(truth: gpd.GeoSeries, learnt: gpd.GeoSeries | None, grid: Grid) -> Drawn:
    """Return the fields that count.

    Args:
        truth: Fields to be held against, in the grid's CRS.
        learnt: Fields to learn from, in the same CRS.
        grid: Grid of the scenes: fields end where it ends, for nothing is seen beyond.

    Raises:
        UserError: Nothing is left of one of them.
    """
    notes = []
    kept, beyond = _within(truth, grid)
    if beyond:
        notes.append(f"{beyond} fields to be held against lie mostly outside the scenes")
    if not len(kept):
        raise UserError(
            "every field to be held against lies mostly outside the scenes",
            "give scenes of the whole area, or fields within them",
        )
    once = _once(kept)
    if not once.all():
        notes.append(f"{(~once).sum()} fields to be held against are drawn twice: one counts")
    kept = kept[once].reset_index(drop=True)
    if learnt is None:
        return Drawn(kept, None, tuple(notes))
    told = _met(learnt, truth)
    if told.any():
        notes.append(
            f"{told.sum()} of {len(learnt)} fields to learn from are also to be held against: they "
            "are not learnt"
        )
    if told.all():
        raise UserError(
            "every field to learn from is also to be held against",
            "hold back fields that lie apart from them",
        )
    return Drawn(kept, learnt[~told].reset_index(drop=True), tuple(notes))


def _within(fields: gpd.GeoSeries, grid: Grid) -> tuple[gpd.GeoSeries, int]:
    """Return fields cut at the grid's edge without those mostly beyond, and how many these are."""
    outlines = np.asarray(fields, dtype=object)
    edge = shapely.box(*grid.bounds)
    cut = np.where(shapely.within(outlines, edge), outlines, shapely.intersection(outlines, edge))
    inside = shapely.area(cut) >= _INSIDE * shapely.area(outlines)
    return gpd.GeoSeries(cut[inside], crs=fields.crs), int((~inside).sum())


def _once(fields: gpd.GeoSeries) -> NDArray[np.bool_]:
    """Return which fields are no copy of an earlier one."""
    outlines = np.asarray(fields, dtype=object)
    one, other = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    later = one > other
    one, other = one[later], other[later]
    common = shapely.area(shapely.intersection(outlines[one], outlines[other]))
    union = shapely.area(outlines[one]) + shapely.area(outlines[other]) - common
    once = np.ones(len(outlines), dtype=np.bool_)
    once[one[common > _SAME * union]] = False
    return once


def _met(learnt: gpd.GeoSeries, truth: gpd.GeoSeries) -> NDArray[np.bool_]:
    """Return which fields share half of the smaller area with one to be held against."""
    first, second = (np.asarray(part, dtype=object) for part in (learnt, truth))
    one, other = shapely.STRtree(second).query(first, predicate="intersects").reshape(2, -1)
    common = shapely.area(shapely.intersection(first[one], second[other]))
    least = np.minimum(shapely.area(first[one]), shapely.area(second[other]))
    met = np.zeros(len(first), dtype=np.bool_)
    met[one[common >= _SAME * least]] = True
    return met
