"""What a results folder holds: counties and seasons, how far each has come, and their tables.

Owns finding and reading; every name that comes from an address is held against what was found, so
that no path is ever put together from what somebody typed. Nothing is kept between two reads: a
county that is run again is seen at once. Decides nothing and writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_rows, read_table

_FIRST = "parcels.parquet"
"""A folder counts as a county from the moment that its parcels are read."""
_RERUN = "run the county again with this version (`fieldline run`)"


class NotHereError(UserError):
    """Something that the results do not hold; told with status 404."""


@dataclass(frozen=True)
class StageName:
    """One stage of the chain as the desk tells of it."""

    name: str
    title: str


@dataclass(frozen=True)
class Place:
    """The folder of one county and season."""

    folder: Path
    stages: tuple[StageName, ...] = ()
    title: str = ""
    """The county's name for people; its id where none is configured."""

    @property
    def county(self) -> str:
        """County id."""
        return self.folder.name

    @property
    def season(self) -> str:
        """Season name."""
        return self.folder.parent.name

    @property
    def key(self) -> str:
        """Season and county as addresses name them."""
        return f"{self.season}/{self.county}"

    def path(self, name: str) -> Path:
        """Return the path of a table."""
        return self.folder / f"{name}.parquet"

    def has(self, *names: str) -> bool:
        """Whether all these tables are there."""
        return all(self.path(name).is_file() for name in names)

    def table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Read columns of a table.

        Raises:
            UserError: It is not there, is half written, or is of another version.
        """
        self._check(name, columns)
        return read_table(self.path(name), columns)

    def records(self, name: str, column: str, value: str) -> list[dict[str, Any]]:
        """Read the rows of a table that hold `value` in `column`, as plain values.

        Raises:
            UserError: As `table`.
        """
        self._check(name, [column])
        return list(read_rows(self.path(name), column, value).to_pylist())

    def record(self, name: str, column: str, value: str) -> dict[str, Any] | None:
        """Read one such row; None where the table or the row is not there."""
        found = self.records(name, column, value) if self.has(name) else []
        return found[0] if found else None

    def rows(self, name: str) -> int:
        """Return how many rows a table has.

        Raises:
            UserError: As `table`.
        """
        self._check(name, [])
        return int(pq.read_metadata(self.path(name)).num_rows)

    def _check(self, name: str, columns: Sequence[str]) -> None:
        held = columns_of(self.path(name))
        lost = [column for column in columns if column not in held]
        if lost:
            raise UserError(
                f"{self.path(name)} has no column {lost[0]!r}: it was made by another version",
                _RERUN,
            )

    def done(self) -> list[StageName]:
        """Return the stages that have told their outcomes."""
        told = self.folder / "outcomes"
        return [stage for stage in self.stages if (told / f"{stage.name}.parquet").is_file()]

    def next_stage(self) -> StageName | None:
        """Return the first stage that has not; None where the run has finished."""
        done = {stage.name for stage in self.done()}
        return next((stage for stage in self.stages if stage.name not in done), None)

    def version(self, names: Iterable[str]) -> str:
        """Return a hash that changes whenever one of these tables is written again."""
        told = []
        for name in sorted(names):
            path = self.path(name)
            if path.is_file():
                seen = path.stat()
                told.append(f"{name}:{seen.st_mtime_ns}:{seen.st_size}")
        return hashlib.sha256("|".join(told).encode()).hexdigest()[:16]

    @property
    def simulated(self) -> bool:
        """Whether the scenes say that they are simulated."""
        if not self.has("scenes") or "fieldline:simulated" not in columns_of(self.path("scenes")):
            return False
        flags = self.table("scenes", ["fieldline:simulated"])["fieldline:simulated"]
        return bool(flags.any())


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the columns of a table.

    Raises:
        UserError: It is not there or is no Parquet file.
    """
    try:
        return tuple(pq.read_schema(path).names)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is not there", "let `fieldline run` come to the stage that writes it"
        ) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} is half written or no Parquet file", _RERUN) from error


@dataclass(frozen=True)
class Shelf:
    """All counties and seasons of a results folder."""

    results: Path
    stages: tuple[StageName, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    """Names for people by county id."""

    def places(self) -> list[Place]:
        """Return what there is, newest season first."""
        found = [
            Place(path.parent, self.stages, self.titles.get(path.parent.name, path.parent.name))
            for path in self.results.glob(f"[!.]*/[!.]*/{_FIRST}")
        ]
        return sorted(found, key=lambda p: (p.season, p.county), reverse=True)

    def place(self, season: str, county: str) -> Place:
        """Return one county and season.

        Raises:
            NotHereError: The results hold no such pair.
        """
        for place in self.places():
            if (place.season, place.county) == (season, county):
                return place
        raise NotHereError(
            f"these results hold no county {county!r} in season {season!r}",
            "choose one from the first page",
        )
