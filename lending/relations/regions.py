"""Regions: villages in which more applicants show a sign than chance would have it.

Owns the count and its test. A region never accuses whoever lives in it: only a farmer who shows the
sign himself is told of the others.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binom

from fieldline.lending.relations.people import Flags, Ints, People

_CELL_KM = 2.0


def regions_of(people: People, villages: pd.Series[str]) -> Ints:
    """Return the region of each farmer: the village, or where none is known a square of 2 km.

    Args:
        people: Applicants.
        villages: Village of each farmer who named one, by pseudonym.
    """
    named = villages.reindex(people.farmer_id)
    squares = pd.Series(
        [f"{e // _CELL_KM:.0f} {n // _CELL_KM:.0f}" for e, n in
         zip(people.east, people.north, strict=True)], index=named.index,
    )  # fmt: skip
    return pd.factorize(named.where(named.notna(), squares))[0].astype(np.int64)


def crowded(region: Ints, sign: Flags, *, least: int, chance: float) -> Ints:
    """Return how many farmers of each farmer's region show a sign; 0 where chance explains it.

    Args:
        region: Region of each farmer.
        sign: Whether each shows the sign.
        least: Fewest who must show it.
        chance: Greatest chance of so many in any region, all regions together.

    The share elsewhere is that of all other regions; half a farmer more with the sign and one more
    without keep a county that shows none elsewhere from having no share at all.

    Source: binomial tail with Bonferroni's correction over the regions.
    """
    total = np.bincount(region)
    shown = np.bincount(region, weights=sign).astype(np.int64)
    elsewhere = (shown.sum() - shown + 0.5) / (total.sum() - total + 1.0)
    tail = binom.sf(shown - 1, total, np.minimum(elsewhere, 1.0))
    many = (shown >= least) & (tail * len(total) < chance)
    return np.asarray(np.where(many, shown, 0)[region], dtype=np.int64)
