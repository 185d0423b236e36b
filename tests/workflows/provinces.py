"""Provinces of small counties: input files of each, and artifacts as finished runs leave them."""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fieldline.workflows.stages import STAGES, made_for_later

SEASONS = ("2023", "2024")
"""Those of every county; the last one is decided."""
_ROWS = 500


def make_inputs(folder: Path, counties: int) -> Path:
    """Write the input files of so many counties, and the configuration; return it."""
    kept = folder / "once"
    kept.mkdir(parents=True)
    ids = [f"P{number}" for number in range(_ROWS)]
    registry = {
        "parcel_id": ids,
        "area_m2": 4000,
        "holder_id": ids,
        "crop": "maize",
        "recorded_on": "2020-01-01",
    }
    survey = {
        "parcel_id": ids[::10],
        "crop": "maize",
        "surveyed_on": "2023-07-01",
        "yield_t_ha": "",
    }
    days = pd.date_range("2022-10-01", "2024-09-30").strftime("%Y-%m-%d")
    weather = {"cell_id": "W", "date": days, "tmin_c": 5, "tmax_c": 15, "precip_mm": 1}
    tables: dict[str, dict[str, Any]] = {
        **{f"registry_{season}.csv": registry for season in SEASONS},
        **{f"survey_{season}.csv": survey for season in SEASONS},
        "weather.csv": weather, "weather_cells.csv": {"cell_id": ["W"], "lon": 115, "lat": 34},
    }  # fmt: skip
    for name, columns in tables.items():
        pd.DataFrame(columns).to_csv(kept / name, index=False)
    for name in ("catalog.json", "boundary.geojson", *(f"parcels_{s}.geojson" for s in SEASONS)):
        (kept / name).write_text("{}", encoding="utf-8")
    inputs = {
        "parcels": "in/{county}/parcels_{season}.geojson", "catalog": "in/{county}/catalog.json",
        "boundary": "in/{county}/boundary.geojson", "weather": "in/{county}/weather.csv",
        "weather_cells": "in/{county}/weather_cells.csv",
        "registry": "in/{county}/registry_{season}.csv",
        "survey": "in/{county}/survey_{season}.csv",
    }  # fmt: skip
    names = [f"C{number:04d}" for number in range(counties)]
    for name in names:
        own = folder / "in" / name
        own.mkdir(parents=True)
        for file in kept.iterdir():
            os.link(file, own / file.name)
    seasons = {
        name: {"start": f"{int(name) - 1}-10-01", "end": f"{name}-09-30", "as_of": f"{name}-09-30"}
        for name in SEASONS
    }
    one = {"inputs": inputs, "seasons": seasons}
    county = {name: {"title": name, **deepcopy(one)} for name in names}  # or YAML has one for all
    document = {"counties": names, "seasons": [SEASONS[-1]], "results": "results", "county": county}
    config = folder / "province.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


def finish(folder: Path, counties: int) -> None:
    """Write artifacts of every county in the order of its stages: of few bytes, but for the tables
    that the end of a run reads."""
    kept = folder / "made"
    kept.mkdir()
    outcomes = {"stage": ["intake"], "outcome": ["ok"], "parcel_id": ["P0"], "farmer_id": ["F0"]}
    tables = {
        "outcomes.parquet": outcomes,
        "profiles.parquet": {"level": ["farmer"], "parcels_valued": [1]},
        "inputs.parquet": {name: [] for name in ("input", "file", "rows", "refused", "unmatched")},
        "decisions.parquet": {"pd": [0.01]},
    }  # fmt: skip
    for name, columns in tables.items():
        pd.DataFrame(columns).to_parquet(kept / name)
    made = dict.fromkeys(SEASONS[:-1], made_for_later()) | {SEASONS[-1]: STAGES}
    for number in range(counties):
        for season, stages in made.items():
            place = folder / "results" / season / f"C{number:04d}"
            for name in (n for stage in stages for n in (*stage.makes.values(), stage.outcomes)):
                path = place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                known = kept / name
                path.write_bytes(known.read_bytes() if known.exists() else b".")


def touching(folder: Path) -> Path:
    """Write a profile by which the engine marks artifacts as up to date instead of making them."""
    profile = folder / "touch"
    profile.mkdir()
    (profile / "config.yaml").write_text("executor: touch\ncores: 1\n", encoding="utf-8")
    return profile


def change(path: Path) -> None:
    """Change an input of one county, which is one file with that of all others until then."""
    text = path.read_text(encoding="utf-8")
    path.unlink()
    path.write_text(text + "\n", encoding="utf-8")
