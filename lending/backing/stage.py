"""What stands behind the lines of a county, written as tables beside its relations.

Owns reading the three tables of the lender and writing what counts of them on the day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fieldline.lending.backing.contracts import read_contracts
from fieldline.lending.backing.covers import read_covers
from fieldline.lending.backing.inputs import CONTRACTS, GUARANTORS, PREAPPROVED
from fieldline.lending.backing.preapproved import read_preapproved
from fieldline.lending.backing.schemas import CONTRACTED, COVERS, LISTED
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table, write_table


@dataclass(frozen=True)
class Tables:
    """The lender's tables; None where it has none."""

    contracts: Path | None
    guarantors: Path | None
    preapproved: Path | None


@dataclass(frozen=True)
class Written:
    """Where what counts of them goes."""

    contracts: Path
    covers: Path
    preapproved: Path


@dataclass(frozen=True)
class Around:
    """The county and day for which they are read."""

    county: str
    currency: str
    as_of: dt.date
    signed_by: dt.date
    """Last day on which an offer of the day may be signed."""
    line_end: dt.date
    """Last day of a line of the day."""
    privacy: PrivacySettings
    columns: Mapping[str, Mapping[str, str]]
    """The lender's own column names by table."""

    def reading(self, table: str) -> Reading:
        """Return how a table is read."""
        return Reading(self.currency, self.columns.get(table, {}), "inputs")


def write_backing(
    tables: Tables, contacts: pd.DataFrame, harvests: Path, evidence: pd.DataFrame,
    around: Around, out: Written,
) -> None:  # fmt: skip
    """Write contracts.parquet, covers.parquet and preapproved.parquet.

    Args:
        tables: The lender's tables.
        contacts: CONTACTS rows: the marks of the farmers' identity numbers.
        harvests: harvests.parquet, read only where there are contracts.
        evidence: EVIDENCE rows.
        around: County and day.
        out: Where they go.

    Raises:
        UserError: A table cannot be read, or lacks a column.
    """
    grown = pd.DataFrame() if tables.contracts is None else read_table(harvests)
    sold = read_contracts(
        tables.contracts, grown, evidence, as_of=around.as_of, line_end=around.line_end,
        privacy=around.privacy, reading=around.reading(CONTRACTS.name),
    )  # fmt: skip
    write_table(sold, CONTRACTED, out.contracts)
    covers = read_covers(
        tables.guarantors, around.county, as_of=around.as_of, signed_by=around.signed_by,
        reading=around.reading(GUARANTORS.name),
    )  # fmt: skip
    write_table(covers, COVERS, out.covers)
    known = read_preapproved(
        tables.preapproved, contacts, as_of=around.as_of, privacy=around.privacy,
        reading=around.reading(PREAPPROVED.name),
    )  # fmt: skip
    write_table(known, LISTED, out.preapproved)
