"""County yield priors: what a county's statistics promise of a crop before any parcel is looked at.

Owns which rows of the county yield table count for a county and season, and the documented error
that stands in until crop cuts exist. A row counts from the day on which it was published, a year
never for its own season or an earlier one; another county's rows are never averaged in, they only
tell how counties move (`county_level`).
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.forecast.county_years import CountyYears
from fieldline.crops.forecast.slips import slips_of_ten
from fieldline.crops.forecast.yield_units import counties_apart
from fieldline.crops.inputs import COUNTY_YIELDS
from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.county_level import (
    LEAST_YEARS,
    Outlook,
    alone,
    among,
    unseen_errors,
    usual_spread,
)
from fieldline.crops.value.low_yields import low_yields
from fieldline.pipeline.inputs.names import folded
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem, counted, problems_of, without
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows
from fieldline.pipeline.records.settings import Season

_LOG = logging.getLogger(__name__)
_DECLARED = frozenset(column.name for column in COUNTY_YIELDS.columns)
_UNUSUAL = "input_far_from_usual"
"""Code of rows that are looked at by a person and count all the same."""


@dataclass(frozen=True)
class Prior:
    """What a county's statistics promise of a crop."""

    mean_t_ha: float
    """This season's county yield."""
    years_log_sd: float
    """Log sd of its error: between years, and of so few of them."""
    source: str
    """Source and years that it rests on."""
    next_year: Outlook | None = None
    """The year after, of whose season nothing is known; None: as this one."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What the card says of it."""

    @property
    def next_t_ha(self) -> float:
        """County yield of the year after."""
        return self.mean_t_ha if self.next_year is None else self.next_year.t_ha

    @property
    def next_log_sd(self) -> float:
        """Log sd of its error."""
        return self.years_log_sd if self.next_year is None else self.next_year.log_sd


@dataclass(frozen=True)
class Knowing:
    """Whose yields are asked for, and when."""

    as_of: dt.date
    harvest_year: int
    """Harvest year of the season; this and later years are not known."""
    names: Sequence[str] = ()
    """What the county may be called in a table of several, the first that is there counts."""
    published_days: int = 0
    """Days after the end of a year until its yield is public, where the row does not say."""

    @classmethod
    def of(cls, season: Season, names: Sequence[str], settings: YieldSettings) -> Knowing:
        """Return what is known at a season's as-of date."""
        return cls(season.as_of, season.end.year, names, settings.published_days)


@dataclass(frozen=True)
class OwnError:
    """Log sd of parcel and shared errors where no crop cuts exist (`data/own_error.csv`)."""

    own: float
    shared: float
    source: str


@cache
def own_errors() -> dict[str, OwnError]:
    """Return documented errors by crop; `default` serves crops without a row."""
    return {
        row["crop"]: OwnError(float(row["own_log_sd"]), float(row["shared_log_sd"]), row["source"])
        for row in table_rows("own_error.csv")
    }


def own_error(crop: str) -> OwnError:
    """Return the documented error of a crop."""
    return own_errors().get(crop, own_errors()["default"])


def county_priors(
    path: Path | None,
    knowing: Knowing,
    years: int,
    columns: Mapping[str, str] | None = None,
) -> dict[str, Prior]:
    """Return the prior of each crop from the years that were known.

    Args:
        path: County yield table (`COUNTY_YIELDS`), None where there is none.
        knowing: County, season and as-of date.
        years: How many years form a county's mean.
        columns: The table's own column names by Fieldline's.

    Returns:
        Priors by crop. Rows that cannot be used are left out and counted in the log.

    Raises:
        UserError: The table cannot be read, lacks a column, or is of other counties.
    """
    if path is None:
        return {}
    table = read_yields(path, columns)
    problems = [*table.problems, *yield_problems(table.frame, table.problems, knowing)]
    if problems:
        _LOG.warning("%s: rows left out or unusual: %s", path, counted(problems))
    kept = without(table.frame, [problem for problem in problems if problem.code != _UNUSUAL])
    own = own_county(table, knowing.names)
    known = kept.assign(
        source=kept["source"].fillna(path.name), county=kept["county"].fillna(own)
    ).sort_values(["crop", "county", "year"], kind="stable")
    found = {
        str(crop): _prior(str(crop), part, own, knowing, years)
        for crop, part in known.groupby("crop")
    }
    return {crop: prior for crop, prior in found.items() if prior is not None}


@dataclass(frozen=True)
class YieldSources:
    """The county's yield table and how it and the surveys name their columns."""

    county_yields: Path | None
    columns: Mapping[str, Mapping[str, str]]
    """The lender's own column names by table and Fieldline name."""
    names: Sequence[str]
    """What the county may be called in the table."""
    settings: YieldSettings

    def priors(self, season: Season) -> dict[str, Prior]:
        """Return the priors that were known at a season's as-of date."""
        own = self.columns.get(COUNTY_YIELDS.name, {})
        knowing = Knowing.of(season, self.names, self.settings)
        return county_priors(self.county_yields, knowing, self.settings.prior_years, own)


def own_county(table: InputTable, names: Sequence[str]) -> str:
    """Return what a table calls the run's county; empty where it tells no counties.

    Raises:
        UserError: It tells counties, and this one is not among them.
    """
    told = {str(name) for name in table.frame["county"].dropna().unique()}
    if not told:
        return ""
    by_fold = {folded(name): name for name in sorted(told)}
    for name in names:
        if folded(name) in by_fold:
            return by_fold[folded(name)]
    some = ", ".join(sorted(told)[:8]) + (", ..." if len(told) > 8 else "")
    raise UserError(
        f"{table.path} tells yields of {some} and none of them is called "
        f"{' or '.join(repr(name) for name in names if name) or 'as this county'}",
        "set inputs.yields_county to what the table calls this county; yields of other regions "
        "are not taken for its own",
    )


def read_yields(path: Path, columns: Mapping[str, str] | None = None) -> InputTable:
    """Read a county yield table; a season that was measured may still lack its yield.

    Raises:
        UserError: The table cannot be read or lacks a column.
    """
    table = read_input(path, COUNTY_YIELDS, Reading(columns=columns or {}, place="inputs"))
    further = [name for name in table.frame if name not in _DECLARED]
    measured = table.frame[further].notna().any(axis=1).to_numpy(dtype=bool)

    def excused(problem: Problem) -> bool:
        awaited = problem.column == "yield_t_ha" and problem.code == "input_missing"
        return problem.column in further or (awaited and bool(measured[problem.row - 1]))

    table.problems[:] = [problem for problem in table.problems if not excused(problem)]
    return table


def yield_problems(frame: pd.DataFrame, problems: list[Problem], knowing: Knowing) -> list[Problem]:
    """Return why rows of a county yield table do not count for a season.

    Args:
        frame: All rows.
        problems: Their problems so far; such rows are not looked at again.
        knowing: County, season and as-of date.

    Returns:
        Yields that are not known, ten times what they can be, or smaller than the crop's range
        where nothing shows that they are in its unit; those far from the usual, which count
        (`input_far_from_usual`); a crop, county and year twice, which counts once where both
        say the same and not at all where they differ.
    """
    good = without(frame, problems)
    late = _not_known(good, knowing)
    found = problems_of(good.loc[late, "year"].astype(int), "year", "input_after_as_of")
    known = good[~late]
    foreign, small = low_yields(known)
    found += problems_of(known.loc[foreign, "yield_t_ha"], "yield_t_ha", "input_implausible")
    unusual = problems_of(known.loc[small, "yield_t_ha"], "yield_t_ha", _UNUSUAL)
    known = known[~foreign]
    slips = _slips(known)
    looked_at = {problem.row for problem in slips}
    found += [*slips, *(problem for problem in unusual if problem.row not in looked_at)]
    key = ["crop", "county", "year"]
    twice = known[known.duplicated(key, keep=False)].fillna({"county": ""})
    for _, part in twice["yield_t_ha"].groupby([twice[name] for name in key]):
        told = part.dropna()
        if told.max() > told.min():
            found += problems_of(told, "yield_t_ha", "input_contradicted")
        else:
            stays = (part if told.empty else told).index[-1]
            found += problems_of(part.drop(stays), "yield_t_ha", "input_repeated")
    return found


def _slips(known: pd.DataFrame) -> list[Problem]:
    """Return the yields that are ten times too small or too large, or look so, by crop.

    Those of a county that lies apart from the others are in another unit.
    """
    found: list[Problem] = []
    for _, rows in known.fillna({"county": ""}).groupby("crop"):
        yields = rows["yield_t_ha"].to_numpy(dtype=float)
        years = rows["year"].to_numpy(dtype=np.int64)
        confirmed = rows["confirmed"].fillna(False).to_numpy(dtype=bool)
        slips = slips_of_ten(rows["county"].to_numpy(dtype=str), years, yields, confirmed)
        good = yields > 0
        names = rows["county"].to_numpy(dtype=str)
        apart = counties_apart(names[good], years[good], yields[good])
        other = np.isin(names, [name for name in apart if name]) & good & ~confirmed
        found += problems_of(rows.loc[other, "yield_t_ha"], "yield_t_ha", "input_other_unit")
        for which, code in ((slips.slipped, "input_implausible"), (slips.unusual, _UNUSUAL)):
            found += problems_of(rows.loc[which, "yield_t_ha"], "yield_t_ha", code)
    return found


def _not_known(rows: pd.DataFrame, knowing: Knowing) -> pd.Series[bool]:
    """Return which rows are not known: their year's end, or the day of their publication.

    What was measured of the season is known while its yield is blank: a row that has both was
    written afterwards.
    """
    year_end = pd.to_datetime({"year": rows["year"].fillna(1900), "month": 12, "day": 31})
    usual = year_end + pd.Timedelta(days=knowing.published_days)
    told, awaited = rows["published_on"], rows["yield_t_ha"].isna()
    as_of = pd.Timestamp(knowing.as_of)
    late = (rows["year"] >= knowing.harvest_year) | (told.fillna(usual) > as_of)
    ahead = (rows["year"] > knowing.harvest_year) | (told.fillna(as_of) > as_of)
    return late.where(~awaited, ahead).astype(bool)


def _prior(
    crop: str, rows: pd.DataFrame, county: str, knowing: Knowing, years: int
) -> Prior | None:
    known = rows[rows["yield_t_ha"].notna()]
    own = known[known["county"] == county]
    last = own.tail(years)
    if not (last["yield_t_ha"] > 0).any():
        return None
    others = known[known["county"] != county]
    usual = usual_spread(_county_years(others), own_error(crop).shared)
    unseen = unseen_errors(own["yield_t_ha"].to_numpy(dtype=float), years)
    now = alone(last["yield_t_ha"].to_numpy(dtype=float), usual, unseen)
    if others.empty or len(own) < 2 or known["year"].nunique() < LEAST_YEARS:
        return Prior(now.t_ha, now.log_sd, _source(last), None, now.told)
    past = _county_years(known)
    season = rows[(rows["county"] == county) & (rows["year"] == knowing.harvest_year)]
    moved = among(past, county, knowing.harvest_year, now,
                  None if season.empty else _season(season))  # fmt: skip
    ahead = among(past, county, knowing.harvest_year + 1, now, None)
    told = dict(moved.told) | {"next_year": dict(ahead.told)}
    return Prior(moved.t_ha, moved.log_sd, _source(own), ahead, told)


def _county_years(rows: pd.DataFrame) -> CountyYears:
    return CountyYears.of_columns(
        rows["county"].astype(str).tolist(), rows["year"].astype(int).tolist(),
        rows["yield_t_ha"].tolist(), rows[[n for n in rows if n not in _DECLARED]],
    )  # fmt: skip


def _season(rows: pd.DataFrame) -> CountyYears:
    return _county_years(rows.tail(1))


def _source(rows: pd.DataFrame) -> str:
    """Return the source of a county's rows and its true years: `s, 2013, 2015-2017`."""
    years = sorted({int(year) for year in rows["year"]})
    spans: list[list[int]] = []
    for year in years:
        if spans and year == spans[-1][1] + 1:
            spans[-1][1] = year
        else:
            spans.append([year, year])
    told = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
    return f"{rows['source'].iloc[-1]}, {told}"
