"""Outcomes: what became of every row at every stage.

Each stage writes `outcomes/{stage}.parquet` with exactly one row per input row; no row ever
disappears. Codes, their effect and their remedy are data (`data/outcome_codes.csv`), so that a
reason reads the same in the log, the report and the offer.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa

from fieldline.pipeline.records.errors import SchemaError
from fieldline.pipeline.records.tables import Column, TableSchema, merge_tables, write_table

OK = "ok"

OUTCOMES = TableSchema(
    "outcomes",
    (
        Column("stage", pa.string(), "Stage of the chain that gave the outcome"),
        Column("parcel_id", pa.string(), "Parcel, or empty where the row is a farmer or a scene"),
        Column("farmer_id", pa.string(), "Farmer's pseudonym, or empty where unknown"),
        Column("outcome", pa.string(), "`ok` or a code of data/outcome_codes.csv"),
        Column("detail", pa.string(), "Numbers behind the code, `name=value` separated by spaces"),
    ),
    key=("stage", "parcel_id", "farmer_id"),
)


@dataclass(frozen=True)
class OutcomeCode:
    """One row of `data/outcome_codes.csv`."""

    code: str
    effect: Literal["continue", "stop"]
    """`continue`: the row goes on with the code noted; `stop`: later stages skip the row."""
    english: str
    chinese: str
    remedy: str


@cache
def outcome_codes() -> dict[str, OutcomeCode]:
    """Return the registered outcome codes by name."""
    with (files("fieldline") / "data" / "outcome_codes.csv").open(encoding="utf-8") as handle:
        return {row["code"]: OutcomeCode(**row) for row in csv.DictReader(handle)}  # type: ignore[arg-type]


@dataclass(frozen=True)
class Outcome:
    """The coded result of one stage for one row."""

    stage: str
    parcel_id: str
    farmer_id: str
    outcome: str = OK
    detail: str = ""

    @property
    def stops(self) -> bool:
        """Whether later stages must skip the row."""
        return self.outcome != OK and outcome_codes()[self.outcome].effect == "stop"


def detail(**numbers: object) -> str:
    """Format the numbers behind a code: `detail(valid=0.31)` gives `valid=0.31`."""
    shown = (
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in numbers.items()
    )
    return " ".join(shown)


def outcome_frame(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """Return outcomes as a frame and refuse unregistered codes.

    Raises:
        SchemaError: A code that is not registered.
    """
    rows = list(outcomes)
    _refuse_unregistered(row.outcome for row in rows)
    return pd.DataFrame([vars(row) for row in rows], columns=OUTCOMES.names).astype("str")


def write_outcome_columns(columns: Mapping[str, Sequence[str]], path: Path) -> None:
    """Write one stage's outcomes given column by column, for stages of very many rows.

    Raises:
        SchemaError: A code that is not registered, or two rows of one key.
    """
    frame = pd.DataFrame(columns)
    _refuse_unregistered(frame["outcome"].unique())
    write_table(frame, OUTCOMES, path)


def _refuse_unregistered(codes: Iterable[str]) -> None:
    for code in codes:
        if code != OK and code not in outcome_codes():
            raise SchemaError(f"outcome {code!r} is not in data/outcome_codes.csv")


def write_outcomes(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write one stage's outcomes, one row per (stage, parcel_id, farmer_id)."""
    write_table(outcome_frame(outcomes), OUTCOMES, path)


def merge_outcomes(parts: Sequence[Path], path: Path) -> Counter[tuple[str, str]]:
    """Join the stages' outcome files into `outcomes.parquet`; return counts by (stage, code)."""
    counts = merge_tables(parts, OUTCOMES, path).group_by(["stage", "outcome"]).aggregate(
        [([], "count_all")]
    )  # fmt: skip
    rows = counts.to_pylist()
    return Counter({(row["stage"], row["outcome"]): row["count_all"] for row in rows})
