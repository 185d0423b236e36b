"""Registry: which indicators there are, from the base table and a county's layer over it.

Owns the rows of `data/indicators.csv`, the lender's own layer, and the step from a row to its
function. A new indicator is a function in a file and a row that names it; no other code knows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pandas as pd

from fieldline.lending.indicators.joined import TABLES, Joined
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

BASE = "indicators.csv"
FAMILIES = (
    "agronomy", "hazard", "market", "behaviour", "relation", "data quality", "location", "industry",
)  # fmt: skip
_NEEDED = (
    "indicator", "family", "function", "inputs", "unit", "sign", "low", "high", "version", "owner",
    "english", "chinese",
)  # fmt: skip
_PACKAGE = "fieldline.lending.indicators."

Measure = Callable[[Joined], "pd.Series[float]"]
"""From the joined tables to one value per farmer, NaN where it is not known."""


@dataclass(frozen=True)
class Indicator:
    """One row of the table."""

    name: str
    family: str
    function: str
    """`module:function`; a module without a dot is one of this room."""
    inputs: tuple[str, ...]
    """Columns that it reads, `table.column`."""
    unit: str
    sign: int
    """1 where more is worse for the lender, -1 where more is better, 0 where neither."""
    low: float
    high: float
    """Plausible values: beyond them a value is refused."""
    version: str
    owner: str
    english: str
    """Line of the card."""
    chinese: str


def registered(layer: str | None = None, county: str = "") -> tuple[Indicator, ...]:
    """Return the indicators of a county: the base, overridden row by row by the county's layer.

    Args:
        layer: Own table with the base's columns and `county`: a row counts for the county that it
            names, or for all where that is blank; its cells that are not blank take the place of
            the base's. `active` 0 takes an indicator away; a new name adds one.
        county: County code.

    Raises:
        UserError: A row lacks a cell or holds one that cannot be.
    """
    rows = {row["indicator"]: row for row in table_rows(BASE)}
    own = [] if layer is None else table_rows(layer)
    for general in (True, False):
        for row in own:
            named = (row.get("county") or "").strip()
            if named == ("" if general else county) and (general or named):
                name = (row.get("indicator") or "").strip()
                given = {column: cell for column, cell in row.items() if cell}
                rows[name] = {**rows.get(name, {}), **given}
    active = {name: row for name, row in rows.items() if row.get("active") != "0"}
    return tuple(_read(layer or BASE, name, row) for name, row in sorted(active.items()))


def _read(table: str, name: str, row: dict[str, str]) -> Indicator:
    lacking = [column for column in _NEEDED if not row.get(column)]
    if lacking:
        raise _wrong(table, name, f"lacks {lacking[0]}")
    if row["family"] not in FAMILIES:
        raise _wrong(table, name, f"has the family {row['family']!r}; one of {', '.join(FAMILIES)}")
    inputs = tuple(row["inputs"].split())
    strange = [one for one in inputs if one.partition(".")[0] not in TABLES]
    if strange:
        raise _wrong(table, name, f"reads {strange[0]!r}, which is no table of the chain")
    try:
        sign, low, high = int(row["sign"]), float(row["low"]), float(row["high"])
    except ValueError as error:
        raise _wrong(table, name, "needs numbers in sign, low and high") from error
    if sign not in (-1, 0, 1) or not low < high:
        raise _wrong(table, name, "needs a sign of -1, 0 or 1 and a low below its high")
    return Indicator(
        name, row["family"], row["function"], inputs, row["unit"], sign, low, high,
        row["version"], row["owner"], row["english"], row["chinese"],
    )  # fmt: skip


def _wrong(table: str, name: str, what: str) -> UserError:
    return UserError(f"{table}: indicator {name!r} {what}", "complete its row")


def measure_of(indicator: Indicator) -> Measure:
    """Return the function of an indicator.

    Raises:
        UserError: There is no such function.
    """
    place, _, name = indicator.function.partition(":")
    module = place if "." in place else _PACKAGE + place
    try:
        found: Measure = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"indicator {indicator.name!r} names the function {indicator.function}, which is not "
            "there",
            "write module:function of a module that Python finds",
        ) from error
    return found
