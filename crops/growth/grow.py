"""The grow stage: one smoothed curve per parcel, its dates, and its place in the county.

Owns `growth.parquet` and `harvest_share.parquet`. It streams the observations twice over small
things only: the first pass writes curves and keeps a few numbers per parcel, the second adds how
they compare with the county's parcels of the same crop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.harvest_share import harvest_share
from fieldline.crops.growth.heading import heads
from fieldline.crops.growth.norms import county_norms
from fieldline.crops.growth.radar_windows import LevelSums, RadarLevels, with_radar
from fieldline.crops.growth.seasons import (
    Seasons,
    clear_points,
    harvest_rules,
    heading_rules,
    measure,
)
from fieldline.crops.radar_series import POLARISATIONS, RadarTable, iter_beside, radar_table
from fieldline.crops.schemas import GROWTH, HARVEST_SHARE
from fieldline.crops.series import ClearSeries, Floats, Ints, known_until, stopped_parcels
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, iter_batches, read_table, write_table

STAGE = "grow"
_SHARED = ["crop", "harvest_date", "harvest_after", "harvest_before", "cycles", "last_seen"]


@contextmanager
def scratch_path(beside: Path) -> Iterator[Path]:
    """Yield a path on the same disk as `beside` that is gone after the block."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{beside.name}.", dir=beside.parent) as folder:
        yield Path(folder) / beside.name


def run_grow(
    *,
    observations: Path,
    crops: Path,
    radar: Path | None = None,
    season: Season,
    clear_dates: ClearSettings,
    settings: GrowSettings,
    out: Path,
    out_share: Path | None = None,
    outcomes: Path,
    previous: Sequence[Path] = (),
) -> None:
    """Write `growth.parquet`, `harvest_share.parquet` and the stage's outcomes.

    Args:
        observations: `observations.parquet`, whole parcels per row group.
        crops: `crops.parquet`; its crops group the county norms and say which parcels head.
        radar: `observations_sentinel1.parquet`, for what fell into long gaps of the clear dates.
        season: Season; nothing after its as-of date is read.
        clear_dates: What a clear date is and how many make a curve.
        settings: Settings of the stage.
        out: Where growth goes.
        out_share: Where the share harvested by crop and day goes; nowhere if None.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    crop_of = read_table(crops, ["parcel_id", "crop"]).set_index("parcel_id")["crop"]
    stopped = stopped_parcels(previous)
    results: list[Outcome] = []
    amounts: dict[str, float] = {}
    shared: list[pd.DataFrame] = []
    county = _county(observations, radar, season, clear_dates, settings, stopped)
    with scratch_path(out) as curves:
        with BatchWriter(GROWTH, curves) as writer:
            for batch in county.batches():
                found, said = county.measured(batch)
                crop = crop_of.reindex(list(batch.parcel_ids))
                frame = growth_table(batch.parcel_ids, crop, found, season, settings)
                writer.write(frame)
                results.extend(
                    _outcome(row, clear_dates.min_dates, said.get(number, ""))
                    for number, row in enumerate(frame[_OF_OUTCOMES].to_dict("records"))
                )
                amounts.update(zip(frame["parcel_id"], frame["integral"], strict=True))
                last = found.curves.last * settings.step_days
                shared.append(frame.assign(crop=crop.to_numpy(), last_seen=last)[_SHARED])
        norms = county_norms(pd.Series(amounts, dtype=float), crop_of, settings.min_norm_parcels)
        with BatchWriter(GROWTH, out) as writer:
            for frame in iter_batches(curves):
                placed = norms.reindex(frame["parcel_id"])
                writer.write(frame.assign(**{n: placed[n].to_numpy() for n in placed.columns}))
    if out_share is not None:
        _write_share(shared, season, out_share)
    write_outcomes(results, outcomes)


@dataclass(frozen=True)
class _County:
    """Where the growth of a county comes from, batch by batch."""

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


def _county(
    observations: Path, radar: Path | None, season: Season, clear: ClearSettings,
    settings: GrowSettings, stopped: frozenset[str],
) -> _County:  # fmt: skip
    """Return the county with what its own dates teach of its radar, where it has both
    polarisations: one pass more over the observations."""
    table = radar_table(radar, season)
    if table is None or table.bands != POLARISATIONS:
        return _County(observations, season, clear, settings, stopped)
    found = _County(observations, season, clear, settings, stopped, table)
    sums = LevelSums(harvest_rules(settings))
    for batch in found.batches():
        if batch.radar is not None:
            sums.add(clear_points(batch, clear.max_haze), batch.radar)
    return replace(found, levels=sums.levels())


def _write_share(parts: list[pd.DataFrame], season: Season, out: Path) -> None:
    grown = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_SHARED)
    grown = grown[grown["cycles"] > 0]
    write_table(harvest_share(grown, grown["last_seen"], season), HARVEST_SHARE, out)


_OF_OUTCOMES = ["parcel_id", "clear_dates", "cycles", "peak", "amplitude", "curve_start"]


def growth_table(
    parcel_ids: Sequence[str],
    crop: pd.Series[str],
    found: Seasons,
    season: Season,
    settings: GrowSettings,
) -> pd.DataFrame:
    """Return the rows of `growth.parquet` of a batch, still without county norms.

    Args:
        parcel_ids: Parcels of the batch.
        crop: Crop of each, null where unknown.
        found: Their growth.
        season: The season.
        settings: Settings of the stage.
    """
    curves, cycles, harvests = found.curves, found.cycles, found.harvests
    main, lists = found.of_main, _Lists(found, season)
    has = found.main >= 0
    known = curves.first >= 0
    lowest, highest = (_extreme(curves.values, known, of) for of in (np.nanmin, np.nanmax))
    small_grain = heads(crop.to_numpy(dtype=object))
    heading = np.where(small_grain, main(found.heading), np.nan)
    heading_sd = np.hypot(
        main(found.heading_uncertainty(heading_rules(settings))), settings.heading_sd
    )
    unsure = np.where(np.isnan(main(harvests.day)), main(cycles.end), np.nan)
    standing = pd.array(found.standing == 1, dtype="boolean")
    standing[found.standing < 0] = pd.NA
    columns: dict[str, Any] = {
        "parcel_id": list(parcel_ids),
        "clear_dates": np.bincount(found.points.parcel, minlength=len(has)).astype(np.int32),
        "sos": _dates(season, main(cycles.start)),
        "pos": _dates(season, main(cycles.peak_day)),
        "eos": _dates(season, main(found.ends)),
        "harvest_date": _dates(season, main(harvests.day)),
        "harvest_progress": main(found.progress()),
        "peak": np.where(has, main(cycles.peak), highest),
        "amplitude": np.where(has, main(cycles.amplitude), highest - lowest),
        "integral": main(cycles.integral),
        "cycles": cycles.per_parcel(len(has)).astype(np.int32),
        "anomaly": np.nan,
        "percentile": np.nan,
        "curve_start": _dates(season, np.where(known, curves.first * curves.step_days, np.nan)),
        "curve_step_days": np.int32(curves.step_days),
        "curve": [curves.of(row).astype(np.float32) for row in range(len(has))],
        "sos_sd_days": main(found.uncertainty(cycles.start)),
        "pos_sd_days": main(found.peak_uncertainty()),
        "eos_sd_days": main(found.end_uncertainty()),
        "heading_date": _dates(season, heading),
        "heading_sd_days": np.where(np.isnan(heading), np.nan, heading_sd),
        "harvest_after": _dates(season, main(harvests.last_standing)),
        "harvest_before": _dates(season, main(harvests.first_bare)),
        "harvest_expected": _dates(season, unsure),
        "standing": standing,
        "green_up_rate": main(cycles.rise_rate),
        "senescence_rate": main(cycles.fall_rate),
        "cycle_sos": lists.dates(cycles.start),
        "cycle_pos": lists.dates(cycles.peak_day),
        "cycle_eos": lists.dates(found.ends),
        "cycle_harvest": lists.dates(harvests.day),
        "cycle_peak": lists.of(cycles.peak),
        "cycle_integral": lists.of(cycles.integral),
    }
    return pd.DataFrame(columns)[GROWTH.names]


class _Lists:
    """One list per parcel of what its cycles have."""

    def __init__(self, found: Seasons, season: Season) -> None:
        counts = found.cycles.per_parcel(len(found.main))
        self.at: Ints = np.cumsum(counts)[:-1]
        self.season = season

    def of(self, values: Floats) -> list[Any]:
        """Split values of cycles by parcel."""
        return np.split(values, self.at)

    def dates(self, days: Floats) -> list[Any]:
        """Split days of cycles by parcel, as dates."""
        dates = _dates(self.season, days).astype(object)
        return [list(part) for part in np.split(dates, self.at)]


def _extreme(values: Floats, known: np.ndarray[Any, Any], of: Any) -> Floats:
    found = np.full(len(values), np.nan)
    found[known] = of(values[known], axis=1) if known.any() else np.nan
    return found


def _dates(season: Season, days: Floats) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Return dates of days since the season's start, never after the as-of date; NaT for NaN."""
    missing = np.isnan(days)
    whole = np.minimum(np.rint(np.where(missing, 0.0, days)), known_until(season))
    dates = np.datetime64(season.start, "D") + whole.astype(np.int64)
    dates[missing] = np.datetime64("NaT")
    return dates


def _outcome(row: Mapping[Hashable, Any], min_dates: int, radar: str) -> Outcome:
    parcel_id, dates = row["parcel_id"], row["clear_dates"]
    if pd.isna(row["curve_start"]):
        numbers = detail(clear_dates=dates, needed=min_dates)
        return Outcome(STAGE, parcel_id, "", "too_few_dates", numbers)
    if row["cycles"] == 0:
        numbers = detail(peak=float(row["peak"]), amplitude=float(row["amplitude"]))
        return Outcome(STAGE, parcel_id, "", "no_crop_cycle", numbers)
    told = {"radar": radar} if radar else {}
    return Outcome(STAGE, parcel_id, "", detail=detail(clear_dates=dates, **told))
