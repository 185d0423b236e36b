"""Spelling: the same county, year or missing value as different publishers write it.

Owns which spellings are one county across two tables, which day is of which harvest year, and which
numbers stand for "not measured". It reads no file and knows no yield.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.crops.series import Floats

_DAY = re.compile(r"\s*(\d{4})-\d{1,2}-\d{1,2}(?:[T ].*)?")
_FILLS = (-9999.0, -999.0, -99.0, -32768.0, 9999.0, 32767.0, 65535.0, 99999.0, 1e20)
"""Numbers that publishers of weather and imagery write where nothing was measured."""


def same_counties(asked: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return each asked county as the known ones spell it; itself where none or several fit.

    `01001`, `1001` and `1001.0` are one code, and so are names that differ in case or blanks.
    """
    exact = set(map(str, known))
    spelt = defaultdict(set)
    for name in exact:
        spelt[_plain(name)].add(name)
    asked = sorted(set(map(str, asked)))
    again = pd.Series([_plain(name) for name in asked], dtype=object).duplicated(keep=False)
    found = {}
    for name, unclear in zip(asked, again.tolist(), strict=True):
        like = spelt[_plain(name)]
        found[name] = next(iter(like)) if len(like) == 1 and not unclear else name
    return found


def _plain(name: str) -> str:
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    whole = text.removesuffix(".0")
    return str(int(whole)) if whole.isdecimal() else text


def harvest_years(text: pa.Array, numbers: Floats) -> tuple[Floats, str]:
    """Return harvest years, of days too, and the first cell that is none, in words.

    Two years (`2019/20`) are not guessed at.
    """
    years = numbers.copy()
    no_year = ""
    for row in np.flatnonzero(np.isnan(numbers)).tolist():
        cell = text[row].as_py()
        day = _DAY.fullmatch(cell) if cell else None
        if day is not None:
            years[row] = float(day[1])
        elif cell and not no_year:
            no_year = f"; row {row + 1} says {cell!r} for its year"
    return years, no_year


def without_fills(values: Floats) -> tuple[Floats, str]:
    """Return numbers without those that stand for "not measured", and a sentence on them.

    A fill value counts as one only where it lies further from all other numbers than these lie
    from each other.
    """
    fill = np.isin(values, _FILLS)
    others = values[np.isfinite(values) & ~fill]
    if not fill.any() or not len(others):
        return values, ""
    low, high = float(others.min()), float(others.max())
    beyond = fill & ((values < low - (high - low)) | (values > high + (high - low)))
    if not beyond.any():
        return values, ""
    return (
        np.where(beyond, np.nan, values),
        f"{beyond.sum()} cells say {values[beyond][0]:g}, which stands for nothing measured",
    )
