"""Serve: the probability of default of one stored case from one stored model.

Owns the one way from a model's document and a case's features to the numbers that a decision holds,
whatever kind of model it is; deciding a county and recomputing an old decision both go through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import pandas as pd

from fieldline.lending.risk.default_model import PdModel, Prediction
from fieldline.lending.risk.expert import ExpertCard
from fieldline.lending.risk.term import pd_within


class Judging(Protocol):
    """What serves: a trained model or the expert scorecard."""

    @property
    def label(self) -> str:
        """Name and version as written into decisions."""

    @property
    def loan_days(self) -> int | None:
        """Tenor within which its probability is meant; None for the product's own."""

    @property
    def cohort(self) -> dict[str, dict[str, float | None]]:
        """What is usual, by feature."""

    def predict(self, table: pd.DataFrame) -> list[Prediction]:
        """Predict every row of a feature table."""


def judging(document: Mapping[str, Any]) -> Judging:
    """Return the model of a stored document.

    Args:
        document: `model.json` of a model folder.
    """
    if document["name"] == ExpertCard.NAME:
        return ExpertCard.from_dict(dict(document))
    return PdModel.from_dict(dict(document))


@dataclass(frozen=True)
class Served:
    """What a decision holds of a model."""

    pd: Decimal
    """Probability of default within the days asked for."""
    challenger: Decimal
    champion_learnt: Prediction
    """The same within the model's own days, with its parts."""


def serve(model: Judging, table: pd.DataFrame, days: int) -> list[Served]:
    """Return what a model says of every row of a feature table.

    Args:
        model: What `judging` returns.
        table: Features by name, NaN where unknown.
        days: Tenor of the product.
    """
    return [
        Served(
            pd_within(Decimal(f"{said.pd:.6f}"), model.loan_days, days),
            pd_within(Decimal(f"{said.challenger:.6f}"), model.loan_days, days),
            said,
        )
        for said in model.predict(table)
    ]


def pd_of(
    model: Mapping[str, Any] | Judging, features: Mapping[str, float | None], days: int
) -> Served:
    """Recompute what a decision holds of a model, bit for bit.

    Args:
        model: The stored document (`model.json`, or `model` of models/pd.json), or what `judging`
            made of it once for many cases.
        features: `risk.features` of the stored case, None where unknown.
        days: `policy.tenor_days` of the stored case.
    """
    server = judging(model) if isinstance(model, Mapping) else model
    return serve(server, _row(features), days)[0]


def _row(features: Mapping[str, float | None]) -> pd.DataFrame:
    values: Sequence[float] = [np.nan if v is None else float(v) for v in features.values()]
    return pd.DataFrame([values], columns=list(features), dtype="float64")
