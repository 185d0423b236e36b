"""Read the files of a county of 1,000,000 parcels against pyogrio and pyarrow reading them alone.

Run as `python -m tests.benchmarks.inputs`. Each contender runs in a process of its own on the same
files (outlines as a GeoPackage, registry and applications as CSV), imports not counted, rounds
interleaved, best of the rounds. `tables` reads the two tables by their declarations, `outlines`
reads and screens the outlines as intake does, `intake` is the whole stage with its files; the peers
read into memory and judge nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as pacsv
import pyogrio
import shapely

from fieldline.lending.inputs import APPLICATIONS, REGISTRY
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.parcels.intake import check_files, run_intake
from fieldline.pipeline.parcels.parcel_files import Choices
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import write_text

COLUMNS_OF_FIELDS = 1000
STEP_DEG, SIDE_DEG = 0.0008, 0.0006
WEST, SOUTH = 115.0, 33.0


def make_files(folder: Path, parcels: int, seed: int = 5) -> None:
    """Write a grid of square fields, one farmer to two of them, and their tables."""
    rng = np.random.default_rng(seed)
    number = np.arange(parcels)
    west = WEST + number % COLUMNS_OF_FIELDS * STEP_DEG
    south = SOUTH + number // COLUMNS_OF_FIELDS * STEP_DEG
    ids = np.char.add("P", np.char.zfill(number.astype(str), 7))
    owners = np.char.add("F", np.char.zfill((number // 2).astype(str), 7))
    pyogrio.raw.write(
        folder / "parcels.gpkg",
        shapely.to_wkb(shapely.box(west, south, west + SIDE_DEG, south + SIDE_DEG)),
        [ids.astype(object), owners.astype(object), rng.integers(10, 90, parcels) / 10],
        ["parcel_id", "farmer_id", "declared_area_mu"],
        geometry_type="Polygon",
        crs="EPSG:4326",
        layer="parcels",
    )
    registry = {
        "parcel_id": ids, "area_m2": rng.integers(6000, 60000, parcels) / 10, "holder_id": owners,
        "crop": "maize", "recorded_on": "2023-05-01",
    }  # fmt: skip
    pd.DataFrame(registry).to_csv(folder / "registry.csv", index=False)
    farmers = np.unique(owners)
    count = len(farmers)
    applications = {
        "farmer_id": farmers, "household_id": np.char.replace(farmers, "F", "H"),
        "household_size": rng.integers(1, 7, count),
        "requested_amount": rng.integers(50, 500, count) * 100,
        "annual_debt_service": rng.integers(0, 90, count) * 100, "currency": "CNY",
        "prior_loans": rng.integers(0, 5, count), "prior_late": 0, "guarantor_id": "",
        "applied_on": "2024-09-01",
    }  # fmt: skip
    pd.DataFrame(applications).to_csv(folder / "applications.csv", index=False)


def read_outlines(folder: Path) -> None:
    """Read and screen the outlines."""
    found = check_files(
        [folder / "parcels.gpkg"], Choices({}), boundary=None, settings=IntakeSettings()
    )
    assert (found.rows["outcome"] == "ok").all()


def read_tables(folder: Path) -> None:
    """Read registry and applications by their declarations."""
    for name, schema in (("registry", REGISTRY), ("applications", APPLICATIONS)):
        table = read_input(folder / f"{name}.csv", schema, Reading("CNY"))
        assert not table.problems


def intake(folder: Path) -> None:
    """Run the whole stage."""
    run_intake(
        sources=[folder / "parcels.gpkg"], county="C", season="S", columns={}, crs=None,
        settings=IntakeSettings(), privacy=PrivacySettings(demo_key=True),
        parcels=folder / "out" / "parcels.parquet", farmers=folder / "out" / "farmers.parquet",
        vault=folder / "out" / "vault.sqlite", outcomes=folder / "out" / "outcomes.parquet",
    )  # fmt: skip


def peer_outlines(folder: Path) -> None:
    """Read the outlines with pyogrio."""
    assert len(pyogrio.read_dataframe(folder / "parcels.gpkg"))


def peer_tables(folder: Path) -> None:
    """Read the tables with pyarrow."""
    for name in ("registry", "applications"):
        assert pacsv.read_csv(folder / f"{name}.csv").num_rows


CONTENDERS: dict[str, Callable[[Path], None]] = {
    "outlines": read_outlines, "tables": read_tables, "intake": intake,
    "peer_outlines": peer_outlines, "peer_tables": peer_tables,
}  # fmt: skip


def measure(name: str, folder: Path) -> dict[str, float]:
    """Run one contender in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.inputs", "--only", name]
    answer = subprocess.run(
        [*command, "--folder", str(folder)], check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return result


def compare(folder: Path, parcels: int, rounds: int) -> dict[str, object]:
    """Measure all contenders, interleaved, and return the figures."""
    make_files(folder, parcels)
    (folder / "out").mkdir()
    runs = [{name: measure(name, folder) for name in CONTENDERS} for _ in range(rounds)]
    best = {n: min(run[n]["seconds"] for run in runs) for n in CONTENDERS}
    ours = best["outlines"] + best["tables"]
    peers = best["peer_outlines"] + best["peer_tables"]
    return {
        "parcels": parcels,
        "seconds": best,
        "ratio_reading": ours / peers,
        "ratio_intake_and_tables": (best["intake"] + best["tables"]) / peers,
        "peak_mb": {n: max(run[n]["peak_mb"] for run in runs) for n in CONTENDERS},
        "rounds": runs,
        "load_average": os.getloadavg()[0],
        "machine": {
            "cpus": os.cpu_count(),
            "arch": platform.machine(),
            "python": platform.python_version(),
        },
        "versions": {n: version(n) for n in ("pyogrio", "pyarrow", "shapely", "pandas")},
    }


def main() -> None:
    """Run the benchmark, or one contender of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CONTENDERS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/inputs.json"))
    arguments = parser.parse_args()
    if arguments.only:
        start = time.perf_counter()
        CONTENDERS[arguments.only](arguments.folder)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak_mb": peak}))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = compare(Path(folder), arguments.parcels, arguments.rounds)
    write_text(arguments.out, json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
