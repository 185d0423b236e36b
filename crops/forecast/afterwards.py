"""Afterwards: columns of county-years that nobody has before the yield itself.

Owns how they are known: by their names (`data/column_names.csv`, role `known_with_yield`), as the
yield in other words, or as two columns whose ratio is the yield (production by area, whatever they
are called). Learnt from, any of them would make a forecast of last year look like foresight.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from fieldline.crops.series import Floats
from fieldline.pipeline.inputs.names import known_names, words

LATE = "is known with the yield and not before it"
OTHER_WORDS = "says the yield in other words"
_TELLS, _MANY = 0.99, 30
"""Correlation from which so many rows of a column say the yield itself, rounded or converted."""
_EXACT = 1 - 1e-6
"""Correlation from which fewer rows do."""
_ROWS = 2000
"""Rows that ratios are looked at in: more say no more."""
_LEAF_AREA = ("leafarea", "叶面积", "blattflache")
"""An area that is measured while the crop grows."""


def known_with_yield(header: str) -> bool:
    """Whether a column is called by a quantity of the finished harvest, in any known language."""
    parts = words(header)
    runs = {"".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)}
    whole = "".join(parts)
    if any(leaf in whole for leaf in _LEAF_AREA):
        return False
    return not _names().isdisjoint(runs) or any(name in whole for name in _hanzi())


@cache
def _names() -> frozenset[str]:
    return known_names("known_with_yield")


@cache
def _hanzi() -> tuple[str, ...]:
    """Return the names that are written without blanks, so that they stand inside a word."""
    return tuple(sorted(name for name in _names() if "\u4e00" <= name[0] <= "\u9fff"))


def telling(covariates: pd.DataFrame, target: Floats) -> dict[str, str]:
    """Return the columns that say the yield, alone or two of them together, and how.

    Args:
        covariates: Numbers, NaN where missing.
        target: Yield by row, NaN where it is not known yet.
    """
    found: dict[str, str] = {}
    values = {str(name): covariates[name].to_numpy(dtype=float) for name in covariates}
    for name, column in values.items():
        seen = np.isfinite(column) & np.isfinite(target)
        if seen.sum() > 2 and _same(column[seen], target[seen]):
            found[name] = OTHER_WORDS
    rest = [name for name in values if name not in found]
    for upper, lower in _ratios({name: values[name] for name in rest}, target):
        found.setdefault(upper, f"says the yield together with {lower}")
        found.setdefault(lower, f"says the yield together with {upper}")
    return found


def _same(values: Floats, target: Floats) -> bool:
    if values.std() == 0 or target.std() == 0:
        return False
    least = _TELLS if len(values) >= _MANY else _EXACT
    return bool(abs(np.corrcoef(values, target)[0, 1]) > least)


def _ratios(values: dict[str, Floats], target: Floats) -> list[tuple[str, str]]:
    """Return the pairs of which one by the other is the yield, in any unit.

    Their logarithms differ by that of the yield and a constant, so the difference hardly spreads
    beside the yield. Rows in which either is not above zero say nothing.
    """
    rows = np.flatnonzero(np.isfinite(target) & (target > 0))
    rows = rows[:: max(1, len(rows) // _ROWS)]
    names = list(values)
    if len(names) < 2 or len(rows) < 3:
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack([values[name][rows] for name in names]))
    logs[~np.isfinite(logs)] = np.nan
    wanted = np.log(target[rows])
    found = []
    for at, lower in enumerate(names):
        off = logs - logs[at] - wanted
        seen = np.isfinite(off)
        for upper in np.flatnonzero(seen.sum(axis=1) > 2).tolist():
            own = off[upper, seen[upper]]
            spread = wanted[seen[upper]].std()
            least = _TELLS if len(own) >= _MANY else _EXACT
            if upper != at and spread > 0 and own.std() < np.sqrt(1 - least**2) * spread:
                found.append((names[upper], lower))
    return found
