"""The grow stage: one smoothed curve per parcel, its dates, and its place in the county.

Owns `growth.parquet`. It streams the observations twice over small things only: the first pass
writes curves and keeps one number per parcel, the second adds how that number compares with the
county's parcels of the same crop.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.curves import Curve, penalty_ladder, smooth_curve
from fieldline.crops.growth.phenology import Cycle, CycleRules, find_cycles, harvest_day, main_cycle
from fieldline.crops.schemas import GROWTH
from fieldline.crops.series import (
    ClearSeries,
    Floats,
    Ints,
    iter_clear,
    known_until,
    ndvi,
    stopped_parcels,
    without_haze,
    without_spikes,
)
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, iter_batches, read_table

STAGE = "grow"
#: Scales a median absolute deviation to a standard deviation of normal data.
_MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Growth:
    """What one parcel's clear dates say."""

    clear_dates: int
    curve: Curve | None
    cycles: tuple[Cycle, ...] = ()
    harvest: float | None = None
    progress: float | None = None

    @property
    def main(self) -> Cycle | None:
        """The crop cycle with the largest integral."""
        return main_cycle(list(self.cycles))


@contextmanager
def scratch_path(beside: Path) -> Iterator[Path]:
    """Yield a path on the same disk as `beside` that is gone after the block."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{beside.name}.", dir=beside.parent) as folder:
        yield Path(folder) / beside.name


def cycle_rules(settings: GrowSettings) -> CycleRules:
    """Return the cycle definitions that the settings name."""
    return CycleRules(
        settings.min_peak,
        settings.min_amplitude,
        settings.threshold,
        settings.end_threshold,
        settings.late_record_days,
    )


def grow_parcel(
    day: Ints, values: Floats, weight: Floats, *, min_dates: int, settings: GrowSettings
) -> Growth:
    """Smooth one parcel's NDVI and read its cycles.

    Args:
        day: Days of the clear observations since the season's start, ascending.
        values: NDVI of each day.
        weight: Clear share of each day, 0..1.
        min_dates: Least clear dates that make a curve.
        settings: Smoothing and thresholds.

    Returns:
        The curve and its dates; no curve where the clear dates are too few.
    """
    stands = without_spikes(day, values, settings.spike_drop, settings.spike_reach_days)
    day, values, weight = day[stands], values[stands], weight[stands]
    if len(np.unique(day)) < min_dates:
        return Growth(len(day), None)
    ladder = penalty_ladder(*settings.penalty_range, settings.penalty_rungs)
    curve = smooth_curve(day, values, weight, settings.step_days, ladder)
    cycles = tuple(find_cycles(curve, cycle_rules(settings)))
    main = main_cycle(list(cycles))
    if main is None:
        return Growth(len(day), curve, cycles)
    harvest = harvest_day(day, values, main, settings.bare_share)
    return Growth(len(day), curve, cycles, harvest, _progress(curve, main, harvest))


def _progress(curve: Curve, main: Cycle, harvest: float | None) -> float:
    """Harvest progress: one once harvested, else the share of the canopy that is already gone."""
    if harvest is not None:
        return 1.0
    fallen = (main.peak - float(curve.values[-1])) / max(main.amplitude, 1e-9)
    return float(np.clip(fallen, 0.0, 1.0))


def run_grow(
    *,
    observations: Path,
    crops: Path,
    season: Season,
    clear_dates: ClearSettings,
    settings: GrowSettings,
    out: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
) -> None:
    """Write `growth.parquet` and the stage's outcomes.

    Args:
        observations: `observations.parquet`, whole parcels per row group.
        crops: `crops.parquet`; its crops group the county norms.
        season: Season; nothing after its as-of date is read.
        clear_dates: What a clear date is and how many make a curve.
        settings: Settings of the stage.
        out: Where growth goes.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    crop_of = read_table(crops, ["parcel_id", "crop"]).set_index("parcel_id")["crop"]
    stopped = stopped_parcels(previous)
    results: list[Outcome] = []
    amounts: dict[str, float] = {}
    with scratch_path(out) as curves:
        with BatchWriter(GROWTH, curves) as writer:
            for batch in iter_clear(observations, season, clear_dates.min_valid_fraction, stopped):
                seen = without_haze(batch, clear_dates.max_haze)
                frame = _grow_batch(seen, season, clear_dates.min_dates, settings)
                writer.write(frame)
                results.extend(
                    _outcome(row, clear_dates.min_dates) for row in frame.to_dict("records")
                )
                amounts.update(zip(frame["parcel_id"], frame["integral"], strict=True))
        norms = county_norms(pd.Series(amounts, dtype=float), crop_of, settings.min_norm_parcels)
        with BatchWriter(GROWTH, out) as writer:
            for frame in iter_batches(curves):
                placed = norms.reindex(frame["parcel_id"])
                writer.write(frame.assign(**{n: placed[n].to_numpy() for n in placed.columns}))
    write_outcomes(results, outcomes)


def _grow_batch(
    batch: ClearSeries, season: Season, min_dates: int, settings: GrowSettings
) -> pd.DataFrame:
    values = ndvi(batch.bands)
    rows = []
    for number, parcel_id in enumerate(batch.parcel_ids):
        at = batch.of(number)
        growth = grow_parcel(
            batch.day[at], values[at], batch.weight[at], min_dates=min_dates, settings=settings
        )
        rows.append(_row(parcel_id, growth, season, settings))
    return pd.DataFrame(rows, columns=GROWTH.names)


def _row(
    parcel_id: str, growth: Growth, season: Season, settings: GrowSettings
) -> dict[str, object]:
    curve, main = growth.curve, growth.main
    lowest, highest = (
        (None, None) if curve is None else (float(curve.values.min()), float(curve.values.max()))
    )
    return {
        "parcel_id": parcel_id,
        "clear_dates": growth.clear_dates,
        "sos": _date(season, None if main is None else main.start),
        "pos": _date(season, None if main is None else main.peak_day),
        "eos": _date(season, None if main is None else main.end),
        "harvest_date": _date(season, growth.harvest),
        "harvest_progress": growth.progress,
        "peak": highest if main is None else main.peak,
        "amplitude": _amplitude(lowest, highest) if main is None else main.amplitude,
        "integral": None if main is None else main.integral,
        "cycles": len(growth.cycles),
        "anomaly": None,
        "percentile": None,
        "curve_start": _date(season, None if curve is None else float(curve.first_day)),
        "curve_step_days": settings.step_days,
        "curve": [] if curve is None else curve.values.astype(np.float32).tolist(),
    }


def _amplitude(lowest: float | None, highest: float | None) -> float | None:
    return None if lowest is None or highest is None else highest - lowest


def _date(season: Season, day: float | None) -> dt.date | None:
    if day is None:
        return None
    return season.start + dt.timedelta(days=min(round(day), known_until(season)))


def _outcome(row: Mapping[Hashable, Any], min_dates: int) -> Outcome:
    parcel_id, dates = row["parcel_id"], row["clear_dates"]
    if not row["curve"]:
        numbers = detail(clear_dates=dates, needed=min_dates)
        return Outcome(STAGE, parcel_id, "", "too_few_dates", numbers)
    if row["cycles"] == 0:
        numbers = detail(peak=float(row["peak"]), amplitude=float(row["amplitude"]))
        return Outcome(STAGE, parcel_id, "", "no_crop_cycle", numbers)
    return Outcome(STAGE, parcel_id, "", detail=detail(clear_dates=dates))


def county_norms(
    integral: pd.Series[float], crops: pd.Series[str], min_parcels: int
) -> pd.DataFrame:
    """Place each parcel's integral among the county's parcels of the same crop.

    Args:
        integral: NDVI integral by parcel, NaN where no cycle was seen.
        crops: Crop by parcel, null where unknown.
        min_parcels: Groups smaller than this have no norm.

    Returns:
        `anomaly` (robust z: distance from the median over 1.4826 x median absolute deviation) and
        `percentile` (mid-rank 0..1) by parcel, NaN where no norm exists.
    """
    frame = pd.DataFrame({"integral": integral, "crop": crops.reindex(integral.index)})
    known = frame.dropna()
    grouped = known.groupby("crop")["integral"]
    centre = grouped.transform("median")
    spread = (known["integral"] - centre).abs().groupby(known["crop"]).transform(
        "median"
    ) * _MAD_TO_SD
    size = grouped.transform("size")
    enough = (size >= min_parcels) & (spread > 0)
    placed = pd.DataFrame(
        {
            "anomaly": ((known["integral"] - centre) / spread).where(enough),
            "percentile": ((grouped.rank() - 0.5) / size).where(enough),
        }
    )
    return placed.reindex(integral.index)
