"""Rule choice: which row of each decision table fires for a case, and what the policy then is.

Owns both ends: the part of the tables that a case carries, and what fires of it. The case carries
every row that is in force for its county and crops, so that its decision is a function of the case
alone and what would change an answer is found by the same rows; a replay needs no table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache

from fieldline.lending.decision.case import Case, ParcelCase, RuleCase, TablesCase
from fieldline.lending.decision.reasons import Finding
from fieldline.lending.decision.rule_checks import RuleTable, rule_tables
from fieldline.lending.decision.rule_rows import SETS, Band, Rule
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import from_minor


def tables_case(
    policy: PolicySettings, county: str, day: dt.date, parcels: Iterable[ParcelCase]
) -> TablesCase | None:
    """Return the rows in force for a farmer; None where no table says anything on the day.

    Args:
        policy: Names the tables.
        county: Id of the county.
        day: Knowledge date.
        parcels: The farmer's.

    Raises:
        UserError: A table has a fault, or has ended.
    """
    return _for_crops(policy, county, day, crops_of(parcels)) if policy.rule_tables else None


@lru_cache(maxsize=1024)
def _for_crops(
    policy: PolicySettings, county: str, day: dt.date, grown: tuple[str, ...]
) -> TablesCase | None:
    rows = tuple(
        _carried(table, rule, grown)
        for table in in_force(policy, day)
        for rule in table.rules
        if _begun(rule, day) and _meets(rule, county, grown)
    )
    return TablesCase(county=county, crops=grown, rows=rows) if rows else None


def in_force(policy: PolicySettings, day: dt.date) -> list[RuleTable]:
    """Return the tables that say something on a day; before its first day the policy's own numbers
    hold.

    Raises:
        UserError: A table has ended before that day: nobody lends by rules that are over.
    """
    found = []
    for table in rule_tables(policy):
        if day > table.ends:
            raise UserError(
                f"{table.name} holds until {table.ends}, and this is decided on {day}",
                "add the rows that hold from then on, or leave valid_to empty",
            )
        found += [table] if table.begins <= day else []
    return found


def crops_of(parcels: Iterable[ParcelCase]) -> tuple[str, ...]:
    """Return the crops of a farmer for the tables: valued ones, or as declared where none is.

    Those of blocked parcels are among them, so that a parcel lost never gets a better row.
    """
    named = {parcel.valued_crop or parcel.declared_crop or "" for parcel in parcels}
    return tuple(sorted(named - {""})) or ("",)


def _begun(rule: Rule, day: dt.date) -> bool:
    return rule.first_day <= day and (rule.last_day is None or day <= rule.last_day)


def _meets(rule: Rule, county: str, grown: Iterable[str]) -> bool:
    here = rule.counties is None or county in rule.counties
    return here and (rule.crops is None or not rule.crops.isdisjoint(grown))


def _carried(table: RuleTable, rule: Rule, grown: Iterable[str]) -> RuleCase:
    own = tuple(crop for crop in grown if rule.crops is None or crop in rule.crops)
    bands = {name: (b.low, b.high) for name, b in rule.bands.items() if b.bounded}
    return RuleCase(
        table=table.name, row=rule.cells.number, crops=own, bands=bands,
        otherwise=rule.otherwise, access=rule.access, reason=rule.reason, sets=dict(rule.sets),
    )  # fmt: skip


def fired(case: Case) -> list[RuleCase]:
    """Return the rows that fire for a case, one by table and crop, none twice, in table order."""
    if case.tables is None:
        return []
    asked = case.farmer.requested_minor
    numbers = {
        "amount": None if asked is None else from_minor(asked, case.currency),
        "pd": case.risk.pd, "confidence": case.confidence,
    }  # fmt: skip
    unknown = {"pd"} if case.risk.pd is None else set()
    rows = case.tables.rows
    chosen = []
    for table in dict.fromkeys(row.table for row in rows):
        for crop in case.tables.crops:
            own = [row for row in rows if row.table == table and crop in row.crops]
            chosen += _first(own, numbers, unknown)
    return [row for row in rows if row in chosen]


def _first(
    rows: list[RuleCase], numbers: dict[str, Decimal | None], unknown: set[str]
) -> list[RuleCase]:
    """Return the row whose bands hold, else the one without conditions, if there is one.

    Nobody's risk is in a band where it is not known; who asks for as much as possible asks for more
    than any bound.
    """
    fitting = [
        row for row in rows
        if not row.otherwise
        and not unknown.intersection(row.bands)
        and all(Band(*band).holds(numbers[name]) for name, band in row.bands.items())
    ]  # fmt: skip
    return (fitting or [row for row in rows if row.otherwise])[:1]


def under_tables(case: Case, own: PolicySettings | None = None) -> Case:
    """Return the case with the policy that its decision tables make of its own.

    Args:
        case: The case.
        own: The policy before any table, where the case's has been through them.
    """
    if case.tables is None:
        return case
    return case.model_copy(update={"policy": _ruled(own or case.policy, case)})


def _ruled(policy: PolicySettings, case: Case) -> PolicySettings:
    """Return the policy with what the rows that fire set, the strictest of several crops' rows.

    Args:
        policy: The policy's own numbers.
        case: The case.
    """
    update: dict[str, Decimal | float] = {}
    rows = fired(case)
    for name in {name for row in rows for name in row.sets}:
        own = getattr(policy, name)
        values = [row.sets.get(name, Decimal(str(own))) for row in _of(rows, name)]
        strictest = min(values) if SETS[name] > 0 else max(values)
        update[name] = float(strictest) if isinstance(own, float) else strictest
    return _altered(policy, tuple(sorted(update.items()))) if update else policy


@lru_cache(maxsize=256)
def _altered(
    policy: PolicySettings, update: tuple[tuple[str, Decimal | float], ...]
) -> PolicySettings:
    """Return the policy with other numbers: the same object for the same ones, for a county's
    thousands of cases meet few."""
    return policy.model_copy(update=dict(update))


def _of(rows: list[RuleCase], name: str) -> list[RuleCase]:
    """Return the rows of the table that sets a number: of its crops one may leave it as it is."""
    tables = {row.table for row in rows if name in row.sets}
    return [row for row in rows if row.table in tables]


def rule_findings(rows: Iterable[RuleCase], access: str) -> Iterator[Finding]:
    """Yield what the rows that fire say of access, in the words of the table.

    Args:
        rows: As `fired`.
        access: `decline` or `review`.
    """
    code = {"decline": "veto_policy_rule", "review": "review_policy_rule"}[access]
    for row in rows:
        if row.access == access:
            english, chinese = row.reason
            yield Finding(code, {"extra": english.rstrip(".")}, {"extra": chinese.rstrip("。")})


def named(rows: Iterable[RuleCase]) -> tuple[str, ...]:
    """Return what a trace calls the rows that fired: `limits.csv#3`, the third row of a table."""
    return tuple(f"{row.table}#{row.row}" for row in rows)
