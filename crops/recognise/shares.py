"""Class shares of a county, re-estimated from its own unlabelled parcels.

Owns the expectation-maximisation and the change of probabilities that follows from it. The one
idea: surveyors look for every crop, the county is mostly one or two; a classifier that learnt from
the survey believes the survey's shares until the unlabelled parcels themselves correct it.

Source: Saerens, Latinne & Decaestecker (2002) Adjusting the outputs of a classifier to new a priori
probabilities.
"""

from __future__ import annotations

import numpy as np

from fieldline.crops.series import Floats

_ROUNDS = 500
_STILL = 1e-7
_FLOOR = 1e-9


def reweighted(probabilities: Floats, ratio: Floats) -> Floats:
    """Return class probabilities under other class shares.

    Args:
        probabilities: (rows, classes).
        ratio: New share over old share, by class.
    """
    found = probabilities * ratio
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), _FLOOR))


def population_shares(probabilities: Floats, learnt: Floats, pseudo_counts: float) -> Floats:
    """Return the class shares that the unlabelled rows themselves support most.

    Args:
        probabilities: (rows, classes) calibrated probabilities of unlabelled rows.
        learnt: Class shares of the labels, which the probabilities assume; above zero.
        pseudo_counts: Rows' worth of the labels' shares that is added, against shares of zero.

    Returns:
        Shares by class, summing to one; those of the labels where there are no rows.
    """
    shares = learnt.copy()
    for _ in range(_ROUNDS):
        held = reweighted(probabilities, shares / learnt).sum(axis=0)
        after = (held + pseudo_counts * learnt) / (len(probabilities) + pseudo_counts)
        moved = float(np.abs(after - shares).max())
        shares = after
        if moved < _STILL:
            break
    return np.asarray(shares / shares.sum())
