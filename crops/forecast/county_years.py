"""County-years: yields of many counties and years, with what was measured of each season.

Owns which columns are what (county, year, yield, earlier yields, covariates), which rows count and
why a column is no covariate. Units are `yield_units`'s; nothing here knows a model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.crops.forecast.afterwards import LATE, known_with_yield, telling
from fieldline.crops.forecast.slips import Slips, slips_of_ten, told_slips
from fieldline.crops.forecast.spelling import harvest_years, same_counties, without_fills
from fieldline.crops.forecast.yield_units import (
    counties_apart,
    one_unit,
    one_unit_through,
    read_yields_of,
    rows_of_crop,
)
from fieldline.crops.inputs import COUNTY_YIELDS
from fieldline.crops.series import Floats
from fieldline.pipeline.inputs.cells import Cells, read_cells
from fieldline.pipeline.inputs.names import claimants, folded, known_names
from fieldline.pipeline.inputs.schema import InputColumn
from fieldline.pipeline.inputs.values import FileFacts, as_text, facts_of, read_column
from fieldline.pipeline.records.errors import UserError

#: Names that other publishers of county-years use, beyond those of `data/column_names.csv`.
_COUNTY = (
    "county", "adm_id", "county_id", "region", "region_id", "district", "fips", "geoid", "idregion",
    "nuts_id",
)  # fmt: skip
_YEAR = ("year", "harvest_year", "fyear")
_ELSE = {"--county-column": "area", "--year-column": "season"}
"""Names that mean something else as often (harvested hectares, spring): taken where no other is
there and only where the cells are of the kind."""
_YIELD = ("yield_t_ha", "yield", "yield_kg_ha", "yield_bu_ac", "yield_kg_mu", "yield_dt_ha")
_ROLES = {"--county-column": "county", "--year-column": "year", "--yield-column": "yield_t_ha"}
_LAG = re.compile(r"yield[-_ ]?(\d{1,2})")
_READABLE = 0.9
"""Share of the filled cells that must be numbers for a covariate."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2100


@dataclass(frozen=True)
class Columns:
    """What a table calls its columns; empty names are looked for."""

    county: str = ""
    year: str = ""
    target: str = ""
    drop: Collection[str] = ()
    unit: str = ""
    """Unit of the yields, where the table does not state it."""
    crop: str = ""
    """Code of the crop, where bushels are converted and the table does not say it."""


@dataclass(frozen=True)
class CountyYears:
    """Rows of county and year, in the table's order."""

    county: npt.NDArray[np.str_]
    year: npt.NDArray[np.int64]
    target: Floats
    """Yield in `unit`; NaN where it is not known yet."""
    lags: Floats
    """(rows, earlier years) yields of one, two, ... years before; no columns where none is told."""
    covariates: pd.DataFrame
    """What was measured of the season, one column each; NaN where it was not."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Columns that are no covariates, and why."""
    remarks: tuple[str, ...] = ()
    unit: str = ""
    """What yields are in; empty where the table states nothing."""
    slipped: frozenset[tuple[str, int]] = frozenset()
    """County and year of yields that are not believed, nor where later rows tell them."""

    def __len__(self) -> int:
        return len(self.year)

    @classmethod
    def of_columns(
        cls,
        county: Sequence[str],
        year: Sequence[int],
        target: Sequence[float],
        covariates: pd.DataFrame | None = None,
    ) -> CountyYears:
        """Return the county-years of columns that were read already.

        Args:
            county: County of each row.
            year: Harvest year.
            target: Yield, NaN where it is not known yet.
            covariates: What was measured; columns that are known with the yield, never change or
                say the yield itself are left out.
        """
        count = len(county)
        frame = pd.DataFrame(index=range(count)) if covariates is None else covariates
        late = {name: LATE for name in map(str, frame) if known_with_yield(name)}
        table = cls(
            np.asarray(county, dtype=str), np.asarray(year, dtype=np.int64),
            np.asarray(target, dtype=float), np.empty((count, 0)),
            frame.drop(columns=list(late)).set_axis(range(count)), late,
        )  # fmt: skip
        return _informative(table) if count > 1 else table

    def with_covariates(self, names: Sequence[str]) -> CountyYears:
        """Return the rows with some of their covariates."""
        kept = [name for name in names if name in self.covariates]
        return replace(self, covariates=self.covariates[kept])

    def part(self, rows: npt.NDArray[Any]) -> CountyYears:
        """Return some rows."""
        return replace(
            self, county=self.county[rows], year=self.year[rows], target=self.target[rows],
            lags=self.lags[rows], covariates=self.covariates.iloc[np.arange(len(self))[rows]],
        )  # fmt: skip


def read_county_years(path: Path, columns: Columns, *, known: bool = True) -> CountyYears:
    """Read a table of county-years.

    Args:
        path: CSV of any usual encoding and separator, workbook or Parquet.
        columns: Its own names, where they are not the usual ones.
        known: Whether rows without a yield are left out.

    Raises:
        UserError: The file cannot be read, has no such column, or no row that counts.
    """
    named = (columns.county, columns.year, columns.target, *_ELSE.values())
    wanted = {folded(name) for name in (*_COUNTY, *_YEAR, *_YIELD, *named) if name}
    wanted |= {name for role in _ROLES.values() for name in known_names(role)}
    cells = read_cells(path, lambda row: sum(folded(str(cell)) in wanted for cell in row),
                       setting="the path of the table")  # fmt: skip
    facts = facts_of(cells)
    county = _named(cells, columns.county, _COUNTY, "--county-column")
    year = _named(cells, columns.year, _YEAR, "--year-column")
    target = _named(cells, columns.target, _YIELD, "--yield-column", needed=known)
    lags = _lag_columns(cells, target)
    confirmed, looked_at = _confirmed(cells)
    names = pd.Series(as_text(cells.column(county)).to_pylist(), dtype="object")
    years, no_year = harvest_years(as_text(cells.column(year)), _numbers(cells, year, facts))
    yields = read_yields_of(cells, target, lags, facts, columns.unit, columns.crop)
    skipped = {county, year, target, confirmed, *lags, *columns.drop}
    covariates, left_out, fills = _covariates(cells, skipped, facts)
    left_out |= dict.fromkeys(columns.drop, "dropped as asked")
    of_crop = rows_of_crop(cells, columns.crop)
    rows, remarks = _counting(names, years, yields.target, of_crop & ~yields.bad_unit, known=known)
    slips = Slips.none(len(years))
    if known:
        one_unit_through(np.nan_to_num(years[rows]).astype(np.int64), yields.target[rows])
        rows, told = _of_one_unit(names, years, yields.target, rows)
        remarks += told
        slips = _slips(names, years, yields.target, rows, looked_at)
        remarks += told_slips(slips, names.to_numpy(dtype=str), years, yields.target, rows)
        rows &= ~slips.slipped
    remarks = [*yields.remarks, *remarks, *fills]
    if not rows.any():
        raise UserError(
            f"{path} has no row that counts ({'; '.join(remarks) or 'it is empty'}{no_year})",
            "correct the rows, or name its columns with --county-column, --year-column and "
            "--yield-column, and write harvest years as 2021",
        )
    at_years = np.nan_to_num(years).astype(np.int64)
    table = CountyYears(
        names.to_numpy(dtype=str), at_years, yields.target,
        yields.lags, pd.DataFrame(covariates, index=range(len(cells))), left_out, tuple(remarks),
        yields.unit, _keys(names, at_years, slips.slipped),
    )  # fmt: skip
    return _informative(_without_slips(table.part(rows)))


def joined(first: CountyYears, second: CountyYears) -> CountyYears:
    """Return the rows of two tables, with the covariates and earlier years that both have.

    Raises:
        UserError: One has covariates and they share none, or they state different units.
    """
    one_unit(first.unit, second.unit)
    second = spelt_as(second, first.county)
    shared = [name for name in first.covariates if name in second.covariates]
    if not shared and len(first.covariates.columns) and len(second.covariates.columns):
        raise UserError(
            "the two tables share no covariate",
            "give them the same column names, or tables without covariates",
        )
    lags = min(first.lags.shape[1], second.lags.shape[1])
    both = replace(
        first,
        county=np.concatenate([first.county, second.county]),
        year=np.concatenate([first.year, second.year]),
        unit=first.unit or second.unit,
        target=np.concatenate([first.target, second.target]),
        lags=np.concatenate([first.lags[:, :lags], second.lags[:, :lags]]),
        covariates=pd.concat([first.covariates[shared], second.covariates[shared]]),
        slipped=first.slipped | second.slipped,
    )
    return _without_slips(both)


def spelt_as(table: CountyYears, names: npt.NDArray[np.str_]) -> CountyYears:
    """Return a table with its counties spelt as another's."""
    spelt = same_counties(table.county, names)
    return replace(
        table, county=np.asarray([spelt[name] for name in table.county.tolist()], dtype=str),
        slipped=frozenset((spelt.get(name, name), year) for name, year in table.slipped),
    )  # fmt: skip


def _named(
    cells: Cells, name: str, usual: Sequence[str], option: str, *, needed: bool = True
) -> Any:
    """Return the column that is meant, None where it is not needed and not there."""
    found = {folded(column): column for column in cells.names}
    for wanted in [name] if name else usual:
        if wanted in cells.names:
            return wanted
        if folded(wanted) in found:
            return found[folded(wanted)]
    known = [] if name else [found[n] for n in found if n in known_names(_ROLES[option])]
    if not (known or name) and option == "--yield-column":
        known = claimants(COUNTY_YIELDS.column("yield_t_ha"), cells.names)  # with a unit behind
    if len(known) == 1:
        return known[0]
    other = found.get(_ELSE.get(option, ""))
    if not (name or known) and other is not None and _is_kind(cells, other, option):
        return other
    if name or needed:
        raise UserError(
            f"{cells.path} has no column {name or usual[0]!r} (it has "
            f"{', '.join(cells.names[:12])}{', ...' if len(cells.names) > 12 else ''})",
            f"name it with {option}",
        )
    return None


def _is_kind(cells: Cells, name: str, option: str) -> bool:
    """Whether a column of a name of `_ELSE` holds names of counties, or years."""
    values = _numbers(cells, name, facts_of(cells))
    filled = len(values) - cells.column(name).null_count
    if option == "--county-column":
        return bool(np.isfinite(values).sum() < _READABLE * filled)
    years = (values >= _FIRST_YEAR) & (values <= _LAST_YEAR)
    return bool(filled and years.sum() >= _READABLE * filled)


def _confirmed(cells: Cells) -> tuple[str | None, npt.NDArray[np.bool_]]:
    """Return the column in which a person confirms yields, and the rows where one did."""
    column = InputColumn("confirmed", "flag", "Whether the yield was looked at and is true")
    name = next((n for n in cells.names if folded(n) in known_names(column.name)), None)
    if name is None:
        return None, np.zeros(len(cells), dtype=bool)
    read = read_column(cells.column(name), column, 1.0, facts_of(cells))
    return name, read.values.fillna(False).to_numpy(dtype=bool)


def _lag_columns(cells: Cells, target: str | None) -> list[str]:
    """Return the columns of earlier years' yields, last year's first."""
    found = {}
    for name in cells.names:
        match = _LAG.fullmatch(name.strip().lower())
        if match and name != target:
            found[int(match[1])] = name
    return [found[lag] for lag in range(1, len(found) + 1)] if set(found) == {
        *range(1, len(found) + 1)
    } else []  # fmt: skip


def _numbers(cells: Cells, name: str, facts: FileFacts) -> Floats:
    read = read_column(cells.column(name), InputColumn(name, "number", name), 1.0, facts)
    values = read.values.to_numpy("float64", na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _covariates(
    cells: Cells, skipped: Collection[str | None], facts: FileFacts
) -> tuple[dict[str, Floats], dict[str, str], list[str]]:
    found, left_out, remarks = {}, {}, list[str]()
    for name in cells.names:
        if not name or name in skipped:
            continue
        if known_with_yield(name):
            left_out[name] = LATE
            continue
        given = cells.column(name)
        values = _numbers(cells, name, facts)
        filled = len(given) - given.null_count
        if not filled or np.isfinite(values).sum() < _READABLE * filled:
            left_out[name] = "holds no numbers"
            continue
        found[name], filled_in = without_fills(values)
        if filled_in:
            remarks.append(f"{name}: {filled_in}")
    return found, left_out, remarks


def _informative(table: CountyYears) -> CountyYears:
    """Leave covariates out that never change, or that say the yield itself."""
    left_out = dict(table.left_out)
    for name in table.covariates:
        values = table.covariates[name].to_numpy(dtype=float)
        if len(np.unique(values[np.isfinite(values)])) < 2:
            left_out[str(name)] = "says the same of every row"
    changing = [name for name in table.covariates if name not in left_out]
    left_out |= telling(table.covariates[changing], table.target)
    kept = [name for name in changing if name not in left_out]
    return replace(table, covariates=table.covariates[kept], left_out=left_out)


def _counting(
    names: pd.Series[Any], years: Floats, yields: Floats, asked: npt.NDArray[np.bool_],
    *, known: bool,
) -> tuple[npt.NDArray[np.bool_], list[str]]:  # fmt: skip
    """Return which of the rows asked for count and, in words, how many of them do not."""
    good = names.notna().to_numpy() & (years >= _FIRST_YEAR) & (years <= _LAST_YEAR)
    good &= np.equal(np.mod(years, 1), 0)
    remarks = _counted([], asked & ~good, "without a county or a year")
    good &= asked
    if known:
        remarks = _counted(remarks, good & np.isnan(yields), "without a yield")
        remarks = _counted(remarks, good & (yields <= 0), "with a yield of zero or less")
        good &= yields > 0
    keys = pd.DataFrame({"county": names, "year": years})[good]
    said = pd.Series(yields[good], index=keys.index)
    again = keys.duplicated(keep="first")
    spread = said.groupby([keys["county"], keys["year"]]).transform(lambda v: v.max() - v.min())
    differ = (spread > 0).reindex(keys.index, fill_value=False)
    remarks = _counted(remarks, differ.to_numpy(), "of a county and year that are told differently")
    remarks = _counted(remarks, (again & ~differ).to_numpy(), "told twice")
    rows = np.zeros(len(years), dtype=bool)
    rows[keys.index[~(again | differ)]] = True
    return rows, remarks


def _of_one_unit(
    names: pd.Series[Any], years: Floats, yields: Floats, rows: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Return the rows that count less counties in another unit, and in words which those are."""
    county = names.to_numpy(dtype=str)
    apart = counties_apart(county[rows], years[rows].astype(np.int64), yields[rows])
    if not apart:
        return rows, []
    told = ", ".join(f"{name} {times:.3g} times" for name, times in list(apart.items())[:5])
    left = rows & np.isin(county, list(apart))
    return rows & ~left, [
        f"{left.sum()} rows of {len(apart)} counties in another unit than most are left out "
        f"({told} the usual of their years): convert them, or say the unit in a column `unit`"
    ]


def _slips(
    names: pd.Series[Any], years: Floats, yields: Floats, rows: npt.NDArray[np.bool_],
    confirmed: npt.NDArray[np.bool_],
) -> Slips:  # fmt: skip
    """Return the slips among the rows that count, as rows of the whole table."""
    county = names.to_numpy(dtype=str)
    among = slips_of_ten(county[rows], years[rows].astype(np.int64), yields[rows], confirmed[rows])
    found = Slips.none(len(rows))
    found.slipped[rows], found.unusual[rows] = among.slipped, among.unusual
    return found


def _keys(
    names: pd.Series[Any], years: npt.NDArray[np.int64], rows: npt.NDArray[np.bool_]
) -> frozenset[tuple[str, int]]:
    return frozenset(zip(names[rows].tolist(), years[rows].tolist(), strict=True))


def _without_slips(table: CountyYears) -> CountyYears:
    """Take yields that are not believed out of the earlier years that later rows tell."""
    if not table.slipped or not table.lags.shape[1]:
        return table
    lags = table.lags.copy()
    places = {county: set[int]() for county, _ in table.slipped}
    for county, year in table.slipped:
        places[county].add(year)
    for county, slipped in places.items():
        own = np.flatnonzero(table.county == county)
        earlier = table.year[own][:, None] - np.arange(1, lags.shape[1] + 1)
        lags[own] = np.where(np.isin(earlier, list(slipped)), np.nan, lags[own])
    return replace(table, lags=lags)


def _counted(remarks: list[str], rows: npt.NDArray[np.bool_], why: str) -> list[str]:
    count = int(rows.sum())
    return [*remarks, f"{count} rows {why} are left out"] if count else remarks
