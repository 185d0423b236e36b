"""What the clear dates of a batch of parcels say: curve, cycles, dates, harvest, uncertainty.

Owns the order of the steps and the values that the stage writes; each step lives in its own module.
Every step serves all parcels of the batch at once, so that a county costs seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.growth.curves import Curves, Points, smooth_curves
from fieldline.crops.growth.cycles import CycleRules
from fieldline.crops.growth.harvest import HarvestRules, Harvests, find_harvests, progress
from fieldline.crops.growth.heading import HeadingRules, heading_days, landmarks
from fieldline.crops.growth.outliers import OutlierRules, believable
from fieldline.crops.growth.phenology import Cycles, date_sd, find_cycles, peak_sd
from fieldline.crops.series import ClearSeries, Floats, Ints, ndvi, without_haze
from fieldline.crops.settings import GrowSettings


@dataclass(frozen=True)
class Seasons:
    """Growth of a batch of parcels."""

    points: Points
    """Observations that made the curves."""
    curves: Curves
    cycles: Cycles
    harvests: Harvests
    """Of each cycle."""
    heading: Floats
    """Of each cycle, if it is a cereal's; days since the season's start."""
    main: Ints
    """Position of each parcel's main cycle, -1 where it has none."""
    harvest_sd: Floats | None = None
    """Standard deviation of the harvest of each cycle that radar told, days; NaN of the others."""
    doubted: NDArray[np.bool_] | None = None
    """Parcels whose crop is gone by radar since their last observation."""

    @property
    def ends(self) -> Floats:
        """End of season of each cycle: its harvest where that was seen, else the curve's."""
        seen = self.harvests.day
        return np.where(np.isnan(seen), self.cycles.end, seen)

    @property
    def standing(self) -> Ints:
        """Whether a crop stands on each parcel after its last observation: 1, 0, or -1 unknown."""
        found = np.where(self.curves.first < 0, -1, 0)
        last = np.ones(len(self.cycles), dtype=bool)
        last[:-1] = self.cycles.parcel[1:] != self.cycles.parcel[:-1]
        found[self.cycles.parcel[last & np.isnan(self.ends)]] = 1
        return found if self.doubted is None else np.where(self.doubted, -1, found)

    def of_main(self, values: Floats) -> Floats:
        """Return a cycle's value for the main cycle of each parcel, NaN where it has none."""
        if not len(values):
            return np.full(len(self.main), np.nan)
        return np.where(self.main >= 0, values[np.maximum(self.main, 0)], np.nan)

    def uncertainty(self, dates: Floats) -> Floats:
        """Standard deviation of passages of a level by the cycles' curves, days."""
        return date_sd(self.curves, self.cycles, self.points, dates)

    def end_uncertainty(self) -> Floats:
        """Standard deviation of the end of each cycle, days; of its harvest where radar told it."""
        by_curve = self.uncertainty(self.cycles.end)
        if self.harvest_sd is None:
            return by_curve
        return np.where(np.isnan(self.harvest_sd), by_curve, self.harvest_sd)

    def peak_uncertainty(self) -> Floats:
        """Standard deviation of the peak's day, days."""
        return peak_sd(self.curves, self.cycles)

    def heading_uncertainty(self, rules: HeadingRules) -> Floats:
        """Standard deviation of heading by both ends of the plateau, days."""
        marks = landmarks(self.curves, self.cycles, rules)
        fall = self.uncertainty(marks.fall)
        rise = self.uncertainty(2 * marks.middle - marks.fall)
        return np.where(np.isnan(rise), fall, np.hypot(rise, fall) / 2)

    def progress(self) -> Floats:
        """Harvest progress of each cycle, 0..1."""
        return progress(self.curves, self.cycles, self.harvests)


def cycle_rules(settings: GrowSettings) -> CycleRules:
    """Return the cycle definitions that the settings name."""
    return CycleRules(
        settings.min_peak,
        settings.min_amplitude,
        settings.threshold,
        settings.end_threshold,
        settings.stood_days,
        settings.max_between,
        settings.peak_passed,
    )


def outlier_rules(settings: GrowSettings) -> OutlierRules:
    """Return what the settings set aside."""
    return OutlierRules(
        settings.spike_drop, settings.spike_reach_days, settings.sudden_drop, settings.confirm_days
    )


def harvest_rules(settings: GrowSettings) -> HarvestRules:
    """Return when the settings call a field harvested."""
    return HarvestRules(
        settings.bare_share, settings.max_bare, settings.confirm_days, settings.gap_days,
        settings.max_between,
    )  # fmt: skip


def heading_rules(settings: GrowSettings) -> HeadingRules:
    """Return where the settings look for heading."""
    return HeadingRules(
        settings.plateau_share, settings.heading_after_middle, settings.heading_before_fall
    )


def clear_points(series: ClearSeries, max_haze: float) -> Points:
    """Return the NDVI of the clear observations, haze left out (`crops.series.without_haze`)."""
    seen = without_haze(series, max_haze)
    return Points(len(series.parcel_ids), seen.parcel, seen.day, ndvi(seen.bands), seen.weight)


def measure(points: Points, min_dates: int, settings: GrowSettings) -> Seasons:
    """Smooth the NDVI of a batch of parcels and read their cycles.

    Args:
        points: Clear observations, sorted by parcel and day.
        min_dates: Least clear dates that make a curve.
        settings: Smoothing and thresholds.
    """
    kept = points.only(believable(points, outlier_rules(settings)))
    curves = smooth_curves(kept, settings.step_days, settings.penalty, min_dates)
    cycles = find_cycles(curves, cycle_rules(settings))
    harvests = find_harvests(kept, curves, cycles, harvest_rules(settings))
    heading = heading_days(curves, cycles, heading_rules(settings))
    return Seasons(kept, curves, cycles, harvests, heading, cycles.main(points.count))
