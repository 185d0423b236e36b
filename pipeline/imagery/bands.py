"""Which asset of an item is which Sentinel-2 band: the spellings in use (`data/band_assets.csv`).

Owns names only. The one idea: a spelling finds a band, and a stated common name that belongs to
another band takes it back; where the item is of another mission only that mission's own names
count, for B5 is near infrared on Landsat and a red edge on Sentinel-2.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from fieldline.pipeline.imagery.missions import SENTINEL_2

_COMMON_LAYOUTS = ("common-name", "earth-search-v1")
"""Layouts whose assets are called by common names."""
#: Common names that some archives exchange between B08 and B8A; neither contradicts the other.
_NEAR_INFRARED = frozenset({"nir", "nir08"})
#: Common names of bands that Sentinel-2 does not have.
_FOREIGN = frozenset({"pan", "lwir", "lwir11", "lwir12"})
_MASKS = frozenset({"SCL"})


@cache
def spellings(band: str, mission: str | None = None) -> tuple[str, ...]:
    """Return how a band or mask may be written, best first, in lower case.

    `B04` is also `red`, `B4` and `B04_10m`; a name that is no Sentinel-2 band stands for itself.

    Args:
        band: Sentinel-2 band or mask asset.
        mission: Mission of the item (`missions`); None where unknown, which counts as Sentinel-2.
    """
    of_mission = _table().get(mission or SENTINEL_2, {})
    spectral = band not in _MASKS and band in _table()[SENTINEL_2]
    own = (band,) if mission in (None, SENTINEL_2) or not spectral else ()
    names = (*own, *of_mission.get(band, ()))
    return tuple(dict.fromkeys(name.lower() for name in names))


def contradicts(band: str, names: Iterable[str]) -> bool:
    """Whether the names stated for an asset say that it is another band."""
    if band not in _table()[SENTINEL_2]:
        return False
    common = {name.lower() for name in names} & _common_names()
    own = set(_common_of(band))
    own |= _NEAR_INFRARED if own & _NEAR_INFRARED else set()
    return bool(common) and not common & own


@cache
def _table() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return the names of each mission's bands, in the order of the table."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in _rows():
        bands = found.setdefault(row["mission"], {})
        bands[row["band"]] = (*bands.get(row["band"], ()), row["asset"])
    return found


@cache
def _rows() -> list[dict[str, str]]:
    table = files("fieldline") / "data" / "band_assets.csv"
    with table.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@cache
def _common_of(band: str) -> frozenset[str]:
    return frozenset(
        row["asset"].lower()
        for row in _rows()
        if row["layout"] in _COMMON_LAYOUTS and row["band"] == band
    )


@cache
def _common_names() -> frozenset[str]:
    bands = {row["band"] for row in _rows()} - _MASKS
    return frozenset().union(*(_common_of(band) for band in bands)) | _FOREIGN
