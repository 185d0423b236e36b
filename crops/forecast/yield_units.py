"""Units of county-years: yields and earlier yields of a table as tonnes per hectare.

Owns what says the unit (a cell, a unit column, the option, the column's name) and the crop that a
bushel needs. A table that states no unit keeps its figures; two tables in different units are never
compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fieldline.crops.series import Floats
from fieldline.pipeline.inputs.cells import Cells
from fieldline.pipeline.inputs.names import Found, folded, known_names, unit_in_header
from fieldline.pipeline.inputs.row_units import read_by_unit
from fieldline.pipeline.inputs.schema import InputColumn, Problem
from fieldline.pipeline.inputs.stated import unit_beside
from fieldline.pipeline.inputs.units import yield_factor, yield_unit_known
from fieldline.pipeline.inputs.values import FileFacts, as_text
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import crop_named

TONNES = "t/ha"
_KNOWN = "t/ha, kg/ha, dt/ha, kg/mu, lb/ac or bu/ac (data/price_units.csv lists the masses)"

_APART, _YEARS_APART = 4.0, 2
"""So far apart lie the years of two units (bushels of wheat an acre and t/ha are 15, quintals and
t/ha 10), so many years on either side."""


_ABOVE, _BELOW = 4.0, 7.0
"""Times the usual of its years from which a county is in another unit. Of the counties of the US,
France, Spain, the Netherlands and Illinois (CY-Bench, USDA) the highest has 1.65 times, the lowest
a quarter (dry land among irrigated maize); quintals and t/ha lie 10, bushels and t/ha 15 apart."""
_LEAST_COUNTY_YEARS = 3


@dataclass(frozen=True)
class Yields:
    """Yields of a table's rows and what they are in."""

    target: Floats
    lags: Floats
    """(rows, earlier years)."""
    unit: str
    """`t/ha`, the table's own where it cannot be converted, or empty where none is stated."""
    bad_unit: npt.NDArray[np.bool_]
    """Rows whose unit is not known."""
    remarks: tuple[str, ...] = ()


def checked_unit(unit: str, crop: str) -> tuple[str, str]:
    """Return the unit and crop that the options name, the crop by its code.

    A crop that `data/crops.csv` does not know stays as it was written: a table may call it so.

    Raises:
        UserError: The unit is unknown, or weighs by crop and the crop has none.
    """
    code = (_code(crop) or crop) if crop else ""
    if unit and not yield_unit_known(unit):
        raise UserError(f"--unit {unit!r} is no known unit of yields", f"say {_KNOWN}")
    if unit and code and yield_factor(unit, code) is None:
        raise UserError(f"nothing says what {unit!r} is of {code}", "convert the table to t/ha")
    return unit, code


def one_unit(first: str, second: str) -> None:
    """Refuse tables that state different units; one that states none is taken for the other's.

    Raises:
        UserError: Both state a unit, and not the same.
    """
    if first and second and first != second:
        raise UserError(
            f"one table's yields are in {first} and the other's in {second}",
            "name the crop with --crop, so that both become t/ha",
        )


def one_unit_through(years: npt.NDArray[np.int64], yields: Floats) -> None:
    """Refuse a table whose unit changes between two years.

    The usual yield of each later year lies beyond that of each earlier year by more than harvests
    do: yields that rise over a century pass through what lies between, and a lost year is followed
    by others.

    Args:
        years: Harvest year by row.
        yields: Yield by row, above zero.

    Raises:
        UserError: It does.
    """
    by_year = pd.Series(np.log(yields)).groupby(years).median()
    usual = by_year.to_numpy()
    for at in range(_YEARS_APART, len(usual) - _YEARS_APART + 1):
        before, after = usual[:at], usual[at:]
        apart = max(after.min() - before.max(), before.min() - after.max())
        if apart > np.log(_APART):
            told = ", ".join(
                f"{np.exp(np.median(part)):.3g} {when} {by_year.index[place]}"
                for part, when, place in ((before, "until", at - 1), (after, "from", at))
            )
            raise UserError(
                f"the usual yield is {told}: years are in different units",
                "convert them to one, or say each row's in a column `unit`",
            )


def counties_apart(
    county: npt.NDArray[np.str_], years: npt.NDArray[np.int64], yields: Floats
) -> dict[str, float]:
    """Return the counties in another unit than most of a table, with how many times the usual.

    Args:
        county: (rows,) county of each row.
        years: (rows,) harvest year.
        yields: (rows,) yield of one crop, above zero.

    Returns:
        Counties whose median lies `_ABOVE` times above or `_BELOW` times below those of the same
        years; both of two that differ by so much.
    """
    frame = pd.DataFrame({"county": county, "year": years, "y": np.log(yields)})
    frame["y"] -= frame.groupby("year")["y"].transform("median")
    known = frame.groupby("county")["y"].agg(["median", "count"])
    told = known.loc[known["count"] >= _LEAST_COUNTY_YEARS, "median"]
    if len(told) == 2 and told.max() - told.min() > np.log(_BELOW):
        return {str(name): float(np.exp(times)) for name, times in told.items()}
    apart = told[(told > np.log(_ABOVE)) | (told < -np.log(_BELOW))]
    return {str(name): float(np.exp(times)) for name, times in apart.items()}


def read_yields_of(
    cells: Cells, target: str | None, lags: Sequence[str], facts: FileFacts, unit: str, crop: str
) -> Yields:
    """Read the yields of a table of county-years.

    Args:
        cells: The table.
        target: Column of the yield; None where it has none.
        lags: Columns of earlier yields, in the yield's unit.
        facts: Decimal mark and kind of file.
        unit: Unit of the rows that do not say it; empty where the column's name is to say it.
        crop: Crop code of the rows that do not say it; empty where none is known.

    Raises:
        UserError: Bushels of no known crop.
    """
    units, crops = _texts(cells, "unit"), _crops(cells, crop)
    named = "" if target is None else unit_in_header(target)
    told = bool(units.notna().any()) or _beside(cells, target)
    header = unit or ("" if told else named)
    if header and not unit and yield_factor(header, "") is None and not crops.notna().all():
        return _unconverted(cells, target, lags, facts, header)
    _refuse_crops_lacking(cells, units, crops, header)
    found = Found(target or "", None if told and not header else 1.0, header)
    given = pa.nulls(len(cells), pa.string()) if target is None else cells.column(target)
    column = InputColumn("yield", "number", "Yield", quantity="yield")
    read = read_by_unit(given, column, found, facts, units, crops)
    earlier = [
        _values(read_by_unit(cells.column(name), column, found, facts, units, crops).values)
        for name in lags
    ]
    bad = _unknown(read.problems, len(cells))
    return Yields(
        _values(read.values), _stacked(earlier, len(cells)), TONNES if header or told else "", bad,
        (*read.remarks, *_told(read.problems)),
    )  # fmt: skip


def _unconverted(
    cells: Cells, target: str | None, lags: Sequence[str], facts: FileFacts, unit: str
) -> Yields:
    none = pd.Series([None] * len(cells), dtype=object)
    column, found = InputColumn("yield", "number", "Yield"), Found(target or "", 1.0)
    names = [name for name in (target, *lags) if name is not None]
    read = [
        _values(read_by_unit(cells.column(name), column, found, facts, none, none).values)
        for name in names
    ]
    remark = f"figures stay in {unit}: name the crop with --crop to have them in {TONNES}"
    return Yields(
        read[0], _stacked(read[1:], len(cells)), unit, np.zeros(len(cells), dtype=bool), (remark,)
    )


def _refuse_crops_lacking(
    cells: Cells, units: pd.Series[Any], crops: pd.Series[Any], header: str
) -> None:
    """Refuse units that weigh by crop where nothing says the crop."""
    for unit, crop in zip(units, crops, strict=True):
        stated = unit if isinstance(unit, str) else header
        if isinstance(crop, str) or not stated or not yield_unit_known(stated):
            continue
        if yield_factor(stated, "") is None:
            raise UserError(
                f"{cells.path} has yields in {stated}, which weighs by crop, and says no crop",
                "name it with --crop, or add a column `crop`",
            )


def rows_of_crop(cells: Cells, crop: str) -> npt.NDArray[np.bool_]:
    """Return which rows are of one crop: the one that is named, or the only one there is.

    Args:
        cells: The table; a row that says no crop is of any.
        crop: Crop code, or what the table calls a crop without one; empty where none is named.

    Raises:
        UserError: The table holds several crops and none is named, or none of them is the named;
            or the named is no known crop and the table says none.
    """
    said, known = _texts(cells, "crop"), _crops(cells, "")
    told = known.where(known.notna(), said)
    kinds = sorted({str(name) for name in told.dropna()})
    some = ", ".join(kinds[:6]) + (", ..." if len(kinds) > 6 else "")
    if not crop and len(kinds) > 1:
        raise UserError(f"{cells.path} holds several crops ({some})", "name one with --crop")
    coded = _code(crop) is not None
    if crop and not coded and not kinds:
        raise UserError(f"--crop {crop!r} is no known crop", "use a code or name of data/crops.csv")
    if not crop or not kinds or (len(kinds) == 1 and coded and known.isna().all()):
        return np.ones(len(cells), dtype=bool)  # the option says what a name of no code means
    asked = told.map(lambda name: isinstance(name, str) and folded(name) == folded(crop))
    if not asked.any():
        raise UserError(f"{cells.path} holds no {crop} (it has {some})", "name one of them")
    return np.asarray((told.isna() | asked).to_numpy(dtype=bool))


def _texts(cells: Cells, role: str) -> pd.Series[Any]:
    name = next((n for n in cells.names if folded(n) in known_names(role)), None)
    values = [None] * len(cells) if name is None else as_text(cells.column(name)).to_pylist()
    return pd.Series(values, dtype=object)


def _crops(cells: Cells, crop: str) -> pd.Series[Any]:
    names = _texts(cells, "crop")
    codes = {name: _code(name) for name in names.dropna().unique()}
    told = [codes.get(name) or crop or None for name in names]
    return pd.Series(told, dtype=object)


def _code(crop: str) -> str | None:
    return crop_named(crop) or crop_named(f"winter {crop}")


def _values(values: pd.Series[Any]) -> Floats:
    floats = values.to_numpy(dtype=float)
    return np.where(np.isfinite(floats), floats, np.nan)


def _stacked(columns: list[Floats], count: int) -> Floats:
    return np.column_stack(columns) if columns else np.empty((count, 0))


def _beside(cells: Cells, target: str | None) -> bool:
    """Whether a unit of yields stands beside any number."""
    if target is None or not pa.types.is_string(cells.column(target).type):
        return False
    told = cells.column(target).unique().drop_null().to_pylist()
    return any(yield_unit_known(unit) for unit in map(unit_beside, told) if unit)


def _unknown(problems: Sequence[Problem], count: int) -> npt.NDArray[np.bool_]:
    rows = np.zeros(count, dtype=bool)
    rows[[p.row - 1 for p in problems if p.code == "input_unknown_unit"]] = True
    return rows


def _told(problems: Sequence[Problem]) -> list[str]:
    """Return a sentence on the rows whose unit nobody knows."""
    counts = Counter(p.value for p in problems if p.code == "input_unknown_unit")
    return (
        [
            f"{counts.total()} rows of no known unit (such as {counts.most_common(1)[0][0]!r}) are "
            f"left out: say {_KNOWN}"
        ]
        if counts
        else []
    )
