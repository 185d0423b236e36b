"""What every outline format is read into: one layer of columns and outlines.

Owns the common shape of a file before anybody said which of its columns is which; reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyproj import CRS

from fieldline.pipeline.inputs.cells import Cells
from fieldline.pipeline.parcels.shapes import Shapes


@dataclass(frozen=True)
class Layer:
    """Rows of one file, or of one layer of it, in file order."""

    columns: Mapping[str, Sequence[Any]]
    """Cells by the file's own column name: Arrow arrays where the format types its columns and says
    its encoding, lists of values elsewhere."""
    shapes: Shapes
    """One outline per row."""
    crs: CRS | None
    """CRS of the layer; None where it carries none that places outlines."""
    ids: list[Any] | None = None
    """`id` of GeoJSON features, which stands in for a `parcel_id` column."""
    name: str = ""
    """Name of the layer; empty where the format has only one."""
    own_crs: str = ""
    """Name of a CRS that the layer states but that places nothing on Earth."""
    short_names: bool = False
    """Whether the format cuts column names to ten bytes (Shapefile)."""
    cells: Cells | None = None
    """The columns of a table (CSV, workbook, Parquet) as it was read."""
    unread: Sequence[str] = ()
    """What the file holds beside its outlines and was not read, one phrase each."""

    @property
    def described(self) -> str:
        """How many rows and which columns, for people; never a cell."""
        rows = f"{len(self.shapes)} row{'s' * (len(self.shapes) != 1)}"
        return f"{rows}, columns {', '.join(self.columns) or 'none'}"
