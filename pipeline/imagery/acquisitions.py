"""Which acquisition of Sentinel-2 an item shows, whichever product of it the item is.

Owns names of products and tiles in the spellings of catalogs. The one idea: baseline and time of
processing are the two parts of a product's name that reprocessing changes; the rest is the image.

Source: ESA's naming convention of Sentinel-2 products since 2016
(`S2A_MSIL2A_<datatake start>_N<baseline>_R<orbit>_T<tile>_<time>`), which Planetary Computer writes
without the baseline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ACQUISITION = "fieldline:acquisition"
"""Where a kept item says it, whose names are not kept."""
_PRODUCT = re.compile(
    r"(S2[A-D])_MSIL2A_(\d{8}T\d{6})_(?:N\d{4}_)?R\d{3}_T(\d{2}[A-Z]{3})_\d{8}T\d{6}"
)
_DATATAKE = re.compile(r"GS(2[A-D])_(\d{8}T\d{6})_")
_NAMES = ("s2:product_uri", "sentinel:product_id", "s2:product_id", "title")
_DATATAKES = ("s2:datatake_id", "eopf:datatake_id")
_TILES = ("s2:mgrs_tile", "grid:code", "s2:tile", "tileId")
_TILE = re.compile(r"\d{2}[A-Z]{3}$")


def acquisition_of(item_id: str, properties: Mapping[str, Any]) -> str | None:
    """Return satellite, start of the datatake and tile, such as `S2A_20210510T101031_32UPU`.

    Args:
        item_id: The item's id.
        properties: Its properties.

    Returns:
        None where the item does not say, or is no tile of Sentinel-2.
    """
    kept = properties.get(ACQUISITION)
    if isinstance(kept, str):
        return kept
    for name in (item_id, *(properties.get(key) for key in _NAMES)):
        found = _PRODUCT.search(name) if isinstance(name, str) else None
        if found is not None:
            return "_".join(found.groups())
    datatake = _first(_DATATAKE, properties, _DATATAKES)
    tile = _first(_TILE, properties, _TILES)
    return f"S{datatake[1]}_{datatake[2]}_{tile[0]}" if datatake and tile else None


def _first(
    pattern: re.Pattern[str], properties: Mapping[str, Any], keys: tuple[str, ...]
) -> re.Match[str] | None:
    texts = (properties.get(key) for key in keys)
    found = (pattern.search(text) for text in texts if isinstance(text, str))
    return next((match for match in found if match), None)
