"""Rule rows: a lender's dated decision table, read row by row with its place.

Owns the columns, what each cell may hold and the row as conditions and outcomes; whether the rows
of a table fit together is `rule_checks`, which of them fires for whom is `rule_choice`. A table is
plain CSV, so that whoever answers for the policy reads and compares it without a tool.

Why no engine: zen-engine 2.1 (MIT, 26 MB of binary) evaluates such tables, but takes whichever row
comes first, and checks neither dates, gaps, overlaps, rules that never fire nor that a greater risk
gets no better answer. These checks are what a policy table is for, and choosing a row is ten lines.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import currency_of
from fieldline.pipeline.records.reference import TableRow, checked_rows, crops

SETS: Mapping[str, int] = {
    "max_limit": 1, "min_limit": -1, "expert_limit_share": 1, "exposure_cap_household": 1,
    "exposure_cap_farmer": 1, "dscr_min": -1, "pd_decline": 1, "pd_review": 1,
    "challenger_gap": 1, "unlike_margin": 1, "margin": -1, "funding_rate": -1, "lgd": -1,
    "capital_charge": -1,
}  # fmt: skip
"""Numbers of the policy that a row may set, each with whether more of it is better (1) or worse
(-1) for the farmer."""
ACCESS = ("", "review", "decline")
"""What a row says of access, from the best to the worst: nothing, a person decides, no line."""
LISTS = ("product", "county", "crop", "crop_group")
"""Conditions that name one or several, separated by `|`."""
BANDS: Mapping[str, Decimal | None] = {"amount": None, "pd": Decimal(1), "confidence": Decimal(1)}
"""Conditions on a number, `_from` (counts) and `_to` (does not), with the most that it can be."""
_WHEN = ("valid_from", "valid_to")
_OUTCOMES = ("access", "reason_en", "reason_zh", *SETS)
COLUMNS = (
    *_WHEN, *LISTS, *(f"{name}_{end}" for name in BANDS for end in ("from", "to")), "currency",
    *_OUTCOMES, "source",
)  # fmt: skip
"""Every column that a table may have."""


@dataclass(frozen=True)
class Band:
    """Numbers from `low` on and below `high`; None where nothing bounds them above."""

    low: Decimal = Decimal(0)
    high: Decimal | None = None

    def holds(self, number: Decimal | None) -> bool:
        """Whether a number lies in the band; one that is endless lies in the last."""
        if number is None:
            return self.high is None
        return self.low <= number and (self.high is None or number < self.high)

    @property
    def bounded(self) -> bool:
        """Whether the band is a condition at all."""
        return self != Band()


@dataclass(frozen=True)
class Rule:
    """One row of a table."""

    cells: TableRow
    first_day: dt.date
    last_day: dt.date | None
    """Last day in force; None for one that stays."""
    products: frozenset[str] | None
    """None for all, here and below."""
    counties: frozenset[str] | None
    crops: frozenset[str] | None
    """Crops that it is about, by crop and group together."""
    bands: Mapping[str, Band]
    currency: str
    """Currency of its amounts; empty where it states none."""
    access: str
    reason: tuple[str, str]
    """Why access is not given, in English and Chinese."""
    sets: Mapping[str, Decimal]

    @property
    def otherwise(self) -> bool:
        """Whether it states no condition of its own (a product is the whole policy's): it then
        fires where no other row does."""
        named = (self.counties, self.crops)
        return named == (None, None) and not any(band.bounded for band in self.bands.values())

    def worth(self, name: str, policy: PolicySettings) -> Decimal:
        """Return what a number of the policy is by this row, larger where better."""
        value = self.sets.get(name)
        own = Decimal(str(getattr(policy, name))) if value is None else value
        return own * SETS[name]


@cache
def rule_table(name: str) -> tuple[Rule, ...]:
    """Return the rules of a table, in its order.

    Args:
        name: Path of the table.

    Raises:
        UserError: There is no such table, it has a column that is none or decides nothing, or a
            cell holds what it cannot.
    """
    rows = checked_rows(name, _WHEN)
    short = Path(name).name
    for column in rows[0].cells:
        if column is not None and column not in COLUMNS:
            raise UserError(
                f"{short}: {column!r} is no column of a decision table",
                f"use only {', '.join(COLUMNS)}",
            )
    if not set(rows[0].cells) & {"access", *SETS}:
        raise UserError(
            f"{short} decides nothing: it has no column of outcomes",
            f"add access or one of {', '.join(SETS)}",
        )
    return tuple(_rule(TableRow(short, row.number, row.cells)) for row in rows)


def _rule(row: TableRow) -> Rule:
    if None in row.cells:
        raise UserError(
            f"{row.table}, row {row.number} has more cells than the table has columns",
            "quote a cell that holds a comma",
        )
    first, last = row.day("valid_from"), None
    if _filled(row, "valid_to"):
        last = row.day("valid_to")
        if last < first:
            raise row.wrong("valid_to", f"the row can never fire: it begins on {first}")
        last = None if last == dt.date.max else last
    access = _cell(row, "access")
    if access not in ACCESS:
        raise row.wrong("access", f"write {' or '.join(ACCESS[1:])}, or leave it blank")
    reason = (_cell(row, "reason_en"), _cell(row, "reason_zh"))
    if access and not all(reason):
        column = "reason_zh" if reason[0] else "reason_en"
        raise UserError(
            f"{row.table}, row {row.number}: access is {access!r} and {column} is empty",
            "say why in both languages: the farmer is told it",
        )
    sets = {name: row.decimal(name) for name in SETS if _filled(row, name)}
    return Rule(
        row, first, last, _named(row, "product"), _named(row, "county"), _crops(row),
        {name: _band(row, name, most) for name, most in BANDS.items()}, _currency(row, sets),
        access, reason, sets,
    )  # fmt: skip


def _filled(row: TableRow, column: str) -> bool:
    return bool(_cell(row, column))


def _cell(row: TableRow, column: str) -> str:
    return (row.cells.get(column) or "").strip()


def _named(row: TableRow, column: str) -> frozenset[str] | None:
    names = frozenset(part.strip() for part in _cell(row, column).split("|")) - {""}
    return names or None


def _crops(row: TableRow) -> frozenset[str] | None:
    groups: dict[str, set[str]] = {}
    for crop in crops().values():
        groups.setdefault(crop.group, set()).add(crop.code)
    named, grouped = _named(row, "crop"), _named(row, "crop_group")
    for column, names, known in (("crop", named, crops()), ("crop_group", grouped, groups)):
        for name in sorted(names or ()):
            if name not in known:
                told = "crop code of crops.csv" if column == "crop" else ", ".join(sorted(groups))
                raise row.wrong(column, f"{name!r} is not known: write a {told}")
    if grouped is None:
        return named
    within = frozenset().union(*(groups[name] for name in grouped))
    both = within if named is None else within & named
    if not both:
        raise row.wrong("crop", "the row can never fire: no such crop is of its crop_group")
    return both


def _band(row: TableRow, name: str, most: Decimal | None) -> Band:
    low, high = Decimal(0), None
    if _filled(row, f"{name}_from"):
        low = row.decimal(f"{name}_from")
    if _filled(row, f"{name}_to"):
        high = row.decimal(f"{name}_to")
    for end, value in (("from", low), ("to", high)):
        if value is not None and (value < 0 or (most is not None and value > most)):
            span = "0 or more" if most is None else f"between 0 and {most}"
            raise row.wrong(f"{name}_{end}", f"write a number {span}")
    if (high is not None and high <= low) or low == most:
        column = f"{name}_to" if high is not None else f"{name}_from"
        raise row.wrong(column, "the row can never fire: nothing lies from its start to its end")
    return Band(low, None if high == most else high)


def _currency(row: TableRow, sets: Mapping[str, Decimal]) -> str:
    amounts = [name for name in sets if name in PolicySettings.AMOUNTS]
    amounts += [name for name in ("amount_from", "amount_to") if _filled(row, name)]
    if _filled(row, "currency"):
        return currency_of(row)
    if amounts:
        raise UserError(
            f"{row.table}, row {row.number}: {amounts[0]} is an amount of no currency",
            "name it in the column currency",
        )
    return ""
