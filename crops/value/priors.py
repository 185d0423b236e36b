"""County yield priors: the mean of the last years and how much those years differ.

Owns which rows of the county yield table count and the documented error that stands in until crop
cuts exist. Years at or after the season's own are left out: they are not known when the season is
decided.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.crops.inputs import COUNTY_YIELDS
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem, counted, problems_of, without
from fieldline.pipeline.records.reference import table_rows
from fieldline.pipeline.records.settings import Season

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prior:
    """The naive forecast of a crop's county yield."""

    mean_t_ha: float
    years_log_sd: float
    """Log sd between years."""
    source: str


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
    path: Path | None, before_year: int, years: int, columns: Mapping[str, str] | None = None
) -> dict[str, Prior]:
    """Return the prior of each crop from the last years before the season.

    Args:
        path: County yield table (`COUNTY_YIELDS`), None where there is none.
        before_year: Harvest year of the season; this and later years are not known.
        years: How many years form the prior.
        columns: The table's own column names by Fieldline's.

    Returns:
        Priors by crop. Rows that cannot be used are left out and counted in the log.

    Raises:
        UserError: The table cannot be read or lacks a column.
    """
    if path is None:
        return {}
    table = read_yields(path, columns)
    problems = [*table.problems, *yield_problems(table.frame, table.problems, before_year)]
    if problems:
        _LOG.warning("%s: rows left out: %s", path, counted(problems))
    kept = without(table.frame, problems)
    known = kept.assign(source=kept["source"].fillna(path.name)).sort_values(["crop", "year"])
    return {str(crop): _prior(str(crop), part.tail(years)) for crop, part in known.groupby("crop")}


@dataclass(frozen=True)
class YieldSources:
    """The county's yield table and how it and the surveys name their columns."""

    county_yields: Path | None
    columns: Mapping[str, Mapping[str, str]]
    """The lender's own column names by table and Fieldline name."""
    prior_years: int

    def priors(self, season: Season) -> dict[str, Prior]:
        """Return the priors that were known before a season's harvest."""
        own = self.columns.get(COUNTY_YIELDS.name, {})
        return county_priors(self.county_yields, season.end.year, self.prior_years, own)


def read_yields(path: Path, columns: Mapping[str, str] | None = None) -> InputTable:
    """Read a county yield table.

    Raises:
        UserError: The table cannot be read or lacks a column.
    """
    return read_input(path, COUNTY_YIELDS, Reading(columns=columns or {}, place="inputs"))


def yield_problems(frame: pd.DataFrame, problems: list[Problem], before_year: int) -> list[Problem]:
    """Return why rows of a county yield table do not count for a season.

    Args:
        frame: All rows.
        problems: Their problems so far; such rows are not looked at again.
        before_year: Harvest year of the season; this and later years are not known.

    Returns:
        Years that are not known; a crop and year twice, which counts once where both say the same
        and not at all where they differ.
    """
    good = without(frame, problems)
    late = good["year"] >= before_year
    found = problems_of(good.loc[late, "year"].astype(int), "year", "input_after_as_of")
    known = good[~late]
    twice = known[known.duplicated(["crop", "year"], keep=False)]
    for _, part in twice["yield_t_ha"].groupby([twice["crop"], twice["year"]]):
        if part.max() > part.min():
            found += problems_of(part, "yield_t_ha", "input_contradicted")
        else:
            found += problems_of(part.iloc[:-1], "yield_t_ha", "input_repeated")
    return found


def _prior(crop: str, part: pd.DataFrame) -> Prior:
    values = part["yield_t_ha"].to_numpy(dtype=float)
    spread = float(np.log(values).std(ddof=1)) if len(values) > 1 else own_error(crop).shared
    text = f"{part['source'].iloc[-1]}, {part['year'].iloc[0]:g}-{part['year'].iloc[-1]:g}"
    return Prior(float(values.mean()), spread, text)
