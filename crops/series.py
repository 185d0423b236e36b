"""Clear observations of a batch of parcels, as arrays on the season's own clock.

Owns the step from `observations.parquet` to numbers a model can read: which rows are clear and
known at the as-of date, vegetation indices, and one regular time grid for all parcels. It smooths
nothing. The one idea: a date is clear for all bands or for none, so gaps are filled with weights
that are computed once per parcel and shared by every band.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import Outcome
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import iter_batches, read_table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TINY = 1e-6
_MEAN = "_mean"
_OF_OBSERVATIONS = ("parcel_id", "datetime", "valid_fraction")
#: Bands of the near-infrared plateau, the finer one (10 m) first.
_NEAR_INFRARED = ("B08", "B8A")


@dataclass(frozen=True)
class ClearSeries:
    """Clear observations of one batch of parcels, sorted by parcel and day."""

    parcel_ids: tuple[str, ...]
    """Every parcel of the batch, also those without a clear date."""
    parcel: Ints
    """Index into `parcel_ids` of each row."""
    day: Ints
    """Days since the season's start of each row."""
    weight: Floats
    """Clear share of the parcel, 0..1."""
    bands: dict[str, Floats]
    """Mean surface reflectance by band."""
    radar: ClearSeries | None = None
    """Backscatter of the same parcels on dates of its own, dB; None where none is used."""

    @property
    def clear_dates(self) -> Ints:
        """Number of clear observations of each parcel."""
        return np.bincount(self.parcel, minlength=len(self.parcel_ids))

    def of(self, number: int) -> slice:
        """Rows of the parcel with this index."""
        first, last = np.searchsorted(self.parcel, [number, number + 1])
        return slice(int(first), int(last))


def band_names(path: Path) -> tuple[str, ...]:
    """Return the bands whose means an observations table holds, in file order."""
    names = pq.read_schema(path).names
    return tuple(name[: -len(_MEAN)] for name in names if name.endswith(_MEAN))


def observed_bands(path: Path) -> tuple[str, ...]:
    """Return the bands of a table that a person gave as one of observations.

    Raises:
        UserError: It is absent, no Parquet file, or lacks columns of observations.
    """
    remedy = "give the observations.parquet of a run"
    try:
        names = pq.read_schema(path).names
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", remedy) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet", remedy) from error
    bands = band_names(path)
    lacking = [name for name in _OF_OBSERVATIONS if name not in names]
    if lacking or not bands:
        told = ", ".join(lacking) or f"B04{_MEAN}"
        raise UserError(f"{path} lacks the columns {told} of observations", remedy)
    return bands


def known_until(season: Season) -> int:
    """Days from the season's start to its last knowable day (end or as-of, the earlier)."""
    return (min(season.end, season.as_of) - season.start).days


def clear_series(frame: pd.DataFrame, season: Season, min_valid_fraction: float) -> ClearSeries:
    """Keep the clear rows of the season that are known at its as-of date.

    Args:
        frame: Rows of `observations.parquet` (whole parcels).
        season: Season; rows before its start, after its end or after its as-of date are left out.
        min_valid_fraction: Least clear share of the parcel, 0..1.

    Returns:
        The clear rows of each parcel in date order.
    """
    ids, codes = np.unique(frame["parcel_id"].to_numpy(dtype=str), return_inverse=True)
    day = days_since(frame["datetime"], season)
    weight = frame["valid_fraction"].to_numpy(np.float64)
    means = {
        name[: -len(_MEAN)]: frame[name].to_numpy(np.float64)
        for name in frame.columns
        if name.endswith(_MEAN)
    }
    known = (day >= 0) & (day <= known_until(season)) & (weight >= min_valid_fraction)
    for values in means.values():
        known &= np.isfinite(values)
    rows = np.flatnonzero(known)
    rows = rows[np.lexsort((day[rows], codes[rows]))]
    return ClearSeries(
        tuple(str(name) for name in ids),
        codes[rows].astype(np.int64),
        day[rows],
        weight[rows],
        {band: values[rows] for band, values in means.items()},
    )


def days_since(times: pd.Series, season: Season) -> Ints:
    """Return whole days (UTC) from the season's start to each time."""
    stamps = pd.DatetimeIndex(times.dt.tz_convert(None))
    since = stamps.to_numpy().astype("datetime64[D]") - np.datetime64(season.start, "D")
    return since.astype(np.int64)


def iter_clear(
    observations: Path, season: Season, min_valid_fraction: float, stopped: frozenset[str],
    groups: Sequence[int] | None = None,
) -> Iterator[ClearSeries]:  # fmt: skip
    """Yield clear series row group by row group, without parcels that an earlier stage stopped.

    Args:
        observations: `observations.parquet`.
        season: Season.
        min_valid_fraction: Least clear share of the parcel, 0..1.
        stopped: Parcels that an earlier stage stopped.
        groups: Row groups to read, by number; None reads all.
    """
    columns = [*_OF_OBSERVATIONS]
    columns += [band + _MEAN for band in band_names(observations)]
    for frame in iter_batches(observations, columns, groups):
        kept = frame[~frame["parcel_id"].isin(stopped)] if stopped else frame
        if len(kept):
            yield clear_series(kept, season, min_valid_fraction)


def stopped_parcels(outcomes: Iterable[Path]) -> frozenset[str]:
    """Return the parcels that the given stages stopped: later stages have no row for them."""
    stopped: set[str] = set()
    for path in outcomes:
        for row in read_table(path).to_dict("records"):
            if Outcome(row["stage"], row["parcel_id"], row["farmer_id"], row["outcome"]).stops:
                stopped.add(row["parcel_id"])
    return frozenset(stopped)


def without_haze(series: ClearSeries, max_haze: float) -> ClearSeries:
    """Leave out dates that a missed cloud or haze lies over, wherever they stand in the season.

    Blue - red / 2 is nearly the same for leaves, straw and soil, and larger under haze and cloud:
    a date is judged by itself, so the first and the last one and several in a row are found too,
    and a harvest is never taken for a cloud.

    Args:
        series: Clear rows; without blue and red nothing is left out.
        max_haze: How far above the parcel's own median a date may lie, reflectance.

    Source: Zhang, Guindon & Cihlar 2002, Remote Sens. Environ. 82; Fmask's haze test is the same.
    """
    if not {"B02", "B04"} <= set(series.bands):
        return series
    haze = pd.Series(series.bands["B02"] - series.bands["B04"] / 2)
    usual = haze.groupby(series.parcel).transform("median")
    stands = ((haze - usual) <= max_haze).to_numpy(np.bool_)
    return replace(
        series,
        parcel=series.parcel[stands],
        day=series.day[stands],
        weight=series.weight[stands],
        bands={band: values[stands] for band, values in series.bands.items()},
    )


def near_infrared(bands: Iterable[str]) -> str:
    """Return the near-infrared band at hand: B08, else B8A.

    Raises:
        UserError: Neither band was observed.
    """
    names = set(bands)
    for name in _NEAR_INFRARED:
        if name in names:
            return name
    raise UserError(
        f"observations hold {sorted(names)} and no near-infrared band",
        f"add {' or '.join(_NEAR_INFRARED)} to scenes.bands and rerun from observe",
    )


def normalised(first: Floats, second: Floats) -> Floats:
    """Return the normalised difference (first - second) / (first + second), kept in -1..1."""
    total = np.maximum(first + second, _TINY)
    return np.clip((first - second) / total, -1.0, 1.0)


def ndvi(bands: dict[str, Floats]) -> Floats:
    """Normalised difference vegetation index of surface reflectance (Rouse et al. 1974)."""
    return normalised(bands[near_infrared(bands)], bands["B04"])


def indices(bands: dict[str, Floats]) -> dict[str, Floats]:
    """Return the vegetation, red-edge, water and residue indices that the bands allow.

    Source: NDVI Rouse et al. 1974; EVI Huete et al. 2002; GNDVI Gitelson et al. 1996; NDRE
    Gitelson & Merzlyak 1994; LSWI Xiao et al. 2002; NDTI van Deventer et al. 1997.
    """
    nir = bands[near_infrared(bands)]
    found = {"NDVI": ndvi(bands)}
    if "B02" in bands:
        enhanced = nir + 6.0 * bands["B04"] - 7.5 * bands["B02"] + 1.0
        found["EVI"] = np.clip(2.5 * (nir - bands["B04"]) / np.maximum(enhanced, _TINY), -1.0, 1.5)
    pairs = {"GNDVI": ("B03",), "NDRE": ("B05",), "NDRE2": ("B06",), "LSWI": ("B11",)}
    for name, (band,) in pairs.items():
        if band in bands:
            found[name] = normalised(nir, bands[band])
    if "B11" in bands and "B12" in bands:
        found["NDTI"] = normalised(bands["B11"], bands["B12"])
    return found


def curve_dates(start: dt.date, step_days: int, count: int) -> list[dt.date]:
    """Return the date of each value of a stored curve, from its first day and step in days."""
    return [start + dt.timedelta(days=step_days * step) for step in range(count)]


def grid_days(season: Season, step_days: int) -> Ints:
    """Return the centre of each step of the season, days since its start."""
    length = (season.end - season.start).days + 1
    return np.arange(step_days // 2, max(length, step_days), step_days, dtype=np.int64)


def regularise(
    series: ClearSeries, values: Floats, steps: int, step_days: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Average rows into regular steps and fill empty steps between their neighbours.

    Args:
        series: Rows to regularise.
        values: (rows, channels) values.
        steps: Number of steps of the grid.
        step_days: Length of one step, days.

    Returns:
        (parcels, steps, channels) values, linear between filled steps and constant outside them,
        NaN for parcels without any row; and (parcels, steps) whether a step was observed.
    """
    count = len(series.parcel_ids)
    cell = series.parcel * steps + np.minimum(series.day // step_days, steps - 1)
    total = np.bincount(cell, series.weight, count * steps)
    sums = np.stack(
        [np.bincount(cell, series.weight * column, count * steps) for column in values.T], axis=-1
    )
    seen = (total > 0).reshape(count, steps)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (sums / total[:, None]).reshape(count, steps, values.shape[1])
    return fill_gaps(means, seen), seen


def fill_gaps(means: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Fill unseen steps linearly between the nearest seen ones; the ends are held constant."""
    count, steps = seen.shape
    at = np.broadcast_to(np.arange(steps), (count, steps))
    before = np.maximum.accumulate(np.where(seen, at, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, at, steps)[:, ::-1], axis=1)[:, ::-1]
    low = np.where(before < 0, np.minimum(after, steps - 1), before)
    high = np.where(after >= steps, np.maximum(before, 0), after)
    share = (at - low) / np.maximum(high - low, 1)
    rows = np.arange(count)[:, None]
    share = np.clip(share, 0.0, 1.0)[:, :, None]
    filled: Floats = means[rows, low] * (1.0 - share) + means[rows, high] * share
    filled[~seen.any(axis=1)] = np.nan
    return filled


def stack(columns: Sequence[Floats]) -> Floats:
    """Stack per-row columns into (rows, channels)."""
    return np.stack(list(columns), axis=1)
