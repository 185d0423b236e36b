"""Conformal prediction sets: the crops that cannot be ruled out, by class and by size of parcel.

Owns how plausible a class is for a row and the level that puts it into the set. The one idea: a
class is judged against labelled parcels of that same class, so a rare crop is covered as often as a
common one, and shares of classes may shift without breaking the promise; the level is then lowered
per area band as far as the band's labels ask, because small parcels are seen worse.

Source: Vovk (2012) Conditional validity of inductive conformal predictors; Sadinle, Lei &
Wasserman (2019) Least ambiguous set-valued classifiers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.recognise.forest import Labels
from fieldline.crops.series import Floats

#: Upper ends of the area bands, m2: 1, 3 and 10 mu (1 mu is 10000/15 m2), and their names.
_BAND_ENDS = tuple(mu * 10_000 / 15 for mu in (1, 3, 10))
BANDS = ("under 1 mu", "1-3 mu", "3-10 mu", "over 10 mu", "area unknown")
_LEAST = 30
"""Labels from which a class has a level of its own."""


def area_band(area_m2: Floats) -> NDArray[np.int64]:
    """Return the area band (index into `BANDS`) of parcels; NaN is unknown."""
    band = np.searchsorted(_BAND_ENDS, np.nan_to_num(area_m2), side="right")
    return np.where(np.isfinite(area_m2), band, len(BANDS) - 1).astype(np.int64)


@dataclass(frozen=True)
class PredictionSets:
    """What puts a class into the set."""

    of_class: tuple[Floats, ...]
    """Sorted probabilities that labelled rows of each class gave to it, unseen."""
    pooled: Floats
    """The same of all rows: classes with few labels are judged by it."""
    level: float
    """Plausibility under which a class is ruled out."""
    of_band: dict[int, float]
    """The same for area bands with labels enough that one may be missed (nine, for 90 %)."""

    def plausible(self, probabilities: Floats) -> Floats:
        """Return how plausible each class is: the share of its labelled rows with less, 0..1."""
        found = np.empty_like(probabilities)
        for at, own in enumerate(self.of_class):
            base = own if len(own) >= _LEAST else self.pooled
            below = np.searchsorted(base, probabilities[:, at], side="right")
            found[:, at] = (1 + below) / (1 + len(base))
        return found

    def levels(self, band: NDArray[np.int64]) -> Floats:
        """Return the level of each row by its area band."""
        return np.asarray([self.of_band.get(int(b), self.level) for b in band], dtype=np.float64)

    def members(self, probabilities: Floats, band: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which classes are in each row's set, its top class always, (rows, classes)."""
        inside = self.plausible(probabilities) > self.levels(band)[:, None]
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
        return np.asarray(inside)


def fit_sets(
    probabilities: Floats, labels: Labels, band: NDArray[np.int64], coverage: float
) -> PredictionSets:
    """Set levels on probabilities of labelled rows that no predicting copy has seen.

    Args:
        probabilities: (rows, classes).
        labels: True classes.
        band: Area band of each row.
        coverage: Wanted share of sets that hold the truth, by class and by area band.
    """
    own = probabilities[np.arange(len(labels)), labels]
    classes = range(probabilities.shape[1])
    sets = PredictionSets(
        tuple(np.sort(own[labels == at]) for at in classes),
        np.sort(own),
        round(1.0 - coverage, 9),
        {},
    )
    truth = sets.plausible(probabilities)[np.arange(len(labels)), labels]
    counts = {int(b): int((band == b).sum()) for b in np.unique(band)}
    of_band = {
        b: min(sets.level, _level(truth[band == b], coverage))
        for b, count in counts.items()
        if _rank(count, coverage) and len(counts) > 1
    }
    return PredictionSets(sets.of_class, sets.pooled, sets.level, of_band)


def _level(plausible: Floats, coverage: float) -> float:
    """Return the level that the wanted share of true classes stays above.

    Labels as plausible as the level are missed together: where they are more than may be, it lies
    at the next plausibility under theirs.
    """
    rank = _rank(len(plausible), coverage)
    found, counts = np.unique(plausible, return_counts=True)
    few = int((np.cumsum(counts) <= rank).sum())
    return float(found[few - 1]) if few else 0.0


def _rank(count: int, coverage: float) -> int:
    """Return how many of so many labels may be missed; none says that they are too few to tell."""
    return int(np.floor(round((count + 1) * (1.0 - coverage), 9)))


def held_out_members(
    probabilities: Floats, labels: Labels, band: NDArray[np.int64], fold: NDArray[np.int64],
    coverage: float,
) -> NDArray[np.bool_]:  # fmt: skip
    """Return the sets of every labelled row by levels that its own fold had no part in."""
    found = np.zeros(probabilities.shape, dtype=bool)
    for number in np.unique(fold):
        test = fold == number
        sets = fit_sets(probabilities[~test], labels[~test], band[~test], coverage)
        found[test] = sets.members(probabilities[test], band[test])
    return found


def coverage_report(
    members: NDArray[np.bool_], labels: Labels, band: NDArray[np.int64], names: Sequence[str]
) -> Mapping[str, object]:
    """Return coverage and size of sets: all, by class and by area band, with label counts."""
    hit = members[np.arange(len(labels)), labels]

    def told(rows: NDArray[np.bool_]) -> dict[str, float | int]:
        return {"labels": int(rows.sum()), "coverage": float(hit[rows].mean())}

    return {
        "coverage": float(hit.mean()),
        "mean_size": float(members.sum(axis=1).mean()),
        "by_class": {name: told(labels == at) for at, name in enumerate(names)
                     if (labels == at).any()},
        "by_area": {BANDS[b]: told(band == b) for b in np.unique(band)},
    }  # fmt: skip
