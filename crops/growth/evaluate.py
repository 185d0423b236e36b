"""Heading and harvest dates held against what people saw on the fields.

Owns the figures of `fieldline growth evaluate`: errors with intervals over fields, beside the naive
answer that needs no image (the mean date of the other fields), and the offset of heading judged on
fields that did not set it. Truth enters here and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.heading import landmarks
from fieldline.crops.growth.seasons import Seasons, clear_points, heading_rules, measure
from fieldline.crops.series import Floats, iter_clear, observed_bands
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.inputs.read import read_input
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, counted, without
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season

_LOG = logging.getLogger(__name__)
_HEADING = 55.0
_DRAWS, _SEED, _TAIL = 2000, 11, 0.025
_LEAST = 3

STAGES = InputSchema(
    "growth_stages",
    "the table of growth stages",
    (
        InputColumn("parcel_id", "id", "Parcel that was rated", required=True, needed=True),
        InputColumn("date", "date", "Day of the rating", required=True, needed=True),
        InputColumn("bbch", "number", "Growth stage, BBCH 0 to 99", required=True, needed=True,
                    minimum=0.0, maximum=99.0),
    ),
    joins="parcel_id",
)  # fmt: skip

HARVEST_DAYS = InputSchema(
    "harvest_days",
    "the table of harvest days",
    (
        InputColumn("parcel_id", "id", "Parcel that was harvested", required=True, needed=True),
        InputColumn("harvest_date", "date", "Day of the harvest", required=True, needed=True),
    ),
    key=("parcel_id",),
    joins="parcel_id",
)  # fmt: skip


@dataclass(frozen=True)
class Watched:
    """Growth of the parcels of an observations file, batch by batch."""

    season: Season
    settings: GrowSettings
    batches: tuple[tuple[tuple[str, ...], Seasons], ...]

    def by_parcel(self, values: str) -> pd.Series:
        """Return days of the main cycle by parcel.

        Args:
            values: `heading`, `middle`, `fall`, `harvest`, `standing`, `bare` or `end`.
        """
        parts = [
            pd.Series(found.of_main(self._days(found, values)), index=list(ids))
            for ids, found in self.batches
        ]
        return pd.concat(parts) if parts else pd.Series(dtype=float)

    def _days(self, found: Seasons, values: str) -> Floats:
        if values in ("middle", "fall"):
            marks = landmarks(found.curves, found.cycles, heading_rules(self.settings))
            return marks.middle if values == "middle" else marks.fall
        harvests = found.harvests
        return {
            "heading": found.heading, "harvest": harvests.day, "end": found.cycles.end,
            "standing": harvests.last_standing, "bare": harvests.first_bare,
        }[values]  # fmt: skip


def watch(
    observations: Path, season: Season, clear_dates: ClearSettings, settings: GrowSettings
) -> Watched:
    """Read the growth of every parcel of an observations file.

    Raises:
        UserError: The file is no table of observations.
    """
    observed_bands(observations)
    batches = tuple(
        (
            batch.parcel_ids,
            measure(clear_points(batch, clear_dates.max_haze), clear_dates.min_dates, settings),
        )
        for batch in iter_clear(observations, season, clear_dates.min_valid_fraction, frozenset())
    )
    return Watched(season, settings, batches)


def heading_days_seen(path: Path, season: Season) -> tuple[pd.Series, dict[str, str]]:
    """Return the day of BBCH 55 by parcel, days since the season's start, and who has none.

    Ratings of one day are averaged; between two days the stage moves evenly and never back. Those
    of other seasons, which a table of several years holds, do not count.

    Raises:
        UserError: The table cannot be read or lacks a column.
    """
    rows = _readable(path, STAGES)
    inside = rows["date"].between(pd.Timestamp(season.start), pd.Timestamp(season.end))
    other = sorted(set(rows["parcel_id"].astype(str)) - set(rows["parcel_id"][inside].astype(str)))
    found: dict[str, float] = {}
    left_out = dict.fromkeys(other, "rated in other seasons alone")
    rows = rows[inside]
    for parcel, ratings in rows.groupby("parcel_id"):
        mean = ratings.groupby("date")["bbch"].mean().sort_index()
        since = mean.index.to_numpy().astype("datetime64[D]") - np.datetime64(season.start, "D")
        day = since.astype(float)
        stage = np.maximum.accumulate(mean.to_numpy(dtype=float))
        if stage[-1] < _HEADING or stage[0] >= _HEADING:
            left_out[str(parcel)] = f"rated {stage[0]:g} to {stage[-1]:g}: {_HEADING:g} not passed"
            continue
        after = int(np.searchsorted(stage, _HEADING))
        step = (_HEADING - stage[after - 1]) / (stage[after] - stage[after - 1])
        found[str(parcel)] = day[after - 1] + step * (day[after] - day[after - 1])
    return pd.Series(found, dtype=float), left_out


def _readable(path: Path, schema: InputSchema) -> pd.DataFrame:
    """Return the rows of a table that can be read; the others are told."""
    table = read_input(path, schema)
    if table.problems:
        _LOG.warning("%s: rows left out: %s", path, counted(table.problems))
    return without(table.frame, table.problems)


def harvest_days_seen(path: Path, season: Season) -> pd.Series:
    """Return the harvest day by parcel, days since the season's start.

    Of a parcel that the table names in several years the season's own day counts.

    Raises:
        UserError: The table cannot be read, lacks a column or names a parcel twice.
    """
    rows = _readable(path, HARVEST_DAYS)
    inside = rows["harvest_date"].between(pd.Timestamp(season.start), pd.Timestamp(season.end))
    rows = rows[inside | ~rows["parcel_id"].isin(rows["parcel_id"][inside])]
    twice = rows.loc[rows["parcel_id"].duplicated(), "parcel_id"]
    if len(twice):
        raise UserError(
            f"{path} names parcel {twice.iloc[0]} twice", "leave one harvest day per parcel"
        )
    days = (rows["harvest_date"] - pd.Timestamp(season.start)).dt.days
    return pd.Series(days.to_numpy(dtype=float), index=rows["parcel_id"].astype(str))


def judge_heading(watched: Watched, seen: pd.Series, left_out: dict[str, str]) -> dict[str, Any]:
    """Return the figures of heading: as shipped, with offsets of the other fields, and naive.

    Raises:
        UserError: Fewer than three fields have both a curve and a heading.
    """
    table = _joined(watched, seen, {name: name for name in ("heading", "middle", "fall")})
    _need(table.dropna(subset=["heading"]), "heading")
    dated = table.dropna(subset=["heading"])
    truth = dated["seen"].to_numpy()
    return {
        "fields": len(dated),
        "undated": sorted(set(table.index) - set(dated.index)),
        "left_out": dict(sorted(left_out.items())),
        "as_shipped": _errors(dated["heading"].to_numpy() - truth),
        "offset_of_the_others": _errors(_leave_one_out(dated) - truth),
        "mean_date_of_the_others": _errors(_mean_of_others(truth) - truth),
        "by_field": _by_field(watched.season, dated, {"told": "heading", "seen": "seen"}),
    }


def judge_harvest(watched: Watched, seen: pd.Series) -> dict[str, Any]:
    """Return the figures of the harvest: confirmed dates, estimates of all fields, and naive.

    Raises:
        UserError: Fewer than three fields have both a curve's end and a harvest day.
    """
    names = {name: name for name in ("harvest", "end", "standing", "bare")}
    table = _joined(watched, seen, names)
    table["told"] = table["harvest"].fillna(table["end"])
    dated = table.dropna(subset=["told"])
    _need(dated, "harvest")
    sure = dated.dropna(subset=["harvest"])
    inside = (sure["standing"] <= sure["seen"]) & (sure["seen"] <= sure["bare"])
    truth = dated["seen"].to_numpy()
    return {
        "fields": len(dated),
        "undated": sorted(set(table.index) - set(dated.index)),
        "confirmed": _errors((sure["harvest"] - sure["seen"]).to_numpy()),
        "confirmed_inside_interval": int(inside.sum()),
        "confirmed_or_expected": _errors(dated["told"].to_numpy() - truth),
        "mean_date_of_the_others": _errors(_mean_of_others(truth) - truth),
        "by_field": _by_field(watched.season, dated, {"told": "told", "seen": "seen"}),
    }


def _joined(watched: Watched, seen: pd.Series, names: dict[str, str]) -> pd.DataFrame:
    told = {name: watched.by_parcel(of) for name, of in names.items()}
    table = pd.DataFrame({**told, "seen": seen}).sort_index()
    return table[table["seen"].notna() & table.index.isin(next(iter(told.values())).index)]


def _need(dated: pd.DataFrame, what: str) -> None:
    if len(dated) < _LEAST:
        raise UserError(
            f"{len(dated)} fields have both a curve with a {what} and a day that was seen",
            f"give at least {_LEAST}; parcel ids of both files must agree",
        )


def _leave_one_out(table: pd.DataFrame) -> Floats:
    """Return heading by offsets that the other fields set, for each field."""
    told = np.full(len(table), np.nan)
    for row in range(len(table)):
        others = table.drop(table.index[row])
        own = table.iloc[row]
        mark = "middle" if not np.isnan(own["middle"]) else "fall"
        told[row] = own[mark] + (others["seen"] - others[mark]).mean()
    return told


def _mean_of_others(values: Floats) -> Floats:
    return np.asarray((values.sum() - values) / (len(values) - 1))


def _errors(error: Floats) -> dict[str, Any]:
    """Return mean absolute error and bias in days, with 95 % intervals over fields."""
    if not len(error):
        return {"fields": 0}
    draws = np.random.default_rng(_SEED).integers(0, len(error), (_DRAWS, len(error)))

    def figure(values: Floats) -> dict[str, float]:
        low, high = np.quantile(values[draws].mean(axis=1), [_TAIL, 1 - _TAIL])
        named = {"value": values.mean(), "low": low, "high": high}
        return {name: round(float(number), 2) for name, number in named.items()}

    return {"fields": len(error), "mae_days": figure(np.abs(error)), "bias_days": figure(error)}


def _by_field(
    season: Season, table: pd.DataFrame, columns: dict[str, str]
) -> dict[str, dict[str, str]]:
    def date(days: float) -> str:
        return (season.start + dt.timedelta(days=round(days))).isoformat()

    return {
        str(parcel): {name: date(float(row[column])) for name, column in columns.items()}
        for parcel, row in table.iterrows()
    }
