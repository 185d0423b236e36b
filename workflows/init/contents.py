"""What the values of a column look like: ids, crops, areas, phones.

Owns the counting of cells and the comparison of numbers with the drawn areas; knows no header. An
area is recognised by following the rings: its ratio to them also tells mu from hectares.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldline.pipeline.inputs.numbers import NotANumberError, written
from fieldline.pipeline.parcels.readers import AREA_UNITS
from fieldline.pipeline.parcels.rings import Floats
from fieldline.pipeline.records.reference import crop_named
from fieldline.workflows.init.guess import counted
from fieldline.workflows.init.headers import AREA

#: A declared area within this factor of the drawn one is the same field; mu, ha and m2 lie 15 and
#: 667 apart, so no unit is mistaken for another.
_SAME_FIELD = 1.5
_MOST = 0.8
_LEAST_ROWS = 3
_LEAST_CORRELATION = 0.9
_CODE = re.compile(r"(?!\d{4}[-/.]\d\d?[-/.]\d\d?$)[\w./#-]*\d[\w./#-]*")
_PHONE = re.compile(r"1[3-9]\d{9}|\+\d[\d ()-]{6,16}")
_PHONE_LIKE = re.compile(r"[\d+()/ .-]{5,20}")
_ID_CARD = re.compile(r"\d{17}[\dXx]")


@dataclass(frozen=True)
class Contents:
    """Counts over the cells of one column."""

    name: str
    """The file's own name of the column."""
    rows: int
    filled: int
    distinct: int
    codes: float
    """Share of the filled cells that look like a code: one word with a digit in it, no date."""
    crops: float
    """Share of the filled cells that data/crops.csv knows by code or name."""
    phones: float
    """Share that are mobile numbers of China or international ones."""
    phone_like: float
    """Share that consist of what phone numbers are written with."""
    id_cards: float
    """Share that are resident identity numbers of China (18 characters)."""
    numeric: float
    """Share that are numbers as intake reads them."""
    fractions: bool
    """Whether any number is no whole one."""
    area_unit: str | None
    """`declared_area_mu`, `_ha` or `_m2` in which the numbers match the drawn areas."""
    follows_rings: bool
    """Whether the numbers grow with the drawn areas."""

    @property
    def identifies(self) -> bool:
        """Whether every row has a value of its own."""
        return self.filled == self.distinct == self.rows

    def looks_like(self, role: str) -> bool:
        """Whether the values alone speak for a role."""
        personal = max(self.phones, self.id_cards) >= _MOST
        measure = self.fractions or self.crops >= _MOST
        if role == AREA:
            return self.area_unit is not None and self.follows_rings
        if role == "parcel_id":
            return self.identifies and self.codes >= _MOST and not (personal or measure)
        if role == "farmer_id":
            repeats = self.filled == self.rows and 1 < self.distinct < self.rows
            return repeats and self.codes >= _MOST and not (personal or measure)
        shares = {"declared_crop": self.crops, "phone": self.phones, "id_number": self.id_cards}
        return shares.get(role, 0.0) >= _MOST

    def contradiction(self, role: str, roles: Sequence[str], *, exact: bool) -> str:
        """Return why the values cannot mean what the header says; empty where they can.

        Args:
            role: One of the roles that the header speaks for.
            roles: All of them: `owner` may be a number or a name, and the values decide.
            exact: Whether the header is a known name and not just near one: what is only called
                like a crop could be somebody's prediction.
        """
        person = "name" in roles and "farmer_id" in roles
        if self.filled == 0:
            return "is empty"
        if role in ("parcel_id", "farmer_id") and self.fractions:
            return "holds measures, no numbers of things"
        if role == "farmer_id" and person and 2 * self.codes <= 1:
            return "holds words, no codes"
        if role == AREA and self.numeric == 0:
            return "holds no number that intake can read (write 3.9, not 3,9 or 3.9 mu)"
        if role == "declared_crop" and self.fractions:
            return "holds measures, no crops"
        if role == "declared_crop" and not exact and self.crops == 0:
            return "holds no crop that data/crops.csv knows"
        if role == "name" and person and 2 * self.codes > 1:
            return "holds codes, no names"
        if role == "phone" and 2 * self.phone_like <= 1:
            return "holds no phone numbers"
        return ""

    def described(self, role: str) -> str:
        """Return the counts that matter for a role, without any cell."""
        empty = self.rows - self.filled
        blanks = f"{empty} of {counted(self.rows, 'row')} empty" if empty else "no row is empty"
        if role == "declared_crop":
            known = round(self.crops * self.filled)
            return (
                f"data/crops.csv knows {known} of {counted(self.filled, 'cell')}, others stay empty"
            )
        if role == AREA:
            return (
                f"{round(self.numeric * self.filled)} of {counted(self.rows, 'row')} with a number"
            )
        if role == "parcel_id" and self.distinct < self.filled:
            twice = self.filled - self.distinct
            return f"{blanks}, but {counted(twice, 'row')} with another row's value: refused"
        return f"{counted(self.distinct, 'value')}, {blanks}"


def contents_of(name: str, cells: Sequence[str | None], areas_m2: Floats) -> Contents:
    """Count over the cells of a column.

    Args:
        name: The file's own name of the column.
        cells: Readable text, None where empty.
        areas_m2: Drawn area of each row, NaN where unknown.
    """
    texts = [cell for cell in cells if cell is not None]
    numbers = np.array([_value(cell) for cell in cells])
    finite = numbers[np.isfinite(numbers)]
    unit, follows = _against_rings(numbers, areas_m2)

    def share(count: int) -> float:
        return count / len(texts) if texts else 0.0

    def matching(pattern: re.Pattern[str]) -> float:
        return share(sum(bool(pattern.fullmatch(text)) for text in texts))

    return Contents(
        name=name,
        rows=len(cells),
        filled=len(texts),
        distinct=len(set(texts)),
        codes=matching(_CODE),
        crops=share(sum(crop_named(text) is not None for text in texts)),
        phones=matching(_PHONE),
        phone_like=matching(_PHONE_LIKE),
        id_cards=matching(_ID_CARD),
        numeric=share(len(finite)),
        fractions=bool((finite != np.round(finite)).any()),
        area_unit=unit,
        follows_rings=follows,
    )


def _value(cell: str | None) -> float:
    """Return the number of a cell, an open mark read as a decimal one; NaN where it holds none."""
    try:
        number = None if cell is None else written(cell)
        return np.nan if number is None else float(number.value("."))
    except NotANumberError:
        return np.nan


def _against_rings(numbers: Floats, areas_m2: Floats) -> tuple[str | None, bool]:
    """Return the unit in which most numbers match the drawn areas, and whether they follow them."""
    usable = (numbers > 0) & (areas_m2 > 0)
    if not usable.any():
        return None, False
    ratio = numbers[usable] / areas_m2[usable]
    limit = np.log(_SAME_FIELD)
    near = {unit: np.abs(np.log(ratio * m2)) < limit for unit, m2 in AREA_UNITS.items()}
    unit = max(near, key=lambda name: float(near[name].mean()))
    matched = float(near[unit].mean()) >= _MOST
    return (unit if matched else None), _correlated(numbers[usable], areas_m2[usable])


def _correlated(numbers: Floats, areas_m2: Floats) -> bool:
    x, y = np.log(numbers), np.log(areas_m2)
    if len(x) < _LEAST_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return False
    return bool(np.corrcoef(x, y)[0, 1] >= _LEAST_CORRELATION)
