"""Expert scorecard: what stands in until a lender's own loans can teach a model.

Owns reading the points, which are policy (`data/expert_scorecard.csv`) and say so, and turning them
into a probability. No loan has tested it: who is judged by it gets a lower cap
(`lending.policy.expert_limit_share`), and the offer says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import pandas as pd

from fieldline.lending.risk.default_model import Prediction, content_version
from fieldline.lending.risk.features import FEATURES
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

TABLE = "expert_scorecard.csv"
_DOUBLING = 20.0
"""Points that double the odds of default (the usual scale of scorecards)."""


@dataclass(frozen=True)
class Band:
    """One row of points: values from (inclusive) to below."""

    low: float
    high: float
    points: float


@dataclass(frozen=True)
class ExpertCard:
    """Points by feature; more points are more risk."""

    NAME: ClassVar[str] = "expert"
    base: float
    """Points of everybody."""
    bands: dict[str, tuple[Band, ...]]
    version: str

    @property
    def label(self) -> str:
        """Name and version as written into decisions."""
        return f"{self.NAME}:{self.version}"

    @property
    def loan_days(self) -> int | None:
        """None: points are meant for the product's own tenor."""
        return None

    @property
    def cohort(self) -> dict[str, dict[str, float | None]]:
        """The best band of each feature, against which a farmer's own is told."""
        return {
            name: {"contribution": 0.0, "low": None, "median": _usual(name, bands), "high": None}
            for name, bands in self.bands.items()
        }

    def predict(self, table: pd.DataFrame) -> list[Prediction]:
        """Predict every row of a feature table; a blank counts as the worst answer would."""
        rows = table[list(self.bands)].astype("float64").to_dict("records")
        return [self._predict({str(k): float(v) for k, v in row.items()}) for row in rows]

    def _predict(self, row: dict[str, float]) -> Prediction:
        scale = math.log(2) / _DOUBLING
        parts = {name: _points(row[name], bands) * scale for name, bands in self.bands.items()}
        bias = self.base * scale
        margin = bias + sum(parts.values())
        probability = round(1 / (1 + math.exp(-margin)), 6)
        return Prediction(probability, probability, margin, bias, parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the card as the document that is stored."""
        return {**_content(self.base, self.bands), "version": self.version}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> ExpertCard:
        """Read it back."""
        bands = {
            name: tuple(
                Band(
                    -math.inf if low is None else low, math.inf if high is None else high, points
                )
                for low, high, points in rows
            )
            for name, rows in content["bands"].items()
        }  # fmt: skip
        return cls(content["base"], bands, content["version"])


def _points(value: float, bands: tuple[Band, ...]) -> float:
    if math.isnan(value):
        return max(band.points for band in bands)
    return next(band.points for band in bands if band.low <= value < band.high)


def _usual(name: str, bands: tuple[Band, ...]) -> float | None:
    """Return the least bad end of the best band: a farmer is told what would be no mark against."""
    best = min(bands, key=lambda band: band.points)
    sign = {feature.name: feature.sign for feature in FEATURES}[name]
    end = best.high if sign > 0 else best.low
    return None if math.isinf(end) else end


def _content(base: float, bands: dict[str, tuple[Band, ...]]) -> dict[str, Any]:
    rows = {
        name: [[_end(band.low), _end(band.high), band.points] for band in own]
        for name, own in bands.items()
    }
    return {"name": ExpertCard.NAME, "base": base, "bands": rows}


def _end(value: float) -> float | None:
    return None if math.isinf(value) else value


def expert_card(table: str = TABLE) -> ExpertCard:
    """Return the expert scorecard of a points table.

    Args:
        table: A table of data/, or a path of the lender's own.

    Raises:
        UserError: A feature lacks rows, its rows leave a gap, or its points go against its sign.
    """
    base, bands = 0.0, {feature.name: list[Band]() for feature in FEATURES}
    for row in table_rows(table):
        points = float(row["points"])
        if row["feature"].startswith("("):
            base += points
        elif row["feature"] in bands:
            low = float(row["from"]) if row["from"] else -math.inf
            high = float(row["below"]) if row["below"] else math.inf
            bands[row["feature"]].append(Band(low, high, points))
        else:
            raise UserError(f"{table} names {row['feature']!r}, which is no feature", _REMEDY)
    found = {name: _checked(table, name, tuple(own)) for name, own in bands.items()}
    return ExpertCard(base, found, content_version(_content(base, found)))


_REMEDY = "each feature needs rows from blank to blank, without a gap and in its own direction"


def _checked(table: str, name: str, bands: tuple[Band, ...]) -> tuple[Band, ...]:
    joined = bands and all(a.high == b.low for a, b in pairwise(bands))
    if not joined or bands[0].low != -math.inf or bands[-1].high != math.inf:
        raise UserError(f"{table} does not say the points of every {name}", _REMEDY)
    sign = {feature.name: feature.sign for feature in FEATURES}[name]
    if any(sign * (b.points - a.points) < 0 for a, b in pairwise(bands)):
        raise UserError(f"the points of {name} in {table} go against its sign", _REMEDY)
    return bands
