"""Slips of ten: yields that stand a decimal place away from all that their county ever told.

Owns which rows of a table of county-years are such slips and are not believed. A wrong decimal mark
or an area ten times too large makes a tenth of a yield; so does a drought, but a drought comes in
degrees: where a year holds as many counties between as it holds at a tenth, all of them are
believed. Ten times a county's usual yield no season makes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.crops.series import Floats

TEN = 10.0
_LEAST_OTHERS = 4
"""Other years of a county that tell what is usual there."""
_FAR = 5.0
"""Times that a slip lies above or below the county's median at least."""
_BETWEEN = 1.5
"""Times the county's median beyond which a low yield is one of a bad year."""
_INSIDE = 1.25
"""Times its range of other years within which a mended yield lies."""


def slips_of_ten(
    county: Sequence[str] | npt.NDArray[np.str_], year: npt.NDArray[np.int64], yields: Floats
) -> npt.NDArray[np.bool_]:
    """Return which rows tell a yield ten times too large or too small.

    Args:
        county: (rows,) county of each row.
        year: (rows,) harvest year.
        yields: (rows,) yield in one unit; NaN or zero where none is known, which is no slip.

    Returns:
        (rows,) true where the yield lies at least `_FAR` times from the median of the county's
        years, and a tenth (or ten times) of it lies in the range of the county's other years.
    """
    told = np.isfinite(yields) & (np.nan_to_num(yields) > 0)
    frame = pd.DataFrame({"county": np.asarray(county, dtype=str), "y": yields})[told]
    if frame.empty:
        return np.zeros(len(yields), dtype=bool)
    by = frame.groupby("county")["y"]
    times = frame["y"] / by.transform("median")
    usual = frame["y"].where((times < _FAR) & (times > 1 / _FAR))
    ranges = usual.groupby(frame["county"]).agg(["min", "max", "count"]).reindex(frame["county"])
    low, high, count = (ranges[name].to_numpy(dtype=float) for name in ("min", "max", "count"))
    values, away = frame["y"].to_numpy(dtype=float), times.to_numpy(dtype=float)

    def fits(mended: Floats) -> npt.NDArray[np.bool_]:
        inside = (mended >= low / _INSIDE) & (mended <= high * _INSIDE)
        return np.asarray(inside & (count >= _LEAST_OTHERS))

    over = (away >= _FAR) & fits(values / TEN)
    under = (away <= 1 / _FAR) & fits(values * TEN)
    between = (away > 1 / _FAR) & (away < 1 / _BETWEEN)
    years = pd.DataFrame({"under": under, "between": between}).groupby(year[told])
    rare = years["under"].transform("sum") > years["between"].transform("sum")
    found = np.zeros(len(yields), dtype=bool)
    found[np.flatnonzero(told)] = over | (under & rare.to_numpy(dtype=bool))
    return found
