"""Lines: what of the store may be running on a day, each with the case that it was granted on.

Owns what counts of a line (the limit, or what is drawn where movements are told of it), its part in
the expected loss and what of it falls due. Which offers are lines is `lending.store.lines`'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from fieldline.lending.decision.account import statement, terms_of
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.covers import covered_share, under_cover
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.rule_choice import under_tables
from fieldline.lending.movements import moved_of, read_line_movements
from fieldline.lending.portfolio.codes import LineOutcome
from fieldline.lending.store.database import reading
from fieldline.lending.store.lines import running_on
from fieldline.lending.store.posting import stored_decisions
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import to_minor

Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A line that may be running; amounts in minor units of its currency."""

    offer: Row
    """Row of table `offers`."""
    case: Case
    """What it was granted on."""
    drawn_minor: int | None = None
    """What is drawn; None where nothing is told of it."""

    @property
    def offer_id(self) -> str:
        """Its name."""
        return str(self.offer["offer_id"])

    @property
    def farmer_id(self) -> str:
        """Its farmer's pseudonym."""
        return str(self.offer["farmer_id"])

    @property
    def folder(self) -> tuple[str, str]:
        """County and season, whose run tells of it."""
        return str(self.offer["county"]), str(self.offer["season"])

    @property
    def currency(self) -> str:
        """Its currency."""
        return str(self.offer["currency"])

    @property
    def limit_minor(self) -> int:
        """What was granted."""
        return int(self.offer["limit_minor"])

    @property
    def exposure_minor(self) -> int:
        """What may be lost: what is drawn, or all that can be where nothing is told."""
        return self.limit_minor if self.drawn_minor is None else self.drawn_minor

    @property
    def due_minor(self) -> float:
        """What falls due: the exposure with the interest of the whole tenor."""
        share = Decimal(self.offer["annual_rate"]) * self.offer["tenor_days"]
        return float(self.exposure_minor * (1 + share / self.offer["day_basis"]))

    @property
    def lgd(self) -> float:
        """Loss given default of the policy that decided it, with its decision tables and cover."""
        return float(under_cover(under_tables(self.case)).policy.lgd)

    @property
    def expected_minor(self) -> float | None:
        """PD x LGD x exposure, the chance as the decision holds it; None where no model judged."""
        pd_ = self.case.risk.pd
        return None if pd_ is None else float(pd_) * self.lgd * self.exposure_minor

    @property
    def covered(self) -> tuple[str, float] | None:
        """The company or pool that covers a share of it, and the share; None for nobody."""
        share = covered_share(under_tables(self.case))
        cover = self.case.cover
        return None if cover is None or share == 0 else (cover.guarantor_id, float(share))

    @cached_property
    def counted(self) -> Case:
        """The case with what was known elsewhere in the farmer's means."""
        return self.case.counted()


def lines_on(engine: sa.Engine, day: dt.date, counties: Sequence[str] = ()) -> list[Line]:
    """Return the lines that may be running on a day, in the order of posting.

    Args:
        engine: Open database.
        day: The day.
        counties: Only those of these counties; of all where none is named.

    Raises:
        UserError: The database fails, or a trace cannot be read.
    """
    with reading(engine) as connection:
        rows = running_on(connection, day, counties)
        decisions = stored_decisions(connection, [str(row["decision_id"]) for row in rows])
    return [
        Line(row, Case.of(read_trace(decisions[row["decision_id"]]["trace"]).case)) for row in rows
    ]


def with_drawn(
    lines: Sequence[Line], path: Path, day: dt.date
) -> tuple[list[Line], list[LineOutcome]]:
    """Return the lines with what is drawn on a day, and what could not be reckoned.

    Args:
        lines: Lines that run; the limit counts of those of which nothing is told.
        path: Table of movements of many lines; what was booked after the day is left out.
        day: The day.

    Raises:
        UserError: The table cannot be read.
    """
    told: dict[str, Line] = {}
    wrong: dict[str, LineOutcome] = {}
    strange: set[str] = set()
    for currency, own in by_currency(lines):
        moved, problems = read_line_movements(path, currency)
        strange = {*moved, *problems}
        for line in own:
            name = line.offer_id
            if name in problems:
                one = problems[name]
                said = f"row={one.row} column={one.column} {one.code} {one.value}".rstrip()
                wrong[name] = LineOutcome(name, "portfolio_bad_movement", said)
            elif name in moved:
                try:
                    told[name] = replace(line, drawn_minor=_drawn(line, moved[name], day))
                except UserError as error:
                    wrong[name] = LineOutcome(name, "portfolio_bad_movement", error.problem)
    known = {line.offer_id for line in lines}
    nowhere = [LineOutcome(name, "portfolio_no_such_line") for name in sorted(strange - known)]
    return [told.get(line.offer_id, line) for line in lines], [*wrong.values(), *nowhere]


def _drawn(line: Line, rows: pd.DataFrame, day: dt.date) -> int:
    known = rows["on"].where(rows["booked_on"].isna(), rows["booked_on"])
    moved, changes = moved_of(rows[known <= pd.Timestamp(day)], line.currency)
    terms = terms_of(line.offer, rate_changes=changes)
    return to_minor(statement(terms, moved, day)[-1].principal, line.currency)


def by_currency(lines: Sequence[Line]) -> Iterator[tuple[str, list[Line]]]:
    """Yield the lines of each currency: amounts of two are never added."""
    for currency in sorted({line.currency for line in lines}):
        yield currency, [line for line in lines if line.currency == currency]
