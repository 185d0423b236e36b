"""What a reader of a table could reckon, tried out by counting every table that fits it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import pytest

from fieldline.lending.suppression import hidden_groups, part_may_be_told

LEAST = 4


def fitting(
    counts: dict[str, int], hidden: Iterable[str], part: Iterable[str] | None
) -> dict[str, set[int]]:
    """Return the counts that each hidden group may have by the total, the groups shown and, where
    it is told, the sum over a part: every whole-numbered table is tried."""
    names, part = sorted(hidden), set(part or ())
    total = sum(counts[name] for name in names)
    inside = sum(counts[name] for name in names if name in part)
    may: dict[str, set[int]] = {name: set() for name in names}
    for tried in itertools.product(range(1, total + 1), repeat=len(names)):
        table = dict(zip(names, tried, strict=True))
        told = sum(table[name] for name in names if name in part)
        if sum(tried) == total and (not part or told == inside):
            for name, count in table.items():
                may[name].add(count)
    return may


def tables(number: int) -> list[dict[str, int]]:
    draw = random.Random(7)
    return [{name: draw.choice([0, 1, 2, 3, 4, 5, 9]) for name in "abcd"} for _ in range(number)]


def test_no_group_below_the_least_can_be_reckoned_from_total_and_shown_groups() -> None:
    found = 0
    for counts in tables(200):
        hidden = hidden_groups(counts, LEAST)
        small = {name for name, count in counts.items() if 0 < count < LEAST}
        assert small <= hidden
        if sum(counts.values()) >= LEAST and any(n >= LEAST for n in counts.values()) and small:
            assert sum(counts[name] for name in hidden) >= LEAST, counts
            may = fitting(counts, hidden, None)
            assert all(len(may[name]) > 1 for name in small), counts
            found += 1
    assert found > 50


def test_a_part_is_told_only_where_it_gives_no_small_group_away() -> None:
    told = kept = 0
    for counts in tables(200):
        hidden = hidden_groups(counts, LEAST)
        small = {name for name, count in counts.items() if 0 < count < LEAST}
        if not part_may_be_told(counts, "ab", hidden, LEAST):
            kept += 1
            continue
        told += 1
        may = fitting(counts, hidden, "ab")
        assert all(len(may[name]) > 1 for name in small), counts
        for side in ("ab", "cd"):
            assert sum(counts[name] for name in side) == 0 or sum(counts[n] for n in side) >= LEAST
    assert told > 20
    assert kept > 20


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({"a": 12, "b": 30, "c": 11}, ""),
        ({"a": 2, "b": 30, "c": 11}, "ac"),  # c joins, or a is the total less the others
        ({"a": 2, "b": 3, "c": 40, "d": 15}, "abd"),  # a and b are five people: still too few
        ({"a": 0, "b": 30}, ""),  # nobody is nobody's secret
        ({"a": 3}, "a"),
    ],
)
def test_hidden_groups_by_hand(counts: dict[str, int], hidden: str) -> None:
    assert hidden_groups(counts, 10) == set(hidden)
