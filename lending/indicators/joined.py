"""Joined: the chain's tables as indicators read them, by parcel and by farmer.

Owns reading and joining; every column keeps the name of its table (`growth.anomaly`). What is
reckoned from them is each indicator's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

TABLES = (
    "parcels", "fields", "crops", "growth", "hazards", "yields", "history", "evidence", "harvests",
    "crop_values", "profiles", "relations",
)  # fmt: skip
"""Tables that an indicator may read."""
_AREA = "parcels.area"


@dataclass(frozen=True)
class Joined:
    """What is known of a county's parcels and farmers."""

    parcels: pd.DataFrame
    """By parcel_id: `farmer`, `parcels.area` (m2), `parcels.east`, `parcels.north` (m) and what the
    indicators read of the tables of parcels and, by the crop seen, of crop_values."""
    farmers: pd.DataFrame
    """By farmer pseudonym: what they read of `profiles`."""
    relations: pd.DataFrame
    """RELATIONS rows."""
    columns: frozenset[str]
    """Every `table.column` that is there."""

    def per_farmer(self, values: pd.Series[float]) -> pd.Series[float]:
        """Return the mean of a value over each farmer's parcels, by area; NaN where none is known.

        Args:
            values: By parcel.
        """
        area = self.parcels[_AREA].where(values.notna())
        owner = self.parcels["farmer"]
        total = (values * area).groupby(owner).sum(min_count=1)
        return (total / area.groupby(owner).sum(min_count=1)).reindex(self.farmers.index)

    def mean(self, column: str) -> pd.Series[float]:
        """Return the mean of a column over each farmer's parcels, by area."""
        return self.per_farmer(pd.to_numeric(self.parcels[column], errors="coerce").astype(float))

    def share(
        self, flags: pd.Series[bool], known: pd.Series[bool] | None = None
    ) -> pd.Series[float]:
        """Return the share of each farmer's land with a flag.

        Args:
            flags: By parcel.
            known: Where the flag is known; everywhere if left out.
        """
        values = flags.astype(float)
        return self.per_farmer(values if known is None else values.where(known))

    def worst(self, values: pd.Series[float]) -> pd.Series[float]:
        """Return the greatest value among each farmer's parcels."""
        return values.groupby(self.parcels["farmer"]).max().reindex(self.farmers.index)

    def money(self, column: str) -> pd.Series[float]:
        """Return a column of `profiles` as numbers by farmer."""
        return pd.to_numeric(self.farmers[f"profiles.{column}"], errors="coerce").astype(float)


def joined(paths: Mapping[str, Path], wanted: Iterable[str]) -> Joined:
    """Read what is wanted of the tables; a column that a table lacks is simply not there.

    Args:
        paths: File of each table of `TABLES`.
        wanted: Columns, `table.column`.
    """
    asked: dict[str, list[str]] = {}
    for one in sorted(set(wanted)):
        table, _, column = one.partition(".")
        asked.setdefault(table, []).append(column)
    there = {t: [c for c in asked.get(t, []) if c in pq.read_schema(paths[t]).names]
             for t in TABLES}  # fmt: skip
    parcels = _parcels(paths["parcels"], there["parcels"])
    for table in ("fields", "crops", "growth", "hazards", "yields", "history", "evidence"):
        parcels = parcels.join(_prefixed(paths[table], table, there[table], "parcel_id"))
    main = pd.read_parquet(paths["harvests"], columns=["parcel_id", "main", *there["harvests"]])
    main = main[main["main"]].drop(columns="main").set_index("parcel_id").add_prefix("harvests.")
    parcels = parcels.join(main)
    seen = pd.read_parquet(paths["crops"], columns=["parcel_id", "crop"]).set_index("parcel_id")
    values = _prefixed(paths["crop_values"], "crop_values", there["crop_values"], "crop")
    crop = seen["crop"].reindex(parcels.index)
    parcels = parcels.join(values.reindex(crop.to_numpy()).set_axis(parcels.index))
    people = pd.read_parquet(paths["profiles"], filters=[("level", "=", "farmer")])
    farmers = people.set_index("party_id")[there["profiles"]].add_prefix("profiles.").sort_index()
    relations = pd.read_parquet(paths["relations"])
    columns = frozenset(f"{t}.{c}" for t, names in there.items() for c in names)
    measured = {"parcels.area", "parcels.east", "parcels.north"}
    return Joined(parcels, farmers, relations, columns | measured)


def _parcels(path: Path, columns: list[str]) -> pd.DataFrame:
    drawn = gpd.read_parquet(path).set_index("parcel_id")
    metric = drawn.to_crs(drawn.estimate_utm_crs()) if len(drawn) else drawn
    corners = metric.geometry.bounds if len(drawn) else pd.DataFrame(
        columns=["minx", "maxx", "miny", "maxy"], dtype=float
    )  # fmt: skip
    return pd.DataFrame({
        "farmer": drawn["farmer_id"].astype("str"),
        _AREA: drawn["metrics:area"].astype(np.float64),
        "parcels.east": (corners["minx"] + corners["maxx"]) / 2,
        "parcels.north": (corners["miny"] + corners["maxy"]) / 2,
        **{f"parcels.{name}": drawn[name] for name in columns if name != "geometry"},
    }).sort_index()  # fmt: skip


def _prefixed(path: Path, table: str, columns: list[str], key: str) -> pd.DataFrame:
    frame = pd.read_parquet(path, columns=list(dict.fromkeys([key, *columns])))
    frame = frame.set_index(key, drop=False)[columns]
    return frame.add_prefix(f"{table}.")
