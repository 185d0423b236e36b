"""Decisions of a posting are the rows of their table, whose traces wait where they lie."""

from __future__ import annotations

import pandas as pd
import pytest

from fieldline.lending.store.decided import Decided, decided


def table() -> pd.DataFrame:
    numbers = list(range(2300))
    return pd.DataFrame({
        "farmer_id": [f"F{number:05d}" for number in numbers], "amount": numbers,
        "reasons": [["a"] * (number % 3) for number in numbers],
        "trace": [f"trace of {number}, 种植户" for number in numbers],
    })  # fmt: skip


@pytest.mark.parametrize("seed", [None, 1], ids=["in order", "shuffled"])
def test_each_row_reads_its_own_trace(seed: int | None) -> None:
    wanted = table().to_dict("records")
    given = table() if seed is None else table().sample(frac=1, random_state=seed)
    found = list(decided(given))
    assert [{**row, "trace": row["trace"]} for row in found] == wanted
    assert all("trace" not in set(row) for row in found)


def test_a_row_made_again_reads_its_trace_and_has_no_other_column() -> None:
    row = Decided.of({"farmer_id": "F", "trace": "{}"})
    assert (dict(row), row["trace"]) == ({"farmer_id": "F"}, "{}")
    with pytest.raises(KeyError):
        row["limit"]
