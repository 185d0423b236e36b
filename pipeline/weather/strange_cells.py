"""Weather cells in another unit than their neighbours.

Owns which cells of a table are apart from the rest: a station in Fahrenheit among those in °C, one
gauge in inches. No county is so steep that two of its places differ by so much, and the rest of the
table shows which is which where it is most of it; nothing is converted by guess. Such a cell counts
as not measured, so that its parcels take the next one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from fieldline.pipeline.weather.series import LIMITS, TEMPERATURES

_ENOUGH = 10
"""Fewer days say nothing about a cell."""
_WET = 30
"""Wet days from which a cell's usual rain is known."""
_DEGREES = 22.0
"""Between places of a county: 3,000 m of height at 6.5 degrees a kilometre are 19.5; between °F and
°C at 0 °C it is 32, at -10 °C still 24."""
_TIMES = 8.0
"""Between the rains of a wet day: the lee of a range has a quarter; cm, tenths and inches of mm lie
10 and 25 times apart."""
_MOSTLY = 0.5

GROUPS: Mapping[str, tuple[str, ...]] = {
    "temperatures": TEMPERATURES,
    "rain": ("precip_mm",),
}
"""What is left out together."""


def strange_cells(ids: pd.Series, frame: pd.DataFrame) -> dict[str, list[Hashable]]:
    """Return the cells that are in another unit than the others, by group of `GROUPS`.

    Args:
        ids: Cell by row, missing where it is unknown.
        frame: `date` and the weather columns by row, NaN where missing.

    Returns:
        Cells apart from more than half of the others. Of two that differ it is both: nobody can say
        which of them is right.
    """
    if ids.nunique() < 2:
        return {}
    middle = (frame["tmin_c"] + frame["tmax_c"]) / 2
    mean = frame["tmean_c"].where(frame["tmean_c"].notna(), middle)
    impossible = _impossible(ids, mean)
    possible = mean.where(~ids.isin(impossible))
    usual = possible - possible.groupby(frame["date"]).transform("median")
    known = usual.groupby(ids).agg(["median", "count"])
    warm = known.loc[known["count"] >= _ENOUGH, "median"]
    wet = frame["precip_mm"].where(frame["precip_mm"] > 0)
    rains = wet.groupby(ids).agg(["mean", "count"])
    rain = np.log(rains.loc[rains["count"] >= _WET, "mean"])
    found = {
        "temperatures": [*impossible, *_apart(warm, _DEGREES)],
        "rain": _apart(rain, float(np.log(_TIMES))),
    }
    return {group: cells for group, cells in found.items() if cells}


def _impossible(ids: pd.Series, mean: pd.Series) -> list[Hashable]:
    """Return the cells most of whose days no thermometer has shown."""
    low, high = LIMITS["tmean_c"]
    outside = ((mean < low) | (mean > high)).where(mean.notna())
    known = outside.astype(float).groupby(ids).agg(["mean", "count"])
    return list(known.index[(known["count"] >= _ENOUGH) & (known["mean"] > _MOSTLY)])


def _apart(usual: pd.Series, limit: float) -> list[Hashable]:
    values = np.sort(usual.to_numpy(dtype=float))
    others = len(values) - 1
    near = np.searchsorted(values, usual + limit, side="right")
    near = near - np.searchsorted(values, usual - limit, side="left") - 1
    return list(usual.index[(others - near) > others * _MOSTLY]) if others > 0 else []
