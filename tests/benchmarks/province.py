"""A province from outlines to offers: stages over all counties, parcels an hour, memory, disk.

Simulates so many counties of so many parcels each, apart from each other and without a farmer in
common, gives them to one command as any lender's files, and reads what the engine measured of each
job. Seconds of a stage are those of its jobs in all counties, memory is that of its largest job.
`--blocks` works the counties in parts. With `--folder` the simulated counties are kept and used
again. Prints the table of docs/operations.md.
Run: `python -m tests.benchmarks.province --counties 20 --parcels 10000`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import yaml

from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.simulate.run import simulate_county
from fieldline.workflows.simulate.settings import SimulateSettings
from fieldline.workflows.stages import STAGES
from tests.benchmarks.plan import KEYS
from tests.benchmarks.stages import measured
from tests.workflows.conftest import ROOT, TINY

OUT = Path("results/benchmarks/province.json")
BEFORE, SEASON = "2023", "2024"
_PERSON = re.compile(r"\b(F|H|SIMULATED-)00(?=\d{5}\b)")
"""The number of a simulated farmer or household below 100,000: room for the county's own."""
_DEGREES_APART = 1.0


def simulate(folder: Path, number: int, parcels: int) -> None:
    """Simulate one county, unless it lies there: a place and farmers of its own."""
    name = _name(number)
    out = folder / "simulated" / name
    if out.exists():
        return
    known = SimulateSettings(**TINY)
    west, north = _centre(number)
    land = known.land.model_copy(update={"centre_lon": west, "centre_lat": north})
    own = {"parcels": parcels, "seed": known.seed + number, "land": land}
    made = folder / "simulated" / f"{name}.part"
    simulate_county(known.model_copy(update=own), county=name, out=made)
    for table in made.rglob("*.csv"):
        text = _PERSON.sub(rf"\g<1>{number:02d}", table.read_text(encoding="utf-8"))
        write_text(table, text)
    for layer in made.glob("*.gpkg"):
        frame = gpd.read_file(layer)
        for column in frame.columns.drop("geometry"):
            if pd.api.types.is_string_dtype(frame[column]):
                frame[column] = frame[column].str.replace(
                    _PERSON, rf"\g<1>{number:02d}", regex=True
                )
        layer.unlink()
        frame.to_file(layer)
    made.rename(out)


def _centre(number: int) -> tuple[float, float]:
    land = SimulateSettings().land
    west = land.centre_lon - 8 + _DEGREES_APART * (number % 10)
    return west, land.centre_lat + _DEGREES_APART * (number // 10)


def _name(number: int) -> str:
    return f"SIM{number + 1:03d}"


def _zone(west: float) -> str:
    """Return the scenes' own projection: the middle of a large county may lie in the next zone."""
    return f"EPSG:{32601 + int((west + 180) // 6)}"


def configuration(folder: Path, counties: int, blocks: int) -> Path:
    """Write the configuration of the province; every county's files are a lender's own."""
    default = yaml.safe_load((ROOT / "workflows/config/default.yaml").read_text(encoding="utf-8"))
    text = json.dumps(default["county"]["SIM001"])
    county = json.loads(text.replace("{results}/simulated", str(folder / "simulated")))
    county |= {"blocks": blocks}
    names = [_name(number) for number in range(counties)]
    document = {
        "results": str(folder / "results"),
        "counties": names,
        "seasons": [SEASON],
        "simulate": TINY,
        "lending": {"risk": {"search": 0}},
        "crops": {"classify": {"network": "never"}},
        "county": {
            name: county | {"title": name, "grid": {"crs": _zone(_centre(number)[0])}}
            for number, name in enumerate(names)
        },
    }
    path = folder / "province.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def run(config: Path, cores: int) -> dict[str, Any]:
    """Run the province; return seconds on the clock, processor seconds and what it ended with."""
    command = [sys.executable, "-m", "fieldline.workflows.cli", "run", "--config", str(config)]
    begin = time.perf_counter()
    with (config.parent / "said.log").open("w", encoding="utf-8") as said:
        running = subprocess.Popen(
            [*command, "--cores", str(cores)], stdout=said, stderr=said, env=os.environ | KEYS
        )
        _, status, used = os.wait4(running.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 3):
        raise SystemExit((config.parent / "said.log").read_text(encoding="utf-8")[-3000:])
    return {
        "wall_s": round(time.perf_counter() - begin, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "largest_process_mb": round(used.ru_maxrss / 1024),
        "exit_code": code,
    }


def summed(counties: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the figures of each stage over all counties."""
    parcels = sum(county["parcels"] for county in counties)
    found = {}
    for name in (stage.name for stage in STAGES):
        jobs = [county["stages"][name] for county in counties if name in county["stages"]]
        if not jobs:
            continue
        cpu = sum(job["cpu_time"] for job in jobs)
        found[name] = {
            "cpu_s": round(cpu, 1),
            "parcels_per_core_minute": round(60 * parcels / max(cpu, 0.01)),
            "peak_mb": round(max(job["max_rss"] for job in jobs)),
            "kb_per_parcel": round(sum(job["bytes"] for job in jobs) / parcels / 1000, 2),
        }
    return found


def disk(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def table(stages: dict[str, dict[str, float]]) -> str:
    """Return the figures of the stages as Markdown."""
    rows = [
        "| stage | processor s | parcels per core-minute | MB of the largest job | kB a parcel |"
    ]
    rows.append("|---|---|---|---|---|")
    rows += [
        f"| {name} | {told['cpu_s']:,.0f} | {told['parcels_per_core_minute']:,.0f} | "
        f"{told['peak_mb']:,.0f} | {told['kb_per_parcel']:.2f} |"
        for name, told in stages.items()
    ]
    return "\n".join(rows)


def main() -> None:
    """Simulate, run, measure; write the figures and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counties", type=int, default=20)
    parser.add_argument("--parcels", type=int, default=10_000, help="of a county")
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, help="where to work, and leave what was made")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = (asked.folder or Path(name)).resolve()
        (folder / "simulated").mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(asked.cores) as pool:
            numbers = range(asked.counties)
            made = [pool.submit(simulate, folder, n, asked.parcels) for n in numbers]
            for one in made:
                one.result()
        for file in (folder / "simulated").rglob("*"):
            file.touch()  # or the engine takes a rule that is newer for a reason to simulate again
        load = os.getloadavg()[0]
        config = configuration(folder, asked.counties, asked.blocks)
        whole = run(config, asked.cores)
        counties = [measured(folder / "results", _name(n), SEASON) for n in numbers]
        stages = summed(counties)
        before = [measured(folder / "results", _name(n), BEFORE) for n in numbers]
        parcels = sum(county["parcels"] for county in counties)
        told = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}",
            "counties": asked.counties, "parcels": parcels, "blocks": asked.blocks,
            "scenes": counties[0]["scenes"], **whole,
            "parcels_an_hour": round(3600 * parcels / whole["wall_s"]),
            "results_bytes": disk(folder / "results"),
            "inputs_bytes": disk(folder / "simulated"), "stages": stages,
            "stages_of_the_season_before": summed(before),
        }  # fmt: skip
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(asked.out, json.dumps(told, indent=1) + "\n")
        print(json.dumps({key: value for key, value in told.items() if "stages" not in key}))
        print(table(stages))


if __name__ == "__main__":
    main()
