"""Replays: stored decisions decided again, and which of them come out as they were stored.

Owns the walk over the table `decisions` and from an offer to its decision; what a replay is,
`lending.decision.replay` says. The probability of default is reckoned again too, from the model
that the store holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fieldline.lending.decision.replay import Stored, read_trace, replay
from fieldline.lending.store.database import DECISIONS, OFFERS, reading
from fieldline.lending.store.documents import held_models
from fieldline.lending.store.models import StoredModel
from fieldline.pipeline.records.errors import UserError

MODELS_KEPT_SINCE = 3
"""First version of the rules whose postings keep the default model in the store."""
_ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class ReplayReport:
    """What replaying found."""

    decisions: int
    replayed: int
    formats: dict[str, int]
    """Decisions by the format of their trace; `none` where it cannot be read."""
    problems: dict[str, str]
    """Why, by the id of each decision that does not replay."""
    models: int = 0
    """Decisions whose probability of default was reckoned again by the stored model."""
    without_model: int = 0
    """Decisions by the first two rules whose model the store does not hold."""


class _Models:
    """Stored models, served when a decision names one.

    Args:
        documents: Their documents by label.
    """

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._documents = documents
        self._served: dict[str, StoredModel] = {}
        self.reckoned = 0
        self.lacking = 0

    def problem(self, stored: Stored) -> str:
        """Return in what the model contradicts a case; empty where it does not or is not there."""
        risk = stored.case["risk"]
        label = risk["model"]
        if label not in self._documents:
            return self._unchecked(stored, label)
        if label not in self._served:
            self._served[label] = StoredModel(label, self._documents[label])
        self.reckoned += 1
        return self._served[label].problem(risk, stored.case["policy"]["tenor_days"])

    def _unchecked(self, stored: Stored, label: str) -> str:
        """Return why nobody can reckon the probability again; empty where nobody need to."""
        if stored.case.get("rules", 1) < MODELS_KEPT_SINCE:
            self.lacking += bool(label)
            return ""
        if label:
            return f"the store holds no model {label}, so its probability cannot be reckoned again"
        risk = stored.case["risk"]
        told = [f"risk.{name} is stored as {risk[name]}" for name in ("pd", "challenger")
                if risk[name] is not None]  # fmt: skip
        return f"{' and '.join(told)} and no model is named" if told else ""


def replay_stored(engine: sa.Engine, name: str | None = None) -> ReplayReport:
    """Replay one stored decision, or all.

    Args:
        engine: Open database.
        name: Id of the decision, or of an offer made from it; None for all.

    Raises:
        UserError: The store holds no decision or offer of this id.
    """
    formats: Counter[str] = Counter()
    problems: dict[str, str] = {}
    with reading(engine) as connection:
        models = _Models(held_models(connection))
    for stored_id, trace in _traces(engine, name):
        try:
            stored = read_trace(trace)
        except UserError as error:
            formats["none"] += 1
            problems[stored_id] = str(error)
            continue
        formats[str(stored.format)] += 1
        problem = _problem(stored_id, trace, stored, models)
        if problem:
            problems[stored_id] = problem
    count = formats.total()
    if name is not None and not count:
        raise UserError(
            f"the store holds no decision or offer {name!r}",
            "copy offer_id or decision_id from offers.csv or table offers",
        )
    return ReplayReport(
        count,
        count - len(problems),
        dict(sorted(formats.items())),
        problems,
        models.reckoned,
        models.lacking,
    )


def _problem(stored_id: str, trace: str, stored: Stored, models: _Models) -> str:
    try:
        found = replay(trace).decision_id
        if found != stored_id:
            return f"its trace is that of decision {found}"
        return models.problem(stored)
    except UserError as error:
        return str(error)


def _traces(engine: sa.Engine, name: str | None) -> Iterator[tuple[str, str]]:
    query = sa.select(DECISIONS.c.decision_id, DECISIONS.c.trace).order_by(DECISIONS.c.decision_id)
    if name is not None:
        offered = sa.select(OFFERS.c.decision_id).where(OFFERS.c.offer_id == name)
        decision = DECISIONS.c.decision_id
        query = query.where((decision == name) | decision.in_(offered))
    with reading(engine) as connection:
        for row in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
            yield row.decision_id, row.trace
