"""Applied: parcels of farmers who applied one by one, laid over those of a county's own files.

Owns the rule by which both become one table: what an applicant brings replaces rows of the same
name and stands beside all others. The folder of an applicant holds tables as intake writes them,
people by their pseudonyms.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd

from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.records.tables import read_table

ERASED = "farmer_erased"
_ROW = ["stage", "parcel_id", "farmer_id"]
"""What an outcome is about."""


@dataclass(frozen=True)
class Applied:
    """What intake once said of one applicant's outlines."""

    parcels: gpd.GeoDataFrame
    farmers: pd.DataFrame
    outcomes: pd.DataFrame

    @classmethod
    def of(cls, parcels: Path) -> Applied:
        """Read it.

        Args:
            parcels: `parcels.parquet` of the applicant's folder.

        Raises:
            UserError: A table is damaged.
        """
        folder = parcels.parent
        return cls(
            read_parcels(parcels), read_table(folder / "farmers.parquet"),
            read_table(folder / "outcomes/intake.parquet"),
        )  # fmt: skip

    def without(self, erased: Collection[str]) -> Applied:
        """Return it with nothing left of farmers who asked to be forgotten but that they did."""
        told = self.outcomes.copy()
        told.loc[told["farmer_id"].isin(erased), ["outcome", "detail"]] = [ERASED, ""]
        return Applied(
            self.parcels[~self.parcels["farmer_id"].isin(erased)],
            self.farmers[~self.farmers["farmer_id"].isin(erased)], told,
        )  # fmt: skip


def parcels_with(base: gpd.GeoDataFrame, over: Sequence[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Return parcels of both; the later of two parcels of one name stands."""
    joined = pd.concat([base, *over], ignore_index=True).drop_duplicates("parcel_id", keep="last")
    return gpd.GeoDataFrame(joined, geometry="geometry", crs=base.crs)


def farmers_with(base: pd.DataFrame, over: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return farmers of both: what a farmer declares here is added to what is known."""
    if not over:
        return base
    groups = pd.concat([base, *over], ignore_index=True).groupby("farmer_id", sort=True)
    known = groups[["parcels_declared", "parcels_accepted"]].sum().reset_index()
    known["refusals"] = [[code for codes in own["refusals"] for code in codes] for _, own in groups]
    return known


def outcomes_with(base: pd.DataFrame, over: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return a stage's outcomes of both; an applicant's row replaces that of the same parcel."""
    if not over:
        return base
    fresh = pd.concat(over, ignore_index=True)
    # What an applicant's run says of scenes is known of the county's: those rows name no farmer.
    fresh = fresh[fresh["farmer_id"] != ""].drop_duplicates(_ROW, keep="last")
    known = pd.MultiIndex.from_frame(base[_ROW])
    stands = base[~known.isin(pd.MultiIndex.from_frame(fresh[_ROW]))]
    return pd.concat([stands, fresh], ignore_index=True)


def of_new_land(known: Collection[str], applied: Sequence[Applied]) -> list[pd.DataFrame]:
    """Return the farmers' tables of applicants whose parcels are not all known."""
    names = set(known)
    return [one.farmers for one in applied if not names.issuperset(one.parcels["parcel_id"])]
