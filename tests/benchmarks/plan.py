"""How long a province takes to plan, by its counties: none begun, all finished, one changed.

Every county has input files of its own; finished ones have artifacts of a few bytes and the records
that the end of a run leaves. Measured is a whole command in a process of its own, and the largest
memory of it and of the engine that it starts.
Run: `python -m tests.benchmarks.plan --counties 1,100,1000,3000`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.load import load_config
from fieldline.workflows.finished import Records
from tests.workflows.conftest import REAL_KEY
from tests.workflows.provinces import change, finish, make_inputs

OUT = Path("results/benchmarks/plan.json")
_OF_ENGINE = 100
"""Counties of one batch: what more take of the engine is as many times as much."""
KEYS = {"FIELDLINE_PSEUDONYM_KEY": REAL_KEY, "FIELDLINE_VAULT_KEY": REAL_KEY[::-1]}


def timed(config: Path, *more: str) -> tuple[dict[str, float], str]:
    """Run the command; return seconds, processor seconds and peak memory, and what it said."""
    command = [
        sys.executable,
        "-m",
        "fieldline.workflows.cli",
        "run",
        "--config",
        str(config),
        *more,
    ]
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        running = subprocess.Popen(command, stdout=said, stderr=said, env=os.environ | KEYS)
        _, status, used = os.wait4(running.pid, 0)
        wall = time.perf_counter() - begin
        said.seek(0)
        text = said.read()
    assert status == 0, text[-2000:]
    figures = {
        "wall_s": round(wall, 1), "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
    }  # fmt: skip
    return figures, text


def measured(folder: Path, counties: int) -> dict[str, Any]:
    """Return the figures of so many counties."""
    config = make_inputs(folder, counties)
    none, planned = told(config)
    assert planned["report"] == counties
    finish(folder, counties)
    figures = {"none_begun": none}
    if counties <= _OF_ENGINE:
        figures["asked_of_the_engine"], planned = told(config)
        assert not planned
    record(config)
    figures["all_finished"], planned = told(config)
    assert not planned
    figures["run_of_all_finished"], _ = timed(config, "--json")
    change(folder / "in" / "C0000" / "weather.csv")
    figures["one_changed"], planned = told(config)
    assert planned["hazards"] == 2, planned
    return figures


def told(config: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Return the figures of a dry run, and how often which stage would run."""
    figures, said = timed(config, "--dry-run", "--json")
    planned: dict[str, int] = json.loads(said.splitlines()[-1])
    return figures, planned


def record(config: Path) -> None:
    """Record all counties as the end of their runs does."""
    os.environ.update(KEYS)
    known = load_config([config])
    records = Records(known)
    records.keep(records.given(known.counties))


def main() -> None:
    """Measure, write the JSON and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counties", default="1,100,1000,3000")
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": {p: version(p) for p in ("fieldline", "snakemake")},
    }
    for counties in map(int, parser.parse_args().counties.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            result[str(counties)] = measured(Path(folder), counties)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_text(OUT, json.dumps(result, indent=2) + "\n")
    print(OUT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
