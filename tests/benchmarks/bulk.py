"""A million parcels through the crop model: the two stages that `fieldline run` calls, on a county
of simulated series, each in a process of its own.

    python -m tests.benchmarks.bulk --parcels 1000000 [--network never] [--folder BULK]

Prints processor seconds, wall seconds and peak memory of `crops_train` (300 labels, 6,000
unlabelled parcels) and `classify`. Making the county is not counted; it is made once in the folder
(1 kB a parcel), in row groups of 5,000 parcels.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fieldline.crops.recognise.classify import run_classify
from fieldline.crops.recognise.train_stage import run_crops_train
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from tests.crops.recognise.point_files import BANDS, arrays

GROUP, DATES, LABELLED, KINDS = 5000, 24, 300, 20
SEASON = Season(start=dt.date(2021, 1, 1), end=dt.date(2021, 12, 31), as_of=dt.date(2021, 12, 31))
NAMES = {1: "maize", 5: "soybean", 24: "winter_wheat"}


def county(folder: Path, parcels: int) -> None:
    """Write observations, parcels and a survey of so many parcels."""
    folder.mkdir(parents=True, exist_ok=True)
    days = pd.date_range("2021-01-08", periods=DATES, freq="15D", tz="UTC")
    kinds = [arrays(GROUP, seed) for seed in range(KINDS)]
    ids = [f"P{number:07d}" for number in range(parcels)]
    writer = None
    for first in range(0, parcels, GROUP):
        made = kinds[first // GROUP % KINDS]
        mine = ids[first : first + GROUP]
        values = made["X"][: len(mine)].astype(np.float32).reshape(-1, len(BANDS)) * 1e-4
        seen = values.all(axis=1)
        table = pa.table({
            "parcel_id": pa.array(np.repeat(mine, DATES)).dictionary_encode(),
            "datetime": pa.array(np.tile(days.to_numpy(), len(mine)), pa.timestamp("us", "UTC")),
            "valid_fraction": pa.array(seen.astype(np.float32)),
            **{f"{band}_mean": pa.array(values[:, at]) for at, band in enumerate(BANDS)},
        })  # fmt: skip
        writer = writer or pq.ParquetWriter(folder / "observations.parquet", table.schema)
        writer.write_table(table, row_group_size=table.num_rows)
    assert writer is not None
    writer.close()
    area = np.random.default_rng(0).uniform(300, 30_000, parcels)
    villages = [f"V{number % 97:02d}" for number in range(parcels)]
    pq.write_table(pa.table({"parcel_id": ids, "farmer_id": ids, "village": villages,
                             "metrics:area": area}), folder / "parcels.parquet")  # fmt: skip
    codes = kinds[0]["cdl_code"]
    rows = [f"{ids[at]},{NAMES[int(codes[at])]},2021-06-01" for at in range(LABELLED)]
    (folder / "survey.csv").write_text("parcel_id,crop,surveyed_on\n" + "\n".join(rows) + "\n")


def stage(folder: Path, name: str, network: str) -> None:
    """Run one stage and print what it cost."""
    settings = ClassifySettings(network=network)  # type: ignore[arg-type]
    shared = {
        "observations": folder / "observations.parquet", "parcels": folder / "parcels.parquet",
        "survey": folder / "survey.csv", "county": "BULK", "clear_dates": ClearSettings(),
        "settings": settings,
    }  # fmt: skip
    manifest, wall = folder / f"model_{network}" / "manifest.json", time.perf_counter()
    begun = time.process_time()
    if name == "crops_train":
        run_crops_train(**shared, seasons=[SEASON], out=manifest,
                        outcomes=folder / "train.parquet")  # fmt: skip
    else:
        run_classify(**shared, season=SEASON, model=manifest, out=folder / "crops.parquet",
                     card=folder / "card.json", out_next=folder / "survey_next.csv",
                     outcomes=folder / "outcomes.parquet")  # fmt: skip
    print(json.dumps({
        "stage": name, "network": network, "cpu_s": round(time.process_time() - begun, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "load": round(os.getloadavg()[0], 1),
    }))  # fmt: skip


def main() -> None:
    """Make the county where it is not there, and run both stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--network", choices=("auto", "never"), default="auto")
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks/bulk"))
    parser.add_argument("--stage", choices=("crops_train", "classify"))
    chosen = parser.parse_args()
    folder = chosen.folder / str(chosen.parcels)
    if chosen.stage:
        stage(folder, chosen.stage, chosen.network)
        return
    if not (folder / "survey.csv").exists():
        county(folder, chosen.parcels)
    for name in ("crops_train", "classify"):
        command = [sys.executable, "-m", "tests.benchmarks.bulk", "--stage", name, "--network",
                   chosen.network, "--folder", str(chosen.folder), "--parcels",
                   str(chosen.parcels)]  # fmt: skip
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        told = {"parcels": chosen.parcels, **json.loads(done.stdout)}
        rate = {"per_second": round(chosen.parcels / told["cpu_s"])}
        print(json.dumps(told | rate), flush=True)


if __name__ == "__main__":
    main()
