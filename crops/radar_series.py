"""Radar beside the optical series of the same parcels: what it saw where clouds hid the ground.

Owns gaps of an optical series and the radar dates that lie in them; smooths nothing and decides no
crop. The one idea: radar sees through clouds but sees structure and water, so it stands beside the
optical curve, by orbit direction, and is never averaged into it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.crops.series import ClearSeries, Floats, Ints, known_until
from fieldline.pipeline.imagery.settings import RadarSettings
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table

_COLUMNS = ("parcel_id", "datetime", "orbit", "valid_fraction", "vv_mean", "vh_mean")


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
    since = frame["datetime"].dt.tz_convert(None).to_numpy().astype("datetime64[D]")
    day = (since - np.datetime64(season.start, "D")).astype(np.int64)
    until = known_until(season)
    kept = (day >= 0) & (day <= until) & (frame["valid_fraction"] >= 0.5).to_numpy()
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
