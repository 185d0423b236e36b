"""Whose papers are whose."""

from __future__ import annotations

import pandas as pd

from fieldline.lending.documents.facts import _rows_by


def test_a_row_without_a_name_is_nobodys() -> None:
    frame = pd.DataFrame({"farmer_id": ["b", None, "a", "b", float("nan")], "row": range(5)})
    found = _rows_by(frame, "farmer_id")
    assert {name: [row["row"] for row in rows] for name, rows in found.items()} == {
        "a": [2], "b": [0, 3]
    }  # fmt: skip
