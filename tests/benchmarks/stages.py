"""Each stage by the size of its county: processor time, peak memory, bytes, and what they grow by.

Runs the tiny county's chain at several numbers of parcels, each job a process of its own, and reads
what it took; finished runs may be given instead. The smallest and the largest
county give a straight line; `growth` is the exponent of processor time above that of starting a
job: what is well above 1 grows faster than its work. Of a county in blocks the jobs' times are
added, and memory is that of the largest. Prints the table of docs/operations.md.
Run: `python -m tests.benchmarks.stages --parcels 2000,20000`.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.load import load_config
from fieldline.workflows.stage import Stage
from fieldline.workflows.stages import STAGES
from tests.workflows.conftest import tiny_config

OUT = Path("results/benchmarks/stages.json")
_START_S = 1.0
"""Processor time of a job that does nothing: the interpreter and its libraries."""


def run(folder: Path, parcels: int) -> Path:
    """Run the tiny county at a number of parcels; return its results."""
    chain = tiny_config(folder, f"county{parcels}", folder / f"simulated{parcels}")
    document = yaml.safe_load(chain.config.read_text(encoding="utf-8"))
    document["simulate"] = {**document["simulate"], "parcels": parcels}
    chain.config.write_text(yaml.safe_dump(document), encoding="utf-8")
    ended = chain.fieldline("run")
    if ended.returncode not in (0, 3):
        raise SystemExit(ended.stdout + ended.stderr)
    return chain.results


def measured(results: Path, county: str, season: str) -> dict[str, Any]:
    """Return the figures of one finished run by stage."""
    parcels = pq.read_metadata(results / season / county / "parcels.parquet").num_rows
    scenes = pq.read_metadata(results / season / county / "scenes.parquet").num_rows
    found = {}
    for stage in STAGES:
        told = results / "benchmarks" / season / county
        file = told / f"{stage.name}.tsv"
        if file.exists():
            jobs = [_figures(one) for one in (file, *told.glob(f"blocks/*/{stage.name}.tsv"))]
            found[stage.name] = {
                "cpu_time": sum(job["cpu_time"] for job in jobs),
                "s": sum(job["s"] for job in jobs),
                "max_rss": max(job["max_rss"] for job in jobs),
                "jobs": len(jobs),
                "bytes": _bytes(stage, results / season / county),
            }
    return {"parcels": parcels, "scenes": scenes, "stages": found}


def _figures(file: Path) -> dict[str, float]:
    with file.open(encoding="utf-8") as handle:
        row = next(csv.DictReader(handle, delimiter="\t"))
    return {name: float(row[name]) for name in ("cpu_time", "s", "max_rss")}


def _bytes(stage: Stage, folder: Path) -> int:
    files = (folder / name for name in (*stage.makes.values(), stage.outcomes))
    return sum(file.stat().st_size for file in files if file.is_file())


def lines(runs: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return by stage the straight line through the smallest and the largest county."""
    few, many = runs[0], runs[-1]
    more = (many["parcels"] - few["parcels"]) / 1000
    found = {}
    for name in (stage.name for stage in STAGES):
        if name not in few["stages"] or name not in many["stages"]:
            continue
        low, high = few["stages"][name], many["stages"][name]
        cpu = max(0.0, (high["cpu_time"] - low["cpu_time"]) / more)
        memory = max(0.0, (high["max_rss"] - low["max_rss"]) / more)
        found[name] = {
            "fixed_s": max(_START_S, low["cpu_time"] - cpu * few["parcels"] / 1000),
            "s_per_1000": cpu,
            "fixed_mb": max(0.0, low["max_rss"] - memory * few["parcels"] / 1000),
            "mb_per_1000": memory,
            "kb_per_parcel": high["bytes"] / many["parcels"] / 1000,
            "growth": _growth(low["cpu_time"], high["cpu_time"], many["parcels"] / few["parcels"]),
            "parcels_per_core_minute": 60 * many["parcels"] / max(high["cpu_time"], 0.01),
        }
    return found


def table(runs: Sequence[dict[str, Any]], found: dict[str, dict[str, float]]) -> str:
    """Return the figures of all counties and the lines through them as Markdown."""
    of = [f"{run['parcels']:,}" for run in runs]
    heads = ["stage", f"s of {of[0]}", *of[1:], "s per 1,000 more", "parcels per core-minute"]
    heads += [f"MB of {of[0]}", *of[1:], "MB per 1,000 more", "kB a parcel"]
    rows = [heads, ["---"] * len(heads)]
    for name, line in found.items():
        by_size = [run["stages"][name] for run in runs]
        rows.append([
            name, *(f"{stage['cpu_time']:.1f}" for stage in by_size), f"{line['s_per_1000']:.2f}",
            f"{_three(line['parcels_per_core_minute']):,}",
            *(f"{stage['max_rss']:,.0f}" for stage in by_size), f"{line['mb_per_1000']:.0f}",
            f"{line['kb_per_parcel']:.2f}",
        ])  # fmt: skip
    totals = [sum(run["stages"][name]["cpu_time"] for name in found) for run in runs]
    summed = sum(line["s_per_1000"] for line in found.values())
    rate = 60 * runs[-1]["parcels"] / totals[-1]
    kb = sum(line["kb_per_parcel"] for line in found.values())
    empty = [""] * (len(runs) + 1)
    rows.append([
        "all", *(f"{total:.0f}" for total in totals), f"{summed:.1f}", f"{_three(rate):,}", *empty,
        f"{kb:.1f}",
    ])  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _three(number: float) -> int:
    """Return a number with three digits that count."""
    return int(float(f"{number:.2e}"))


def _growth(low: float, high: float, ratio: float) -> float:
    work = [max(0.05, seconds - _START_S) for seconds in (low, high)]
    return math.log(work[1] / work[0]) / math.log(ratio)


def main() -> None:
    """Run or read the counties, write and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", default="2000,20000")
    parser.add_argument("--finished", type=Path, nargs="*", help="configurations of finished runs")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.finished:
            folders = [load_config([file]).results for file in asked.finished]
        else:
            folders = [run(Path(name), int(count)) for count in asked.parcels.split(",")]
        runs = [measured(folder, "SIM001", "2024") for folder in folders]
    runs.sort(key=lambda run: int(run["parcels"]))
    found = lines(runs)
    told = {"cpus": os.cpu_count(), "load_average": os.getloadavg()[0], "runs": runs, "of": found}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(asked.out, json.dumps(told, indent=1) + "\n")
    print(table(runs, found))


if __name__ == "__main__":
    main()
