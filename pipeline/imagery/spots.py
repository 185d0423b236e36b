"""The pixels of a grid window that are asked for: all of them, or the cells that parcels cover.

Owns the arithmetic between a window, a part of it and chosen cells; reads nothing. The one idea: a
county's parcels are a part of its land, so what is worked out pixel by pixel (reflectance, gaps,
what is clear) is worked out for their cells alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

Cells = NDArray[np.intp]
"""Cells of a window, ascending, numbered row by row."""
Index = tuple[slice | Cells, ...]
"""Where the pixels of a part stand among those of the whole."""


@dataclass(frozen=True)
class Spots:
    """Pixels of a window."""

    window: Window
    """Part of the county's grid."""
    cells: Cells | None = None
    """The cells that are asked for; None where all are, as rows and columns."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an array with one value for each pixel."""
        if self.cells is None:
            return int(self.window.height), int(self.window.width)
        return (self.cells.size,)

    def pick(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels' values from a plane of the window, (rows, columns)."""
        if self.cells is None:
            return plane
        # The cells lie inside: "clip" leaves out the check of each, and never clips.
        return np.take(plane.reshape(-1), self.cells, mode="clip")

    def within(self, part: Window) -> tuple[Index, Spots]:
        """Return where the pixels of a part stand, and these pixels.

        Args:
            part: A window inside this one.
        """
        if part == self.window:
            return tuple(slice(None) for _ in self.shape), self
        row, column = (
            int(part.row_off - self.window.row_off),
            int(part.col_off - self.window.col_off),
        )
        high, wide = int(part.height), int(part.width)
        if self.cells is None:
            return (slice(row, row + high), slice(column, column + wide)), Spots(part)
        down, across = np.divmod(self.cells, int(self.window.width))
        down, across = down - row, across - column
        kept = np.flatnonzero((down >= 0) & (down < high) & (across >= 0) & (across < wide))
        inner = Spots(part, down[kept] * wide + across[kept])
        return ((slice(None),) if kept.size == self.cells.size else (kept,)), inner
