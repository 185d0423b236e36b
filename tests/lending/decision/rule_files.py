"""Decision tables as a lender writes them, and the same reckoned by hand for one case."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.reference import crops

TODAY = dt.date(2024, 9, 30)
"""As-of date of the cases."""


def written(folder: Path, name: str, rows: Iterable[Mapping[str, object]]) -> str:
    """Write a table with the columns that its rows use; return its path."""
    rows = [{"valid_from": "2024-01-01", "valid_to": "", **row} for row in rows]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as handle:
        sheet = csv.DictWriter(handle, columns)
        sheet.writeheader()
        sheet.writerows(rows)
    return str(path)


def policy(*tables: str, **more: object) -> PolicySettings:
    """Return the default policy with decision tables."""
    return PolicySettings.model_validate({"rule_tables": tables, **more})


def by_hand(
    rows: list[dict[str, str]], *, county: str, crop: str, amount: Decimal | None,
    pd: Decimal, confidence: Decimal, day: dt.date,
) -> int | None:  # fmt: skip
    """Return the number of the row that fires, read from the table's own cells; None for none."""
    hit, rest = [], []
    for number, row in enumerate(rows, start=1):
        if row["valid_from"] > str(day) or (row["valid_to"] or "9999") < str(day):
            continue
        asked = [
            not row[name] or value in row[name].split("|")
            for name, value in (
                ("county", county), ("crop", crop),
                ("crop_group", crops()[crop].group if crop else "none at all"),
            )
        ]  # fmt: skip
        for name, value in (("amount", amount), ("pd", pd), ("confidence", confidence)):
            low, high = row[f"{name}_from"], row[f"{name}_to"]
            number_is = float("inf") if value is None else float(value)
            asked += [not low or number_is >= float(low), not high or number_is < float(high)]
        conditions = [n for n in row if n.endswith(("_from", "_to")) and n[:5] != "valid"]
        blank = not any(row[name] for name in (*conditions, "county", "crop", "crop_group"))
        (rest if blank else hit if all(asked) else []).append(number)
    found = hit or rest
    assert len(found) <= 1
    return found[0] if found else None
