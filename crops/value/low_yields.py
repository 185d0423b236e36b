"""Low yields: county statistics under what a crop's table says that a county can have.

Owns which of them are believed. A figure in another unit looks like a lost harvest, and a lost
harvest that is left out makes the worse year the better prior. Tonnes per mu make every year of a
county small, a disaster one of many: so a small figure counts where the county's other years lie in
the crop's range, or where a person says that it is true.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.pipeline.records.reference import crops

LEAST_OTHERS = 4
"""Years of a county in the crop's range that show in what unit it tells its yields (as many as tell
what is usual there, `crops.forecast.slips`)."""

Rows = npt.NDArray[np.bool_]


def low_yields(known: pd.DataFrame) -> tuple[Rows, Rows]:
    """Return the rows under their crop's range: those not believed, and those that count.

    Args:
        known: Columns `crop`, `county`, `yield_t_ha` and `confirmed` of the rows that were known;
            bounds are those of `data/crops.csv`.

    Returns:
        (rows,) not believed, and (rows,) that count though no person confirmed them.
    """
    low = known["crop"].map({code: c.min_plausible_t_ha for code, c in crops().items()})
    yields = known["yield_t_ha"].astype(float)
    under = (yields < low.astype(float)).to_numpy()
    inside = yields.notna().to_numpy() & ~under
    key = [known["crop"], known["county"].fillna("")]
    others = pd.Series(inside, index=known.index).groupby(key).transform("sum").to_numpy()
    doubtful = under & ~known["confirmed"].fillna(False).to_numpy(dtype=bool)
    believed = doubtful & (others >= LEAST_OTHERS)
    return doubtful & ~believed, believed
