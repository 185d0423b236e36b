"""The tree members of the crop model: boosting and extra-trees on the drawn features.

Owns fitting and asking them; calibration and the blend are `calibration.py`'s. It knows arrays, not
parcels. The one idea: both answer from what can be stored as it is (xgboost's own format and plain
arrays), so a stored model and a fresh one are the same thing.

Source: Chen & Guestrin (2016) XGBoost; Geurts et al. (2006) Extremely randomized trees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost as xgb

from fieldline.crops.recognise.forest import Forest, Labels, Matrix, fit_forest
from fieldline.crops.series import Floats
from fieldline.crops.settings import ClassifySettings

BOOSTING, TREES = "boosting", "extra_trees"


@dataclass(frozen=True)
class Members:
    """One fitted pair."""

    boosting: xgb.Booster
    trees: Forest

    def predict(self, rows: Matrix) -> dict[str, Floats]:
        """Return the class probabilities of each member, (rows, classes)."""
        boosted = self.boosting.predict(xgb.DMatrix(rows)).astype(np.float64)
        return {BOOSTING: boosted, TREES: self.trees.predict(rows)}


def fit_members(rows: Matrix, labels: Labels, classes: int, settings: ClassifySettings) -> Members:
    """Fit both members on rows whose labels cover 0..classes-1.

    Rows weigh the same: the shares of the labels are then what the model assumes, which the
    re-estimated shares of the county are divided by.
    """
    parameters = {
        "objective": "multi:softprob", "num_class": classes, "tree_method": "hist",
        "max_depth": settings.depth, "eta": settings.learning_rate, "subsample": 0.8,
        "colsample_bytree": settings.column_share, "min_child_weight": 1.0, "lambda": 1.0,
        "max_bin": 32, "seed": settings.seed, "nthread": settings.threads, "verbosity": 0,
    }  # fmt: skip
    boosting = xgb.train(parameters, xgb.DMatrix(rows, labels), settings.rounds)
    boosting.set_param({"nthread": 1})
    trees = fit_forest(
        rows, labels, trees=settings.trees, min_leaf=1, threads=settings.threads,
        seed=settings.seed,
    )  # fmt: skip
    return Members(boosting, trees)
