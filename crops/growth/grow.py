"""The grow stage: one smoothed curve per parcel, its dates, and its place in the county.

Owns `growth.parquet` and `harvest_share.parquet`. It streams the observations twice over small
things only: the first pass writes curves and keeps a few numbers per parcel, the second adds how
they compare with the county's parcels of the same crop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.harvest_share import harvest_share
from fieldline.crops.growth.heading import heads
from fieldline.crops.growth.norms import county_norms
from fieldline.crops.growth.pace import FORECAST, Pace, Paced, SeasonFiles
from fieldline.crops.growth.seasons import Seasons, heading_rules
from fieldline.crops.growth.source import source_of
from fieldline.crops.growth.vigour import thermal_norms
from fieldline.crops.schemas import GROWTH, HARVEST_SHARE
from fieldline.crops.series import Floats, Ints, known_until, stopped_parcels
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
    weather: Path | None = None,
    weather_cells: Path | None = None,
    seasons: Sequence[Season] = (),
    earlier_growth: Sequence[Path] = (),
    earlier_crops: Sequence[Path] = (),
    earlier_weather: Sequence[Path] = (),
    earlier_cells: Sequence[Path] = (),
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
        weather: `weather.parquet`; without it nothing is reckoned by thermal time.
        weather_cells: `weather_cells.parquet`, cell of each parcel.
        seasons: Earlier seasons, oldest first, and then this one.
        earlier_growth: `growth.parquet` of every earlier season, oldest first.
        earlier_crops: Their `crops.parquet`.
        earlier_weather: Their `weather.parquet`.
        earlier_cells: Their `weather_cells.parquet`.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    earlier = [
        SeasonFiles(*part)
        for part in zip(
            seasons[:-1], earlier_growth, earlier_crops, earlier_weather, earlier_cells, strict=True
        )
    ]
    pace = None
    if weather is not None and weather_cells is not None:
        pace = Pace.read(weather, weather_cells, season, earlier, settings)
    crop_of = read_table(crops, ["parcel_id", "crop"]).set_index("parcel_id")["crop"]
    stopped = stopped_parcels(previous)
    county = _County(pace is not None)
    source = source_of(observations, radar, season, clear_dates, settings, stopped)
    with scratch_path(out) as curves:
        with BatchWriter(GROWTH, curves) as writer:
            for batch in source.batches():
                found, said = source.measured(batch)
                crop = crop_of.reindex(list(batch.parcel_ids))
                frame = growth_table(batch.parcel_ids, crop, found, season, settings)
                paced = None if pace is None else pace.of(batch.parcel_ids, crop, found)
                if paced is not None:
                    days = _dates(season, paced.columns["green_up"])
                    frame = frame.assign(**paced.columns | {"green_up": days})
                writer.write(frame)
                last = found.curves.last * settings.step_days
                told = [said.get(number, "") for number in range(len(frame))]
                kept = frame.assign(crop=crop.to_numpy(), last_seen=last, radar=told)
                county.add(kept, paced)
        norms = county.norms(crop_of, settings.min_norm_parcels)
        with BatchWriter(GROWTH, out) as writer:
            for frame in iter_batches(curves):
                placed = norms.reindex(frame["parcel_id"])
                writer.write(frame.assign(**{n: placed[n].to_numpy() for n in _OF_COUNTY}))
    if out_share is not None:
        _write_share(county.kept, season, out_share)
    table = county.rows().assign(
        lacks=lambda t: norms["vigour_lacks"].reindex(t["parcel_id"]).array
    )
    results = [_outcome(row, clear_dates.min_dates) for row in table.to_dict("records")]
    write_outcomes(results, outcomes)


class _County:
    """The few numbers of every parcel that the county's norms and outcomes need."""

    def __init__(self, timed: bool) -> None:
        self.timed = timed
        self.kept: list[pd.DataFrame] = []
        self.means: list[np.ndarray[Any, np.dtype[np.float32]]] = []

    def add(self, frame: pd.DataFrame, paced: Paced | None) -> None:
        """Keep what is needed of a batch."""
        known = np.ones(len(frame), dtype=bool) if paced is None else paced.weather
        self.kept.append(frame[[*_SHARED, *_OF_OUTCOMES, "radar"]].assign(weather=known))
        if paced is not None:
            self.means.append(paced.means.astype(np.float32))

    def rows(self) -> pd.DataFrame:
        """Return every parcel."""
        return pd.concat(self.kept) if self.kept else pd.DataFrame(columns=_OF_OUTCOMES)

    def norms(self, crop_of: pd.Series[str], min_parcels: int) -> pd.DataFrame:
        """Return the place of each parcel in the county, and what it lacks for one."""
        table = self.rows()
        amount = table.set_index("parcel_id")["integral"].astype(float)
        found = county_norms(amount, crop_of, min_parcels)
        if not self.timed or table.empty:
            return found.assign(vigour=np.nan, vigour_percentile=np.nan, vigour_lacks="")
        names = crop_of.reindex(table["parcel_id"]).to_numpy(dtype=object)
        timed = thermal_norms(np.vstack(self.means).astype(float), names, min_parcels)
        timed.loc[~table["weather"].to_numpy(dtype=bool), "vigour_lacks"] = "weather"
        timed.loc[(table["cycles"] == 0).to_numpy(), "vigour_lacks"] = ""
        return found.join(timed.set_index(amount.index))


def _write_share(parts: list[pd.DataFrame], season: Season, out: Path) -> None:
    grown = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_SHARED)
    grown = grown[grown["cycles"] > 0]
    write_table(harvest_share(grown, grown["last_seen"], season), HARVEST_SHARE, out)


_OF_OUTCOMES = ["parcel_id", "clear_dates", "peak", "amplitude", "curve_start", "integral"]
_OF_COUNTY = ["anomaly", "percentile", "vigour", "vigour_percentile"]


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


def _outcome(row: Mapping[Hashable, Any], min_dates: int) -> Outcome:
    parcel_id, dates = row["parcel_id"], row["clear_dates"]
    if pd.isna(row["curve_start"]):
        numbers = detail(clear_dates=dates, needed=min_dates)
        return Outcome(STAGE, parcel_id, "", "too_few_dates", numbers)
    if row["cycles"] == 0:
        numbers = detail(peak=float(row["peak"]), amplitude=float(row["amplitude"]))
        return Outcome(STAGE, parcel_id, "", "no_crop_cycle", numbers)
    told = {"radar": row["radar"]} if row["radar"] else {}
    if row["lacks"]:
        numbers = detail(clear_dates=dates, lacks=row["lacks"], **told)
        return Outcome(STAGE, parcel_id, "", "vigour_unknown", numbers)
    return Outcome(STAGE, parcel_id, "", detail=detail(clear_dates=dates, **told))
