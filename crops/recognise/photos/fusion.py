"""Late fusion: what a photo model says of a parcel joins what the satellite series says.

Owns the interface of a photo model and the weight of its word; ships no such model and learns none.
The one idea: a photograph is one more witness whose calibrated odds multiply those of the series
(product of experts), with a power between 0, not heard, and 1, independent of the series, that
folds must have paid for. Without a photograph the answer of the series stands bit for bit.

Source: Hinton (2002) Training products of experts; Genest & Zidek (1986) Combining probability
distributions (logarithmic pooling).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import minimize_scalar

from fieldline.crops.recognise.calibration import fit_temperature, log_loss, row_losses, warm
from fieldline.crops.recognise.forest import Labels
from fieldline.crops.recognise.photos.picture import Pixels
from fieldline.crops.series import Floats, Ints
from fieldline.pipeline.records.errors import UserError

#: Fewer labelled parcels with a photograph set no weight; assumption.
LEAST_LABELLED = 50
#: Standard errors by which held-out labels must gain (one-standard-error rule).
_MARGIN = 1.0
_OFF_ONE = 1e-3


class PhotoModel(Protocol):
    """Tells crops from photographs."""

    @property
    def classes(self) -> Sequence[str]:
        """Crops that it knows, by code of `data/crops.csv`."""

    @property
    def shares(self) -> Sequence[float]:
        """Shares of the classes that its probabilities assume: those of what it learnt from."""

    def predict(self, photos: Sequence[Pixels]) -> Floats:
        """Return the probabilities of upright photographs, (photos, classes)."""


@dataclass(frozen=True)
class PhotoWord:
    """What a photo model says of parcels."""

    probabilities: Floats
    """(parcels, known classes); a row of NaN where there is no photograph."""
    known: Ints
    """Column of the series' probabilities of each class that the photo model knows."""
    shares: Floats
    """Shares that the probabilities assume, (known classes,)."""

    @property
    def told(self) -> Ints:
        """Rows that have a photograph."""
        return np.flatnonzero(np.isfinite(self.probabilities).all(axis=1))

    def of(self, rows: Ints) -> PhotoWord:
        """Return what is said of some rows."""
        return PhotoWord(self.probabilities[rows], self.known, self.shares)


@dataclass(frozen=True)
class Fusion:
    """How much the word of a photo model weighs."""

    weight: float = 0.0
    """Power of its odds: 0 is not heard, 1 a witness that errs independently of the series."""
    temperature: float = 1.0
    """Softens (above 1) its probabilities."""
    labelled: int = 0
    """Labelled parcels with a photograph from which both were learnt."""
    gain: float = 0.0
    """Log loss that held-out labels gained, mean over them ..."""
    gain_error: float = float("nan")
    """... and its standard error over folds."""

    def of(self, series: Floats, word: PhotoWord) -> Floats:
        """Return the probabilities of both.

        Args:
            series: Calibrated probabilities of the series model, (parcels, classes).
            word: What the photo model says of the same parcels.

        Returns:
            (parcels, classes). Rows without a photograph are those of `series` bit for bit, as are
            all rows at weight 0. Classes that the photo model does not know keep what they had:
            among them a photograph decides nothing.
        """
        fused, rows = series.copy(), word.told
        if self.weight > 0 and len(rows):
            at = np.ix_(rows, word.known)
            fused[at] = _pooled(series[at], word.of(rows), self.weight, self.temperature)
        return fused


def ask(
    model: PhotoModel, photos: Sequence[Pixels | None], classes: Sequence[str]
) -> PhotoWord:  # fmt: skip
    """Ask a photo model about parcels.

    Args:
        model: The model.
        photos: The photograph of each parcel that stood its check; None where there is none.
        classes: Classes of the series model.

    Raises:
        UserError: It tells a class that the series model lacks, fewer than two, or what it says is
            no probability.
    """
    strange = [name for name in model.classes if name not in classes]
    if strange or len(set(model.classes)) < 2:
        raise UserError(
            f"the photo model tells {', '.join(model.classes)}",
            f"use one that tells two or more of {', '.join(classes)} and nothing else",
        )
    shares = np.asarray(model.shares, dtype=float)
    _refuse_no_probabilities(shares[None], (1, len(model.classes)), "assumes shares")
    known = np.array([list(classes).index(name) for name in model.classes], dtype=np.int64)
    said = np.full((len(photos), len(known)), np.nan)
    given = [at for at, photo in enumerate(photos) if photo is not None]
    if given:
        answers = np.asarray(model.predict([p for p in photos if p is not None]), dtype=float)
        _refuse_no_probabilities(answers, (len(given), len(known)), "answers")
        said[given] = answers
    return PhotoWord(said, known, shares)


def fit_fusion(series: Floats, word: PhotoWord, labels: Labels, fold: Ints) -> Fusion:
    """Learn how much a photo model's word weighs, on predictions of unseen groups.

    Args:
        series: Calibrated probabilities of the series model for labelled parcels that it had not
            seen, (parcels, classes).
        word: What the photo model, which had not seen them either, says of them.
        labels: Their true classes.
        fold: Fold of each; whole places, so that neighbours share one.

    Returns:
        Weight and temperature; weight 0 where there are too few photographs or folds, or held-out
        labels do not gain by more than the standard error.
    """
    rows = word.told
    series, word, labels, fold = series[rows], word.of(rows), labels[rows], fold[rows]
    folds, count = np.unique(fold), len(rows)
    if count < LEAST_LABELLED or len(folds) < 2:
        return Fusion(labelled=count)
    gained = np.zeros(count)
    for one in folds:
        out, rest = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
        fitted = _fitted(series[rest], word.of(rest), labels[rest])
        fused = fitted.of(series[out], word.of(out))
        gained[out] = row_losses(series[out], labels[out]) - row_losses(fused, labels[out])
    mean = float(gained.mean())
    sums = np.array([(gained[fold == one] - mean).sum() for one in folds])
    error = float(np.sqrt((sums**2).sum() * len(folds) / (len(folds) - 1)) / count)
    if not mean > _MARGIN * error:
        return Fusion(labelled=count, gain=mean, gain_error=error)
    best = _fitted(series, word, labels)
    return Fusion(best.weight, best.temperature, count, mean, error)


def _fitted(series: Floats, word: PhotoWord, labels: Labels) -> Fusion:
    """Return the temperature that makes the photo model honest, then the weight of least loss."""
    column = {int(at): n for n, at in enumerate(word.known)}
    able = np.array([n for n, label in enumerate(labels) if int(label) in column], dtype=np.int64)
    if not len(able):
        return Fusion()
    own = np.array([column[int(label)] for label in labels[able]], dtype=np.int64)
    temperature = fit_temperature(word.probabilities[able], own)
    found = minimize_scalar(
        lambda weight: log_loss(Fusion(float(weight), temperature).of(series, word), labels),
        bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4},
    )  # fmt: skip
    return Fusion(float(found.x), temperature)


def _pooled(series: Floats, word: PhotoWord, weight: float, temperature: float) -> Floats:
    """Return the pooled probabilities of the known classes, which keep their sum."""
    odds = (warm(word.probabilities, temperature) / word.shares) ** weight
    product = series * odds
    total = product.sum(axis=1, keepdims=True)
    mass = series.sum(axis=1, keepdims=True)
    return np.where(total > 0, product * mass / np.where(total > 0, total, 1.0), series)


def _refuse_no_probabilities(found: Floats, shape: tuple[int, int], verb: str) -> None:
    right = found.shape == shape and bool(np.isfinite(found).all()) and bool((found >= 0).all())
    if right and verb == "assumes shares":
        right = bool((found > 0).all())
    if not right or bool((np.abs(found.sum(axis=1) - 1) > _OFF_ONE).any()):
        raise UserError(
            f"the photo model {verb} that are no probabilities of {shape[1]} classes, one row each "
            f"of {shape[0]}",
            "use one whose rows are finite, not negative and add up to 1",
        )
