"""Units beside numbers, whose column keeps them in another."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from fieldline.pipeline.inputs.stated import bare_numbers, stated_units


@pytest.mark.parametrize(
    ("cell", "header", "unit", "bare", "told"),
    [
        ("2.31元/公斤", "", None, "2.31", "元/公斤"), ("¥2.31", "", "公斤", "2.31", "¥/公斤"),
        ("2.31", "元/吨", "元/公斤", "2.31", "元/公斤"), ("2.31", "元/吨", None, "2.31", "元/吨"),
        ("-1.5e3 kg", "", None, "-1.5e3", "kg"), ("2.31", "", None, "2.31", None),
        ("¥2.31", "", "元/公斤", "2.31", "¥/公斤"), ("210 €", "EUR/dt", None, "210", "€/dt"),
        ("2.31 kg", "", "元/斤", "2.31", "kg"), ("9 bu", "", "$/t", "9", "bu"),
        ("$5", "", "US$ per bu", "5", "$/bu"),
        ("about 2", "", "kg", "2", "about/kg"), ("2-3", "", "kg", "2-3", "kg"),
    ],
)  # fmt: skip
def test_the_nearest_statement_counts_and_is_completed(
    cell: str, header: str, unit: str | None, bare: str, told: str | None
) -> None:
    cells = pa.array([cell, None])
    assert bare_numbers(cells).to_pylist() == [bare, None]
    assert stated_units(cells, header, pd.Series([unit, None], dtype=object))[0] == told
