"""What a mask says of a pixel: clear, cloud or its shadow, snow, something else, or nothing.

Owns the classes of masks (`data/mask_classes.csv`) and how far a cloud reaches; never touches
reflectance. The one idea: a mask that says nothing (its own nodata) is no vote for clear, whatever
list of clear values is configured, and a cloud is larger than what its mask shows.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.pipeline.imagery.settings import MaskSettings

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskClasses:
    """What the values of a mask mean."""

    clear: frozenset[int]
    snow: frozenset[int]
    other: frozenset[int]
    """Not clear, and not what spreads to its neighbours: defective or dark ground."""
    missing: frozenset[int]
    """Nothing is said; any value in none of these sets is cloud or shadow."""


@dataclass(frozen=True)
class MaskPlanes:
    """What a mask says, one plane each, (rows, columns)."""

    said: Flags
    """Where it says anything."""
    clear: Flags
    cloud: Flags
    """Cloud and shadow, as drawn."""
    snow: Flags


def mask_asset(settings: MaskSettings) -> str | None:
    """Return the asset that holds the mask, or None where nodata alone decides."""
    return None if settings.kind == "none" else settings.asset


def mask_classes(settings: MaskSettings) -> MaskClasses:
    """Return the classes of a mask; a list that is configured replaces that of the table."""
    return _classes(settings.kind, settings.clear, settings.snow)


def clear_pixels(values: NDArray[Any], present: Flags, settings: MaskSettings) -> Flags:
    """Return where a mask calls a pixel clear.

    Args:
        values: Mask values, (rows, columns).
        present: Where the mask raster has data, same shape.
        settings: What its values mean.
    """
    return present & _among(values, mask_classes(settings).clear)


def mask_planes(values: NDArray[Any], present: Flags, settings: MaskSettings) -> MaskPlanes:
    """Read the values of a mask.

    Args:
        values: Mask values, (rows, columns).
        present: Where the mask raster has data, same shape.
        settings: What its values mean.
    """
    classes = mask_classes(settings)
    clear = present & _among(values, classes.clear)
    if np.array_equal(clear, present):
        nothing = np.zeros_like(clear)
        return MaskPlanes(present, clear, nothing, nothing)
    said = present & ~_among(values, classes.missing) if classes.missing else present
    snow = said & _among(values, classes.snow)
    cloud = said & ~clear & ~snow & ~_among(values, classes.other)
    return MaskPlanes(said, clear, cloud, snow)


def spread(cloud: Flags, radius: float) -> Flags:
    """Return all pixels whose centre lies within `radius` pixels of a cloudy one's."""
    reach = int(radius)
    if not reach or not cloud.any():
        return cloud
    rows, columns = cloud.shape
    result, wide, half = np.zeros_like(cloud), cloud.copy(), 0
    for step in range(reach, -1, -1):  # rows from far to near: the half-width only grows
        width = int(np.sqrt(radius**2 - step**2))
        while half < width:
            half += 1
            if half < columns:
                wide[:, half:] |= cloud[:, :-half]
                wide[:, :-half] |= cloud[:, half:]
        if step == 0:
            result |= wide
        elif step < rows:
            result[step:] |= wide[:-step]
            result[:-step] |= wide[step:]
    return result


def _among(values: NDArray[Any], wanted: frozenset[int]) -> Flags:
    return np.isin(values, sorted(wanted))


@cache
def _classes(kind: str, clear: tuple[int, ...] | None, snow: tuple[int, ...] | None) -> MaskClasses:
    known = _table().get(kind, {})
    roles = {role: known.get(role, frozenset()) for role in ("clear", "snow", "other", "missing")}
    if clear is not None:
        roles = {role: values - frozenset(clear) for role, values in roles.items()}
        roles["clear"] = frozenset(clear)
    if snow is not None:
        roles = {role: values - frozenset(snow) for role, values in roles.items()}
        roles["snow"] = frozenset(snow)
    return MaskClasses(**roles)


@cache
def _table() -> Mapping[str, Mapping[str, frozenset[int]]]:
    """Return values by role of every mask in the table."""
    found: dict[str, dict[str, frozenset[int]]] = {}
    table = files("fieldline") / "data" / "mask_classes.csv"
    with table.open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            roles = found.setdefault(row["mask"], {})
            roles[row["role"]] = roles.get(row["role"], frozenset()) | {int(row["value"])}
    return found
