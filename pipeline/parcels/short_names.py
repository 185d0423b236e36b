"""Column names that a Shapefile cut to ten bytes, found by what they were cut from.

Owns the step from `declared_c` to `declared_crop`: by the unique beginning of Fieldline's own names
and of the common names of `data/column_names.csv`. Where the cut took the unit of an area away, the
drawn areas decide it, because mu, ha and m2 lie factors of 15 and 667 apart. Reads no file.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.rings import metres_per_degree
from fieldline.pipeline.records.errors import UserError

#: Bytes of a column name in a .dbf.
_BYTES = 10
#: Declared and drawn areas of the same fields agree within this factor, in the middle of them.
_AGREES = 2.0
_AREA = "declared_area"


def lengthened(
    layer: Layer,
    roles: Sequence[str],
    *,
    taken: Collection[str],
    units: Mapping[str, float],
    source: Path,
) -> dict[str, str]:
    """Return the column for each role that only a cut name holds.

    Args:
        layer: A layer whose format cuts names.
        roles: Fieldline's names that no column bears whole.
        taken: Columns that are known already.
        units: Square metres per unit of each area role.
        source: File, for messages.

    Raises:
        UserError: A cut name that may be several of Fieldline's names.
    """
    found: dict[str, str] = {}
    for column in (name for name in layer.columns if name not in taken):
        meant = [role for role in _meanings(column) if role in roles and role not in found]
        areas = meant if len(meant) > 1 and all(role in units for role in meant) else []
        if areas:
            meant = _by_area(layer, column, {role: units[role] for role in areas})
        if len(meant) == 1:
            found[meant[0]] = column
        elif areas:
            raise UserError(
                f"column {column} of {source} was cut to ten characters and may be "
                f"{' or '.join(areas)}, and the drawn areas do not tell which",
                "say which under inputs.parcel_columns",
            )
    return found


def full_name(layer: Layer, name: str) -> str:
    """Return the layer's own column for a configured name, which the format may have cut."""
    if not layer.short_names or name in layer.columns:
        return name
    cut = [c for c in layer.columns if _is_cut(c) and _plain(name).startswith(_plain(c))]
    return cut[0] if len(cut) == 1 else name


def _is_cut(column: str) -> bool:
    """Whether a name fills the ten bytes, or as many of them as whole Chinese characters can."""
    sizes = [len(column.encode(encoding, "replace")) for encoding in ("utf-8", "gb18030")]
    return any(size in (_BYTES - 1, _BYTES) for size in sizes) and (
        not column.isascii() or len(column) == _BYTES
    )


def _meanings(column: str) -> list[str]:
    """Return the roles whose names begin with a cut name; Fieldline's own names come first."""
    if not _is_cut(column):
        return []
    cut = _plain(column)
    own = [role for name, role in _names() if name == role and name.startswith(cut)]
    return list(dict.fromkeys(own or [r for name, r in _names() if name.startswith(cut)]))


def _plain(name: str) -> str:
    return "_".join(name.strip().casefold().split())


@cache
def _names() -> list[tuple[str, str]]:
    """Return every known column name and its role, Fieldline's own names among them."""
    with (files("fieldline") / "data" / "column_names.csv").open(encoding="utf-8") as handle:
        rows = [(_plain(row["name"]), row["role"]) for row in csv.DictReader(handle)]
    roles = [role for _, role in rows if role not in (_AREA, "any_id")]
    return [(role, role) for role in dict.fromkeys(roles)] + rows


def _by_area(layer: Layer, column: str, units: Mapping[str, float]) -> list[str]:
    """Return the unit in which the declared areas are about the drawn ones."""
    declared = np.array([_positive(cell) for cell in layer.columns[column]])
    drawn = shapely.area(layer.shapes.geometries) * _square_metres(layer)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = declared / drawn
    ratios = ratios[np.isfinite(ratios) & (ratios > 0)]
    if len(ratios) == 0:
        return []
    middle = float(np.median(ratios))
    return [role for role, m2 in units.items() if 1 / _AGREES <= middle * m2 <= _AGREES]


def _positive(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def _square_metres(layer: Layer) -> float:
    """Return the square metres of one square unit of the layer's coordinates, NaN where unknown."""
    if layer.crs is None:
        return float("nan")
    if layer.crs.is_projected:
        return float(layer.crs.axis_info[0].unit_conversion_factor) ** 2
    south, north = shapely.total_bounds(layer.shapes.geometries)[[1, 3]]
    east_m, north_m = metres_per_degree(float(np.clip((south + north) / 2, -89, 89)))
    return east_m * north_m
