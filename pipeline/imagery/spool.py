"""Per-date results on disk, written date by date and read back parcel by parcel.

Owns the raw temporary files between the coverage engine and `observations.parquet`. The one idea:
fixed-size records in parcel order make the transpose from dates to parcels a seek, so memory holds
one date on the way in and one row group on the way out, whatever the number of dates.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

ABSENT = 0
"""Group of a parcel that no scene of the date touches."""
LOST = -1
"""Group of a parcel whose every scene of the date failed to be read."""


def record_type(bands: int) -> np.dtype[Any]:
    """Return the record of one parcel on one date.

    `group` numbers the combination of items that touch the parcel (or is ABSENT or LOST); `valid`
    is the clear share, `pixels` the clear coverage, `snow` the share under snow, `mean` and `std`
    reflectance per band.
    """
    return np.dtype(
        [
            ("group", "<i4"),
            ("valid", "<f4"),
            ("pixels", "<f4"),
            ("snow", "<f4"),
            ("mean", "<f4", (bands,)),
            ("std", "<f4", (bands,)),
        ]
    )


class Spool:
    """A folder of one record file per date; removed on exit.

    The folder's name follows from the artifact's, so a killed run's leftovers are cleared by the
    next one.
    """

    def __init__(self, artifact: Path, bands: int) -> None:
        self._folder = artifact.with_name(f".{artifact.name}.dates")
        self.dtype = record_type(bands)

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, date: int, records: NDArray[Any]) -> None:
        """Write the records of all parcels on one date."""
        with self._file(date).open("wb") as handle:
            handle.write(records.tobytes())

    def read(self, date: int, first: int, last: int) -> NDArray[Any]:
        """Read the records of parcels `first` to `last` (exclusive) on one date."""
        return np.fromfile(
            self._file(date), self.dtype, last - first, offset=first * self.dtype.itemsize
        )

    def _file(self, date: int) -> Path:
        return self._folder / f"{date:05d}.raw"
