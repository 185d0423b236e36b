"""Guard: a forecast leaves the naive level named in advance only where unseen parts say it pays.

Owns the test and the choice of the level. Of several naive levels nobody knows before which will be
the best, so one is named before any yield is looked at; whatever replaces it must take off its
squared error on parts that neither it nor its weights were learnt from, and so surely that chance
seldom does as much. Where that fails the forecast is the named level itself, to the digit: no worse
and no better.

Source: Breiman et al. (1984) Classification and Regression Trees, 3.4.3 (standard errors of gains);
Stone (1974) J. R. Stat. Soc. B 36 (what is chosen is judged on what did not choose it).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldline.crops.forecast.weights import held_weights
from fieldline.crops.series import Floats

SURELY = 1.645
"""Standard errors that chance gains once in twenty times: what weighed levels must gain on one."""
LIKELY = 1.0
"""What the season must gain (one-standard-error rule): it adds a fact and no guess of a level."""
_LEAST_PARTS = 3


def standard_error(gaps: Floats) -> float:
    """Return the standard error of a mean of gaps, one of each part."""
    return float(gaps.std(ddof=1) / np.sqrt(len(gaps)))


def pays(usual: Floats, other: Floats, margin: float) -> bool:
    """Whether another forecast has less squared error than the usual one, and how surely.

    Args:
        usual: (parts,) mean squared error of what stands.
        other: The same of what would replace it.
        margin: Standard errors that the mean gap must exceed.
    """
    gaps = np.asarray(usual) - np.asarray(other)
    return len(gaps) >= _LEAST_PARTS and bool(gaps.mean() > margin * standard_error(gaps))


def unseen_errors(squares: Floats) -> Floats:
    """Return the error on each part of the choice that the other parts make.

    Args:
        squares: (choices, parts) mean squared error of each choice on each part.
    """
    others = squares.sum(axis=1)[:, None] - squares
    return np.asarray(squares[others.argmin(axis=0), np.arange(squares.shape[1])])


def guarded_weights(
    plain: Sequence[Floats], moved: Sequence[Floats], reference: int, *, forward: bool
) -> Floats:
    """Return the weights of levels: learnt ones where they pay, else the reference alone.

    The weights are judged on each part by those that the other parts give.

    Args:
        plain: (rows, levels) errors of the levels on each part that was left out.
        moved: The same with what the season adds.
        reference: Place of the level named in advance.
        forward: Whether each part lay after all that was learnt from.
    """
    alone: Floats = np.eye(plain[0].shape[1])[reference]
    if len(plain) < _LEAST_PARTS:
        return alone
    others = [
        held_weights([*plain[:place], *plain[place + 1 :]], forward=forward)
        for place in range(len(plain))
    ]
    usual = np.array([np.mean(part[:, reference] ** 2) for part in moved])
    weighed = np.array(
        [np.mean((part @ weights) ** 2) for part, weights in zip(moved, others, strict=True)]
    )
    return held_weights(plain, forward=forward) if pays(usual, weighed, SURELY) else alone
