"""The lender's weather files as daily rows of cells that have a place.

Owns what is said of a whole file (another unit, several rows a day, ids that match nothing) and
which of its rows count; what a good daily value is stands in `series`. A wrong unit is refused and
never converted by guess: whether 155 is 15.5 degrees in tenths nobody can say but its owner.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.pipeline.inputs.names import stated_unit
from fieldline.pipeline.inputs.numbers import cell_offsets, cell_units
from fieldline.pipeline.inputs.read import InputTable, Reading, interpret, read_input
from fieldline.pipeline.inputs.schema import Problem, counted, problems_of
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.weather.cells import cell_places
from fieldline.pipeline.weather.inputs import CELLS, WEATHER
from fieldline.pipeline.weather.other_units import changed_unit, other_unit, unlikely
from fieldline.pipeline.weather.series import LIMITS, TEMPERATURES, VARIABLES
from fieldline.pipeline.weather.services.detect import read_service
from fieldline.pipeline.weather.services.table import ServiceWeather
from fieldline.pipeline.weather.strange_cells import GROUPS, strange_cells

#: Above this share of impossible values it is the unit that is wrong, not the values.
_MOSTLY = 0.5
#: Fewer values say nothing about a column.
_ENOUGH = 10
#: Air temperatures of the inhabited world in kelvin.
_KELVIN = (230.0, 325.0)
#: More rows of one cell and day than a correction or two are hours.
_HOURS = 4
TABLE = "table"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class DailyRows:
    """Rows of a weather file whose cell has a place."""

    frame: pd.DataFrame
    """`cell_id`, `date` (NaT where it could not be read) and `VARIABLES`."""
    unread: pd.Series
    """Cells of the file that could not be read, by cell_id: dates and values apart from blanks."""
    positions: pd.DataFrame
    """`lon`, `lat` by cell_id."""
    source: str = TABLE
    """The weather service, or `table` for a table of the lender's."""


def weather_rows(
    source: Path,
    cells: Path | None,
    places: pd.DataFrame,
    columns: Mapping[str, Mapping[str, str]],
) -> DailyRows:
    """Read the weather of a county.

    Args:
        source: Table `WEATHER`, or a file of a weather service (`services`).
        cells: Table `CELLS`; not needed where the weather is by parcel or of a service.
        places: `lon`, `lat` by parcel_id.
        columns: The lender's own column names by table and Fieldline name.

    Raises:
        UserError: A file cannot be read, is in other units or by the hour, or its ids match none.
    """
    service = read_service(source)
    table = _checked(_own_table(source, columns.get(WEATHER.name, {}), service), service)
    key = weather_key(table, cells)
    strange = _strange(table, key)
    if service is not None:
        positions, known_to = service.places, "its own places"
    elif key == "parcel_id":
        positions, known_to = places, "the county's parcels"
    elif cells is None:
        raise UserError(
            f"{source} is by cell_id but no cell positions are given",
            "set inputs.weather_cells to a table with cell_id, lon, lat",
        )
    else:
        positions, known_to = cell_places(cells, columns.get(CELLS.name, {})), str(cells)
    ids = table.frame[key]
    _tell_unmatched(table, key, positions.index, known_to)
    frame = table.frame.drop(columns=["cell_id", "parcel_id"]).assign(cell_id=ids)
    for group, names in strange.items():
        frame.loc[ids.isin(names), list(GROUPS[group])] = np.nan
        _LOG.warning("%s", _told_strange(table, group, names))
    rows = np.array([p.row - 1 for p in table.problems if p.column != key], dtype=int)
    unread = ids.iloc[rows].value_counts()
    kept = frame[ids.isin(positions.index)]
    return DailyRows(kept, unread, positions, TABLE if service is None else service.service)


def _strange(table: InputTable, key: str) -> dict[str, list[Hashable]]:
    """Return the cells in another unit than the others, by group of columns."""
    return strange_cells(table.frame[key], table.frame[["date", *VARIABLES]])


def _told_strange(table: InputTable, group: str, names: Sequence[Hashable]) -> str:
    shown = ", ".join(str(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    return (
        f"{table.path}: the {group} of {len(names)} cells are in another unit than those of most "
        f"others and do not count ({shown}): convert them"
    )


def read_weather(source: Path, columns: Mapping[str, str]) -> InputTable:
    """Read a weather table, the lender's or a service's, and refuse one of no daily values.

    Raises:
        UserError: It cannot be read, lacks its temperatures or ids, or is of another kind.
    """
    service = read_service(source)
    return _checked(_own_table(source, columns, service), service)


def _own_table(
    source: Path, columns: Mapping[str, str], service: ServiceWeather | None
) -> InputTable:
    """Return the table of a file, whoever wrote it; absent columns are absent in all rows."""
    if service is None:
        return read_input(source, WEATHER, Reading(columns=columns, place="inputs"))
    optional = tuple(replace(column, required=False) for column in WEATHER.columns)
    return interpret(service.cells, replace(WEATHER, columns=optional), Reading(place="inputs"))


def _checked(table: InputTable, service: ServiceWeather | None) -> InputTable:
    """Refuse a table that is not of daily values in the stated units."""
    source = table.path
    told = set(table.headers)
    keyed = bool({"cell_id", "parcel_id"} & told)
    if service is None and not (keyed and set(TEMPERATURES) & told):
        raise UserError(
            f"{source} needs cell_id or parcel_id, date, precip_mm and temperatures "
            f"(columns found: {', '.join(table.cells.names)})",
            "rename its columns or map them in inputs.columns.weather",
        )
    if table.frame["date"].isna().all():
        shown = next((p.value for p in table.problems if p.column == "date"), "")
        raise UserError(f"{source} holds no date ({shown!r} is none)", "write dates as YYYY-MM-DD")
    for name in VARIABLES:
        _refuse_other_unit(table, name)
    hidden = other_unit(table.frame[list(VARIABLES)]) or changed_unit(table.frame)
    if hidden is not None:
        raise UserError(
            f"{source}, column {table.headers.get(hidden.name, hidden.name)!r}: {hidden.found}",
            hidden.remedy,
        )
    refuse_hours(source, table.frame[[n for n in ("cell_id", "parcel_id", "date") if n in told]])
    if table.problems:
        _LOG.warning("%s: cells left out: %s", source, counted(table.problems))
    said = [] if service is not None else _units_told(table)
    for sentence in said:
        _LOG.warning("%s: %s", source, sentence)
    return replace(table, remarks=(*table.remarks, *said))


def _units_told(table: InputTable) -> list[str]:
    """Return which units are converted, and what a stated unit makes unlikely.

    Raises:
        UserError: A column that states no unit is hardly in the one that it would be taken for.
    """
    units = {n: stated_unit(WEATHER.column(n), h) for n, h in table.headers.items()
             if n in VARIABLES}  # fmt: skip
    said = []
    for doubt in unlikely(table.frame[list(VARIABLES)]):
        header = table.headers.get(doubt.name, doubt.name)
        if not units.get(doubt.name) and header != doubt.name:
            raise UserError(f"{table.path}, column {header!r}: {doubt.found}", doubt.remedy)
        said.append(f"column {header!r}: {doubt.found}; it is taken as it says")
    for name, unit in units.items():
        quantity = WEATHER.column(name).quantity
        times, plus = cell_units(quantity).get(unit, 1.0), cell_offsets(quantity).get(unit, 0.0)
        if (times, plus) != (1.0, 0.0):
            shift = f" {'less' if plus < 0 else 'plus'} {abs(plus):.6g}" if plus else ""
            said.append(
                f"column {table.headers[name]!r} states {unit!r} and is converted to "
                f"{WEATHER.column(name).unit} (times {times:.6g}{shift})"
            )
    bare = [f"{table.headers[n]} {WEATHER.column(n).unit}" for n, unit in units.items()
            if not unit and table.headers[n] != n]  # fmt: skip
    return [*said, f"columns without a unit are taken in: {', '.join(bare)}"] if bare else said


def weather_key(table: InputTable, cells: Path | None) -> str:
    """Return what the rows of a weather table are by: `cell_id`, or `parcel_id`."""
    by_parcel = "cell_id" not in table.headers or (cells is None and "parcel_id" in table.headers)
    return "parcel_id" if by_parcel else "cell_id"


def _refuse_other_unit(table: InputTable, name: str) -> None:
    low, high = LIMITS[name]
    values = table.frame[name].to_numpy(dtype=float)
    known = values[~np.isnan(values)]
    outside = (known < low) | (known > high)
    if len(known) < _ENOUGH or outside.mean() <= _MOSTLY:
        return
    middle = float(np.median(known))
    unit = WEATHER.column(name).unit
    looks = ""
    if name in TEMPERATURES and _KELVIN[0] <= middle <= _KELVIN[1] and known.min() > 180:
        looks = ", which looks like kelvin"
    elif low <= middle / 10 <= high:
        looks = ", which looks like tenths or another unit"
    raise UserError(
        f"{table.path}: {int(outside.sum())} of {len(known)} values of column "
        f"{table.headers[name]!r} cannot be {name} in {unit}, such as "
        f"{known[outside][0]:g}{looks}",
        f"convert the column to {unit}, or name the unit in its header",
    )


def refuse_hours(path: Path, frame: pd.DataFrame) -> None:
    """Refuse a table of several rows a day: whose mean and whose sum they are, it does not say.

    Args:
        path: Named in the sentence.
        frame: `date` and the ids of each row.

    Raises:
        UserError: Some days of a cell, or half of all, have them.
    """
    dated = frame.dropna(subset=["date"])
    rows = dated.groupby(list(dated.columns), dropna=False).size()
    hourly = rows[rows >= _HOURS]
    if len(hourly) >= _HOURS or (len(rows) and rows.median() >= _HOURS):
        raise UserError(
            f"{path} holds {hourly.median():g} rows for a cell and day, so it is not daily "
            f"({len(hourly)} of {len(rows)} days)",
            "give one row a day: the lowest, highest and mean temperature and the sum of rain",
        )


def _tell_unmatched(table: InputTable, key: str, known: pd.Index, known_to: str) -> None:
    ids = pd.Index(table.frame[key].dropna().unique())
    unmatched = ids.difference(known)
    if len(ids) and len(known) and len(unmatched) == len(ids):
        raise UserError(
            f"{table.path}: none of its {len(ids)} {key} (such as {ids[0]!r}) is among {known_to} "
            f"(such as {known[0]!r})",
            "write the ids alike in both (leading zeros, prefixes)",
        )
    if len(unmatched):
        _LOG.warning(
            "%s: %d of %d %s are not among %s, such as %r",
            table.path, len(unmatched), len(ids), key, known_to, unmatched[0],
        )  # fmt: skip


def weather_problems(
    table: InputTable, key: str, known: Collection[str], as_of: dt.date
) -> list[Problem]:
    """Return what of a weather table does not count, beside the cells that could not be read.

    Args:
        table: Result of `read_weather`.
        key: Result of `weather_key`.
        known: Ids that have a place.
        as_of: Knowledge date.

    Returns:
        Values outside their limits, minima above maxima, days said twice or in two ways, days
        after the as-of date, and the first row of each id without a place.
    """
    frame, ids = table.frame, table.frame[key]
    found: list[Problem] = []
    for group, names in _strange(table, key).items():
        apart = frame.loc[ids.isin(names), GROUPS[group][0]].dropna()
        found += problems_of(apart, GROUPS[group][0], "input_other_unit")
    for name, (low, high) in LIMITS.items():
        values = frame[name]
        found += problems_of(values[(values < low) | (values > high)], name, "input_out_of_range")
    lower = frame.loc[frame["tmin_c"] > frame["tmax_c"], "tmin_c"]
    found += problems_of(lower, "tmin_c", "input_out_of_range")
    late = frame.loc[frame["date"] > pd.Timestamp(as_of), "date"].dt.date
    found += problems_of(late, "date", "input_after_as_of")
    dated = frame[frame["date"].notna() & ids.notna()]
    double = dated[dated.duplicated([key, "date"], keep=False)]
    again = double.duplicated([key, "date", *VARIABLES], keep="last")
    found += problems_of(double.loc[again, "date"].dt.date, "date", "input_repeated")
    rest = double[~again]
    clash = rest.loc[rest.duplicated([key, "date"], keep=False), "date"].dt.date
    found += problems_of(clash, "date", "input_contradicted")
    first = ids[ids.notna() & ~ids.isin(list(known))].drop_duplicates()
    found += problems_of(first, key, "input_unmatched")
    return sorted(found, key=lambda problem: problem.row)
