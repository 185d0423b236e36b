"""Backed: what stands behind a line besides land and harvest, as the case holds it.

Owns the three records and how a county's tables become them; what each does to a line is
`contracts`, `covers` and `preapproved` beside it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from fieldline.lending.decision.record import Record
from fieldline.pipeline.records.tables import read_table


class ContractCase(Record):
    """A purchase contract of the farmer."""

    contract_id: str
    buyer: str
    crop: str
    value_minor: int
    """What the buyer pays by the contract."""
    counted_minor: int
    """What of it counts."""
    outcome: str
    """`ok`, or why it counts for less or nothing."""
    valid_to: dt.date
    assigned: bool = True
    """Whether the claim on the buyer is assigned to the lender."""


class PreapprovedCase(Record):
    """An entry of the lender's pre-approved list about the farmer, in force on the as-of date."""

    amount_minor: int
    """Up to which the size of the line needs no person."""
    source: str
    valid_to: dt.date


class CoverCase(Record):
    """A guarantee company or risk pool that covers the farmer's line."""

    guarantor_id: str
    name: str
    share: Decimal
    """Share of a loss that it bears while its capacity lasts."""
    fee: Decimal
    """Yearly fee as a share of what it covers."""
    left_minor: int
    """What it could still take on when the farmer's turn came."""
    capacity_minor: int
    """What it could take on before the county's first farmer."""
    stated_on: dt.date
    """Day of that figure: it is net of the lines offered before, and those of the day itself and
    later are taken off it."""
    valid_to: dt.date | None
    """Last day on which a covered line may be signed; None without end."""
    elsewhere_minor: int = 0
    """What lines elsewhere have taken of it since."""
    returned_minor: int = 0
    """What lines that the figure is net of have given back since, as far as this line can use it:
    the posting at hand, or a later one, put others in their place."""

    @property
    def open_minor(self) -> int:
        """What it can take on for this farmer."""
        return max(0, self.left_minor + self.returned_minor - self.elsewhere_minor)


def read_contracted(table: Path | None) -> dict[str, tuple[ContractCase, ...]]:
    """Return the purchase contracts by farmer.

    Args:
        table: contracts.parquet; None where the lender has none.
    """
    found: dict[str, list[ContractCase]] = defaultdict(list)
    for row in [] if table is None else read_table(table).to_dict("records"):
        taken = {name: row[name] for name in ContractCase.model_fields}
        found[str(row["farmer_id"])].append(ContractCase(**taken))
    return {farmer: tuple(rows) for farmer, rows in found.items()}


def read_preapproved(table: Path | None) -> dict[str, PreapprovedCase]:
    """Return the entries of the pre-approved list by farmer.

    Args:
        table: preapproved.parquet; None where the lender keeps no list.
    """
    rows = [] if table is None else read_table(table).to_dict("records")
    return {
        str(row["farmer_id"]): PreapprovedCase(
            amount_minor=int(row["amount_minor"]), source=row["source"], valid_to=row["valid_to"]
        )
        for row in rows
    }
