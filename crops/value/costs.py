"""Cash costs of growing a crop, by region: a table of `data/` or the lender's own.

Owns reading the table and the refusal of a region whose costs are in another currency: a cost is
never converted and never taken from a neighbour. What costs are for belongs to the yield stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fieldline.crops.settings import YieldSettings
from fieldline.pipeline.inputs.names import folded
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import Money, currency_of
from fieldline.pipeline.records.reference import TableRow, checked_rows

_COLUMNS = ("crop", "region", "cash_cost_per_ha", "currency")
SIMULATED = "simulated"
"""Basis of costs that no farmer ever paid."""
ASSUMED = (SIMULATED, "assumption")
SIMULATED_REGION = "sim"
"""Region of the simulator's own costs and calendar."""
"""Bases of costs that a lender replaces before lending."""


@dataclass(frozen=True)
class CropCost:
    """What growing a crop costs."""

    per_ha: Money
    basis: str
    """What the figure rests on; empty where an own table does not say."""


def of_county(
    settings: YieldSettings, names: Sequence[str], currency: str, *, simulated: bool
) -> YieldSettings:
    """Return the settings with the region whose costs hold in a county.

    The county's own rows come before the region that is set, and only a simulated county falls
    back on the simulator's.

    Args:
        settings: Cost file and region.
        names: What the county may be called in the file.
        currency: Currency that it reckons in.
        simulated: Whether the county is simulated.

    Raises:
        UserError: The cost file cannot be read.
    """
    rows = checked_rows(settings.cost_file, _COLUMNS)
    regions = {row.text("region") for row in rows if row.text("currency") == currency}
    by_fold = {folded(region): region for region in sorted(regions)}
    own = next((by_fold[folded(n)] for n in names if n and folded(n) in by_fold), None)
    fallen_back = SIMULATED_REGION if simulated else None
    return settings.model_copy(update={"cost_region": own or settings.cost_region or fallen_back})


def cash_costs(table: str, region: str | None, currency: str) -> dict[str, CropCost]:
    """Return the cash costs of a region by crop.

    Args:
        table: Name in `data/`, or the path of an own table.
        region: Region of the table; None where no cost is known.
        currency: Currency that the county reckons in.

    Raises:
        UserError: The table has no such region, states its costs in another currency or twice, or
            holds a value that is no cost.
    """
    if region is None:
        return {}
    rows = checked_rows(table, _COLUMNS)
    here = [row for row in rows if row.text("region") == region]
    if not here:
        known = ", ".join(sorted({row.text("region") for row in rows}))
        raise UserError(
            f"{table} has no costs of region {region!r}",
            f"set crops.yields.cost_region to one of {known}, or add the region's rows",
        )
    found: dict[str, CropCost] = {}
    for row in here:
        _one_currency(row, currency)
        if row.text("crop") in found:
            raise row.wrong("crop", f"keep one row of it in region {region}")
        found[row.text("crop")] = CropCost(_per_ha(row), (row.cells.get("basis") or "").strip())
    return found


def _one_currency(row: TableRow, currency: str) -> None:
    stated = currency_of(row)
    if stated != currency:
        raise UserError(
            f"the county reckons in {currency} and region {row.text('region')!r} of {row.table} "
            f"states its costs in {stated}",
            f"add rows in {currency} to a table of your own, name it in crops.yields.cost_file and "
            "its region in crops.yields.cost_region, or leave cost_region empty (no crop has then "
            "a net income); no exchange rate is assumed",
        )


def _per_ha(row: TableRow) -> Money:
    amount = row.decimal("cash_cost_per_ha")
    if amount < 0:
        raise row.wrong("cash_cost_per_ha", "write a cost of 0 or more")
    return Money.of(amount, row.text("currency"))
