"""Results of one county with two parcels and three dates, small enough to be worked out by hand."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import box

from fieldline.crops.schemas import CROPS, GROWTH
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import trace_of
from fieldline.lending.schemas import DECISIONS
from fieldline.pipeline.imagery.schemas import OBSERVATIONS, band_columns
from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.pipeline.records.tables import BatchWriter, write_table
from tests.lending.conftest import case as case

DATES = pd.to_datetime(["2024-05-01 03:00", "2024-05-06 03:00", "2024-05-11 03:00"], utc=True)
#: Red and near infrared by date; NDVI of `a`: 0.6, then mostly cloud, then nothing seen.
SEEN = {"a": ([0.1, 0.2, None], [0.4, 0.3, None]), "b": ([0.1, 0.1, 0.1], [0.1, 0.3, 0.9])}
VALID = {"a": [1.0, 0.4, 0.0], "b": [1.0, 1.0, 0.5]}


@pytest.fixture
def results(tmp_path: Path, case: Case) -> Path:
    """Season 2024 of county C1, decided; season 2023 with parcels alone."""
    folder = tmp_path / "results" / "2024" / "C1"
    folder.mkdir(parents=True)
    write_parcels(folder, "2024")
    write_observations(folder / "observations.parquet")
    write_table(growth(), GROWTH, folder / "growth.parquet")
    write_table(crops(), CROPS, folder / "crops.parquet")
    write_table(decisions(case), DECISIONS, folder / "decisions.parquet")
    refused = Outcome("intake", "c", "F2", "empty_geometry", "row=3")
    stopped = Outcome("grow", "b", "F2", "too_few_dates", "clear_dates=3 needed=5")
    write_outcomes([Outcome("intake", "a", "F1"), refused], folder / "outcomes" / "intake.parquet")
    write_outcomes([Outcome("grow", "a", ""), stopped], folder / "outcomes" / "grow.parquet")
    write_outcomes([Outcome("intake", "a", "F1"), refused, stopped], folder / "outcomes.parquet")
    earlier = tmp_path / "results" / "2023" / "C1"
    earlier.mkdir(parents=True)
    write_parcels(earlier, "2023")
    return tmp_path / "results"


def write_parcels(folder: Path, season: str) -> None:
    row = {"village": "V", "declared_crop": "maize", "declared_area_m2": 9_000.0, "repair": ""}
    rows = [
        {"id": i, "parcel_id": i, "collection": f"C1_{season}", "farmer_id": f, "metrics:area": 9e3}
        | row
        for i, f in (("a", "F1"), ("b", "F2"))
    ]
    squares = [box(115, 33, 115.001, 33.001), box(115.002, 33, 115.003, 33.001)]
    frame = gpd.GeoDataFrame(rows, geometry=squares, crs="EPSG:4326")
    frame.to_parquet(folder / "parcels.parquet", write_covering_bbox=True)


def write_observations(path: Path) -> None:
    """Write one row group per parcel."""
    with BatchWriter(OBSERVATIONS.with_columns(band_columns(("B04", "B08"))), path) as writer:
        for parcel_id, (red, infrared) in SEEN.items():
            constant = {"parcel_id": parcel_id, "scene_id": "S", "baseline": "05.10"}
            series = {
                "datetime": DATES,
                "valid_fraction": VALID[parcel_id],
                "B04_mean": pd.Series(red, dtype=float),
                "B08_mean": pd.Series(infrared, dtype=float),
            }
            spread = {
                "B04_std": 0.0,
                "B08_std": 0.0,
                "offset": -0.1,
                "effective_pixels": 90.0,
                "snow_fraction": 0.0,
            }
            writer.write(pd.DataFrame(series).assign(**constant, **spread))


def growth() -> pd.DataFrame:
    """Parcel `a` alone: the grow stage stopped `b`."""
    row: dict[str, Any] = dict.fromkeys(GROWTH.names)
    row |= {"parcel_id": "a", "clear_dates": 6, "cycles": 1, "pos": dt.date(2024, 5, 11)}
    row |= {"curve_start": dt.date(2024, 5, 1), "curve_step_days": 5, "curve": [0.25, 0.5, 0.75]}
    row |= {name: [] for name in GROWTH.names if name.startswith("cycle_")}
    return pd.DataFrame([row])


def crops() -> pd.DataFrame:
    """Maize on `a`; the model cannot tell `b`."""
    same = {"surveyed": False, "model": "m", "reason": ""}
    told = {"parcel_id": "a", "crop": "maize", "probability": 0.9, "cannot_tell": False}
    untold = {"parcel_id": "b", "crop": None, "probability": None, "cannot_tell": True}
    sets = ({"prediction_set": ["maize"]}, {"prediction_set": []})
    return pd.DataFrame([told | same | sets[0], untold | same | sets[1]])


def decisions(case: Case) -> pd.DataFrame:
    """The case of farmer F1, approved, with caps in fen that are no round numbers."""
    decision = decide_case(case)
    trace = trace_of(case, decision)
    row: dict[str, Any] = {name: json.loads(trace)["result"].get(name) for name in DECISIONS.names}
    row |= {"farmer_id": "F1", "household_id": "H1", "pd": 0.04, "pd_challenger": 0.05}
    row |= {"annual_rate": decision.annual_rate, "rate_ceiling": case.ceiling.rate}
    row |= {"limit_minor": 1_230_050, "limit_need_minor": None, "limit_capacity_minor": 1}
    row |= {"reason_codes": ["cap_need"], "reasons": ["Need."], "reasons_zh": ["需求。"]}
    row |= {"outcomes": [], "pd_model": "pd:test", "policy": "p", "as_of": case.as_of}
    return pd.DataFrame([row | {"currency": "CNY", "trace": trace}])
