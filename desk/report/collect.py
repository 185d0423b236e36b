"""Gathers what the county report shows from the artifacts of one county and season.

Reads tables and model cards, never rasters; every figure on the page is computed here from stored
artifacts, so that the report can be rebuilt from them at any time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fieldline.crops.series import band_names, ndvi, near_infrared
from fieldline.pipeline.records.tables import read_table
from fieldline.pipeline.records.units import M2_PER_MU

SIZE_BANDS = {"under 1 mu": 1.0, "1 to 3 mu": 3.0, "3 to 10 mu": 10.0, "over 10 mu": float("inf")}
CARDS = ("crop_classifier", "yield", "pd")
_OF_GROWTH = ["parcel_id", "curve_start", "curve_step_days", "curve"]
_OF_DECISIONS = [
    "farmer_id", "access", "limit_minor", "currency", "annual_rate", "reason_codes", "reasons",
    "reasons_zh",
]  # fmt: skip
_OF_INDICATORS = ["family", "indicator", "value", "unit"]
"""What the page shows: a decision's trace is twelve times all of it."""


@dataclass(frozen=True)
class ReportData:
    """Artifacts of one county and season, joined by parcel and by farmer."""

    parcels: gpd.GeoDataFrame
    """One row per accepted parcel, EPSG:4326, with crop, area, yield and decision columns."""
    growth: pd.DataFrame
    """Curves alone."""
    decisions: pd.DataFrame
    """What was answered, without how."""
    farmers: pd.DataFrame
    outcomes: pd.DataFrame
    scenes: pd.DataFrame
    cards: dict[str, dict[str, Any]]
    fairness: dict[str, Any]
    """fairness.json."""
    indicators: pd.DataFrame
    currency: str


def collect(folder: Path, outcomes: Path) -> ReportData:
    """Read the artifacts of one county and season.

    Args:
        folder: `results/{season}/{county}`.
        outcomes: The joined outcomes table.
    """
    decisions = read_table(folder / "decisions.parquet", _OF_DECISIONS)
    return ReportData(
        parcels=_parcels(folder, decisions),
        growth=read_table(folder / "growth.parquet", _OF_GROWTH),
        decisions=decisions,
        farmers=read_table(folder / "farmers.parquet"),
        outcomes=read_table(outcomes, ["stage", "outcome"]),
        scenes=_scenes(folder / "scenes.parquet"),
        cards={name: _card(folder / "models" / f"{name}.json") for name in CARDS},
        fairness=dict(json.loads((folder / "fairness.json").read_text(encoding="utf-8"))),
        indicators=read_table(folder / "indicators.parquet", _OF_INDICATORS),
        currency=str(decisions["currency"].iloc[0]) if len(decisions) else "",
    )


def size_band(area_m2: pd.Series) -> pd.Series:
    """Return the holding-size band of each area."""
    edges = [0.0, *SIZE_BANDS.values()]
    return pd.cut(area_m2 / M2_PER_MU, bins=edges, labels=list(SIZE_BANDS), right=False)


def sample_observations(folder: Path, parcel_ids: list[str]) -> pd.DataFrame:
    """Return the observations of a few parcels: datetime, valid fraction and NDVI."""
    path = folder / "observations.parquet"
    means = {name: f"{name}_mean" for name in ("B04", near_infrared(band_names(path)))}
    columns = ["parcel_id", "datetime", "valid_fraction", *means.values()]
    # A plain list of none has no type, and a table cannot be held against it.
    chosen = pc.field("parcel_id").isin(pa.array(parcel_ids, pa.string()))
    frame = pd.DataFrame(pq.read_table(path, columns=columns, filters=chosen).to_pandas())
    bands = {name: frame[mean].to_numpy("float64") for name, mean in means.items()}
    return frame.drop(columns=list(means.values())).assign(ndvi=ndvi(bands))


def _parcels(folder: Path, decisions: pd.DataFrame) -> gpd.GeoDataFrame:
    parcels = gpd.read_parquet(folder / "parcels.parquet")
    tables = {
        "crops": ["parcel_id", "crop", "probability", "cannot_tell"],
        "fields": ["parcel_id", "seen_area_m2"],
        "yields": ["parcel_id", "yield_q10_t_ha", "yield_q50_t_ha", "yield_q90_t_ha", "prior_t_ha"],
        "evidence": ["parcel_id", "evidence_area_m2", "effect", "codes"],
    }
    for name, columns in tables.items():
        table = read_table(folder / f"{name}.parquet", columns)
        parcels = parcels.merge(table, on="parcel_id", how="left")
    return parcels.merge(decisions[["farmer_id", "access"]], on="farmer_id", how="left")


def _scenes(path: Path) -> pd.DataFrame:
    names = set(pq.read_schema(path).names)
    wanted = ["id", "datetime", "eo:cloud_cover", "s2:processing_baseline"]
    return read_table(path, [name for name in wanted if name in names])


def _card(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
