"""Which mission an item's pixels are from, and what its producer defines for all of its products.

Owns `data/mission_radiometry.csv`: scale, offset and nodata by mission and processing baseline, for
items that state none. The one idea: a producer's rule holds by the baseline of the product itself,
never by its date, because archives are reprocessed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

SENTINEL_2 = "sentinel-2"
HLS_L30 = "hls-l30"
LANDSAT = "landsat"

#: By id, as ESA, NASA and USGS name their products; the first that fits counts.
_BY_ID = (
    (HLS_L30, re.compile(r"^HLS\.L30\.")),
    ("hls-s30", re.compile(r"^HLS\.S30\.")),
    (LANDSAT, re.compile(r"^L[COETM]0[4-9]_")),
    (SENTINEL_2, re.compile(r"S2[A-D]_(MSIL2A_|\d{1,2}[A-Z]{3}_)")),
)
_BY_COLLECTION = ((HLS_L30, re.compile(r"hls.?l30", re.IGNORECASE)),
                  ("hls-s30", re.compile(r"hls.?s30", re.IGNORECASE)))  # fmt: skip
_PLACES = ("constellation", "platform", "eo:platform", "eo:constellation")


@dataclass(frozen=True)
class MissionRule:
    """What a producer defines; reflectance is number x scale + offset."""

    baseline_from: tuple[int, ...]
    scale: float
    offset: float
    nodata: float


def mission_of(item_id: str, collection: object, properties: Mapping[str, Any]) -> str | None:
    """Return the mission that an item is of; None where it does not say.

    Args:
        item_id: The item's id.
        collection: Its collection, as far as it is a text.
        properties: Its properties.
    """
    for mission, pattern in _BY_ID:
        if pattern.search(item_id):
            return mission
    for mission, pattern in _BY_COLLECTION:
        if isinstance(collection, str) and pattern.search(collection):
            return mission
    for place in _PLACES:
        name = properties.get(place)
        text = name.lower() if isinstance(name, str) else ""
        for mission in (SENTINEL_2, LANDSAT):
            if text.startswith(mission):
                return mission
    return None


def rule_of(mission: str | None, baseline: tuple[int, ...]) -> MissionRule | None:
    """Return the rule of a mission's products of a baseline; None where there is none.

    Args:
        mission: Mission.
        baseline: As `radiometry.baseline_order` reads it; empty where unknown.
    """
    known = [rule for rule in _rules().get(mission or "", ()) if rule.baseline_from <= baseline]
    return max(known, key=lambda rule: rule.baseline_from, default=None)


def nodata_of(mission: str | None) -> float | None:
    """Return the number of missing pixels of a mission, whatever the baseline."""
    return next((rule.nodata for rule in _rules().get(mission or "", ())), None)


@cache
def _rules() -> Mapping[str, tuple[MissionRule, ...]]:
    table = files("fieldline") / "data" / "mission_radiometry.csv"
    found: dict[str, tuple[MissionRule, ...]] = {}
    with table.open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            baseline = tuple(int(part) for part in row["baseline_from"].split("."))
            numbers = (float(row[name]) for name in ("scale", "offset", "nodata"))
            rules = found.get(row["mission"], ())
            found[row["mission"]] = (*rules, MissionRule(baseline, *numbers))
    return found
