"""What the growth of a county is measured on: clear dates, and radar in their gaps.

Owns the pass over the observations that learns what a county's own radar says of bare and standing
land, and the batches that the grow stage measures, of a county or of a block; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from fieldline.crops.growth.radar_windows import LevelSums, RadarLevels, with_radar
from fieldline.crops.growth.seasons import Seasons, clear_points, harvest_rules, measure
from fieldline.crops.radar_series import POLARISATIONS, RadarTable, iter_beside, radar_table
from fieldline.crops.series import ClearSeries, known_until
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.parcels.blocks import WHOLE, Block
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import row_groups

TEACHING_ROWS = 2_000_000
"""Parcel-dates about which radar's levels are learnt from: some 30,000 fields of a season, and a
block of a big county does not read all of it."""


@dataclass(frozen=True)
class Source:
    """Clear series of a county with the radar beside them, batch by batch."""

    observations: Path
    season: Season
    clear: ClearSettings
    settings: GrowSettings
    stopped: frozenset[str]
    groups: Sequence[int]
    """Row groups of the observations that are measured."""
    radar: RadarTable | None = None
    levels: RadarLevels | None = None

    def batches(self) -> Iterator[ClearSeries]:
        """Yield clear series with their radar, if any."""
        least = self.clear.min_valid_fraction
        return iter_beside(
            self.observations, self.season, least, self.stopped, self.radar, self.groups
        )

    def measured(self, batch: ClearSeries) -> tuple[Seasons, dict[int, str]]:
        """Return the growth of a batch, and what radar said of its gaps by parcel number."""
        points = clear_points(batch, self.clear.max_haze)
        found = measure(points, self.clear.min_dates, self.settings)
        if self.levels is None or batch.radar is None:
            return found, {}
        until, gap = known_until(self.season), self.settings.gap_days
        return with_radar(found, batch.radar, self.levels, until, gap)


def source_of(
    observations: Path, radar: Path | None, season: Season, clear: ClearSettings,
    settings: GrowSettings, stopped: frozenset[str], block: Block = WHOLE,
) -> Source:  # fmt: skip
    """Return what a block measures, with what the county's own dates teach of its radar.

    Where the county has both polarisations that is one pass more over its observations, over some
    of their row groups where they are many: every block learns from the same ones.

    Args:
        observations: `observations.parquet`.
        radar: `observations_sentinel1.parquet`, empty where there is no radar.
        season: Season.
        clear: What a clear date is.
        settings: Settings of the stage.
        stopped: Parcels that an earlier stage stopped.
        block: Which run of the table's row groups is measured. No pixel is read here, so its
            parcels need not lie together, and each row is read by one block.
    """
    count = row_groups(observations)
    own = range(count * (block.number - 1) // block.of, count * block.number // block.of)
    table = radar_table(radar, season)
    found = Source(observations, season, clear, settings, stopped, own)
    if table is None or table.bands != POLARISATIONS or not own:
        return found
    taught = replace(found, radar=table, groups=_teaching(observations))
    sums = LevelSums(harvest_rules(settings))
    for batch in taught.batches():
        if batch.radar is not None:
            sums.add(clear_points(batch, clear.max_haze), batch.radar)
    return replace(taught, groups=own, levels=sums.levels())


def _teaching(observations: Path) -> range:
    """Return the row groups that teach how radar sees bare and standing land, evenly drawn."""
    told = pq.read_metadata(observations)
    return range(0, told.num_row_groups, max(1, -(-told.num_rows // TEACHING_ROWS)))
