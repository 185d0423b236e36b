"""What the growth of a county is measured on: clear dates, and radar in their gaps.

Owns the pass over the observations that learns what a county's own radar says of bare and standing
land, and the batches that the grow stage measures; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fieldline.crops.growth.radar_windows import LevelSums, RadarLevels, with_radar
from fieldline.crops.growth.seasons import Seasons, clear_points, harvest_rules, measure
from fieldline.crops.radar_series import POLARISATIONS, RadarTable, iter_beside, radar_table
from fieldline.crops.series import ClearSeries, known_until
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season


@dataclass(frozen=True)
class Source:
    """Clear series of a county with the radar beside them, batch by batch."""

    observations: Path
    season: Season
    clear: ClearSettings
    settings: GrowSettings
    stopped: frozenset[str]
    radar: RadarTable | None = None
    levels: RadarLevels | None = None

    def batches(self) -> Iterator[ClearSeries]:
        """Yield clear series with their radar, if any."""
        least = self.clear.min_valid_fraction
        return iter_beside(self.observations, self.season, least, self.stopped, self.radar)

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
    settings: GrowSettings, stopped: frozenset[str],
) -> Source:  # fmt: skip
    """Return the county with what its own dates teach of its radar, where it has both
    polarisations: one pass more over the observations."""
    table = radar_table(radar, season)
    if table is None or table.bands != POLARISATIONS:
        return Source(observations, season, clear, settings, stopped)
    found = Source(observations, season, clear, settings, stopped, table)
    sums = LevelSums(harvest_rules(settings))
    for batch in found.batches():
        if batch.radar is not None:
            sums.add(clear_points(batch, clear.max_haze), batch.radar)
    return replace(found, levels=sums.levels())
