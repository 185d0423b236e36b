"""Whether the mask of an item belongs to its image: the same day, and the same land.

Owns both rules; what a mask says is `masks`. The one idea: a mask of another image is believed
without a word, for it opens and reads like the right one, so the names of the files are asked for
their day and the files for where they lie.
"""

from __future__ import annotations

import datetime as dt
import re

import numpy as np

from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.grid import Bounds, Grid
from fieldline.pipeline.imagery.masks import mask_asset
from fieldline.pipeline.imagery.resample import FileGeometry, lonlat_bounds
from fieldline.pipeline.imagery.settings import SceneSettings
from fieldline.pipeline.records.outcomes import detail

_DAY = re.compile(r"(?<!\d)((?:19|20)\d{2})[-_/]?(0[1-9]|1[0-2])[-_/]?([0-2]\d|3[01])(?=T|\D|$)")
_SLACK = dt.timedelta(days=1)  # a day of UTC against one of local time
_MOST = 0.9  # of the footprint; below it a band itself is asked where it lies
_LEAST = 0.1


def days_named(href: str) -> frozenset[dt.date]:
    """Return the days that the name of a file and its folders hold, such as 20210510."""
    found = set()
    for year, month, day in _DAY.findall(href):
        try:
            found.add(dt.date(int(year), int(month), int(day)))
        except ValueError:  # 31 June is a number and no day
            continue
    return frozenset(found)


def mask_of_other_day(item: SceneItem, scenes: SceneSettings) -> tuple[str, str] | None:
    """Return outcome and numbers of an item whose bands name its day and whose mask another one.

    Names without a day say nothing, nor does a day that the names of bands share, such as that of
    an export's folder.
    """
    name = mask_asset(scenes.mask)
    mask = None if name is None else item.find(name)
    bands = [asset for band in scenes.bands if (asset := item.find(band)) is not None]
    told = [days_named(asset.href) for asset in bands]
    if mask is None or not any(_near(days, item) for days in told):
        return None
    named = days_named(mask.href)
    own = named.difference(*told)
    if not own or _near(named, item):
        return None
    return "scene_mask_elsewhere", detail(
        asset=mask.key, mask=max(own), acquired=item.datetime.date()
    )


def is_short(mask: FileGeometry, footprint: Bounds, grid: Grid) -> bool:
    """Whether a mask leaves out a part of what an item shows of the county: a band must be asked.

    Args:
        mask: The mask's file.
        footprint: Of the item, longitude and latitude.
        grid: The county's grid.
    """
    return _share(_within(footprint, grid), lonlat_bounds(mask)) < _MOST


def is_elsewhere(mask: FileGeometry, band: FileGeometry, grid: Grid) -> bool:
    """Whether a mask has next to nothing of what a band shows of the county.

    One that is cut to a part of it hides the rest, and is believed where it lies.
    """
    return _share(_within(lonlat_bounds(band), grid), lonlat_bounds(mask)) < _LEAST


def _within(box: Bounds, grid: Grid) -> Bounds:
    county = lonlat_bounds(FileGeometry(grid.crs, grid.transform, grid.height, grid.width))
    return (*np.maximum(box[:2], county[:2]).tolist(), *np.minimum(box[2:], county[2:]).tolist())


def _near(days: frozenset[dt.date], item: SceneItem) -> bool:
    return any(abs(day - item.datetime.date()) <= _SLACK for day in days)


def _share(of: Bounds, inside: Bounds) -> float:
    """Return the share of one box that lies in another; 1 where there is none to lie there."""
    wide = min(of[2], inside[2]) - max(of[0], inside[0])
    high = min(of[3], inside[3]) - max(of[1], inside[1])
    sides = max(0.0, of[2] - of[0]), max(0.0, of[3] - of[1])
    area = sides[0] * sides[1]
    return max(0.0, wide) * max(0.0, high) / area if area > 0 else 1.0
