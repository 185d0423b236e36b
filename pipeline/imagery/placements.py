"""What lies under a county's pixels, kept for all dates whose files lie alike.

Owns what is kept and how much; `averaging` works it out. The one idea: the files of a tile lie in
the same place on every date, so weights against a grid that does not fit them are the same for all.
What no longer fits is worked out for each date anew, which costs time and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np

from fieldline.pipeline.imagery.averaging import Average, placement
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.resample import FileGeometry, Lookup
from fieldline.pipeline.imagery.spots import Cells, Spots

_MOST = 256 * 2**20
"""Bytes; 40 a pixel, so seven million of them: a county's tile of 25 x 25 km, or of 50 x 50 km
where parcels cover a fifth of it."""
_Key = tuple[FileGeometry, Grid, tuple[int, ...]]


@dataclass(frozen=True)
class _Kept:
    cells: Cells | None
    weights: Average


class Placements:
    """Weights of files under grid pixels, shared by the dates and threads of a run.

    Args:
        most: Memory for what is kept, bytes.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._left = self._most = most
        self._kept: dict[_Key, list[_Kept]] = {}
        self._lock = Lock()

    def of(self, geometry: FileGeometry, grid: Grid, spots: Spots) -> Lookup | Average | None:
        """Return what lies under some pixels, as `placement` does, and raise what it raises."""
        key = (geometry, grid, spots.window.flatten())
        for kept in self._kept.get(key, ()):
            if _same(kept.cells, spots.cells):
                return kept.weights
        found = placement(geometry, grid, spots)
        if isinstance(found, Average):
            self._keep(key, _Kept(spots.cells, found))
        return found

    def clear(self) -> None:
        """Forget what is kept: other pixels come."""
        with self._lock:
            self._kept.clear()
            self._left = self._most

    def _keep(self, key: _Key, kept: _Kept) -> None:
        size = kept.weights.size
        with self._lock:
            if size is not None and size <= self._left:
                self._left -= size
                self._kept.setdefault(key, []).append(kept)


def _same(first: Cells | None, second: Cells | None) -> bool:
    if first is None or second is None:
        return first is second
    return first is second or np.array_equal(first, second)
