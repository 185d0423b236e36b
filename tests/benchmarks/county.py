"""A large simulated county from outlines to offers: parcels per core-minute and memory per stage.

Runs the chain twice, the second time with twice the dates, and reads the job records that Snakemake
writes for every rule. Memory that grows with the dates is a defect; the ratio says so.
Run: `python -m tests.benchmarks.county --parcels 20000 --dates 18`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.stages import STAGE_NAMES
from tests.workflows.conftest import ROOT

COUNTY, SEASON = "SIM001", "2023"
OUT = Path("results/benchmarks/county.json")
PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "rasterio",
    "xgboost",
    "scikit-learn",
    "snakemake",
)


def run_county(parcels: int, dates: int, folder: Path, cores: int) -> dict[str, dict[str, float]]:
    """Run one county and return seconds, CPU seconds and peak memory by stage."""
    config = folder / f"county_{dates}.yaml"
    results = folder / f"results_{dates}"
    document: dict[str, Any] = {
        "seasons": [SEASON],
        "failure_threshold": 1.0,  # few dates leave cloudy parcels out: counted, not failed
        "results": str(results),
        "simulate": {"parcels": parcels, "dates_per_season": dates},
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    command = [sys.executable, "-m", "fieldline.workflows.cli", "run", "--config", str(config)]
    subprocess.run([*command, "--cores", str(cores)], cwd=ROOT, check=True)
    return {stage: _record(results / "benchmarks", stage) for stage in ("simulate", *STAGE_NAMES)}


def _record(benchmarks: Path, stage: str) -> dict[str, float]:
    path = benchmarks / SEASON / COUNTY / f"{stage}.tsv"
    if stage == "simulate":
        path = benchmarks / f"simulate_{COUNTY}.tsv"
    row = pd.read_csv(path, sep="\t").iloc[0]
    return {
        "seconds": round(float(row["s"]), 1),
        "cpu_seconds": round(float(row["cpu_time"]), 1),
        "peak_mb": round(float(row["max_rss"]), 1),
    }


def summarise(
    parcels: int, few: dict[str, dict[str, float]], many: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """Return throughput and the memory ratio of twice the dates by stage."""
    stages = {}
    for stage, record in many.items():
        minutes = max(record["cpu_seconds"], record["seconds"]) / 60
        stages[stage] = record | {
            "parcels_per_core_minute": round(parcels / minutes) if minutes else None,
            "peak_mb_half_the_dates": few[stage]["peak_mb"],
            "memory_ratio": round(record["peak_mb"] / few[stage]["peak_mb"], 3),
        }
    return stages


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=20_000)
    parser.add_argument("--dates", type=int, default=18, help="dates per season of the first run")
    parser.add_argument("--cores", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = run_county(chosen.parcels, chosen.dates, folder, chosen.cores)
        many = run_county(chosen.parcels, 2 * chosen.dates, folder, chosen.cores)
    result = {
        "parcels": chosen.parcels,
        "season": SEASON,
        "dates_per_season": 2 * chosen.dates,
        "labels": "a tenth of the parcels",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in PACKAGES} | {"python": platform.python_version()},
        "stages": summarise(chosen.parcels, few, many),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_text(OUT, json.dumps(result, indent=2) + "\n")
    print(OUT)


if __name__ == "__main__":
    main()
