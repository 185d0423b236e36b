"""What the crop classifier learns from: labelled parcels of every source on one grid in time.

Owns the season's clock, on which this season's survey, those of earlier seasons and labelled series
of other parcels are laid, and how many labels of a class are learnt. Truth is never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.recognise.ensemble import Labels
from fieldline.crops.recognise.features import Cube, View, cube_of
from fieldline.crops.recognise.labels import (
    LabelledSeries,
    SeasonLabels,
    read_labelled,
    survey_labels,
)
from fieldline.crops.series import ClearSeries, band_names, iter_clear, known_until
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table


@dataclass(frozen=True)
class Training:
    """Labelled parcels on the season's clock."""

    cube: Cube
    labels: Labels
    groups: list[str]
    origin: list[str]
    """Season or file that each label comes from."""
    classes: tuple[str, ...]
    rare: dict[str, int]
    """Crops with too few labels to learn, with their counts."""
    view: View


@dataclass(frozen=True)
class Clock:
    """The grid that all series of a run share."""

    season: Season
    steps: int
    step_days: int
    first_step: int
    last_step: int
    """Steps between which the county itself was observed: labels say nothing outside them."""
    bands: tuple[str, ...]
    clear: ClearSettings

    def cube(self, series: ClearSeries) -> Cube:
        """Bring a batch onto the grid, without steps that the county itself lacks."""
        cube = cube_of(series, self.bands, self.steps, self.step_days)
        return replace(cube, values=cube.values[:, self.first_step : self.last_step + 1])


@dataclass(frozen=True)
class _Part:
    """Labelled parcels of one source."""

    cube: Cube
    crops: list[str]
    groups: list[str]
    origin: str
    """Season or file that the labels come from."""


def county_clock(
    observations: Path,
    labelled: LabelledSeries | None,
    season: Season,
    clear: ClearSettings,
    step_days: int,
    stopped: frozenset[str],
) -> Clock:
    """Return the grid of a season: its steps, and between which of them the county was observed.

    Args:
        observations: `observations.parquet`.
        labelled: Labelled series of other parcels, whose bands are kept alone.
        season: Season; the grid ends at what is known of it.
        clear: What a clear date is.
        step_days: Step of the grid, days.
        stopped: Parcels that an earlier stage stopped.
    """
    first, last = known_until(season), 0
    for batch in iter_clear(observations, season, clear.min_valid_fraction, stopped):
        if len(batch.day):
            first, last = min(first, int(batch.day.min())), max(last, int(batch.day.max()))
    bands = band_names(observations)
    if labelled is not None:
        other = set(read_labelled(labelled, season)[0].bands)
        bands = tuple(name for name in bands if name in other)
    steps = known_until(season) // step_days + 1
    return Clock(season, steps, step_days, first // step_days, last // step_days, bands, clear)


def fold_groups(parcels: Path, folds: int) -> dict[str, str]:
    """Return the fold group of each parcel: the widest unit that there are enough of."""
    frame = read_table(parcels, ["parcel_id", "farmer_id", "village"])
    village = frame["village"].astype("object").where(frame["village"].notna(), frame["farmer_id"])
    units = (village, frame["farmer_id"], frame["parcel_id"])
    group = next((unit for unit in units if unit.nunique() >= folds), frame["parcel_id"])
    return dict(zip(frame["parcel_id"], group.astype(str), strict=True))


def gather_training(
    clock: Clock,
    observations: Path,
    labels: dict[str, str],
    earlier: Sequence[SeasonLabels],
    labelled: LabelledSeries | None,
    groups: dict[str, str],
    settings: ClassifySettings,
    stopped: frozenset[str],
) -> Training | None:
    """Gather the labelled parcels of this season, of earlier ones and of other places.

    Args:
        clock: Grid that all are laid on.
        observations: `observations.parquet` of this season.
        labels: Surveyed crop by parcel of this season.
        earlier: Earlier seasons with survey labels.
        labelled: Labelled series of other parcels, if any.
        groups: Fold group by parcel.
        settings: Least and largest number of labels of a class.
        stopped: Parcels that an earlier stage stopped.

    Returns:
        None where fewer than two classes have enough labels.
    """
    parts: list[_Part] = []
    sources = [(observations, labels, clock.season, stopped)]
    for former in earlier:
        found = survey_labels(former.survey, clock.season.as_of, former.columns).crop
        sources.append((former.observations, found, former.season, frozenset()))
    for path, named, season, without in sources:
        for batch in iter_clear(path, season, clock.clear.min_valid_fraction, without):
            chosen = [p for p in batch.parcel_ids if p in named]
            cube = rows_of(clock.cube(batch), [batch.parcel_ids.index(p) for p in chosen])
            villages = [groups.get(p, p) for p in chosen]
            parts.append(_Part(cube, [named[p] for p in chosen], villages, str(season.start)))
    if labelled is not None:
        series, crops_of = read_labelled(labelled, clock.season)
        ids = list(series.parcel_ids)
        parts.append(_Part(clock.cube(series), crops_of, ids, labelled.table.name))
    view: View = "full" if labelled is None else "shape"
    return _assemble(parts, view, clock.clear.min_dates, settings)


def rows_of(cube: Cube, rows: Sequence[int] | NDArray[np.int64]) -> Cube:
    """Return the cube of some of its parcels."""
    at = np.asarray(rows, dtype=np.int64)
    return replace(cube, values=cube.values[at], clear_dates=cube.clear_dates[at])


def _assemble(
    parts: list[_Part],
    view: View,
    min_dates: int,
    settings: ClassifySettings,
) -> Training | None:
    parts = [part for part in parts if part.crops]
    if not parts:
        return None
    codes = np.asarray([crop for part in parts for crop in part.crops])
    groups = [group for part in parts for group in part.groups]
    origin = [part.origin for part in parts for _ in part.crops]
    cube = Cube(
        np.concatenate([part.cube.values for part in parts]),
        parts[0].cube.bands,
        np.concatenate([part.cube.clear_dates for part in parts]),
    )
    usable = cube.clear_dates >= min_dates
    names, counts = np.unique(codes[usable], return_counts=True)
    common = tuple(str(n) for n in names[counts >= settings.min_labels_per_class])
    rare = {str(n): int(c) for n, c in zip(names, counts, strict=True) if n not in common}
    kept = at_most(np.flatnonzero(usable & np.isin(codes, common)), codes, settings)
    if len(common) < 2:
        return None
    return Training(
        rows_of(cube, kept),
        np.searchsorted(np.asarray(common), codes[kept]),
        [groups[row] for row in kept],
        [origin[row] for row in kept],
        common,
        rare,
        view,
    )


def at_most(
    rows: NDArray[np.int64], codes: NDArray[np.str_], settings: ClassifySettings
) -> NDArray[np.int64]:
    """Draw no more than the configured number of labels of each class: training time stays flat."""
    random = np.random.default_rng(settings.seed)
    chosen = []
    for code in np.unique(codes[rows]):
        of_class = rows[codes[rows] == code]
        if len(of_class) > settings.max_labels_per_class:
            of_class = random.choice(of_class, settings.max_labels_per_class, replace=False)
        chosen.append(of_class)
    return np.sort(np.concatenate(chosen)) if chosen else rows
