"""Slips of ten: yields that stand a decimal place away from all that their county ever told.

Owns which rows of a table of county-years are such slips and are not believed, and which look like
one and count all the same. A wrong decimal mark or an area ten times too large makes a tenth of a
yield; so does a lost harvest, and leaving that out would promise the more, the worse a year was.
A tenth is therefore a slip only where the same year went as usual elsewhere and hardly any county
lies between. Ten times the usual no season makes. What a person confirms is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.crops.series import Floats

TEN = 10.0
_LEAST_OTHERS = 4
"""Other years of a county that tell what is usual there."""
_FAR = 5.0
"""Times that a yield lies above or below the county's median at least to look like a slip."""
_TENFOLD = 7.0
"""Times the median from which a high yield is one: tenfold a season two standard deviations (.17 of
logs, counties of the US and France) below the usual. The one such slip of CY-Bench's tables lies
at 8.5, the highest other yield at 2.5 times its county's median."""
_NEAR = 1.5
"""Times the county's median, up or down, within which a yield is as usual."""
_LEAST_NEAR, _SHARE_NEAR = 3, 0.25
"""Counties that had a usual yield in a year of slips at least, and their share of those told. Of
Spanish maize in 2002 it were 13 of 41."""
_DEGREES = 1 / 3
"""Counties between a tenth and the usual for each at a tenth, above which it was a lost harvest."""
_INSIDE = 1.25
"""Times its range of other years within which a mended yield lies."""

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Slips:
    """Rows that stand about a decimal place off."""

    slipped: Rows
    """(rows,) not believed."""
    unusual: Rows
    """(rows,) could be a slip or a season, and count."""

    @classmethod
    def none(cls, rows: int) -> Slips:
        """Return that none is one."""
        return cls(np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool))


def slips_of_ten(
    county: Sequence[str] | npt.NDArray[np.str_],
    year: npt.NDArray[np.int64],
    yields: Floats,
    confirmed: Rows | None = None,
) -> Slips:
    """Return which rows tell a yield ten times too large or too small.

    Args:
        county: (rows,) county of each row.
        year: (rows,) harvest year.
        yields: (rows,) yield of one crop in one unit; NaN or zero where none is known, which is no
            slip.
        confirmed: (rows,) that a person looked at and found true.

    Returns:
        Rows whose yield lies at least `_FAR` times from the median of the county's years while a
        tenth (or ten times) of it lies in the range of the county's other years: slips where it is
        `_TENFOLD` too high, or low in a year of which other counties of the table tell that it was
        no bad one, else unusual.
    """
    told = np.isfinite(yields) & (np.nan_to_num(yields) > 0)
    frame = pd.DataFrame({"county": np.asarray(county, dtype=str), "year": year, "y": yields})[told]
    times = (frame["y"] / frame.groupby("county")["y"].transform("median")).to_numpy(dtype=float)
    usual = frame["y"].where((times < _FAR) & (times > 1 / _FAR))
    ranges = usual.groupby(frame["county"]).agg(["min", "max", "count"]).reindex(frame["county"])
    low, high, count = (ranges[name].to_numpy(dtype=float) for name in ("min", "max", "count"))
    known, values = count >= _LEAST_OTHERS, frame["y"].to_numpy(dtype=float)

    def fits(mended: Floats) -> Rows:
        return np.asarray(known & (mended >= low / _INSIDE) & (mended <= high * _INSIDE))

    over = (times >= _FAR) & fits(values / TEN)
    under = (times <= 1 / _FAR) & fits(values * TEN)
    found = (over & (times >= _TENFOLD)) | (under & ~_lost_harvest(frame, times, under, known))
    looked_at = np.zeros(len(yields), dtype=bool) if confirmed is None else confirmed
    slips = Slips.none(len(yields))
    slips.slipped[told], slips.unusual[told] = found, (over | under) & ~found
    return Slips(slips.slipped & ~looked_at, slips.unusual & ~looked_at)


def _lost_harvest(frame: pd.DataFrame, times: Floats, under: Rows, known: Rows) -> Rows:
    """Return the rows of years in which other counties do not show that a tenth is a slip."""

    def counties(rows: Rows) -> Floats:
        told = frame[rows].groupby("year")["county"].nunique()
        return np.asarray(told.reindex(frame["year"], fill_value=0), dtype=float)

    near = counties(known & (times > 1 / _NEAR) & (times < _NEAR))
    between = counties(known & (times > 1 / _FAR) & (times <= 1 / _NEAR))
    normal = (near >= _LEAST_NEAR) & (near >= _SHARE_NEAR * counties(known))
    return np.asarray(~normal | (between > _DEGREES * counties(under)))


def told_slips(
    slips: Slips, county: npt.NDArray[np.str_], year: Floats, yields: Floats, counted: Rows
) -> list[str]:
    """Return in words how many yields are not believed, how many unusual, and the first of each.

    Args:
        slips: Rows of the whole table, as all others.
        county: (rows,) county.
        year: (rows,) harvest year.
        yields: (rows,) yield.
        counted: (rows,) of the crop that was asked for, once each: these tell what is usual.
    """

    def first(found: Rows) -> str:
        at = int(np.flatnonzero(found)[0])
        usual = float(np.median(yields[(county == county[at]) & counted]))
        return f"(row {at + 1}, {county[at]} in {year[at]:.0f}: {yields[at]:g}, usually {usual:g})"

    told = []
    if slips.slipped.any():
        told.append(
            f"{slips.slipped.sum()} rows whose yield is ten times too small or too large are left "
            f"out {first(slips.slipped)}: mend the decimal mark, or the area that it was divided "
            "by, or say yes in a column `confirmed` where it is true"
        )
    if slips.unusual.any():
        told.append(
            f"{slips.unusual.sum()} rows whose yield is far from the usual count all the same "
            f"{first(slips.unusual)}: a season can make that; mend it if a decimal mark slipped, "
            "or say yes in a column `confirmed`"
        )
    return told
