"""The days of a season: which chosen scenes fall on the same solar day, and which speaks first.

Owns the grouping and the order within a day, nothing of which items count (`scenes`) or of their
pixels (`mosaic`). The one idea: a day is that of the sun over the county, so a tile's edge or
midnight UTC never splits an overpass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.radiometry import baseline_order
from fieldline.pipeline.imagery.scene_table import read_items

_DEGREES_PER_HOUR = 15.0


@dataclass(frozen=True)
class SceneDay:
    """All items of one solar day, best first."""

    date: dt.date
    """Solar day: the local date by the sun, so a tile edge never splits an overpass."""
    datetime: dt.datetime
    """Acquisition time of the day's first item, UTC."""
    items: tuple[SceneItem, ...]
    """Newest baseline first, then least cloud, then id: the order in which pixels are taken."""

    @property
    def scene_id(self) -> str:
        """Item ids joined by `+`, in the order of `items`."""
        return "+".join(item.id for item in self.items)

    def without(self, item_id: str) -> SceneDay:
        """Return the day without one item."""
        kept = tuple(item for item in self.items if item.id != item_id)
        return SceneDay(self.date, self.datetime, kept)


def read_scene_days(scenes_parquet: Path) -> list[SceneDay]:
    """Read chosen scenes, grouped by solar day in order of time.

    One longitude serves the whole county: composites dated midnight UTC would otherwise split into
    two days along a meridian.

    Raises:
        UserError: The file is absent.
    """
    return group_by_solar_day(read_items(scenes_parquet))


def group_by_solar_day(items: Sequence[SceneItem]) -> list[SceneDay]:
    """Group items by solar day, and those of radar by orbit direction too; best item first."""
    longitudes = [bound for item in items for bound in item.footprint.bounds[::2]]
    longitude = (min(longitudes) + max(longitudes)) / 2 if longitudes else 0.0
    groups: dict[tuple[dt.date, str], list[SceneItem]] = {}
    for item in items:
        key = solar_day(item.datetime, longitude), item.orbit or ""
        groups.setdefault(key, []).append(item)
    return [
        SceneDay(day, min(i.datetime for i in group), tuple(sorted(group, key=_worst_last)))
        for (day, _), group in sorted(groups.items())
    ]


def solar_day(moment: dt.datetime, longitude: float) -> dt.date:
    """Return the local date by the sun: UTC shifted by one hour per 15 degrees east."""
    return (moment + dt.timedelta(hours=longitude / _DEGREES_PER_HOUR)).date()


def _worst_last(item: SceneItem) -> tuple[tuple[int, ...], float, str]:
    newest_first = tuple(-part for part in baseline_order(item.baseline)) or (1,)
    cloud = 100.0 if item.cloud_cover is None else item.cloud_cover
    return newest_first, cloud, item.id
