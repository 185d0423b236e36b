"""Population: the features and the score of a season's applicants, or of loans, one row each.

Owns where they come from: what the store's decisions hold of the applicants of a county and season,
and what the loan history says by the same arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from fieldline.lending.decision.replay import read_trace
from fieldline.lending.risk.features import of_loans
from fieldline.lending.risk.serve import judging, serve
from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.database import EXPIRED, LIVE, OFFERS, SUPERSEDED, reading
from fieldline.lending.store.posting import stored_decisions
from fieldline.pipeline.records.errors import UserError

SCORE = "score"


@dataclass(frozen=True)
class Population:
    """Features by name, and `score`, the chance of default; NaN where unknown."""

    table: pd.DataFrame
    models: tuple[str, ...]
    """Models that scored it."""


def of_shelf(engine: sa.Engine, county: str, season: str) -> Population:
    """Return the applicants of a county and season by their last decision in the store.

    Raises:
        UserError: The store holds none of them, or the database fails.
    """
    with reading(engine) as connection:
        here = (OFFERS.c.county == county, OFFERS.c.season == season)
        columns = (OFFERS.c.seq, OFFERS.c.farmer_id, OFFERS.c.decision_id)
        last: dict[str, sa.Row[Any]] = {}
        for status in (LIVE, EXPIRED, SUPERSEDED):  # each has an index of its own
            for row in connection.execute(
                sa.select(*columns).where(*here, OFFERS.c.status == status)
            ):
                if row.farmer_id not in last or row.seq > last[row.farmer_id].seq:
                    last[row.farmer_id] = row
        rows = [last[farmer] for farmer in sorted(last)]
        decisions = stored_decisions(connection, [str(row.decision_id) for row in rows])
    if not rows:
        raise UserError(
            f"the store holds no decision of county {county}, season {season}",
            "name COUNTY/SEASON of a run that was posted",
        )
    risks = [read_trace(decisions[row.decision_id]["trace"]).case["risk"] for row in rows]
    table = pd.DataFrame(
        [{**risk["features"], SCORE: risk["pd"]} for risk in risks],
        index=[str(row.farmer_id) for row in rows],
    )
    models = tuple(sorted({str(risk["model"]) for risk in risks if risk["model"]}))
    return Population(table.astype("float64"), models)


def of_history(
    history: pd.DataFrame, document: Mapping[str, Any] | None, policy: PolicySettings
) -> Population:
    """Return the loans of a history, scored by a stored model.

    Args:
        history: What `lending.sources.read_loans` returns.
        document: Part `model` of a run's `models/pd.json`; None where it has none.
        policy: Shares of income and the tenor that chances are meant for.
    """
    table = of_loans(history, policy)
    if document is None:
        return Population(table.assign(**{SCORE: np.nan}), ())
    model = judging(document)
    said = serve(model, table, policy.tenor_days)
    return Population(table.assign(**{SCORE: [float(one.pd) for one in said]}), (model.label,))
