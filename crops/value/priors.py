"""County yield priors: the mean of the last years and how much those years differ.

Owns the county yield table and the documented error that stands in until crop cuts exist. Years at
or after the season's own are left out: they are not known when the season is decided.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.pipeline.records.errors import UserError

_COLUMNS = ("crop", "year", "yield_t_ha", "source")


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
    with (files("fieldline") / "data" / "own_error.csv").open(encoding="utf-8") as handle:
        return {
            row["crop"]: OwnError(
                float(row["own_log_sd"]), float(row["shared_log_sd"]), row["source"]
            )
            for row in csv.DictReader(handle)
        }


def own_error(crop: str) -> OwnError:
    """Return the documented error of a crop."""
    return own_errors().get(crop, own_errors()["default"])


def county_priors(path: Path | None, before_year: int, years: int) -> dict[str, Prior]:
    """Return the prior of each crop from the last years before the season.

    Args:
        path: County yield table (crop, year, yield_t_ha, source), None where there is none.
        before_year: Harvest year of the season; this and later years are not known.
        years: How many years form the prior.

    Raises:
        UserError: The table is missing, lacks a column or holds a yield that is not above zero.
    """
    if path is None:
        return {}
    frame = _read(path)
    known = frame[frame["year"] < before_year].sort_values(["crop", "year"])
    return {str(crop): _prior(str(crop), part.tail(years)) for crop, part in known.groupby("crop")}


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path)
    except FileNotFoundError as error:
        raise UserError(
            f"yield table {path} does not exist", "correct inputs.county_yields"
        ) from error
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise UserError(f"yield table {path} lacks the columns {missing}", "add them")
    bad = frame[~(frame["yield_t_ha"] > 0)]
    if len(bad):
        raise UserError(
            f"yield table {path} has the yield {bad.iloc[0]['yield_t_ha']} for "
            f"{bad.iloc[0]['crop']} {bad.iloc[0]['year']}",
            "give yields above zero in t/ha",
        )
    return frame


def _prior(crop: str, part: pd.DataFrame) -> Prior:
    values = part["yield_t_ha"].to_numpy(dtype=float)
    spread = float(np.log(values).std(ddof=1)) if len(values) > 1 else own_error(crop).shared
    text = f"{part['source'].iloc[-1]}, {part['year'].iloc[0]}-{part['year'].iloc[-1]}"
    return Prior(float(values.mean()), spread, text)
