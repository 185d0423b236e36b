"""Which share of each grid cell lies inside a polygon: exact, and for all polygons at once.

Owns that geometry and nothing of pixels. The one idea is Green's theorem cell by cell, as renderers
of type use it: the piece of an edge inside a cell covers what lies to its right in that cell, and
its height in every further cell of the row. Lengths are whole numbers of 2**-36 cells (10 m / 7e10,
far below a coordinate's own rounding), so an outline closes to exactly nothing, and the shares of a
polygon depend neither on the order of its edges nor on the polygons beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from fieldline.pipeline.imagery.grid import Grid

_BITS = 36
_ONE = 1 << _BITS
_LEAST = 1 << 6  # 1e-9 of a cell; below it lies what a cell that is only touched has of rounding
_PIECES_AT_ONCE = 50_000  # pieces of edges; some 10 MB, and the sort stays in the cache

Whole = NDArray[np.int64]
"""Lengths in 2**-36 cells, or counts."""


@dataclass(frozen=True)
class CellShares:
    """Cells of polygons, by polygon and then row by row."""

    counts: Whole
    """Cells of each polygon, in the order of the polygons."""
    cells: Whole
    """Number of each cell on the grid, row by row."""
    shares: NDArray[np.float32]
    """Share of the cell inside the polygon, above 0 to 1."""


@dataclass(frozen=True)
class _Edges:
    """Edges of outlines, each from its upper end to its lower, level ones left out."""

    owner: Whole
    """Number of the polygon."""
    sign: Whole
    """1 where the polygon lies to the right, -1 where to the left."""
    x: Whole
    """Column of the upper end."""
    y: Whole
    run: Whole
    """Columns from the upper to the lower end."""
    fall: Whole
    """Rows from the upper to the lower end, above 0."""

    def take(self, places: NDArray[Any] | slice) -> _Edges:
        """Return edges by number, by flag or from one to another."""
        return _Edges(*(column[places] for column in vars(self).values()))

    def pieces(self) -> NDArray[np.float64]:
        """Return into how many pieces the cells cut each edge, at most."""
        return (np.abs(self.run) + self.fall) / _ONE + 2


def cell_shares(polygons: NDArray[np.object_], grid: Grid) -> CellShares:
    """Return which cells of a grid polygons cover, and by which share.

    Args:
        polygons: Valid polygons and multipolygons in the grid's CRS, of any orientation; one that
            is empty, or has a coordinate that is not finite, covers nothing.
        grid: The grid; what lies outside has no cell.
    """
    edges = _edges(polygons, grid)
    parts = [_of_edges(part, grid) for part in _portions(edges)]
    nothing = np.zeros(0, np.int64)
    owners, cells, shares = (
        np.concatenate(columns)
        for columns in zip((nothing, nothing, nothing.astype(np.float32)), *parts, strict=True)
    )
    return CellShares(np.bincount(owners, minlength=len(polygons)), cells, shares)


def _edges(polygons: NDArray[np.object_], grid: Grid) -> _Edges:
    """Return the edges of all rings in units of cells, the polygon's side of each known."""
    parts, part_owner = shapely.get_parts(polygons, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    first_of_part = np.append(True, np.diff(ring_part) > 0)[: len(rings)]
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    owner = part_owner[ring_part][ring]
    known = np.ones(len(polygons), dtype=bool)
    known[owner[~np.isfinite(corners).all(axis=1)]] = False
    corners, ring, owner = corners[known[owner]], ring[known[owner]], owner[known[owner]]
    x, y = _on_grid(corners, grid)
    start = np.flatnonzero(ring[:-1] == ring[1:])  # rings are closed: each corner but the last
    run, fall = x[start + 1] - x[start], y[start + 1] - y[start]
    turn = _turn(x, y, start, ring[start], run, fall, len(rings))
    outward = np.where(first_of_part, -turn, turn)[ring[start]]
    up = fall < 0
    edges = _Edges(
        owner[start], np.where(up, -outward, outward), np.where(up, x[start] + run, x[start]),
        np.where(up, y[start] + fall, y[start]), np.where(up, -run, run), np.abs(fall),
    )  # fmt: skip
    return edges.take(fall != 0)


def _on_grid(corners: NDArray[np.float64], grid: Grid) -> tuple[Whole, Whole]:
    left, top = grid.transform.c, grid.transform.f
    scale = _ONE / grid.resolution
    x, y = (corners[:, 0] - left) * scale, (top - corners[:, 1]) * scale
    return np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)


def _turn(
    x: Whole, y: Whole, start: Whole, ring: Whole, run: Whole, fall: Whole, rings: int
) -> Whole:
    """Return 1 for rings that turn one way, -1 for the other way: the sign of their area."""
    first = np.zeros(rings, np.int64)
    first[ring[::-1]] = start[::-1]
    east, south = (axis[start] - axis[first[ring]] for axis in (x, y))
    twice = np.bincount(ring, (east / _ONE) * fall - (south / _ONE) * run, minlength=rings)
    return np.sign(twice).astype(np.int64)


def _portions(edges: _Edges) -> Iterator[_Edges]:
    """Yield the edges of whole polygons, so many that their pieces fit in a cache."""
    if not edges.owner.size:
        return
    begins = np.flatnonzero(np.append(True, np.diff(edges.owner) > 0))
    before = np.append(0.0, np.cumsum(edges.pieces()))[begins]
    portion = (before // _PIECES_AT_ONCE).astype(np.int64)
    cuts = begins[np.append(True, np.diff(portion) > 0)]
    for first, last in zip(cuts, np.append(cuts[1:], edges.owner.size), strict=True):
        yield edges.take(slice(first, last))


def _of_edges(edges: _Edges, grid: Grid) -> tuple[Whole, Whole, NDArray[np.float32]]:
    """Return polygon, cell and share for the edges of whole polygons, in that order."""
    owner, row, column, share, height = _in_cells(*_in_rows(edges, grid.height))
    if not owner.size:
        return owner, owner, owner.astype(np.float32)
    low = min(0, int(column.min()))
    width = max(grid.width, int(column.max()) + 1) - low + 1
    place = (owner * grid.height + row) * width + (column - low)
    order = np.argsort(place)
    place = place[order]
    begins = np.flatnonzero(np.append(True, np.diff(place) > 0))
    place = place[begins]
    share = np.add.reduceat(share[order], begins)
    after = np.cumsum(np.add.reduceat(height[order], begins))  # a row closes to 0, so they join
    share[1:] += after[:-1]
    return _filled(place, share, after, low, width, grid)


def _filled(
    place: Whole, share: Whole, after: Whole, low: int, width: int, grid: Grid
) -> tuple[Whole, Whole, NDArray[np.float32]]:
    """Add the cells that no edge meets, between those that edges meet, and drop the empty ones."""
    gap = np.append(np.diff(place), 1)
    length = np.where(after != 0, gap, 1)
    begins = np.append(0, np.cumsum(length)[:-1])
    total = int(length.sum())
    shares = np.repeat(after, length)
    shares[begins] = share
    places = np.arange(total) - np.repeat(begins - place, length)
    line, column = np.divmod(places, width)
    column += low
    kept = (shares > _LEAST) & (column >= 0) & (column < grid.width)
    owner, row = np.divmod(line[kept], grid.height)
    part = (np.minimum(shares[kept], _ONE) / _ONE).astype(np.float32)
    return owner, row * grid.width + column[kept], part


def _in_rows(edges: _Edges, height: int) -> tuple[Whole, Whole, Whole, Whole, Whole, Whole]:
    """Cut edges at the rows' borders.

    Returns:
        Owner, row, sign, the left and the right end of each piece, and its height.
    """
    first = np.maximum(edges.y >> _BITS, 0)
    last = np.minimum((edges.y + edges.fall - 1) >> _BITS, height - 1)
    edge, row = _spread(first, last)
    cut = edges.take(edge)
    top = np.maximum(cut.y, row << _BITS) - cut.y
    bottom = np.minimum(cut.y + cut.fall, (row + 1) << _BITS) - cut.y
    ends = [cut.x + _part(cut.run, reached, cut.fall) for reached in (top, bottom)]
    return cut.owner, row, cut.sign, np.minimum(*ends), np.maximum(*ends), bottom - top


def _in_cells(
    owner: Whole, row: Whole, sign: Whole, left: Whole, right: Whole, height: Whole
) -> tuple[Whole, Whole, Whole, Whole, Whole]:
    """Cut the pieces of a row at the columns' borders.

    Returns:
        Owner, row, column, what a piece covers of its cell, and its height, both with their sign.
    """
    first = left >> _BITS
    piece, column = _spread(first, np.maximum(first, (right - 1) >> _BITS))
    left, right, height = left[piece], right[piece], height[piece]
    begin, end = np.maximum(left, column << _BITS), np.minimum(right, (column + 1) << _BITS)
    across = right - left
    upright = across == 0
    across[upright] = 1
    low = _part(height, begin - left, across)
    tall = _part(height, end - left, across) - low
    tall[upright] = height[upright]
    middle = ((begin - (column << _BITS)) + (end - (column << _BITS))) / (2 * _ONE)
    covered = np.rint(tall * (1.0 - middle)).astype(np.int64)
    sign = sign[piece]
    return owner[piece], row[piece], column, sign * covered, sign * tall


def _part(length: Whole, reached: Whole, whole: Whole) -> Whole:
    """Return `length * reached / whole`, rounded; exactly `length` where all is reached."""
    return np.rint(length * (reached / whole)).astype(np.int64)


def _spread(first: Whole, last: Whole) -> tuple[Whole, Whole]:
    """Return each of the numbers from `first` to `last` with the place of its range."""
    length = np.maximum(last - first + 1, 0)
    place = np.repeat(np.arange(length.size), length)
    begins = np.cumsum(length) - length
    return place, np.arange(place.size) - begins[place] + first[place]
