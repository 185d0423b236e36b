"""Two villages that both count their parcels from 1, told apart.

Owns when the ids of several files or layers need a prefix and which. A few equal ids are the same
parcels sent twice and stay equal (the second is then refused); most ids equal with the outlines
elsewhere are two numberings. Joins nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import shapely
from pyproj import CRS, Transformer

from fieldline.pipeline.parcels.rings import Floats
from fieldline.pipeline.parcels.shapes import Shapes
from fieldline.pipeline.records.errors import UserError

#: Above this share of common ids two files number their parcels independently of each other.
_MOST = 0.5
#: Above this share of common ids with outlines elsewhere they are other parcels.
_ELSEWHERE = 0.9


@dataclass(frozen=True)
class Numbered:
    """One file or layer with its parcel ids."""

    names: tuple[str, ...]
    """What a prefix may be configured under: file name, its stem, layer; the last is its own."""
    ids: Sequence[str | None]
    shapes: Shapes
    crs: CRS | None


def prefixes_of(
    parts: Sequence[Numbered], configured: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return the prefix of each part's ids, empty for most, and what is said about it.

    Raises:
        UserError: A configured prefix of a file or layer that is not there.
    """
    unknown = sorted(set(configured) - {name for part in parts for name in part.names})
    if unknown:
        known = ", ".join(dict.fromkeys(part.names[-1] for part in parts))
        raise UserError(
            f"inputs.parcel_prefixes names {', '.join(unknown)}, which is no file or layer read",
            f"use one of {known}",
        )
    prefixes = [next((configured[n] for n in part.names if n in configured), "") for part in parts]
    said = [
        f"{part.names[-1]}: parcel ids carry the configured prefix {prefix}"
        for part, prefix in zip(parts, prefixes, strict=True)
        if prefix
    ]
    clashing = _clashing(parts, prefixes)
    own = [part.names[-1] for part in parts]
    if clashing and len({own[i] for i in clashing}) == len(clashing):
        for i in clashing:
            prefixes[i] = f"{own[i]}-"
        said.append(
            f"{' and '.join(own[i] for i in clashing)} number different parcels alike, so their "
            f"parcel ids carry the name of the file ({prefixes[clashing[0]]}1); registry and "
            "survey must use these ids, or set inputs.parcel_prefixes"
        )
    return prefixes, said


def _clashing(parts: Sequence[Numbered], prefixes: Sequence[str]) -> list[int]:
    found: set[int] = set()
    for i, j in combinations(range(len(parts)), 2):
        if prefixes[i] == prefixes[j] == "" and _two_numberings(parts[i], parts[j]):
            found |= {i, j}
    return sorted(found)


def _two_numberings(one: Numbered, other: Numbered) -> bool:
    first, second = _rows(one), _rows(other)
    common = sorted(first.keys() & second.keys())
    if len(common) <= _MOST * min(len(first), len(second)):
        return False
    here, size = _centres(one, [first[i] for i in common])
    there, _ = _centres(other, [second[i] for i in common])
    apart = np.hypot(*(here - there).T) > size / 2
    known = np.isfinite(here + there).all(axis=1)
    return bool(known.any() and apart[known].mean() >= _ELSEWHERE)


def _rows(part: Numbered) -> dict[str, int]:
    """Return the row of each id that stands once in the part."""
    counts = Counter(part.ids)
    return {i: row for row, i in enumerate(part.ids) if i is not None and counts[i] == 1}


def _centres(part: Numbered, rows: Sequence[int]) -> tuple[Floats, Floats]:
    """Return the middle of each outline in degrees and the diagonal of its box."""
    bounds = shapely.bounds(part.shapes.geometries[np.array(rows, dtype=np.int64)])
    crs = part.crs or next(iter(part.shapes.crs), None)
    if crs is not None and not crs.is_geographic:
        to_degrees = Transformer.from_crs(crs, CRS.from_epsg(4326), always_xy=True)
        bounds = np.column_stack(
            [*to_degrees.transform(*bounds[:, :2].T), *to_degrees.transform(*bounds[:, 2:].T)]
        )
    size = np.hypot(*(bounds[:, 2:] - bounds[:, :2]).T)
    return (bounds[:, :2] + bounds[:, 2:]) / 2, size
