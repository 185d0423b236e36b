"""Radar beside the optical series of the same parcels: what it saw where clouds hid the ground.

Owns the reading of a season's backscatter beside batches of parcels, gaps of an optical series and
the radar dates that lie in them; smooths nothing and decides no crop. The one idea: radar sees
through clouds but sees structure and water, so it stands beside the optical curve, by orbit
direction, and is never averaged into it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fieldline.crops.series import ClearSeries, Floats, Ints, days_since, iter_clear, known_until
from fieldline.pipeline.imagery.settings import RadarSettings
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import iter_batches, read_between, read_table

POLARISATIONS = ("VV", "VH")
"""Backscatter that stands beside optical bands."""
LEAST_SEEN = 0.5
"""A radar date that shows less of a parcel tells nothing of it."""
_COLUMNS = ("parcel_id", "datetime", "orbit", "valid_fraction", "vv_mean", "vh_mean")


@dataclass(frozen=True)
class RadarTable:
    """Backscatter of one season and orbit direction, read beside batches of parcels."""

    path: Path
    """`observations_sentinel1.parquet`."""
    season: Season
    orbit: str
    """The one direction that is read: two look at a field from two sides."""
    bands: tuple[str, ...]
    """Of `POLARISATIONS`."""

    @property
    def columns(self) -> list[str]:
        """Columns of its polarisations."""
        return [f"{band.lower()}_mean" for band in self.bands]

    def told(self, frame: pd.DataFrame, day: Ints) -> NDArray[np.bool_]:
        """Return which rows of the table are of this orbit and season and show their parcel."""
        kept = (frame["orbit"] == self.orbit) & (frame["valid_fraction"] >= LEAST_SEEN)
        known = (day >= 0) & (day <= known_until(self.season))
        whole = frame[self.columns].notna().all(axis=1)
        return np.asarray((kept & whole).to_numpy() & known)

    def of(self, parcel_ids: Sequence[str]) -> ClearSeries:
        """Return the backscatter of parcels that follow each other in the table, dB.

        Args:
            parcel_ids: A batch, ascending.
        """
        columns = ["parcel_id", "datetime", "orbit", "valid_fraction", *self.columns]
        frame = read_between(self.path, columns, "parcel_id", parcel_ids[0], parcel_ids[-1])
        place = {name: at for at, name in enumerate(parcel_ids)}
        parcel = frame["parcel_id"].map(place).to_numpy(np.float64)
        day = days_since(frame["datetime"], self.season)
        values = frame[self.columns].to_numpy(np.float64)
        kept = np.isfinite(parcel) & self.told(frame, day)
        rows = np.flatnonzero(kept)
        rows = rows[np.lexsort((day[rows], parcel[rows]))]
        return ClearSeries(
            tuple(parcel_ids), parcel[rows].astype(np.int64), day[rows], np.ones(len(rows)),
            {band: values[rows, at] for at, band in enumerate(self.bands)},
        )  # fmt: skip


def orbits_of(path: Path) -> Counter[str]:
    """Return the parcel-dates of each orbit direction of a radar table that show the parcel."""
    found: Counter[str] = Counter()
    for frame in iter_batches(path, ["orbit", "valid_fraction"]):
        found.update(frame.loc[frame["valid_fraction"] >= LEAST_SEEN, "orbit"].tolist())
    return found


def radar_table(path: Path | None, season: Season, orbit: str | None = None) -> RadarTable | None:
    """Return the radar of a season; None where there is none.

    Args:
        path: `observations_sentinel1.parquet`, empty where the county has no radar.
        season: Its season.
        orbit: Direction to read; None takes the one that saw most.
    """
    if path is None:
        return None
    names = pq.read_schema(path).names
    bands = tuple(band for band in POLARISATIONS if f"{band.lower()}_mean" in names)
    seen = orbits_of(path)
    chosen = orbit or max(sorted(seen), key=lambda name: seen[name], default=None)
    if not bands or chosen is None or not seen[chosen]:
        return None
    return RadarTable(path, season, chosen, bands)


def iter_beside(
    observations: Path, season: Season, min_valid_fraction: float, stopped: frozenset[str],
    radar: RadarTable | None, groups: Sequence[int] | None = None,
) -> Iterator[ClearSeries]:  # fmt: skip
    """Yield what `iter_clear` does, with the backscatter of each batch where there is radar."""
    for batch in iter_clear(observations, season, min_valid_fraction, stopped, groups):
        yield batch if radar is None else replace(batch, radar=radar.of(batch.parcel_ids))


def longest_gaps(series: ClearSeries, until: int) -> Ints:
    """Return the longest span without a clear date of each parcel, days.

    Args:
        series: Clear series of a batch.
        until: Last day of the season that is known.
    """
    found = np.zeros(len(series.parcel_ids), dtype=np.int64)
    for number in range(len(found)):
        spans = optical_gaps(series.day[series.of(number)], until, 0)
        found[number] = max((last - first + 1 for first, last in spans), default=0)
    return found


def radar_vegetation_index(vv_db: Floats, vh_db: Floats) -> Floats:
    """Return the radar vegetation index 4 VH / (VV + VH) of dual-polarised power, 0 to 4.

    Args:
        vv_db: Backscatter in VV, dB.
        vh_db: Backscatter in VH, dB.

    Source: Kim & van Zyl 2009, for two polarisations Nasirzadehdizaji et al. 2019 (Appl. Sci. 9).
    """
    vv, vh = 10.0 ** (vv_db / 10.0), 10.0 ** (vh_db / 10.0)
    return np.asarray(4.0 * vh / (vv + vh))


def optical_gaps(day: Ints, until: int, gap_days: int) -> list[tuple[int, int]]:
    """Return the spans without a clear date, longer than `gap_days`, ends included.

    Args:
        day: Days of the clear dates since the season's start, ascending.
        until: Last day of the season that is known.
        gap_days: Longest span that is no gap, days.
    """
    edges = np.concatenate([[-1], day, [until + 1]])
    spans = zip(edges[:-1] + 1, edges[1:] - 1, strict=True)
    return [(int(first), int(last)) for first, last in spans if last - first + 1 > gap_days]


def radar_beside(
    series: ClearSeries, observations: Path, season: Season, settings: RadarSettings
) -> pd.DataFrame:
    """Return the radar dates of a batch of parcels, each told by whether optics had a gap then.

    Args:
        series: Their clear optical series.
        observations: `observations_sentinel1.parquet` of the same season.
        season: Season; nothing outside it or after its as-of date is read.
        settings: From how many days a gap counts.

    Returns:
        `parcel_id, day, orbit, vv_db, vh_db, rvi, in_gap` in the order of parcel, day and orbit;
        dates of less than half of a parcel are left out.
    """
    frame = read_table(observations, list(_COLUMNS))
    day = days_since(frame["datetime"], season)
    until = known_until(season)
    kept = (day >= 0) & (day <= until) & (frame["valid_fraction"] >= LEAST_SEEN).to_numpy()
    kept &= frame["parcel_id"].isin(series.parcel_ids).to_numpy()
    rows = frame[kept].assign(day=day[kept]).sort_values(["parcel_id", "day", "orbit"])
    gaps = {
        name: optical_gaps(series.day[series.of(number)], until, settings.gap_days)
        for number, name in enumerate(series.parcel_ids)
    }
    hidden = [
        any(first <= at <= last for first, last in gaps[name])
        for name, at in zip(rows["parcel_id"], rows["day"], strict=True)
    ]
    vv, vh = (rows[f"{band}_mean"].to_numpy(np.float64) for band in ("vv", "vh"))
    told = {"vv_db": vv, "vh_db": vh, "rvi": radar_vegetation_index(vv, vh), "in_gap": hidden}
    named = rows[["parcel_id", "day", "orbit"]].reset_index(drop=True)
    beside: pd.DataFrame = pd.concat([named, pd.DataFrame(told)], axis=1)
    return beside
