"""Where a row of the county's outlines stands: its file or layer, and its number there.

Owns the words by which a person finds a row again; knows no outline.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True)
class Places:
    """Rows of one or more files and layers, numbered through."""

    starts: tuple[int, ...] = (0,)
    """First row of each file or layer, ascending, from 0."""
    labels: tuple[str, ...] = ("",)
    """Name of each; empty where there is only one."""

    def of(self, row: int) -> dict[str, object]:
        """Return the number of a row in its file or layer (from 1) and, of several, its name."""
        part = bisect_right(self.starts, row) - 1
        where: dict[str, object] = {"row": row - self.starts[part] + 1}
        if self.labels[part]:
            # Details are `name=value` separated by blanks.
            where["of_file"] = "_".join(self.labels[part].split())
        return where
