"""Champions: how boosting and its readable challenger did on loans whose end is known, by season.

Owns the figures with their intervals and the comparison of the two. A loan that the stored model
learnt from is judged by a model that grew as it did without that loan's household; a later one by
the stored model itself, which is the only fair test of time. A season with few defaults tells
nothing of a model, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from fieldline.lending.risk.card import HeldOut, cross_predict
from fieldline.lending.risk.default_model import Loans, PdModel, least_households
from fieldline.lending.risk.metrics import auc, auc_error, brier
from fieldline.lending.settings import RiskSettings

Floats = npt.NDArray[np.float64]

BOOSTING, SCORECARD = "boosting", "scorecard"
TOO_FEW = "too_few_defaults_to_tell"
CALIBRATED, LOW, HIGH = "calibrated", "predicted_too_low", "predicted_too_high"
NO_DIFFERENCE = "no_difference_shown"
HELD_OUT, LATER = "held_out", "out_of_time"
_Z = 1.96

Interval = tuple[float, float, float]
"""Value and its bounds at 95 %."""


@dataclass(frozen=True)
class Figures:
    """What a model said of the loans of one season."""

    season: str
    model: str
    """`boosting` or `scorecard`."""
    split: str
    """`held_out` or `out_of_time`."""
    loans: int
    defaults: int
    auc: Interval | None
    """None where too few defaulted or repaid."""
    brier: Interval
    observed: Interval
    """Share that defaulted."""
    predicted: float
    """Mean chance."""
    calibration: str
    """`calibrated` where the mean chance lies within what was observed."""


@dataclass(frozen=True)
class Duel:
    """Which of the two ranked the loans of a season better."""

    season: str
    split: str
    auc_difference: Interval | None
    """Boosting less scorecard."""
    verdict: str


@dataclass(frozen=True)
class Known:
    """Loans whose end is known, and which of them the stored model learnt from."""

    loans: Loans
    learnt: npt.NDArray[np.bool_]


def held_against(
    known: Known, model: PdModel, settings: RiskSettings, least: int
) -> tuple[list[Figures], list[Duel]]:
    """Return figures by season and model, the last rows over all seasons of a split.

    Args:
        known: Loans, columns as the model's features.
        model: The stored model.
        settings: How it was trained; its growth is taken as it was chosen.
        least: Fewest defaults, and fewest repaid loans, that tell of a ranking.
    """
    figures: list[Figures] = []
    duels: list[Duel] = []
    for split, rows in ((HELD_OUT, known.learnt), (LATER, ~known.learnt)):
        if not rows.any():
            continue
        part = known.loans.part(rows)
        said = _held_out(part, model, settings) if split == HELD_OUT else _stored(part, model)
        if said is None:
            continue
        whole = np.ones(len(part.defaulted), dtype=bool)
        seasons = sorted(set(part.seasons))
        parts = [(str(season), part.seasons == season) for season in seasons]
        for season, chosen in [*parts, ("all", whole)] if len(parts) > 1 else parts:
            bad = part.defaulted[chosen]
            both = (said.probability[chosen], said.challenger[chosen])
            for name, score in zip((BOOSTING, SCORECARD), both, strict=True):
                figures.append(figures_of(season, name, split, bad, score, least))
            duels.append(duel_of(season, split, bad, *both, least))
    return figures, duels


def _stored(loans: Loans, model: PdModel) -> HeldOut:
    values = loans.table[model.names].to_numpy("float64")
    return HeldOut(model.probability(values), model.challenger.probability(values))


def _held_out(loans: Loans, model: PdModel, settings: RiskSettings) -> HeldOut | None:
    """Return what models without each loan's household say; None where folds cannot be made."""
    if least_households(loans.defaulted, loans.households) < settings.folds:
        return None
    names = {"trees", "depth", "learning_rate", "min_child_weight", "subsample", "l2"}
    grown = {name: value for name, value in model.growth.items() if name in names}
    return cross_predict(loans, model.features, settings.model_copy(update={**grown, "search": 0}))


def figures_of(
    season: str, model: str, split: str, defaulted: Floats, score: Floats, least: int
) -> Figures:
    """Return the figures of one model on one season's loans."""
    count, bad = len(defaulted), int(defaulted.sum())
    enough = min(bad, count - bad) >= least
    observed, predicted = wilson(bad, count), float(score.mean())
    verdict = CALIBRATED if observed[1] <= predicted <= observed[2] else (
        LOW if predicted < observed[1] else HIGH
    )  # fmt: skip
    errors = (score - defaulted) ** 2
    reach = _Z * float(errors.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    mean = brier(defaulted, score)
    return Figures(
        season, model, split, count, bad, _area(defaulted, score) if enough else None,
        (mean, mean - reach, mean + reach), observed, predicted, verdict if enough else TOO_FEW,
    )  # fmt: skip


def _area(defaulted: Floats, score: Floats) -> Interval:
    area, bad = auc(defaulted, score), int(defaulted.sum())
    reach = _Z * auc_error(area, bad, len(defaulted) - bad)
    return area, max(0.0, area - reach), min(1.0, area + reach)


def wilson(hits: int, count: int) -> Interval:
    """Return a share and its interval at 95 %.

    Source: Wilson (1927), Journal of the American Statistical Association 22.
    """
    share = hits / count
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    spread = share * (1 - share) / count + _Z**2 / (4 * count**2)
    reach = _Z * float(np.sqrt(spread)) / (1 + _Z**2 / count)
    return share, middle - reach, middle + reach


def duel_of(
    season: str, split: str, defaulted: Floats, champion: Floats, challenger: Floats, least: int
) -> Duel:
    """Return the difference of two AUC on the same loans, and whether it is one."""
    bad = int(defaulted.sum())
    if min(bad, len(defaulted) - bad) < least:
        return Duel(season, split, None, TOO_FEW)
    gap, error = auc_difference(defaulted, champion, challenger)
    low, high = gap - _Z * error, gap + _Z * error
    verdict = f"{BOOSTING}_better" if low > 0 else f"{SCORECARD}_better" if high < 0 else (
        NO_DIFFERENCE
    )  # fmt: skip
    return Duel(season, split, (gap, low, high), verdict)


def auc_difference(defaulted: Floats, first: Floats, second: Floats) -> tuple[float, float]:
    """Return the difference of two AUC on the same loans, and its standard error.

    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, by midranks as in Sun and Xu
    (2014), IEEE Signal Processing Letters 21.
    """
    bad, good = defaulted > 0, defaulted == 0
    parts = [_placements(score[bad], score[good]) for score in (first, second)]
    gap = float(parts[0][0].mean() - parts[1][0].mean())
    of_bad, of_good = (parts[0][i] - parts[1][i] for i in (0, 1))
    variance = of_bad.var(ddof=1) / len(of_bad) + of_good.var(ddof=1) / len(of_good)
    return gap, float(np.sqrt(variance))


def _placements(bad: Floats, good: Floats) -> tuple[Floats, Floats]:
    """Return for each bad score the share of good ones below it, and for each good one of bad ones
    above it, ties half."""
    ranks = rankdata(np.concatenate([bad, good]))
    below = (ranks[: len(bad)] - rankdata(bad)) / len(good)
    above = 1 - (ranks[len(bad) :] - rankdata(good)) / len(bad)
    return np.asarray(below), np.asarray(above)


def loans_known(
    history: pd.DataFrame, table: pd.DataFrame, learnt: Sequence[bool] | npt.NDArray[Any]
) -> Known:
    """Return finished loans as models learn from them.

    Args:
        history: What `lending.sources.read_loans` returns.
        table: Their features.
        learnt: Which of them the stored model learnt from.
    """
    loans = Loans(
        table, history["defaulted"].to_numpy("float64"),
        history["household_id"].astype("str").to_numpy("str"),
        history["season"].astype("str").to_numpy("str"),
    )  # fmt: skip
    return Known(loans, np.asarray(learnt, dtype=bool))
