"""Which parcels to survey next: those whose labels would teach the model most.

Owns the list `survey_next.csv`, a table that surveyors fill in and hand back as a survey. The one
idea: a parcel teaches much where the model hesitates between two crops or has seen nothing like it,
and little where a like parcel is already labelled or on the list; so doubtful parcels are taken one
by one, each as far as can be from what is labelled and listed. Without a model every parcel is in
doubt and the list is spread over all kinds of season.

Source: Scheffer et al. (2001) Active hidden Markov models (margin); Sener & Savarese (2018) Active
learning for convolutional neural networks: a core-set approach (k-centre).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.crops.recognise.features import Cube
from fieldline.crops.recognise.forest import Matrix
from fieldline.crops.recognise.places import Places
from fieldline.crops.recognise.recogniser import Answers, Recogniser
from fieldline.crops.series import Floats, ndvi
from fieldline.pipeline.records.tables import write_text

#: Candidates that are kept for each parcel of the list while the county streams by.
_KEPT_FOR_EACH = 20
COLUMNS = ("rank", "parcel_id", "village", "lon", "lat", "why", "crop", "surveyed_on")


@dataclass(frozen=True)
class Candidates:
    """Parcels that may be surveyed."""

    parcel_ids: tuple[str, ...]
    doubt: Floats
    """0..1 by parcel; 1 where two crops are equally likely or nothing like it was labelled."""
    where: Floats
    """(parcels, dimensions): like parcels lie near each other."""
    why: tuple[str, ...]

    def best(self, most: int) -> Candidates:
        """Return the most doubtful, no more than this many, in their order."""
        kept = np.sort(np.argsort(-self.doubt, kind="stable")[:most])
        return Candidates(
            tuple(self.parcel_ids[at] for at in kept), self.doubt[kept], self.where[kept],
            tuple(self.why[at] for at in kept),
        )  # fmt: skip

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Return the parcels of several batches as one."""
        return cls(
            tuple(name for part in parts for name in part.parcel_ids),
            np.concatenate([part.doubt for part in parts]),
            np.concatenate([part.where for part in parts]),
            tuple(text for part in parts for text in part.why),
        )


def of_model(ids: Sequence[str], rows: Matrix, model: Recogniser, said: Answers) -> Candidates:
    """Return a batch of answered parcels as candidates.

    Args:
        ids: Their ids.
        rows: Their features.
        model: What answered.
        said: What it said.
    """
    order = np.argsort(-said.probabilities, axis=1, kind="stable")[:, :2]
    top = np.take_along_axis(said.probabilities, order, axis=1)
    doubt = np.where(said.refused, 1.0, 1.0 - (top[:, 0] - top[:, 1]))
    why = [
        "unlike any label" if refused
        else " or ".join(f"{model.classes[c]} {p:.2f}" for c, p in zip(pair, chances, strict=True))
        for refused, pair, chances in zip(said.refused, order, top, strict=True)
    ]  # fmt: skip
    where = model.novelty.space.placed(rows)
    return Candidates(tuple(ids), doubt, where, tuple(why))


def of_none(ids: Sequence[str], cube: Cube) -> Candidates:
    """Return a batch of parcels as candidates where no model can answer."""
    curves = ndvi({name: cube.values[:, :, at] for at, name in enumerate(cube.bands)})
    return Candidates(tuple(ids), np.ones(len(ids)), curves, ("no model yet",) * len(ids))


class SurveyList:
    """The list while a county streams by.

    Args:
        size: Parcels on it.
        labelled: (rows, dimensions) where labelled parcels lie; None where there are none.
    """

    def __init__(self, size: int, labelled: Floats | None) -> None:
        self._size = size
        self._labelled = labelled
        self._held: Candidates | None = None

    def see(self, batch: Candidates) -> None:
        """Take in a batch; memory stays bounded."""
        if not batch.parcel_ids or not self._size:
            return
        held = batch if self._held is None else Candidates.joined([self._held, batch])
        self._held = held.best(self._size * _KEPT_FOR_EACH)

    def chosen(self) -> list[tuple[str, str]]:
        """Return ids and reasons, the most telling first."""
        held = self._held
        if held is None:
            return []
        picked = spread(held.doubt, held.where, self._labelled, self._size)
        return [(held.parcel_ids[at], held.why[at]) for at in picked]


def spread(doubt: Floats, where: Floats, labelled: Floats | None, size: int) -> list[int]:
    """Return rows one by one, each with the largest doubt times distance to all before it.

    Args:
        doubt: 0..1 by row.
        where: (rows, dimensions).
        labelled: (rows, dimensions) of what counts as taken before the first.
        size: Rows wanted.
    """
    rows: list[int] = []
    if labelled is None and size:  # nothing is taken yet: the most ordinary parcel comes first
        rows.append(int(np.linalg.norm(where - where.mean(axis=0), axis=1).argmin()))
    apart = np.full(len(doubt), np.inf)
    for taken in where[rows] if labelled is None else labelled:
        apart = np.minimum(apart, np.linalg.norm(where - taken, axis=1))
    while len(rows) < min(size, len(doubt)):
        worth = doubt * apart
        worth[rows] = -1.0
        rows.append(int(worth.argmax()))
        apart = np.minimum(apart, np.linalg.norm(where - where[rows[-1]], axis=1))
    return rows


def write_survey_list(chosen: Iterable[tuple[str, str]], places: Places, path: Path) -> None:
    """Write the list as a table that surveyors fill in: crop and day of the visit are empty.

    Args:
        chosen: Ids and reasons, in the order of the list.
        places: Where the county's parcels lie.
        path: `survey_next.csv`.
    """
    at: Mapping[str, int] = {name: n for n, name in enumerate(places.parcel_ids)}
    rows = []
    for rank, (parcel, why) in enumerate(chosen, start=1):
        lon, lat = places.lonlat[at[parcel]].round(6).tolist()
        rows.append((rank, parcel, places.village[at[parcel]], lon, lat, why, "", ""))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
