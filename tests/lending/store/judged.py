"""A default model that says the same of everybody, kept in the store as any other is.

Decisions of the store's tests are judged by it, so that a replay can reckon their probabilities.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from scipy.special import logit

from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.row import decision_row
from fieldline.lending.risk.binning import Binning
from fieldline.lending.risk.boosting import Growth, fit_trees
from fieldline.lending.risk.calibration import Calibration
from fieldline.lending.risk.default_model import PdModel, content_version
from fieldline.lending.risk.features import FEATURES
from fieldline.lending.risk.scorecard import Scorecard
from fieldline.lending.store.posting import Posted, Shelf, post

_NO_GROWTH = Growth(1, 1, 0.1, 1.0, 1.0, 1.0, 1.0)


@cache
def constant(pd_: Decimal, challenger: Decimal) -> dict[str, Any]:
    """Return a model's document (models/pd.json): trees whose calibration is flat at `pd_`, and a
    scorecard that weighs nothing at `challenger`."""
    values = np.zeros((4, len(FEATURES)))
    names = tuple(feature.name for feature in FEATURES)
    model = PdModel(
        features=FEATURES,
        booster=fit_trees(values, np.array([0.0, 1.0, 0.0, 1.0]), FEATURES, _NO_GROWTH, 1),
        calibration=Calibration("logistic", (0.0, float(logit(float(pd_))))),
        challenger=Scorecard(
            names, (Binning([], [0.0, 0.0]),) * len(names), (1.0,) * len(names),
            float(logit(float(challenger))),
        ),
        cohort={name: {"contribution": 0.0, "low": None, "median": None, "high": None}
                for name in names},
        growth={}, card={}, version="",
    )  # fmt: skip
    version = content_version(model.to_dict())
    named = replace(model, version=version, card={"version": f"pd:{version}"})
    content = named.to_dict()
    return {"card": content.pop("card"), "model": content}


def judged(case: Case) -> Case:
    """Return the case as judged by the constant model of its probabilities."""
    risk = case.risk
    if risk.pd is None or risk.challenger is None:
        return case
    label = constant(risk.pd, risk.challenger)["card"]["version"]
    return case.model_copy(update={"risk": risk.model_copy(update={"model": label})})


def post_judged(engine: sa.Engine, shelf: Shelf, *given: Case, **more: Any) -> Posted:
    """Decide cases of one probability and post them as all that there is on a shelf."""
    cases = [judged(case) for case in given]
    rows = [decision_row(case, decide_case(case), policy_hash(case.policy)) for case in cases]
    risk = cases[0].risk
    model = (
        None if risk.pd is None or risk.challenger is None else constant(risk.pd, risk.challenger)
    )
    return post(engine, pd.DataFrame(rows), shelf, cases[0].policy, model=model, **more)
