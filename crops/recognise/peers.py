"""Plain tools that the recogniser is held against, in the same run on the same series.

Owns the baselines: the commonest class, the nearest centroid, a random forest on the gap-filled
bands, and a plain ensemble of boosting and extra-trees on bands and indices. None of them is
calibrated, blended by choice or told of the county's shares.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xgboost as xgb
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from fieldline.crops.recognise.crop_card import nearest_centroid
from fieldline.crops.recognise.features import Cube, channels
from fieldline.crops.recognise.forest import Labels, Matrix
from fieldline.crops.series import Floats

_TREES, _ROUNDS = 300, 100
NAMES = ("majority", "nearest_centroid", "random_forest", "gap_filled_ensemble")


def peers(train: Cube, labels: Labels, test: Cube, classes: int, seed: int) -> Iterator[
    tuple[str, Floats]
]:  # fmt: skip
    """Yield each baseline's name and its class probabilities of the test series."""
    share = np.bincount(labels, minlength=classes) / len(labels)
    count = len(test.values)
    yield "majority", np.tile(share, (count, 1))
    bands, fresh = _flat(train.values), _flat(test.values)
    yield "nearest_centroid", np.eye(classes)[nearest_centroid(bands, labels, fresh)]
    present = np.unique(labels)
    forest = RandomForestClassifier(_TREES, n_jobs=1, random_state=seed).fit(bands, labels)
    yield "random_forest", _spread(forest.predict_proba(fresh), present, classes)
    rows, other = (
        np.concatenate(list(channels(cube, "full").values()), axis=1).astype(np.float32)
        for cube in (train, test)
    )
    model = xgb.XGBClassifier(
        n_estimators=_ROUNDS, max_depth=6, learning_rate=0.1, n_jobs=1, random_state=seed,
        tree_method="hist", max_bin=64, subsample=0.8, colsample_bytree=0.3,
    )  # fmt: skip
    model.fit(rows, np.searchsorted(present, labels))
    trees = ExtraTreesClassifier(_TREES, n_jobs=1, random_state=seed).fit(rows, labels)
    mixed = (model.predict_proba(other) + trees.predict_proba(other)) / 2
    yield "gap_filled_ensemble", _spread(mixed, present, classes)


def _flat(values: Floats) -> Matrix:
    return values.reshape(len(values), -1).astype(np.float32)


def _spread(found: Floats, present: Labels, classes: int) -> Floats:
    """Return probabilities over all classes from those over the classes that were learnt."""
    full = np.zeros((len(found), classes))
    full[:, present] = found
    return full
