"""Folders: what the run of a county and season keeps of its farmers' land, means and guarantors.

Owns the reading of artifacts for lines after posting, and nothing that is reckoned of them. A
folder that an older version wrote says so: nothing is guessed in its place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from fieldline.lending.profile.income import ParcelValue
from fieldline.lending.profile.worth import DRAWN, drawn_values
from fieldline.pipeline.records.tables import read_table


@dataclass(frozen=True)
class RunFolder:
    """What a run keeps that lines are told by."""

    as_of: dt.date | None = None
    """Knowledge date; None where nothing was decided."""
    cells: Mapping[str, str] = field(default_factory=dict)
    """Weather cell by parcel."""
    guarantors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Who guarantees, by farmer."""
    parcels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Parcels by farmer."""
    values: Mapping[str, list[ParcelValue]] | None = None
    """By parcel what its income was drawn of; None where the run did not keep it."""
    profiles: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Farmer rows of PROFILES by farmer; empty where there are none."""
    cut: Mapping[str, dt.date] = field(default_factory=dict)
    """Day on which this season's crop was cut, by parcel, where that is seen."""
    ahead: frozenset[str] = frozenset()
    """Parcels that a harvest of next season repays."""

    def values_of(self, farmer: str) -> tuple[ParcelValue, ...]:
        """Return what a farmer's income was drawn of; nothing where it is not kept."""
        kept = self.values or {}
        return tuple(value for name in self.parcels.get(farmer, ()) for value in kept.get(name, ()))


def read_folder(folder: Path) -> RunFolder | None:
    """Return what a run keeps; None where the folder holds no run that valued anything."""
    if not (folder / "harvests.parquet").exists() or not (folder / "evidence.parquet").exists():
        return None
    owned = read_table(folder / "evidence.parquet", ["parcel_id", "farmer_id"])
    parcels = {str(f): tuple(p) for f, p in owned.groupby("farmer_id")["parcel_id"]}
    harvests = read_table(folder / "harvests.parquet")
    cells = _mapping(folder / "weather_cells.parquet", "parcel_id", "cell_id")
    # Two counties may call different cells by one name.
    cells = {parcel: f"{folder.name}/{cell}" for parcel, cell in cells.items()}
    kept = set(DRAWN) <= set(harvests.columns)
    profiles = _farmers(folder / "profiles.parquet")
    told = "guarantors" in profiles
    return RunFolder(
        _as_of(folder / "decisions.parquet"), cells,
        {str(f): tuple(g) for f, g in profiles["guarantors"].items()} if told else {},
        parcels, drawn_values(harvests, cells) if kept else None, profiles,
        _cut(folder / "growth.parquet"),
        frozenset(harvests.loc[harvests["harvest"] == "next", "parcel_id"].astype(str)),
    )  # fmt: skip


def _as_of(path: Path) -> dt.date | None:
    if not path.exists():
        return None
    days = read_table(path, ["as_of"])["as_of"]
    return max(days) if len(days) else None


def _farmers(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame()
    table = read_table(path)
    return table[table["level"] == "farmer"].set_index("party_id")


def _cut(path: Path) -> dict[str, dt.date]:
    found = _mapping(path, "parcel_id", "harvest_date")
    return {parcel: pd.Timestamp(day).date() for parcel, day in found.items() if pd.notna(day)}


def _mapping(path: Path, key: str, value: str) -> dict[str, Any]:
    if not path.exists() or not {key, value} <= set(pq.read_schema(path).names):
        return {}
    table = read_table(path, [key, value])
    return {str(k): v for k, v in zip(table[key], table[value], strict=True)}
