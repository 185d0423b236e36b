"""Memory of observe and fields by parcels and by dates, and star-shaped parcels against reading.

Run as `python -m tests.benchmarks.scale` (`--parcels 100000 --fields 100000 --dates 73` asks for
that size, what is not given is extrapolated and said to be). Of more than eight dates the files are
those of the first eight under further names. The archive is 2,000 x 2,000 pixels of ten bands in
zstd blocks of 512 with 15 % nodata; the parcels are stars of 3 to 20 corners and .1 to 1 ha. Each
figure is of a process of its own; the slopes are differences of peaks and of processor time, so
they hold what one more parcel or one more date adds, and the exponents say how time grows with each
(1 is linear, less where a fixed part counts). Processor time is compared with reading the same
blocks in the same run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pystac
import rasterio
from rasterio import Affine
from rasterio.windows import Window
from scipy.ndimage import zoom
from shapely.geometry import Polygon

from fieldline.crops.recognise.fields import run_fields
from fieldline.crops.settings import FieldsSettings
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import S2_BANDS, GridSettings, ObserveSettings
from fieldline.pipeline.records.tables import write_text
from tests.benchmarks import observe
from tests.benchmarks.observe import CORNER, CRS, SCENES, SEASON

EDGE, BLOCK, NODATA = 2000, 512, 0.15
GOAL_PARCELS, GOAL_DATES, GOAL_MB = 100_000, 73, 3000
DISTINCT = 8
"""Dates whose pixels are made."""


def make_archive(folder: Path, dates: int, seed: int = 7) -> None:
    """Write so many dates of ten bands with their STAC catalog."""
    rng = np.random.default_rng(seed)
    patches = zoom(rng.normal(size=(144, 144)), EDGE / 144, order=0)[:EDGE, :EDGE]
    catalog, collection = observe.empty_catalog()
    for date in range(dates):
        item = observe.item_of(date, EDGE)
        empty = zoom(rng.random((40, 40)), EDGE / 40, order=0)[:EDGE, :EDGE] < NODATA
        for number, band in enumerate(S2_BANDS):
            path = folder / f"{date:02d}_{band}.tif"
            if date >= DISTINCT:
                os.link(folder / f"{date % DISTINCT:02d}_{band}.tif", path)
                _add(item, band, path)
                continue
            level = 400.0 + 300.0 * number
            values = level * (1 + 0.15 * patches) + rng.normal(scale=25, size=patches.shape)
            _write(path, np.where(empty, 0, np.clip(values, 1, 65535)).astype("uint16"))
            _add(item, band, path)
        collection.add_item(item)
    catalog.normalize_and_save(str(folder / "stac"), pystac.CatalogType.SELF_CONTAINED)


def _add(item: pystac.Item, band: str, path: Path) -> None:
    fields = {"raster:bands": [{"nodata": 0, "scale": observe.SCALE, "offset": 0.0}]}
    item.add_asset(band, pystac.Asset(str(path), extra_fields=fields))


def _write(path: Path, values: np.ndarray) -> None:
    profile = {
        "driver": "GTiff", "height": EDGE, "width": EDGE, "count": 1, "dtype": "uint16",
        "crs": CRS, "transform": Affine(10, 0, CORNER[0], 0, -10, CORNER[1]), "nodata": 0,
        "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "zstd",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(values, 1)


def make_stars(path: Path, count: int, seed: int = 11) -> None:
    """Write stars of 3 to 20 corners and .1 to 1 ha; many of them overlap where they are many."""
    rng = np.random.default_rng(seed)
    middle = rng.uniform(200, EDGE * 10 - 200, (count, 2))
    shapes = []
    for x, y in middle:
        corners = int(rng.integers(3, 21))
        angle = np.sort(rng.uniform(0, 2 * np.pi, corners)) + np.arange(corners) * 1e-3
        reach = rng.uniform(0.5, 1.0, corners)
        star = Polygon(np.column_stack([reach * np.cos(angle), reach * np.sin(angle)]))
        if not star.is_valid or star.area < 0.05:
            star = Polygon([(1, 0), (-0.5, 0.8), (-0.5, -0.8)])
        size = np.sqrt(rng.uniform(1_000, 10_000) / star.area)
        ring = np.asarray(star.exterior.coords) * size
        shapes.append(Polygon(ring + np.array([CORNER[0] + x, CORNER[1] - y])))
    ids = [f"P{number:06d}" for number in range(count)]
    frame = gpd.GeoDataFrame({"parcel_id": ids, "farmer_id": "f"}, geometry=shapes, crs=CRS)
    frame["metrics:area"] = frame.area
    frame.to_crs("EPSG:4326").to_parquet(path)


def choose(folder: Path, dates: int, parcels: Path) -> Path:
    """Choose the first dates of the archive."""
    scenes = folder / f"scenes_{dates}.parquet"
    end = observe.day_of(dates - 1).date()
    run_scenes(
        catalog=folder / "stac" / "catalog.json", parcels=parcels, scenes=SCENES, out=scenes,
        season=SEASON.model_copy(update={"end": end}), outcomes=folder / "outcomes.parquet",
    )  # fmt: skip
    return scenes


def run_one(name: str, folder: Path, parcels: Path, dates: int) -> None:
    """Run one contender."""
    scenes = folder / f"scenes_{dates}.parquet"
    common: dict[str, Any] = {
        "scenes": scenes, "parcels": parcels, "grid": GridSettings(crs=CRS),
        "scene_settings": SCENES, "out": folder / f"{name}.parquet",
        "outcomes": folder / f"{name}_outcomes.parquet",
    }  # fmt: skip
    if name == "observe":
        run_observe(settings=ObserveSettings(), threads=1, **common)
    elif name == "fields":
        run_fields(settings=FieldsSettings(), season=SEASON, **common)
    else:
        _read(folder, dates)


def _read(folder: Path, dates: int) -> None:
    edges = range(0, EDGE, BLOCK)
    windows = [Window(c, r, min(BLOCK, EDGE - c), min(BLOCK, EDGE - r)) for r in edges
               for c in edges]  # fmt: skip

    def one(path: Path) -> None:
        with rasterio.Env(GDAL_CACHEMAX=64 * 2**20), rasterio.open(path) as file:
            for window in windows:
                file.read(1, window=window)

    with ThreadPoolExecutor(1) as pool:
        list(pool.map(one, [folder / f"{d:02d}_{b}.tif" for d in range(dates) for b in S2_BANDS]))


def measure(name: str, folder: Path, parcels: Path, dates: int) -> dict[str, float]:
    """Run one contender in a process of its own; return processor seconds and peak memory."""
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--only", name, "--folder",
               str(folder), "--file", str(parcels), "--dates", str(dates)]  # fmt: skip
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def slopes(name: str, folder: Path, counts: tuple[int, int], dates: int) -> dict[str, Any]:
    """Return peaks at both counts of parcels and both of dates, and what each more adds."""
    few, many = (folder / f"stars_{count}.parquet" for count in counts)
    peaks = {
        f"{counts[0]} x {dates}": measure(name, folder, few, dates),
        f"{counts[1]} x {dates}": measure(name, folder, many, dates),
        f"{counts[1]} x {dates // 2}": measure(name, folder, many, dates // 2),
    }
    low, high, half = (one["peak_mb"] for one in peaks.values())
    by_parcel = (high - low) / (counts[1] - counts[0])
    by_date = max(0.0, (high - half) / (dates - dates // 2))
    reached = high + by_parcel * (GOAL_PARCELS - counts[1]) + by_date * (GOAL_DATES - dates)
    few_s, many_s, half_s = (one["cpu_seconds"] for one in peaks.values())
    return {
        "peaks": peaks, "mb_per_1000_parcels": 1000 * by_parcel, "mb_per_date": by_date,
        "s_per_1000_parcels": 1000 * (many_s - few_s) / (counts[1] - counts[0]),
        "s_per_date": (many_s - half_s) / (dates - dates // 2),
        "exponent_parcels": math.log(many_s / few_s) / math.log(counts[1] / counts[0]),
        "exponent_dates": math.log(many_s / half_s) / math.log(dates / (dates // 2)),
        "extrapolated_mb": {"parcels": GOAL_PARCELS, "dates": GOAL_DATES, "peak": reached},
        "within_goal": reached <= GOAL_MB,
    }  # fmt: skip


def compare(folder: Path, parcels: int, fields: int, dates: int, rounds: int) -> dict[str, Any]:
    """Measure everything and return the figures."""
    make_archive(folder, dates)
    for count in {8000, parcels // 2, parcels, fields // 2, fields}:
        make_stars(folder / f"stars_{count}.parquet", count)
    stars = folder / "stars_8000.parquet"
    for number in (dates, dates // 2):
        choose(folder, number, stars)
    runs = [{name: measure(name, folder, stars, dates) for name in ("read", "observe")}
            for _ in range(rounds)]  # fmt: skip
    work = {name: min(run[name]["cpu_seconds"] for run in runs) for name in runs[0]}
    return {
        "stars": {"work": f"8,000 stars x {10 * dates} bands of {EDGE} x {EDGE}", "cpu": work,
                  "ratio_read_cpu": work["observe"] / work["read"], "rounds": runs},
        "observe": slopes("observe", folder, (parcels // 2, parcels), dates),
        "fields": slopes("fields", folder, (fields // 2, fields), dates),
        "cpus": os.cpu_count(), "load_average": os.getloadavg()[0],
    }  # fmt: skip


def peak_mb() -> float:
    """Return the peak of this process alone; `ru_maxrss` begins with that of its parent."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    """Run the benchmark, or one contender of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("observe", "fields", "read"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--dates", type=int, default=4)
    parser.add_argument("--parcels", type=int, default=GOAL_PARCELS)
    parser.add_argument("--fields", type=int, default=8000, help="parcels of the fields stage")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/scale.json"))
    asked = parser.parse_args()
    if asked.only:
        busy = time.process_time()
        run_one(asked.only, asked.folder, asked.file, asked.dates)
        print(json.dumps({"cpu_seconds": time.process_time() - busy, "peak_mb": peak_mb()}))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = compare(Path(folder), asked.parcels, asked.fields, asked.dates, asked.rounds)
    write_text(asked.out, json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
