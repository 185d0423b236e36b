"""Class shares of a county, re-estimated from its own unlabelled parcels.

Owns the expectation-maximisation, how far its result is believed, and the change of probabilities
that follows from it. The one idea: surveyors look for every crop, the county is mostly one or two;
a classifier that learnt from the survey believes the survey's shares until the unlabelled parcels
themselves correct it. Before the crops are up parcels cannot tell classes apart, and the likeliest
shares are a guess that makes every answer bold: how well held-out labels, drawn by those shares,
tell them back decides how far they are followed.

Source: Saerens, Latinne & Decaestecker (2002) Adjusting the outputs of a classifier to new a priori
probabilities; Azizzadenesheli et al. (2019) Regularized learning for domain adaptation under label
shifts (why shares from few labels are to be shrunk).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.recognise.calibration import row_losses
from fieldline.crops.series import Floats

_ROUNDS = 500
_STILL = 1e-7
_FLOOR = 1e-9
_TRIED = (1.0, 0.75, 0.5, 0.25, 0.0)
"""How far towards the likeliest shares may be gone."""
_COUNTIES, _ALIKE = 20, 0.01
"""Made counties that decide, and the log loss of a row up to which two ways are as good."""


def reweighted(probabilities: Floats, ratio: Floats) -> Floats:
    """Return class probabilities under other class shares.

    Args:
        probabilities: (rows, classes).
        ratio: New share over old share, by class.
    """
    found = probabilities * ratio
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), _FLOOR))


def population_shares(
    probabilities: Floats, learnt: Floats, pseudo_counts: float, counts: Floats | None = None
) -> Floats:
    """Return the class shares that the unlabelled rows themselves support most.

    Args:
        probabilities: (rows, classes) calibrated probabilities of unlabelled rows.
        learnt: Class shares of the labels, which the probabilities assume; above zero.
        pseudo_counts: Rows' worth of the labels' shares that is added, against shares of zero.
        counts: How often each row counts; once without it.

    Returns:
        Shares by class, summing to one; those of the labels where there are no rows.
    """
    shares = learnt.copy()
    often = np.ones(len(probabilities)) if counts is None else counts
    for _ in range(_ROUNDS):
        held = often @ reweighted(probabilities, shares / learnt)
        after = (held + pseudo_counts * learnt) / (often.sum() + pseudo_counts)
        moved = float(np.abs(after - shares).max())
        shares = after
        if moved < _STILL:
            break
    return np.asarray(shares / shares.sum())


def part_way(learnt: Floats, shares: Floats, trust: float) -> Floats:
    """Return shares between those of the labels (trust 0) and other ones (1), by their ratio."""
    found = learnt * (shares / learnt) ** trust
    return np.asarray(found / found.sum())


def share_trust(
    held: Floats, labels: NDArray[np.int64], shares: Floats, rows: int, pseudo_counts: float,
    seed: int,
) -> float:  # fmt: skip
    """Return how far re-estimated shares are to be followed, 0..1.

    Counties are made of the held-out labels, drawn by the estimated shares, with as many rows as
    this one. Their shares are re-estimated as the county's were, and what the labels lose under
    what was found says how far it should have been believed: as far as costs nothing.

    Args:
        held: (labels, classes) calibrated probabilities by copies that had not seen the label.
        labels: True classes; each occurs.
        shares: The county's likeliest shares.
        rows: Unlabelled rows that they rest on.
        pseudo_counts: As for `population_shares`.
        seed: Random seed.
    """
    random = np.random.default_rng(seed)
    learnt = np.bincount(labels, minlength=held.shape[1]) / len(labels)
    chance = (shares / learnt)[labels]
    chance /= chance.sum()
    lost = np.zeros(len(_TRIED))
    for _ in range(_COUNTIES):
        counts = random.multinomial(rows, chance).astype(np.float64)
        found = population_shares(held, learnt, pseudo_counts, counts)
        for at, trust in enumerate(_TRIED):
            told = reweighted(held, part_way(learnt, found, trust) / learnt)
            lost[at] += chance @ row_losses(told, labels)
    lost /= _COUNTIES
    return next(trust for trust, loss in zip(_TRIED, lost, strict=True)
                if loss <= lost.min() + _ALIKE)  # fmt: skip
