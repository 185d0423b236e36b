"""Reference tables: how any is read and named by its content, and those of crops, typed.

Owns the rows of `data/` and the loaders of `crops.csv` and `crop_calendars.csv`; the domain expert
owns the tables. A new crop or region is a new row there and no new code here.
"""

from __future__ import annotations

import csv
import datetime as dt
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from pathlib import Path

from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.errors import UserError

_PLAIN_YEAR = 2023
"""A year of 365 days."""


@dataclass(frozen=True)
class Crop:
    """One row of `crops.csv`."""

    code: str
    """Crop code that every artifact uses."""
    name_en: str
    name_zh: str
    group: str
    hcat: str
    """EuroCrops HCAT3 code; empty where no class fits exactly."""
    fao_icc: str
    """FAO Indicative Crop Classification 1.1 code; empty where unsure."""
    annual: bool
    """Whether the crop is sown and harvested within a year."""
    min_plausible_t_ha: float | None
    """Smallest believable yield in market mass, t/ha; None where the class yields nothing."""
    max_plausible_t_ha: float | None
    """Largest believable yield in market mass, t/ha."""
    source: str


@dataclass(frozen=True)
class Window:
    """A yearly window of days; it may cross New Year."""

    start: tuple[int, int]
    """Month and day, inclusive."""
    end: tuple[int, int]
    """Month and day, inclusive."""

    def in_season(self, season_start: dt.date) -> tuple[dt.date, dt.date]:
        """Return the window's first and last day on or after the start of a season."""
        first = _on_or_after(self.start, season_start)
        return first, _on_or_after(self.end, first)


@dataclass(frozen=True)
class Calendar:
    """One row of `crop_calendars.csv`: a crop in a region."""

    crop: str
    region: str
    sowing: Window
    harvest: Window
    cash_cost_per_ha: Decimal
    """Cash cost of inputs and services in `currency` per hectare."""
    currency: str
    basis: str
    """What the cost rests on: `simulated`, `assumption`, or a survey's name."""
    source: str


@dataclass(frozen=True)
class TableRow:
    """One row of a table that a lender may have written, read cell by cell with its place."""

    table: str
    number: int
    """Data row, the first is 1."""
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """Return a cell without the blanks around it."""
        return (self.cells[column] or "").strip()

    def decimal(self, column: str) -> Decimal:
        """Return a cell as a number.

        Raises:
            UserError: It is none, or not a finite one.
        """
        try:
            value = Decimal(self.text(column))
        except InvalidOperation:
            value = Decimal("nan")
        if not value.is_finite():
            raise self.wrong(column, "write a plain number such as 1250.50")
        return value

    def day(self, column: str) -> dt.date:
        """Return a cell as a date.

        Raises:
            UserError: It is none.
        """
        try:
            return dt.date.fromisoformat(self.text(column))
        except ValueError as error:
            raise self.wrong(column, "write a date like 2024-09-30") from error

    def month_day(self, column: str) -> tuple[int, int]:
        """Return a cell as month and day of any year.

        Raises:
            UserError: It is none; 29 February is none, because most years lack it.
        """
        try:
            day = dt.date.fromisoformat(f"{_PLAIN_YEAR}-{self.text(column)}")
        except ValueError as error:
            raise self.wrong(column, "write month and day like 09-30") from error
        return day.month, day.day

    def wrong(self, column: str, remedy: str) -> UserError:
        """Return the refusal of a cell."""
        place = f"{self.table}, row {self.number}: {column} is {self.cells[column]!r}"
        return UserError(place, remedy)


def checked_rows(name: str, columns: Sequence[str]) -> list[TableRow]:
    """Return the rows of a table that has these columns.

    Args:
        name: As `table_rows`.
        columns: Columns that are read.

    Raises:
        UserError: There is no such table, or it lacks a column.
    """
    rows = table_rows(name)
    missing = [column for column in columns if rows and column not in rows[0]]
    if missing or not rows:
        lacks = f"lacks the columns {missing}" if missing else "holds no row"
        raise UserError(f"{name} {lacks}", f"give all of {list(columns)}, with at least one row")
    return [TableRow(name, number, row) for number, row in enumerate(rows, start=1)]


def table_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a table of `data/`, or of a file of the lender's own by its full path.

    Raises:
        UserError: There is no such table.
    """
    own = Path(name)
    source = own if own.is_absolute() else files("fieldline") / "data" / name
    try:
        with source.open(encoding="utf-8-sig") as handle:
            return list(csv.DictReader(handle))
    except FileNotFoundError as error:
        remedy = "name a file of data/ or give a path"
        if not own.is_absolute():
            remedy += f", such as ./{name} for one beside the configuration"
        raise UserError(f"{name} does not exist", remedy) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8 text", "save it as CSV in UTF-8") from error
    except (OSError, csv.Error) as error:
        raise UserError(f"{name} cannot be read ({error})", "give a CSV file in UTF-8") from error


@cache
def table_hash(name: str) -> str:
    """Return the hash of a table's content, the same whatever its line ends and quotes."""
    return content_hash(table_rows(name), 16)


def _on_or_after(month_day: tuple[int, int], day: dt.date) -> dt.date:
    found = dt.date(day.year, *month_day)
    return found if found >= day else dt.date(day.year + 1, *month_day)


def _month_day(text: str) -> tuple[int, int]:
    month, day = text.split("-")
    return int(month), int(day)


def _crop(row: dict[str, str]) -> Crop:
    bounds = {n: float(row[n]) if row[n] else None for n in row if n.endswith("_plausible_t_ha")}
    texts = {n: v for n, v in row.items() if n not in bounds and n != "annual"}
    return Crop(annual=row["annual"] == "true", **bounds, **texts)  # type: ignore[arg-type]


@cache
def crops() -> dict[str, Crop]:
    """Return the crop taxonomy by code, in table order."""
    return {row["code"]: _crop(row) for row in table_rows("crops.csv")}


def _spelt(name: str) -> str:
    """Return a crop's name without case, width, blanks and marks: `Winter-Wheat` is one name."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in plain if c.isalnum())


@cache
def _crop_names() -> dict[str, str]:
    own = {_spelt(n): c.code for c in crops().values() for n in (c.name_zh, c.name_en, c.code) if n}
    also = {_spelt(row["name"]): row["code"] for row in table_rows("crop_names.csv")}
    return also | own


def crop_named(name: str) -> str | None:
    """Return the code of a crop by code or name, in any case, width and spacing; None if unknown.

    Names are those of `crops.csv` and of `crop_names.csv`, which holds what else people call them.
    """
    return _crop_names().get(_spelt(name))


@cache
def calendars() -> dict[tuple[str, str], Calendar]:
    """Return the calendars by (crop, region)."""
    return {
        (row["crop"], row["region"]): Calendar(
            crop=row["crop"],
            region=row["region"],
            sowing=Window(_month_day(row["sow_start"]), _month_day(row["sow_end"])),
            harvest=Window(_month_day(row["harvest_start"]), _month_day(row["harvest_end"])),
            cash_cost_per_ha=Decimal(row["cash_cost_per_ha"]),
            currency=row["currency"],
            basis=row["basis"],
            source=row["source"],
        )
        for row in table_rows("crop_calendars.csv")
    }


def calendar(crop: str, region: str) -> Calendar:
    """Return the calendar of a crop in a region.

    Raises:
        UserError: The table has no such row.
    """
    found = calendars().get((crop, region))
    if found is None:
        raise UserError(
            f"data/crop_calendars.csv has no row for crop {crop!r} in region {region!r}",
            "add the row, with its source",
        )
    return found
