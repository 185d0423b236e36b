"""Peers: the plain tools that a default model is held against, on the same folds.

Owns xgboost as it comes and optbinning's scorecard as it comes; nothing here is ever served.
optbinning is in the extra `peers`, and where it is not installed its place says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb

from fieldline.lending.risk.default_model import Loans
from fieldline.lending.risk.features import Feature

Floats = npt.NDArray[np.float64]

Peer = Callable[[Loans, pd.DataFrame, Sequence[Feature]], Floats]
"""Loans to learn from and rows to judge, to probabilities of the rows."""

ABSENT = "optbinning is not installed: pip install 'fieldline[peers]'"


def xgboost_defaults(loans: Loans, rows: pd.DataFrame, features: Sequence[Feature]) -> Floats:
    """Return what xgboost with every setting at its default says."""
    model = xgb.XGBClassifier(enable_categorical=True, n_jobs=1)
    model.fit(_categorical(loans.table, features), loans.defaulted)
    said = model.predict_proba(_categorical(rows, features))[:, 1]
    return np.asarray(said, dtype="float64")


def _categorical(table: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    """Return the table with short names and categories as pandas knows them."""
    columns = {
        f"f{place}": pd.Categorical(table[f.name], categories=range(len(f.levels)))
        if f.levels
        else table[f.name].to_numpy()
        for place, f in enumerate(features)
    }
    return pd.DataFrame(columns)


def optbinning_scorecard(loans: Loans, rows: pd.DataFrame, features: Sequence[Feature]) -> Floats:
    """Return what optbinning's default bins and a logistic regression say.

    Source: Navas-Palencia (2020), Optimal binning: mathematical programming formulation.
    """
    from optbinning import BinningProcess
    from sklearn.linear_model import LogisticRegression

    names = [f"f{place}" for place in range(len(features))]
    texts = [name for name, f in zip(names, features, strict=True) if f.levels]
    process = BinningProcess(names, categorical_variables=texts or None)
    learnt = process.fit_transform(_texts(loans.table, features), loans.defaulted.astype(int))
    model = LogisticRegression(max_iter=1000).fit(learnt, loans.defaulted)
    said = model.predict_proba(process.transform(_texts(rows, features)))[:, 1]
    return np.asarray(said, dtype="float64")


def _texts(table: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    columns = {}
    for place, feature in enumerate(features):
        column = table[feature.name]
        if feature.levels:
            text = [None if np.isnan(v) else feature.levels[int(v)] for v in column]
            column = pd.Series(text, dtype="object")
        columns[f"f{place}"] = column.to_numpy()
    return pd.DataFrame(columns)


def peers() -> dict[str, Peer]:
    """Return the peers that are installed, by name."""
    found: dict[str, Peer] = {"xgboost_defaults": xgboost_defaults}
    if find_spec("optbinning") is not None:
        found["optbinning"] = optbinning_scorecard
    return found
