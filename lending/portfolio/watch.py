"""Watch: which lines the newest run of their county speaks against, and since when.

Owns the signals (what a poor-year harvest covers of the debt service, how far income and land fell
since the line was granted, the hazard) and their hysteresis: a warning enters at one level and
leaves only beyond a better one, so that a value between the two changes nothing. What was warned of
before is part of what is reckoned from; the same run reckoned again gives the same list.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from fieldline.lending.portfolio.codes import LineOutcome
from fieldline.lending.portfolio.folders import RunFolder
from fieldline.lending.portfolio.lines import Line
from fieldline.lending.portfolio.settings import PortfolioSettings

ON, OFF = "on", "off"


@dataclass(frozen=True)
class Signal:
    """A value of a line and the levels that it is held against."""

    code: str
    value: float | None
    """None where the run does not tell it: what was warned of stays."""
    enter: float
    leave: float
    above: bool = False
    """Whether high values are the bad ones."""

    def warns(self, *, before: bool) -> bool:
        """Whether a line is warned of, given whether it was."""
        if self.value is None:
            return before
        sign = -1 if self.above else 1
        value, enter, leave = (sign * one for one in (self.value, self.enter, self.leave))
        # Levels of "from on" include the level itself.
        entered = value <= enter if self.above else value < enter
        return entered or (before and value < leave)


@dataclass(frozen=True)
class Warned:
    """A warning of a line, on or left."""

    offer_id: str
    code: str
    state: str
    """`on` or `off`."""
    since: dt.date
    """Knowledge date of the run that changed it last."""
    as_of: dt.date
    """Knowledge date of the run that spoke last."""
    value: float | None
    enter: float
    leave: float

    @property
    def key(self) -> tuple[str, str]:
        """Line and code."""
        return self.offer_id, self.code


def watch(
    lines: Sequence[Line],
    newest: Mapping[str, RunFolder | None],
    before: Sequence[Warned],
    settings: PortfolioSettings,
) -> tuple[list[Warned], list[LineOutcome]]:
    """Return the warnings of the lines, and of which lines nothing new is known.

    Args:
        lines: Lines that run.
        newest: Newest run by county.
        before: Warnings as they stood; those of lines that no longer run are dropped.
        settings: Levels.
    """
    stood = {warned.key: warned for warned in before}
    beside: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        beside[line.farmer_id, line.currency].append(line)
    found: list[Warned] = []
    outcomes: list[LineOutcome] = []
    for line in lines:
        run = newest.get(line.folder[0])
        why = unheard(line, run)
        kept = [one for one in before if one.offer_id == line.offer_id]
        if why or run is None or run.as_of is None:
            outcomes.append(LineOutcome(line.offer_id, why or "portfolio_no_newer_run"))
            found += kept
            continue
        own = beside[line.farmer_id, line.currency]
        for signal in signals(line, own, run, settings):
            warned = _judged(line.offer_id, signal, stood.get((line.offer_id, signal.code)),
                             run.as_of)  # fmt: skip
            found += [] if warned is None else [warned]
    return sorted(found, key=lambda one: one.key), outcomes


def unheard(line: Line, run: RunFolder | None) -> str:
    """Return why a run tells nothing new of a line; empty where it does."""
    if run is None or run.as_of is None or run.as_of <= line.case.as_of:
        return "portfolio_no_newer_run"
    people = run.profiles
    if line.farmer_id not in people.index:
        return "portfolio_not_in_run"
    same = people.loc[line.farmer_id, "currency"] == line.currency
    return "" if same else "portfolio_not_in_run"


def _judged(offer_id: str, signal: Signal, stood: Warned | None, as_of: dt.date) -> Warned | None:
    """Return the warning as it stands after a run; None where there never was one."""
    if stood is not None and stood.as_of > as_of:
        return stood
    before = stood is not None and stood.state == ON
    state = ON if signal.warns(before=before) else OFF
    if stood is None:
        fresh = Warned(offer_id, signal.code, state, as_of, as_of, signal.value, signal.enter,
                       signal.leave)  # fmt: skip
        return fresh if state == ON else None
    since = stood.since if state == stood.state else as_of
    value = stood.value if signal.value is None else signal.value
    return replace(
        stood, state=state, since=since, as_of=as_of, value=value, enter=signal.enter,
        leave=signal.leave,
    )  # fmt: skip


def signals(
    line: Line, beside: Sequence[Line], run: RunFolder, settings: PortfolioSettings
) -> Iterator[Signal]:
    """Yield what a run says of a line.

    Args:
        line: The line.
        beside: All lines of its farmer in its currency, this one included: one harvest repays them.
        run: The newest run.
        settings: Levels.
    """
    row: Any = run.profiles.loc[line.farmer_id]
    case = line.case
    income, costs = _income(line, run, row)
    yield Signal("warn_cover", _cover(income, costs, row, beside), settings.cover_enter,
                 settings.cover_leave)  # fmt: skip
    yield Signal("warn_income", _part(income, case.farmer.income_q10_minor), settings.income_enter,
                 settings.income_leave)  # fmt: skip
    area = _known(row["evidence_area_m2"])
    yield Signal("warn_area", _part(area, float(case.evidence_area_m2)), settings.area_enter,
                 settings.area_leave)  # fmt: skip
    yield Signal("warn_hazard", _known(row["hazard_index"]), settings.hazard_enter,
                 settings.hazard_leave, above=True)  # fmt: skip


def _income(line: Line, run: RunFolder, row: pd.Series[Any]) -> tuple[float | None, float]:
    """Return the poor-year income of the harvest that repays the line, and its growing costs.

    A crop that was cut after the line was granted has repaid it, though the run's own lines would
    be repaid by the next one.
    """
    own = run.parcels.get(line.farmer_id, ())
    days = [run.cut.get(name) for name in own if name in run.ahead]
    since = sum(day is not None and day > line.case.as_of for day in days)
    season = _known(row["season_income_q10_minor"])
    if season is not None and 2 * since > len(own):
        return season, float(line.case.farmer.crop_cost_minor)
    return _known(row["income_q10_minor"]), float(row["crop_cost_minor"])


def _cover(
    income: float | None, costs: float, row: pd.Series[Any], beside: Sequence[Line]
) -> float | None:
    """Return what a poor year's harvest covers of what is due, by the rule of capacity."""
    exposed = sum(one.exposure_minor for one in beside)
    due = sum(one.due_minor for one in beside) + max(0.0, costs - exposed)
    if income is None or due <= 0:
        return None
    charges = row["household_need_minor"] + row["debt_service_minor"] - row["debt_elsewhere_minor"]
    return float((income + costs - charges) / due)


def _part(now: float | None, granted: float) -> float | None:
    return None if now is None or granted <= 0 else now / granted


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
