"""Faults of decision tables: each is one sentence with the row and the remedy."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal
from pathlib import Path

import pytest

from fieldline.lending.decision.rule_checks import rule_tables
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.errors import UserError
from tests.lending.decision.rule_files import policy, written

WHY = {"reason_en": "why", "reason_zh": "原因"}
CNY = {"currency": "CNY"}

FAULTS: dict[str, tuple[list[dict[str, str]], str]] = {
    "a gap of days": (
        [{"valid_to": "2024-03-31"}, {"valid_from": "2024-05-01", "margin": ".02"}],
        "t.csv has a gap: no row for 2024-04-01 on: add a row",
    ),
    "a gap between bands": (
        [{"pd_to": ".1"}, {"pd_from": ".2", "margin": ".02"}],
        "t.csv has a gap: no row for 2024-01-01 on, pd 0.1 on: add a row",
    ),
    "no row for other crops": (
        [{"crop_group": "cereal", "margin": ".01"}],
        "t.csv has a gap: no row for 2024-01-01 on, crop silage_maize: add a row",
    ),
    "no row for other counties": (
        [{"county": "A", "margin": ".01"}],
        "t.csv has a gap: no row for 2024-01-01 on, any other county: add a row",
    ),
    "an overlap of days": (
        [{"valid_to": "2024-06-30"}, {"valid_from": "2024-06-30", "margin": ".02"}],
        "t.csv, rows 1 and 2 overlap: both are for 2024-06-30 on: end one",
    ),
    "an overlap of bands": (
        [{"amount_to": "5000", **CNY}, {"amount_from": "4000", **CNY, "margin": ".01"}],
        "t.csv, rows 1 and 2 overlap: both are for 2024-01-01 on, amount 4000 on: end one",
    ),
    "crop and group that overlap": (
        [{"crop": "tea", "margin": ".01"}, {"crop_group": "permanent", "margin": ".02"}, {}],
        "t.csv, rows 1 and 2 overlap: both are for 2024-01-01 on, crop tea: end one",
    ),
    "an unknown column": (
        [{"max_limt": "5000"}], "t.csv: 'max_limt' is no column of a decision table: use only",
    ),
    "no outcome": ([{"pd_to": ""}], "t.csv decides nothing: it has no column of outcomes"),
    "an unknown crop": (
        [{"crop": "teaa", "margin": ".01"}, {}],
        "t.csv, row 1: crop is 'teaa': 'teaa' is not known: write a crop code",
    ),
    "an unknown group": (
        [{}, {"crop_group": "cereal|herbs", "margin": ".01"}],
        "t.csv, row 2: crop_group is 'cereal|herbs': 'herbs' is not known: write a ",
    ),
    "an unknown county": (
        [{"county": "A|Z", "margin": ".01"}, {}],
        "t.csv, row 1: county is 'A|Z': 'Z' is not known: write one of A, B",
    ),
    "an unknown currency": (
        [{"max_limit": "5000", "currency": "RMB"}], "t.csv, row 1: 'RMB' is no",
    ),
    "an amount of no currency": (
        [{"max_limit": "5000"}],
        "t.csv, row 1: max_limit is an amount of no currency: name it in the column currency",
    ),
    "no row of this currency": (
        [{"max_limit": "5000", "currency": "EUR"}],
        "t.csv has no row for product season-line in CNY: add one",
    ),
    "no row of this product": (
        [{"product": "tractor-line", "margin": ".01"}],
        "t.csv has no row for product season-line in CNY: add one",
    ),
    "a row that ends before it begins": (
        [{"valid_to": "2023-12-31", "margin": ".01"}],
        "t.csv, row 1: valid_to is '2023-12-31': the row can never fire: it begins on 2024-01-01",
    ),
    "a band that holds nothing": (
        [{"pd_from": ".2", "pd_to": ".2", "margin": ".01"}, {}],
        "t.csv, row 1: pd_to is '.2': the row can never fire: nothing lies from",
    ),
    "a crop that is not of its group": (
        [{"crop": "tea", "crop_group": "cereal", "margin": ".01"}, {}],
        "t.csv, row 1: crop is 'tea': the row can never fire: no such crop is of its crop_group",
    ),
    "a row for what is left, where nothing is": (
        [{"pd_to": ".1"}, {"pd_from": ".1", "margin": ".01"}, {"margin": ".02"}],
        "t.csv, row 3 can never fire: others hold for all its cases: take it out",
    ),
    "two rows for all others": (
        [{"margin": ".01"}, {"margin": ".02"}],
        "t.csv, rows 1 and 2 overlap: both are for 2024-01-01 on: end one",
    ),
    "a share above one": (
        [{"margin": "1.5"}], "t.csv, row 1: margin is '1.5': write what the policy may hold",
    ),
    "a negative amount": (
        [{"max_limit": "-5", **CNY}], "t.csv, row 1: max_limit is '-5': write what the policy may",
    ),
    "a least line above the most": (
        [{"max_limit": "500", "min_limit": "600", **CNY}],
        r"t.csv, row 1: max_limit is '500': write what the policy may hold \(min_limit 600 lies",
    ),
    "more decimals than the currency has": (
        [{"max_limit": "500.005", **CNY}],
        "t.csv, row 1: max_limit is '500.005': CNY has 2 decimals: write no more",
    ),
    "an amount beyond all money": (
        [{"max_limit": "1e30", **CNY}],
        "t.csv, row 1: max_limit is '1e30': write an amount of at most 100000000000000",
    ),
    "a number that is none": (
        [{"margin": "2 %"}], "t.csv, row 1: margin is '2 %': write a plain number",
    ),
    "a chance above one": (
        [{"pd_from": "10", "margin": ".01"}, {}],
        "t.csv, row 1: pd_from is '10': write a number between 0 and 1",
    ),
    "an access that there is not": (
        [{"access": "deny", **WHY}], "t.csv, row 1: access is 'deny': write review or decline",
    ),
    "an access without its reason": (
        [{"access": "decline", "reason_en": "why"}],
        "t.csv, row 1: access is 'decline' and reason_zh is empty: say why in both languages",
    ),
    "a day that is none": (
        [{"valid_from": "1/4/2024", "margin": ".01"}],
        "t.csv, row 1: valid_from is '1/4/2024': write a date like",
    ),
    "a better limit for a greater risk": (
        [{"pd_to": ".1", "max_limit": "500", **CNY}, {"pd_from": ".1", "max_limit": "600", **CNY}],
        "t.csv, row 2: max_limit is better for the farmer than in row 1, and the row is for a "
        "higher pd: a greater risk must never",
    ),
    "the policy's own number for a greater risk": (
        [{"pd_to": ".1", "margin": ".02"}, {}],
        "t.csv, row 2: margin is better for the farmer than in row 1, and the row is for a higher",
    ),
    "a doubt that opens a door": (
        [{"confidence_from": ".6", "access": "review", **WHY}, {"confidence_to": ".6"}],
        "t.csv, row 2: access is better for the farmer than in row 1, and the row is for a lower "
        "confidence: a greater risk",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_table_is_one_sentence_with_its_place(fault: str, tmp_path: Path) -> None:
    rows, said = FAULTS[fault]
    name = written(tmp_path, "t.csv", rows)
    with pytest.raises(UserError, match=f"^{said}"):
        rule_tables(policy(name), frozenset("AB"))


def test_two_tables_that_set_one_number_or_have_one_name_are_refused(tmp_path: Path) -> None:
    first = written(tmp_path, "a.csv", [{"margin": ".01"}])
    other = written(tmp_path, "b.csv", [{"margin": ".02"}])
    with pytest.raises(UserError, match=r"a\.csv and b\.csv both set margin: set a number"):
        rule_tables(policy(first, other))
    (tmp_path / "far").mkdir()
    far = written(tmp_path / "far", "a.csv", [{"max_limit": "9000", **CNY}])
    with pytest.raises(UserError, match=r"two decision tables are called a\.csv: rename one"):
        rule_tables(policy(first, far))


def test_the_last_day_that_there_is_means_without_end(tmp_path: Path) -> None:
    rows = [{"valid_to": "9999-12-31", "margin": ".01"}]
    (table,) = rule_tables(policy(written(tmp_path, "t.csv", rows)))
    assert table.rules[0].last_day is None


def test_an_absent_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv does not exist"):
        rule_tables(policy(str(tmp_path / "none.csv")))


def test_rows_of_other_products_and_currencies_are_left_to_their_own_policies(
    tmp_path: Path,
) -> None:
    name = written(tmp_path, "t.csv", [
        {"product": "season-line", "max_limit": "9000", **CNY},
        {"product": "tractor-line", "max_limit": "90000", **CNY},
        {"product": "season-line", "max_limit": "900", "currency": "EUR"},
    ])  # fmt: skip
    (table,) = rule_tables(policy(name))
    assert [rule.cells.number for rule in table.rules] == [1]


MARKS = {"pd": ("", ".1", ".3"), "confidence": ("", ".5"), "amount": ("", "4000", "9000")}


def _drawn(rng: random.Random) -> list[dict[str, str]]:
    """Draw a table that cuts all cases into parts; half of the time one cell of it is altered."""
    ends = [f"{name}_{end}" for name in MARKS for end in ("from", "to")]
    rows = [{"currency": "CNY", "county": "", **dict.fromkeys(ends, "")}]
    for _ in range(rng.randint(0, 4)):
        row = rows.pop(rng.randrange(len(rows)))
        name = rng.choice(list(MARKS))
        mark = rng.choice(MARKS[name][1:])
        rows += [row | {f"{name}_to": mark}, row | {f"{name}_from": mark}]
    if rng.random() < 0.3:
        county = rng.choice(("A", "B", "A|B"))
        rows = [row | {"county": county} for row in rows] + [rows[0] | dict.fromkeys(ends, "")]
    steep = rng.random() < 0.7
    for row in rows:
        risk = float(row["pd_from"] or 0) if steep else rng.choice((0, 0.1, 0.3))
        row["margin"] = {0.0: "", 0.1: ".01", 0.3: ".02"}[risk]
    if rng.random() < 0.5:
        rng.choice(rows)[rng.choice(ends)] = ""
    return rows


def _fits(rows: list[dict[str, str]]) -> bool:
    """Whether each of all kinds of case meets one row, each row some case, and no greater risk a
    lower margin: asked case by case."""

    def holds(row: dict[str, str], name: str, at: Decimal) -> bool:
        low, high = row[f"{name}_from"], row[f"{name}_to"]
        return (not low or at >= Decimal(low)) and (not high or at < Decimal(high))

    conditions = [n for n in rows[0] if n.endswith(("_from", "_to")) or n == "county"]
    blank = [not any(row[name] for name in conditions) for row in rows]
    marks = {"pd": ("0", ".1", ".3"), "confidence": ("0", ".5"), "amount": ("0", "4000", "9000")}
    points = {name: [Decimal(mark) for mark in each] for name, each in marks.items()}
    chosen: dict[tuple[str, Decimal, Decimal, Decimal], int] = {}
    for county, pd, sure, amount in itertools.product(
        "ABC", points["pd"], points["confidence"], points["amount"]
    ):
        hit = [
            i for i, row in enumerate(rows)
            if not blank[i] and (not row["county"] or county in row["county"].split("|"))
            and holds(row, "pd", pd) and holds(row, "confidence", sure)
            and holds(row, "amount", amount)
        ]  # fmt: skip
        hit = hit or [i for i in range(len(rows)) if blank[i]]
        if len(hit) != 1:
            return False
        chosen[county, pd, sure, amount] = hit[0]
    if set(chosen.values()) != set(range(len(rows))):
        return False
    margin = {at: Decimal(rows[row]["margin"] or "0") for at, row in chosen.items()}
    return all(
        margin[county, pd, sure, amount] >= margin[county, less, more, amount]
        for county, pd, sure, amount in chosen
        for less in points["pd"] if less <= pd
        for more in points["confidence"] if more >= sure
    )  # fmt: skip


def _refused(name: str) -> bool:
    try:
        rule_tables(policy(name))
    except UserError:
        return True
    return False


def test_a_table_is_refused_if_and_only_if_a_look_at_every_case_finds_a_fault(
    tmp_path: Path,
) -> None:
    rng = random.Random(15)
    fit = 0
    for number in range(400):
        rows = _drawn(rng)
        ends = [
            row for row in rows for name in ("pd", "confidence", "amount")
            if row[f"{name}_to"] and Decimal(row[f"{name}_to"]) <= Decimal(row[f"{name}_from"] or 0)
        ]  # fmt: skip
        name = written(tmp_path, f"t{number}.csv", rows)
        refused = bool(ends) or not _fits(rows)
        assert _refused(name) is refused, rows
        fit += not refused
    assert 50 <= fit <= 350  # both answers are met often


def test_the_policy_that_is_shipped_has_no_table() -> None:
    assert rule_tables(PolicySettings()) == ()
