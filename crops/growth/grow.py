"""The grow stage: one smoothed curve per parcel, its dates, and its place in the county.

Owns `growth.parquet` and `harvest_share.parquet`. What is measured of each parcel is written row
group by row group, of a county or of a block of it; `county` then adds how the parcels compare with
those of the same crop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.county import County
from fieldline.crops.growth.heading import heads
from fieldline.crops.growth.pace import FORECAST, Pace, SeasonFiles
from fieldline.crops.growth.seasons import Seasons, heading_rules
from fieldline.crops.growth.source import Source, source_of
from fieldline.crops.schemas import GROWTH, GROWTH_MEASURED
from fieldline.crops.series import Floats, Ints, known_until, stopped_parcels
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.parcels.blocks import WHOLE, Block
from fieldline.pipeline.records.outcomes import write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, read_table


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
    weather: Path | None = None,
    weather_cells: Path | None = None,
    seasons: Sequence[Season] = (),
    earlier_growth: Sequence[Path] = (),
    earlier_crops: Sequence[Path] = (),
    earlier_weather: Sequence[Path] = (),
    earlier_cells: Sequence[Path] = (),
    previous: Sequence[Path] = (),
    block: Block = WHOLE,
    parts: Sequence[Path] = (),
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
        weather: `weather.parquet`; without it nothing is reckoned by thermal time.
        weather_cells: `weather_cells.parquet`, cell of each parcel.
        seasons: Earlier seasons, oldest first, and then this one.
        earlier_growth: `growth.parquet` of every earlier season, oldest first.
        earlier_crops: Their `crops.parquet`.
        earlier_weather: Their `weather.parquet`.
        earlier_cells: Their `weather_cells.parquet`.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
        block: Which run of the observations' row groups; of one block of several `out` holds
            `GROWTH_MEASURED`, and there are no outcomes yet.
        parts: What every block measured where the county has been worked in blocks; they are
            joined, and no observation is read.
    """
    crop_of = read_table(crops, ["parcel_id", "crop"]).set_index("parcel_id")["crop"]
    county = County(
        crop_of, season, settings.min_norm_parcels, clear_dates.min_dates,
        timed=weather is not None and weather_cells is not None,
    )  # fmt: skip
    if parts:
        county.join(parts, out, out_share, outcomes)
        return
    earlier = [
        SeasonFiles(*part)
        for part in zip(
            seasons[:-1], earlier_growth, earlier_crops, earlier_weather, earlier_cells, strict=True
        )
    ]
    pace = None
    if weather is not None and weather_cells is not None:
        pace = Pace.read(weather, weather_cells, season, earlier, settings)
    stopped = stopped_parcels(previous)
    source = source_of(observations, radar, season, clear_dates, settings, stopped, block)
    if block != WHOLE:
        _measure(source, crop_of, pace, out)
        write_outcomes([], outcomes)  # they are the county's to give
        return
    with scratch_path(out) as measured:
        _measure(source, crop_of, pace, measured)
        county.join([measured], out, out_share, outcomes)


def _measure(source: Source, crop_of: pd.Series[str], pace: Pace | None, out: Path) -> None:
    """Write the growth of a source's parcels, still without their place in the county."""
    step_days = source.settings.step_days
    with BatchWriter(GROWTH_MEASURED, out) as writer:
        for batch in source.batches():
            found, said = source.measured(batch)
            crop = crop_of.reindex(list(batch.parcel_ids))
            frame = growth_table(batch.parcel_ids, crop, found, source.season, source.settings)
            paced = None if pace is None else pace.of(batch.parcel_ids, crop, found)
            if paced is not None:
                days = _dates(source.season, paced.columns["green_up"])
                frame = frame.assign(**paced.columns | {"green_up": days})
            count = len(frame)
            means: list[Any] = [()] * count
            if paced is not None:
                means = list(paced.means.astype(np.float32))
            writer.write(
                frame.assign(
                    last_seen=(found.curves.last * step_days).astype(np.int32),
                    radar=[said.get(number, "") for number in range(count)],
                    weather=np.ones(count, dtype=bool) if paced is None else paced.weather,
                    means=means,
                )
            )


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
        "green_up": _dates(season, np.full(len(has), np.nan)),
        **dict.fromkeys(("thermal_time", "vigour", "vigour_percentile"), np.nan),
        **{name: [None] * len(has) for name in FORECAST},
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
