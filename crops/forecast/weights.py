"""How much each naive level counts: weights that are learnt on unseen parts and held back.

Owns the weights and knows no level. A few years cannot tell which naive level is the best, and
choosing one is worse than averaging; many can, and then an average is worse. So the weights are
those with the least error on what was left out, drawn to the average as far as the years are few.

Source: Breiman (1996) Stacked regressions, Mach. Learn. 24 (weights not negative, of sum one);
Hoerl & Kennard (1970) on drawing them back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize

from fieldline.crops.series import Floats

_MARGIN = 1.0
"""Standard errors within which levels cannot be told apart (one-standard-error rule)."""


def held_weights(errors: Sequence[Floats], *, forward: bool) -> Floats:
    """Return the weights of forecasts, none negative and of sum one.

    The squared error of the weighted forecast, each part with one voice, and the distance of the
    weights from an average are least together. That average is of the forecasts within a standard
    error of the best; where parts lie between known ones, half of it is of all forecasts. The
    distance counts the less, the more parts there are: by one over the root of their number.
    Chosen on CY-Bench's NL, ES, FR and US tables and held against Illinois soybean and Chinese
    provinces (docs/yields.md).

    Args:
        errors: (rows, forecasts) of each part that was left out, a year or a fold of counties.
        forward: Whether each part lay after all that was learnt from: what is behind the times
            only falls further behind.
    """
    products = np.array([part.T @ part / len(part) for part in errors])
    squares = np.diagonal(products, axis1=1, axis2=2)
    count = squares.shape[1]
    anchor = _near(squares)
    if not forward:
        anchor = (anchor + 1 / count) / 2
    mean = products.mean(axis=0)
    back = (float(np.trace(mean)) or 1.0) / count / np.sqrt(len(errors))
    away = np.eye(count) - anchor[:, None]
    return _least(mean + back * away.T @ away)


def _near(squares: Floats) -> Floats:
    """Return equal weights of those whose error lies within a standard error of the least."""
    gaps = squares - squares[:, [int(squares.mean(axis=0).argmin())]]
    unsure = gaps.std(axis=0, ddof=1) / np.sqrt(len(gaps))
    near = gaps.mean(axis=0) <= _MARGIN * unsure
    return np.asarray(near / near.sum())


def _least(form: Floats) -> Floats:
    """Return the weights of sum one that make a quadratic form least.

    Without that sum the form plus (sum - 1)^2 is least in the same direction, because along every
    direction its least value rises with the form; that is a problem of non-negative least squares.
    """
    values, vectors = np.linalg.eigh(form / (float(np.trace(form)) or 1.0))
    rows = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    found, _ = optimize.nnls(
        np.vstack([rows, np.ones(len(form))]), np.append(np.zeros(len(form)), 1.0)
    )
    return np.asarray(found / found.sum())
