"""What the header of a column says: a role by name lists in many languages, and an area's unit.

Owns the comparison of a header with `data/column_names.csv` (a new language is new rows there);
looks at no value. A header may speak for several roles; the values decide between them.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fieldline.pipeline.inputs.names import words as split
from fieldline.pipeline.parcels.parcel_files import AREA_UNITS, TEXT

EXACT, CONTAINED, SIMILAR = 3, 2, 1
AREA = "declared_area"
ANY_ID = "any_id"
_ROLES = (*TEXT, AREA, ANY_ID)
#: Field names of a shapefile are cut after ten characters.
_SHAPEFILE_NAME = 10
_SHORTEST_SIMILAR = 6
_LEAST_SIMILARITY = 0.86
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True)
class Reading:
    """One role that a header may mean."""

    role: str
    """Fieldline's column name, `declared_area` without its unit, or `any_id`."""
    strength: int
    """`EXACT`, `CONTAINED` in the header, or `SIMILAR` to a known name."""


def readings(header: str) -> list[Reading]:
    """Return the roles that a header speaks for, the likeliest first."""
    words = split(header)
    bare = [word for word in words if word not in _unit_words()]
    for spelt in (words, bare):
        exact = _roles_named("".join(spelt))
        if exact:
            return [Reading(role, EXACT) for role in exact]
    if words and not bare:
        return [Reading(AREA, EXACT)]
    return _contained(words) or _cut(header) or _similar("".join(bare))


def unit_named(header: str) -> str | None:
    """Return `declared_area_mu`, `_ha` or `_m2` where the header names one unit, else None."""
    words = split(header)
    whole = "".join(words)
    found = {
        role
        for role in AREA_UNITS
        for name in _names()[role]
        if name == whole or name in words or (not name.isascii() and name in whole)
    }
    return found.pop() if len(found) == 1 else None


@cache
def _names() -> dict[str, tuple[str, ...]]:
    """Return the names of each role, folded, from the table."""
    table: dict[str, list[str]] = {}
    with (files("fieldline") / "data" / "column_names.csv").open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            spellings = (row["name"], row["name"].casefold().translate(_UMLAUTS))
            names = dict.fromkeys("".join(split(spelling)) for spelling in spellings)
            table.setdefault(row["role"], []).extend(names)
    return {role: tuple(dict.fromkeys(names)) for role, names in table.items()}


@cache
def _unit_words() -> frozenset[str]:
    return frozenset(name for role in AREA_UNITS for name in _names()[role])


def _roles() -> list[str]:
    return [role for role in _names() if role in _ROLES]


def _roles_named(key: str) -> list[str]:
    return [role for role in _roles() if key in _names()[role]]


def _contained(words: Sequence[str]) -> list[Reading]:
    """Return roles whose name stands inside the header; a later word weighs more (`crop area`)."""
    ends: dict[str, int] = {}
    whole = "".join(words)
    runs = {"".join(words[i:j]): j for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    for role in _roles():
        for name in _names()[role]:
            hanzi = len(name) > 1 and not name.isascii() and name in whole
            if role != ANY_ID and (name in runs or hanzi):
                end = runs.get(name, whole.find(name) + len(name))
                ends[role] = max(end, ends.get(role, 0))
    return [Reading(role, CONTAINED) for role in sorted(ends, key=lambda r: -ends[r])]


def _cut(header: str) -> list[Reading]:
    """Return the role of a name that a shapefile cut to ten characters."""
    if len(header) != _SHAPEFILE_NAME:
        return []
    key = "".join(split(header))
    found = [r for r in _roles() if any(name.startswith(key) for name in _names()[r])]
    return [Reading(role, CONTAINED) for role in found] if len(found) == 1 else []


def _similar(key: str) -> list[Reading]:
    if len(key) < _SHORTEST_SIMILAR:
        return []
    best = {
        role: max(difflib.SequenceMatcher(None, key, name).ratio() for name in _names()[role])
        for role in _roles()
    }
    near = [role for role, ratio in best.items() if ratio >= _LEAST_SIMILARITY]
    return [Reading(role, SIMILAR) for role in sorted(near, key=lambda r: -best[r])]
