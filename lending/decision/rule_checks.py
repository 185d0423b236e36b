"""Rule checks: whether the rows of a decision table fit together, before anybody is decided by it.

Owns the questions of a table as a whole: every day and case finds exactly one row, every row fires
for somebody, no row sets what no policy may hold, and a greater risk never gets a better answer.
It cuts the space of cases into cells at the rows' own edges and looks at each kind of cell once, so
nothing is left to a sample of cases.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError

from fieldline.lending.decision.rule_rows import ACCESS, SETS, Rule, rule_table
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import exponent, from_minor, to_minor
from fieldline.pipeline.records.reference import crops

_ENDLESS = dt.date.max
_MOST = 10**14
"""Largest amount, units of a currency: minor units are kept in 64 bits."""
_WORSE = {"pd": 1, "confidence": -1}
"""Numbers of a case that tell of risk, with the side on which it is greater."""
_ELSEWHERE = "any other county"
_NO_CROP = "no known crop"


@dataclass(frozen=True)
class RuleTable:
    """The rows of one table that are about a policy, fit to decide by."""

    name: str
    """Name of the file without its folder: what a trace calls it."""
    rules: tuple[Rule, ...]
    begins: dt.date
    ends: dt.date
    """Last day for which it says anything; the last that there is where it stays in force."""


@lru_cache(maxsize=32)
def rule_tables(
    policy: PolicySettings, counties: frozenset[str] | None = None
) -> tuple[RuleTable, ...]:
    """Return the decision tables of a policy, each of them checked.

    Args:
        policy: Names the tables; its product and currency say which rows are about it.
        counties: Ids of the counties that there are; None where they are not known here.

    Raises:
        UserError: A table has a fault; the first is told, with its row and the remedy.
    """
    found = [_checked(name, policy, counties) for name in policy.rule_tables]
    owner: dict[str, str] = {}
    for table in found:
        for name in sorted({name for rule in table.rules for name in rule.sets}):
            if name in owner:
                raise UserError(
                    f"{owner[name]} and {table.name} both set {name}",
                    "set a number of the policy in one table",
                )
            owner[name] = table.name
    names = [table.name for table in found]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two decision tables are called {name}", "rename one of them")
    return tuple(found)


def _checked(path: str, policy: PolicySettings, counties: frozenset[str] | None) -> RuleTable:
    name, rows = Path(path).name, rule_table(path)
    for rule in rows:
        for county in sorted(rule.counties or ()):
            if counties is not None and county not in counties:
                raise rule.cells.wrong(
                    "county", f"{county!r} is not known: write one of {', '.join(sorted(counties))}"
                )
    own = tuple(
        rule for rule in rows
        if (rule.products is None or policy.product in rule.products)
        and rule.currency in ("", policy.currency)
    )  # fmt: skip
    if not own:
        raise UserError(
            f"{name} has no row for product {policy.product} in {policy.currency}",
            "add one, or take the table out of lending.policy.rule_tables",
        )
    for rule in own:
        _in_range(rule, policy)
    ends = max(rule.last_day or _ENDLESS for rule in own)
    table = RuleTable(name, own, min(rule.first_day for rule in own), ends)
    _fit(table)
    _monotone(table, policy)
    return table


def _in_range(rule: Rule, policy: PolicySettings) -> None:
    """Refuse a row that sets what the policy itself could not be."""
    row, currency = rule.cells, policy.currency
    for name, value in rule.sets.items():
        amount = name in PolicySettings.AMOUNTS
        if amount and abs(value) > _MOST:
            raise row.wrong(name, f"write an amount of at most {_MOST}")
        if amount and value != from_minor(to_minor(value, currency), currency):
            raise row.wrong(name, f"{currency} has {exponent(currency)} decimals: write no more")
    try:
        PolicySettings.model_validate({**policy.model_dump(), **rule.sets})
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        column = str(first["loc"][0]) if first["loc"] else next(iter(rule.sets))
        raise row.wrong(column, f"write what the policy may hold ({message})") from error


@dataclass
class _Seen:
    """What a walk over the cells of a table has met."""

    fired: set[int] = field(default_factory=set)
    walked: set[tuple[int, tuple[int, ...]]] = field(default_factory=set)


Cell = tuple[str, tuple[int, ...]]
"""What a person calls a cell, and the rows that are in force in it."""
_Cut = Callable[[RuleTable, Sequence[int]], Iterator[Cell]]


def _fit(table: RuleTable) -> None:
    """Refuse gaps, overlaps and rows that never fire.

    Raises:
        UserError: There is one; the first cell of it is named.
    """
    seen = _Seen()
    for place, rows in _leaves(table, tuple(_CUTS), seen):
        own = [row for row in rows if not table.rules[row].otherwise]
        chosen = own or [row for row in rows if table.rules[row].otherwise]
        if not chosen:
            raise UserError(
                f"{table.name} has a gap: no row for {place}",
                "add a row, or one without conditions for all other cases",
            )
        if len(chosen) > 1:
            first, other = (table.rules[row].cells.number for row in chosen[:2])
            raise UserError(
                f"{table.name}, rows {first} and {other} overlap: both are for {place}",
                "end one where the other begins",
            )
        seen.fired.add(chosen[0])
    for number, rule in enumerate(table.rules):
        if number not in seen.fired:
            raise UserError(
                f"{table.name}, row {rule.cells.number} can never fire: others hold for all its "
                "cases",
                "take it out, or narrow the others",
            )


def _leaves(table: RuleTable, order: tuple[str, ...], seen: _Seen) -> Iterator[Cell]:
    """Yield, for each kind of cell, where it is and which rows are in force; none twice."""

    def walk(depth: int, rows: tuple[int, ...], place: str) -> Iterator[Cell]:
        if (depth, rows) in seen.walked:
            return
        seen.walked.add((depth, rows))
        if depth == len(order):
            yield place, rows
            return
        for told, inside in _CUTS[order[depth]](table, rows):
            both = f"{place}, {told}" if place and told else place + told
            yield from walk(depth + 1, inside, both)

    yield from walk(0, tuple(range(len(table.rules))), "")


def _days(table: RuleTable, rows: Sequence[int]) -> Iterator[Cell]:
    """Yield the spans of days between which no row begins or ends, of all days of the table."""
    rules = [table.rules[row] for row in rows]
    edges = {rule.first_day for rule in rules} | {
        rule.last_day + dt.timedelta(days=1) for rule in rules if rule.last_day is not None
    }
    for day in sorted(edge for edge in {*edges, table.begins} if edge <= table.ends):
        inside = tuple(
            row for row in rows
            if table.rules[row].first_day <= day <= (table.rules[row].last_day or _ENDLESS)
        )  # fmt: skip
        yield f"{day} on", inside


def _counties(table: RuleTable, rows: Sequence[int]) -> Iterator[Cell]:
    named = {county for row in rows for county in table.rules[row].counties or ()}
    for county in [*sorted(named), _ELSEWHERE]:
        inside = tuple(r for r in rows if _covers(table.rules[r].counties, county))
        yield (f"county {county}" if county != _ELSEWHERE else county if named else ""), inside


def _crops(table: RuleTable, rows: Sequence[int]) -> Iterator[Cell]:
    told = any(table.rules[row].crops is not None for row in rows)
    for crop in [*crops(), _NO_CROP] if told else [""]:
        inside = tuple(r for r in rows if _covers(table.rules[r].crops, crop))
        yield (f"crop {crop}" if crop in crops() else crop), inside


def _covers(names: frozenset[str] | None, name: str) -> bool:
    return names is None or name in names


def _numbers(name: str) -> _Cut:
    def cut(table: RuleTable, rows: Sequence[int]) -> Iterator[Cell]:
        bands = {row: table.rules[row].bands[name] for row in rows}
        edges = {Decimal(0)}
        for band in bands.values():
            edges |= {edge for edge in (band.low, band.high) if edge is not None}
        for edge in sorted(edges):
            inside = tuple(row for row in rows if bands[row].holds(edge))
            yield (f"{name} {edge} on" if len(edges) > 1 else ""), inside

    return cut


_CUTS: dict[str, _Cut] = {
    "day": _days, "county": _counties, "crop": _crops, "amount": _numbers("amount"),
    "pd": _numbers("pd"), "confidence": _numbers("confidence"),
}  # fmt: skip


def _monotone(table: RuleTable, policy: PolicySettings) -> None:
    """Refuse a table by which a greater risk would get a better answer.

    Raises:
        UserError: One row is better for the farmer than the one that a lesser risk meets.
    """
    for name, sign in _WORSE.items():
        others = tuple(other for other in _CUTS if other != name)
        for _, rows in _leaves(table, others, _Seen()):
            cells = [_fires(table, inside) for _, inside in _CUTS[name](table, rows)]
            for lesser, greater in pairwise(cells if sign > 0 else cells[::-1]):
                _not_better(table, lesser, greater, name, policy)


def _fires(table: RuleTable, rows: Iterable[int]) -> Rule:
    found = [table.rules[row] for row in rows]
    own = [rule for rule in found if not rule.otherwise]
    return (own or found)[0]


def _not_better(
    table: RuleTable, lesser: Rule, greater: Rule, name: str, policy: PolicySettings
) -> None:
    better = [n for n in SETS if greater.worth(n, policy) > lesser.worth(n, policy)]
    better += ["access"] if ACCESS.index(greater.access) < ACCESS.index(lesser.access) else []
    if better:
        risk = "a higher pd" if name == "pd" else "a lower confidence"
        raise UserError(
            f"{table.name}, row {greater.cells.number}: {better[0]} is better for the farmer than "
            f"in row {lesser.cells.number}, and the row is for {risk}",
            "a greater risk must never get a better answer: exchange the two, or set both alike",
        )
