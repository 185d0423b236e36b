"""When each crop is sown and harvested, by region: a table of `data/` or the lender's own.

Owns reading the table; laying its days into a season belongs to who asks. A region without rows has
no days: then nothing is known of when a harvest comes, and `workflows.money_checks` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fieldline.crops.settings import YieldSettings
from fieldline.pipeline.records.reference import Window, checked_rows

_COLUMNS = ("crop", "region", "sow_start", "sow_end", "harvest_start", "harvest_end")


@dataclass(frozen=True)
class CropDays:
    """The days of the year in which a region sows and harvests a crop."""

    sowing: Window
    harvest: Window


def crop_days(settings: YieldSettings) -> Mapping[str, CropDays]:
    """Return the days of each crop that the region's calendar has.

    Args:
        settings: Calendar file, and its region: the costs' own where none is stated.

    Raises:
        UserError: The table lacks a column, has a crop twice, or a cell is no day of a year.
    """
    region = settings.calendar_region or settings.cost_region
    found: dict[str, CropDays] = {}
    for row in checked_rows(settings.calendar_file, _COLUMNS):
        if row.text("region") != region:
            continue
        crop = row.text("crop")
        if crop in found:
            raise row.wrong("crop", f"keep one row of it in region {region}")
        found[crop] = CropDays(
            Window(row.month_day("sow_start"), row.month_day("sow_end")),
            Window(row.month_day("harvest_start"), row.month_day("harvest_end")),
        )
    return found


def calendar_regions(settings: YieldSettings) -> list[str]:
    """Return the regions that the calendar file has."""
    return sorted({row.text("region") for row in checked_rows(settings.calendar_file, _COLUMNS)})
