"""Read 2,000 small chips: our day reader, rasterio one by one and async-geotiff, the same files.

Run as `python -m tests.benchmarks.chips CATALOG --collection sentinel-2-l2a`. Each chip is one file
of one item and band, a parcel wide. rasterio opens, reads and closes one after the other, as a
notebook would; on threads it does the same. Our reader also masks, lays chips onto the grid of the
county and merges the items of a day. Rounds are interleaved, best of the rounds, after one that
warms the disk's cache; async-geotiff is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import geopandas as gpd
import rasterio
from rasterio.windows import Window

from fieldline.pipeline.imagery.archive import SceneItem, parse_item
from fieldline.pipeline.imagery.catalog import find_items
from fieldline.pipeline.imagery.grid import Grid, county_grid
from fieldline.pipeline.imagery.mosaic import DayReader
from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS
from fieldline.pipeline.imagery.scene_days import group_by_solar_day
from fieldline.pipeline.imagery.settings import GridSettings, MaskSettings
from fieldline.pipeline.records.tables import write_text

BANDS = ("B02", "B03", "B04", "B08")
MASK = MaskSettings(kind="values", asset="clm", clear=(0,))
THREADS = 2


def read_one(path: str) -> int:
    """Open, read and close a chip; return its pixels."""
    with rasterio.open(path) as file:
        return int(file.read(1).size)


def one_by_one(paths: Sequence[str]) -> int:
    """Read with rasterio as it comes."""
    return sum(read_one(path) for path in paths)


def with_options(paths: Sequence[str]) -> int:
    """Read with rasterio in one environment of our options."""
    with rasterio.Env(**GDAL_OPTIONS):
        return one_by_one(paths)


def on_threads(paths: Sequence[str]) -> int:
    """Read with rasterio in our options on threads, each with a part of the chips."""
    parts = [paths[start::THREADS] for start in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(with_options, parts))


def asynchronously(paths: Sequence[str]) -> int:
    """Read with async-geotiff over obstore, 16 chips at a time."""
    from async_geotiff import GeoTIFF
    from obstore.store import LocalStore

    store, turn = LocalStore("/"), asyncio.Semaphore(16)

    async def one(path: str) -> int:
        async with turn:
            file = await GeoTIFF.open(path.lstrip("/"), store=store)
            return int((await file.read()).data.size)

    async def everything() -> int:
        return sum(await asyncio.gather(*(one(path) for path in paths)))

    return asyncio.run(everything())


def by_days(items: Sequence[SceneItem], grid: Grid) -> int:
    """Read with our reader, day by day onto the county's grid."""
    whole, read = Window(0, 0, grid.width, grid.height), 0
    for day in group_by_solar_day(items):
        with DayReader(day, grid, BANDS, MASK) as reader:
            read += reader.read(whole).size
    return read


def measure(catalog: Path, collection: str, parcels: Path, rounds: int) -> dict[str, Any]:
    """Return the figures of all contenders."""
    sources = find_items(catalog, collection).sources
    items = [parse_item(source.read(), source.folder) for source in sources]
    grid = county_grid(gpd.read_file(parcels), GridSettings())
    wanted = [item.find(band) for item in items for band in (*BANDS, MASK.asset)]
    paths = [asset.href for asset in wanted if asset is not None]
    contenders: dict[str, Callable[[], int]] = {
        "rasterio": lambda: one_by_one(paths),
        "rasterio, our options": lambda: with_options(paths),
        "rasterio, our options, threads": lambda: on_threads(paths),
        "ours": lambda: by_days(items, grid),
    }
    if find_spec("async_geotiff") is not None:
        contenders["async-geotiff"] = lambda: asynchronously(paths)
    best: dict[str, dict[str, float]] = {}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            start, busy = time.perf_counter(), time.process_time()
            work()
            spent = {
                "seconds": time.perf_counter() - start, "cpu": time.process_time() - busy,
            }  # fmt: skip
            if number:
                known = best.setdefault(name, spent)
                best[name] = {key: min(value, known[key]) for key, value in spent.items()}
    base = best["rasterio"]
    return {
        "chips": len(paths),
        "best": best,
        "rasterio_over": {n: base["seconds"] / told["seconds"] for n, told in best.items()},
        "rasterio_over_cpu": {n: base["cpu"] / told["cpu"] for n, told in best.items()},
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--collection", default="sentinel-2-l2a")
    parser.add_argument("--parcels", type=Path, help="parcels.geojson beside it unless given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/chips.json"))
    asked = parser.parse_args()
    parcels = asked.parcels or asked.catalog.with_name("parcels.geojson")
    told = measure(asked.catalog, asked.collection, parcels, asked.rounds)
    told |= {
        "versions": {name: version(name) for name in ("rasterio", "numpy")},
        "gdal": rasterio.__gdal_version__,
        "machine": f"{platform.machine()} {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
    }
    write_text(asked.out, json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
