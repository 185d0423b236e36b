"""What makes an item one of radar: the quantity of its numbers and its orbit direction.

Owns both rules. The one idea: neither is guessed. Decibels averaged as if they were power are off
by some tenths, and a field looks different from east and from west, so an item that states neither
is refused unless the configuration says what holds for all.
"""

from __future__ import annotations

from dataclasses import replace

from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.settings import RadarScenes
from fieldline.pipeline.records.outcomes import detail

DIRECTIONS = ("ascending", "descending")
_POWER = frozenset({"1", "linear", "power", "linear power", "gamma0", "m2/m2"})
_DECIBELS = "db"


def as_radar(item: SceneItem, scenes: RadarScenes) -> SceneItem:
    """Return an item with its orbit direction and the quantity of its bands filled in."""
    filled = {}
    for band in scenes.bands:
        asset = item.find(band)
        if asset is not None:
            unit = (asset.radiometry.unit or "").lower()
            stated = unit == _DECIBELS or unit in _POWER
            decibels = unit == _DECIBELS if stated else scenes.quantity == "decibels"
            known = replace(asset.radiometry, decibels=decibels)
            filled[asset.key] = replace(asset, radiometry=known)
    direction = (item.orbit_state or "").lower()
    orbit = direction if direction in DIRECTIONS else None
    if orbit is None and scenes.orbit != "item":
        orbit = scenes.orbit
    return replace(item, orbit=orbit, assets={**item.assets, **filled})


def radar_fault(item: SceneItem, scenes: RadarScenes) -> tuple[str, str] | None:
    """Return outcome and numbers of an item that lacks its orbit or the unit of a band.

    Args:
        item: Result of `as_radar`.
        scenes: Polarisations and what holds where items are silent.
    """
    if item.orbit is None:
        return "scene_no_orbit", detail(stated=item.orbit_state or "nothing")
    if scenes.quantity != "item":
        return None
    units = {
        band: (asset.radiometry.unit or "").lower()
        for band in scenes.bands
        if (asset := item.find(band)) is not None
    }
    silent = [b for b, unit in units.items() if unit != _DECIBELS and unit not in _POWER]
    return ("scene_no_unit", detail(bands=",".join(silent))) if silent else None
