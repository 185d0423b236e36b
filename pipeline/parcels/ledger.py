"""One verdict per input row: the first refusal, or else every note that was made.

Owns how several findings about a row become its single outcome; knows no rule. A refusal is final:
later rules skip the row. Notes keep the row going and stand in the outcome by their weight.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from fieldline.pipeline.parcels.places import Places
from fieldline.pipeline.records.outcomes import OK, detail

#: Notes by weight: the first of them names the outcome, the others follow under `also=`.
NOTES = (
    "map_shift_suspected", "axes_swapped", "overlap", "self_crossing", "multipart", "part_dropped",
    "simplified", "ring_closed", "unknown_crop", "unreadable_area", "text_damaged", "text_decoded",
    "farmer_names_differ",
)  # fmt: skip
#: Notes that say the geometry was changed.
REPAIRS = ("axes_swapped", "self_crossing", "part_dropped", "simplified", "ring_closed")


class Ledger:
    """Findings of a run of rules over rows 0..count-1."""

    def __init__(self, count: int, places: Places | None = None) -> None:
        self.places = places or Places()
        self.alive: npt.NDArray[np.bool_] = np.ones(count, dtype=bool)
        self._refusals: dict[int, str] = {}
        self._notes: dict[int, set[str]] = {}
        self._numbers: dict[int, dict[str, object]] = {}

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Rows that are still alive, ascending."""
        return np.flatnonzero(self.alive)

    def refuse(self, row: int, code: str, **numbers: object) -> None:
        """Refuse a row, unless an earlier rule did."""
        if self.alive[row]:
            self.alive[row] = False
            self._refusals[int(row)] = code
            self._numbers[int(row)] = numbers

    def refuse_all(self, rows: Iterable[int], code: str) -> None:
        """Refuse rows that need no numbers."""
        for row in rows:
            self.refuse(int(row), code)

    def note(self, row: int, code: str, **numbers: object) -> None:
        """Note something about a row that goes on."""
        if self.alive[row]:
            self._notes.setdefault(int(row), set()).add(code)
            self._numbers.setdefault(int(row), {}).update(numbers)

    def remark(self, row: int, **numbers: object) -> None:
        """Keep numbers about a row without a code (holes, for example)."""
        if self.alive[row]:
            self._numbers.setdefault(int(row), {}).update(numbers)

    def outcome(self, row: int) -> str:
        """Return the one outcome code of a row."""
        if row in self._refusals:
            return self._refusals[row]
        return next(iter(self._noted(row)), OK)

    def outcomes(self) -> list[str]:
        """Return the outcome code of every row, in order."""
        codes = [OK] * len(self.alive)
        for row in (*self._notes, *self._refusals):
            codes[row] = self.outcome(row)
        return codes

    def details(self) -> list[str]:
        """Return the numbers behind the outcome of every row, in order."""
        texts = [""] * len(self.alive)
        for row in {*self._numbers, *self._notes, *self._refusals}:
            texts[row] = self.detail(row)
        return texts

    def detail(self, row: int) -> str:
        """Return the numbers behind the outcome, with the input row (from 1) where not plain ok."""
        numbers = dict(self._numbers.get(row, {}))
        if self.outcome(row) == OK:
            return detail(**numbers)
        also = [] if row in self._refusals else self._noted(row)[1:]
        extra = {"also": ",".join(also)} if also else {}
        return detail(**self.places.of(row), **numbers, **extra)

    def count(self, code: str) -> int:
        """Return how many living rows carry a note."""
        return sum(code in found and bool(self.alive[row]) for row, found in self._notes.items())

    def repairs(self, row: int) -> str:
        """Return the geometry repairs of a row, separated by spaces."""
        return " ".join(code for code in self._noted(row) if code in REPAIRS)

    def all_repairs(self) -> npt.NDArray[np.object_]:
        """Return the geometry repairs of every row, in order."""
        texts = np.full(len(self.alive), "", dtype=object)
        for row in self._notes:
            texts[row] = self.repairs(row)
        return texts

    def _noted(self, row: int) -> list[str]:
        found = self._notes.get(row)
        return [code for code in NOTES if code in found] if found else []
