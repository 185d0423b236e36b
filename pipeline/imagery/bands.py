"""Which asset of an item is which Sentinel-2 band: the spellings in use.

Owns names only. The one idea: a spelling finds a band, and a stated common name that belongs to
another band takes it back, for B5 is near infrared on Landsat and a red edge on Sentinel-2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

#: Other names of Sentinel-2's bands: asset keys of Earth Search and common names of the STAC eo
#: extension v1.1 (which calls B05, B06 and B07 all `rededge`, so that name says nothing here).
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "B01": ("coastal",),
    "B02": ("blue",),
    "B03": ("green",),
    "B04": ("red",),
    "B05": ("rededge1", "rededge071"),
    "B06": ("rededge2", "rededge075"),
    "B07": ("rededge3", "rededge078"),
    "B08": ("nir",),
    "B8A": ("nir08",),
    "B09": ("nir09",),
    "B11": ("swir16",),
    "B12": ("swir22",),
    "SCL": ("scl",),
}
#: Endings of the Copernicus Data Space (`B04_10m`), finest first.
_ENDINGS = ("", "_10m", "_20m", "_60m")
#: Common names that some archives exchange between B08 and B8A; neither contradicts the other.
_NEAR_INFRARED = frozenset({"nir", "nir08"})
#: Common names of bands that Sentinel-2 does not have.
_FOREIGN = frozenset({"pan", "lwir", "lwir11", "lwir12"})
_COMMON = frozenset(name for names in _ALIASES.values() for name in names) | _FOREIGN


@cache
def spellings(band: str) -> tuple[str, ...]:
    """Return how a band or mask may be written, best first, in lower case.

    `B04` is also `red`, `B4` and `B04_10m`; a name that is no Sentinel-2 band stands for itself.
    """
    short = (f"B{band[2:]}",) if band in _ALIASES and band.startswith("B0") else ()
    names = (band, *_ALIASES.get(band, ()), *short)
    return tuple(f"{name}{ending}".lower() for name in names for ending in _ENDINGS)


def contradicts(band: str, names: Iterable[str]) -> bool:
    """Whether the names stated for an asset say that it is another band."""
    common = {name.lower() for name in names} & _COMMON
    own = set(_ALIASES.get(band, ()))
    own |= _NEAR_INFRARED if own & _NEAR_INFRARED else set()
    return band in _ALIASES and bool(common) and not common & own
