"""Replays: stored decisions decided again, and which of them come out as they were stored.

Owns the walk over the table `decisions`; what a replay is, `lending.decision.replay` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from fieldline.lending.decision.replay import read_trace, replay
from fieldline.lending.store.database import DECISIONS, reading
from fieldline.pipeline.records.errors import UserError

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


def replay_stored(engine: sa.Engine, decision_id: str | None = None) -> ReplayReport:
    """Replay one stored decision, or all.

    Args:
        engine: Open database.
        decision_id: The decision; None for all.

    Raises:
        UserError: The store holds no decision of this id.
    """
    formats: Counter[str] = Counter()
    problems: dict[str, str] = {}
    for stored_id, trace in _traces(engine, decision_id):
        try:
            formats[str(read_trace(trace).format)] += 1
        except UserError as error:
            formats["none"] += 1
            problems[stored_id] = str(error)
            continue
        problem = _problem(stored_id, trace)
        if problem:
            problems[stored_id] = problem
    count = formats.total()
    if decision_id is not None and not count:
        raise UserError(
            f"the store holds no decision {decision_id!r}",
            "copy the id from column decision_id of offers.csv or table offers",
        )
    return ReplayReport(count, count - len(problems), dict(sorted(formats.items())), problems)


def _problem(stored_id: str, trace: str) -> str:
    try:
        found = replay(trace).decision_id
    except UserError as error:
        return str(error)
    return "" if found == stored_id else f"its trace is that of decision {found}"


def _traces(engine: sa.Engine, decision_id: str | None) -> Iterator[tuple[str, str]]:
    query = sa.select(DECISIONS.c.decision_id, DECISIONS.c.trace).order_by(DECISIONS.c.decision_id)
    if decision_id is not None:
        query = query.where(DECISIONS.c.decision_id == decision_id)
    with reading(engine) as connection:
        for row in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
            yield row.decision_id, row.trace
