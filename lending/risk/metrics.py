"""Figures of a default model: ranking, calibration and their uncertainty.

Owns AUC with its standard error, Brier score and expected calibration error. Pure arithmetic on
arrays of outcomes and probabilities.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]


def auc(defaulted: Floats, score: Floats) -> float:
    """Return the chance that a defaulted loan scores above a repaid one, ties half.

    Source: Mann-Whitney U; Hanley and McNeil (1982), Radiology 143.
    """
    bad = int(defaulted.sum())
    good = len(defaulted) - bad
    if not bad or not good:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[defaulted > 0].sum() - bad * (bad + 1) / 2) / (bad * good))


def auc_error(area: float, bad: int, good: int) -> float:
    """Return the standard error of an AUC.

    Source: Hanley and McNeil (1982), equation 1 with the exponential approximation.
    """
    q1 = area / (2 - area)
    q2 = 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (bad - 1) * (q1 - area**2) + (good - 1) * (q2 - area**2)
    return float(np.sqrt(max(0.0, variance) / (bad * good)))


def ks(defaulted: Floats, score: Floats) -> float:
    """Return the largest gap between the shares of defaulted and of repaid loans below a score.

    Source: Kolmogorov-Smirnov statistic of two samples.
    """
    order = np.argsort(score, kind="stable")
    bad = np.cumsum(defaulted[order]) / defaulted.sum()
    good = np.cumsum(1 - defaulted[order]) / (1 - defaulted).sum()
    last = np.append(np.diff(score[order]) > 0, True)
    return float(np.abs(bad - good)[last].max())


def brier(defaulted: Floats, probability: Floats) -> float:
    """Return the mean squared error of a probability.

    Source: Brier (1950), Monthly Weather Review 78.
    """
    return float(np.mean((probability - defaulted) ** 2))


def calibration_error(defaulted: Floats, probability: Floats, bins: int = 10) -> float:
    """Return the expected calibration error over equally filled bins.

    Source: Naeini, Cooper and Hauskrecht (2015), AAAI; equal-mass bins as in Nixon et al. (2019).
    """
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [abs(defaulted[p].mean() - probability[p].mean()) * len(p) for p in parts]
    return float(sum(gaps) / len(defaulted))


def calibration_noise(probability: Floats, bins: int = 10) -> float:
    """Return the calibration error that chance alone gives a perfectly calibrated model.

    Each bin's observed rate scatters around its mean with the binomial error; the mean absolute
    value of a normal scatter is sqrt(2 / pi) times its standard deviation.
    """
    parts = [part for part in np.array_split(np.sort(probability), bins) if len(part)]
    scatter = [np.sqrt((p * (1 - p)).sum()) for p in parts]
    return float(np.sqrt(2 / np.pi) * sum(scatter) / len(probability))


def figures(defaulted: Floats, probability: Floats) -> dict[str, float | int | None]:
    """Return all figures of one set of predictions; AUC is None where one class is absent."""
    bad = int(defaulted.sum())
    good = len(defaulted) - bad
    area = auc(defaulted, probability) if bad and good else None
    return {
        "loans": len(defaulted),
        "defaults": bad,
        "auc": area,
        "auc_standard_error": auc_error(area, bad, good) if area is not None else None,
        "brier": brier(defaulted, probability),
        "ece": calibration_error(defaulted, probability),
        "ece_by_chance": calibration_noise(probability),
    }
