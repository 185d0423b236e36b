"""Codes of lines after posting as data: outcomes of a line and early warnings, in two languages.

Owns the loader of `data/portfolio_codes.csv` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from fieldline.pipeline.records.reference import table_rows


@dataclass(frozen=True)
class PortfolioCode:
    """One row of `data/portfolio_codes.csv`; the texts of warnings hold `{value}` and `{level}`."""

    code: str
    kind: Literal["line", "warning"]
    english: str
    chinese: str
    remedy: str


@cache
def portfolio_codes() -> dict[str, PortfolioCode]:
    """Return the codes by name."""
    return {row["code"]: PortfolioCode(**row) for row in table_rows("portfolio_codes.csv")}  # type: ignore[arg-type]


@dataclass(frozen=True)
class LineOutcome:
    """What could not be told of a line."""

    offer_id: str
    code: str
    detail: str = ""
