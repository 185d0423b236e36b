"""Low yields: county statistics under what a crop's table says that a county can have.

Owns which of them are believed. A figure in another unit looks like a lost harvest, and a lost
harvest that is left out makes the worse year the better prior. Tonnes per mu make many years of a
county small, a disaster few and apart: so a small figure counts where clearly more of the county's
years lie in the crop's range and the next to it do too, or where a person says that it is true.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.pipeline.records.reference import crops

LEAST_OTHERS = 4
"""Years of a county in the crop's range that show in what unit it tells its yields (as many as tell
what is usual there, `crops.forecast.slips`)."""
MOST_LOW = 0.25
"""Share of a county's known years that may lie under the range: more of them are a unit."""

Rows = npt.NDArray[np.bool_]


def low_yields(known: pd.DataFrame) -> tuple[Rows, Rows]:
    """Return the rows under their crop's range: those not believed, and those that count.

    Args:
        known: Columns `crop`, `county`, `year`, `yield_t_ha` and `confirmed` of the rows that were
            known; bounds are those of `data/crops.csv`.

    Returns:
        (rows,) not believed, and (rows,) that count though no person confirmed them: years that
        neither follow nor precede such a year among those told of the county, where they are
        `MOST_LOW` of these at most and `LEAST_OTHERS` lie in the range. A year told twice is one.
    """
    low = known["crop"].map({code: c.min_plausible_t_ha for code, c in crops().items()})
    yields = known["yield_t_ha"].astype(float)
    under = (yields < low.astype(float)).to_numpy()
    confirmed = known["confirmed"].fillna(False).to_numpy(dtype=bool)
    doubtful = under & ~confirmed
    rows = pd.DataFrame({
        "crop": known["crop"], "county": known["county"].fillna(""), "year": known["year"],
        "under": under, "doubtful": doubtful,
    })  # fmt: skip
    place = ["crop", "county"]
    years = rows[yields.notna()].groupby([*place, "year"], as_index=False).any()
    told = years.groupby(place)
    beside = [told["doubtful"].shift(step, fill_value=False).astype(bool) for step in (1, -1)]
    years["believed"] = (
        years["doubtful"]
        & ~(beside[0] | beside[1])
        & (told["under"].transform("size") - told["under"].transform("sum") >= LEAST_OTHERS)
        & (told["doubtful"].transform("mean") <= MOST_LOW)
    )
    by_year = years[[*place, "year", "believed"]]
    seasons = rows.merge(by_year, on=[*place, "year"], how="left")["believed"]
    believed = doubtful & seasons.eq(True).to_numpy(dtype=bool)
    return doubtful & ~believed, believed
