"""What the crop classifier learns from: labelled parcels of every source on one grid in time.

Owns how this season's survey, those of earlier seasons and labelled series of other parcels are
laid on the season's clock, and how many labels of a class are learnt. Truth is never read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.radar_series import RadarTable, iter_beside
from fieldline.crops.recognise.clock import Clock
from fieldline.crops.recognise.features import Cube, View, joined, rows_of
from fieldline.crops.recognise.folds import Training
from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.labels import (
    OTHER,
    SeasonLabels,
    SurveyLabels,
    read_labelled,
    survey_labels,
)
from fieldline.crops.recognise.places import Places
from fieldline.crops.recognise.presto_member import step_months
from fieldline.crops.series import ClearSeries
from fieldline.crops.settings import ClassifySettings


@dataclass(frozen=True)
class _Part:
    """Labelled parcels of one source."""

    cube: Cube
    crops: list[str]
    places: Places
    origin: str
    """Season or file that the labels come from."""


@dataclass(frozen=True)
class Gathered:
    """What there is to learn from, and what was not used."""

    training: Training | None
    """None where fewer than two crops have enough labels."""
    counts: dict[str, int]
    """Usable labels by crop, before any was left out."""
    unknown: dict[str, int]
    """Labels by written crop that no table knows; they teach `other`."""
    left_out: dict[str, int]
    """Labels by written crop that the code table leaves out."""

    @property
    def reason(self) -> str:
        """Why nothing can be learnt."""
        if len(self.counts) == 1:
            return f"all labels are of one crop ({next(iter(self.counts))}): nothing tells apart"
        return "fewer than two crops have enough labels" if self.counts else "no usable label"


def crops_by_parcel(labels: SurveyLabels) -> dict[str, str]:
    """Return the class that each surveyed parcel teaches."""
    return labels.crop | dict.fromkeys(labels.unknown, OTHER)


def gather_training(
    clock: Clock,
    observations: Path,
    labels: SurveyLabels,
    earlier: Sequence[SeasonLabels],
    labelled: LabelledSeries | None,
    places: Places,
    settings: ClassifySettings,
    stopped: frozenset[str],
    radar: RadarTable | None = None,
) -> Gathered:
    """Gather the labelled parcels of this season, of earlier ones and of other places.

    Args:
        clock: Grid that all are laid on.
        observations: `observations.parquet` of this season.
        labels: Surveyed crops of this season.
        earlier: Earlier seasons with survey labels.
        labelled: Labelled series of other parcels, if any.
        places: Where the county's parcels lie.
        settings: Least and largest number of labels of a class, folds and blocks.
        stopped: Parcels that an earlier stage stopped.
        radar: This season's radar, where the clock takes any; earlier seasons bring their own.
    """
    parts: list[_Part] = []
    sources = [(observations, labels, clock.season, stopped, radar)]
    for former in earlier:
        found = survey_labels(former.survey, clock.season.as_of, former.columns)
        sources.append((former.observations, found, former.season, frozenset(), former.radar))
    unknown: dict[str, int] = {}
    for path, surveyed, season, without, table in sources:
        named = crops_by_parcel(surveyed)
        if surveyed.unknown:
            unknown[f"survey {season.start}"] = len(surveyed.unknown)
        cubes, chosen = [], list[str]()
        for batch in iter_beside(path, season, clock.clear.min_valid_fraction, without, table):
            rows = [at for at, parcel in enumerate(batch.parcel_ids) if parcel in named]
            if rows:
                cubes.append(rows_of(clock.cube(batch), rows))
                chosen += [batch.parcel_ids[row] for row in rows]
        if chosen:
            crops = [named[parcel] for parcel in chosen]
            where = places.of_all(chosen)
            parts.append(_Part(joined(cubes), crops, where, str(season.start)))
    left_out: dict[str, int] = {}
    if labelled is not None:
        samples = read_labelled(labelled, clock.season)
        unknown, left_out = unknown | samples.unknown, samples.left_out
        where = Places.of_points(samples.series.parcel_ids, samples.lonlat, samples.area_m2)
        cube = clock.cube(samples.series)
        parts.append(_Part(cube, samples.crops, where, labelled.table.name))
    view: View = "full" if labelled is None else "shape"
    training, counts = _assemble(parts, view, clock, settings)
    return Gathered(training, counts, unknown, left_out)


def gather_population(
    clock: Clock, observations: Path, labelled: Collection[str], most: int,
    stopped: frozenset[str], radar: RadarTable | None = None,
) -> Cube | None:  # fmt: skip
    """Return unlabelled parcels of the county, drawn evenly over the table; None where none is.

    Args:
        clock: Grid.
        observations: `observations.parquet` of this season.
        labelled: Parcels with a label.
        most: No more than this many.
        stopped: Parcels that an earlier stage stopped.
        radar: The season's radar, where the clock takes any.
    """

    def free(batch: ClearSeries) -> list[int]:
        dates = batch.clear_dates
        return [at for at, parcel in enumerate(batch.parcel_ids)
                if parcel not in labelled and dates[at] >= clock.clear.min_dates]  # fmt: skip

    def batches(beside: RadarTable | None) -> Iterator[ClearSeries]:
        least = clock.clear.min_valid_fraction
        return iter_beside(observations, clock.season, least, stopped, beside)

    total = sum(len(free(batch)) for batch in batches(None))
    if not total or not most:
        return None
    stride, passed, parts = -(-total // most), 0, []
    for batch in batches(radar):
        rows = free(batch)
        kept = rows[(-passed) % stride :: stride]
        passed += len(rows)
        if kept:
            parts.append(rows_of(clock.cube(batch), kept))
    return joined(parts)


def _assemble(
    parts: list[_Part], view: View, clock: Clock, settings: ClassifySettings
) -> tuple[Training | None, dict[str, int]]:
    if not parts:
        return None, {}
    codes = np.asarray([crop for part in parts for crop in part.crops])
    origin = [part.origin for part in parts for _ in part.crops]
    where = Places.joined([part.places for part in parts])
    cube = joined([part.cube for part in parts])
    # Where nothing of this season is clear, no step of earlier ones can be compared with it.
    usable = (cube.clear_dates >= clock.clear.min_dates) & bool(cube.values.shape[1])
    names, numbers = np.unique(codes[usable], return_counts=True)
    counts = {str(n): int(c) for n, c in zip(names, numbers, strict=True)}
    common = tuple(n for n, c in counts.items() if c >= settings.min_labels_per_class)
    if len(common) < 2:
        return None, counts
    kept = at_most(np.flatnonzero(usable & np.isin(codes, common)), codes, settings)
    where = where.rows(kept)
    groups, word = where.groups(settings.folds, settings.block_m)
    training = Training(
        rows_of(cube, kept),
        np.searchsorted(np.asarray(common), codes[kept]),
        groups,
        [origin[row] for row in kept],
        common,
        {name: count for name, count in counts.items() if name not in common},
        view,
        where.area_m2,
        word,
        step_months(clock.grid(), cube.values.shape[1]),
    )
    return training, counts


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
