"""Observe 5,000 rotated parcels on 240 bands against exactextract and against reading alone.

Run as `python -m tests.benchmarks.observe` (`make bench`). Each contender runs in a process of its
own on the same files, imports not counted, rounds interleaved, best of the rounds. Our time is that
of the stage `run_observe` itself, from scenes.parquet to observations.parquet; the peer computes
mean and standard deviation only (no valid fraction, no file). The compared figures take one thread
each, as the peer does; the same work on all cores, ours and reading alone, stands beside them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import rasterio
from rasterio import Affine
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from scipy.ndimage import zoom
from shapely import affinity
from shapely.geometry import box, mapping

from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import (
    S2_BANDS,
    GridSettings,
    MaskSettings,
    ObserveSettings,
    SceneSettings,
)
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table, write_text

CRS = "EPSG:32650"
NEXT_ZONE = "EPSG:32651"
EDGE = 1000
DATES = 24
PARCELS = 5_000
SCALE = 1e-4
CORNER = (500_000.0, 4_000_000.0)
SEASON = Season(start=dt.date(2024, 1, 1), end=dt.date(2024, 12, 31), as_of=dt.date(2024, 12, 31))
SCENES = SceneSettings(collection="bench", mask=MaskSettings(kind="none"))


def make_archive(folder: Path, seed: int = 7) -> None:
    """Write 24 dates x 10 bands as single-band deflate tiles of 256 with a STAC catalog."""
    rng = np.random.default_rng(seed)
    catalog, collection = empty_catalog()
    patches = zoom(rng.normal(size=(72, 72)), EDGE / 72, order=0)[:EDGE, :EDGE]
    for date in range(DATES):
        collection.add_item(_item(folder, date, patches, rng))
    catalog.normalize_and_save(str(folder / "stac"), pystac.CatalogType.SELF_CONTAINED)


def empty_catalog() -> tuple[pystac.Catalog, pystac.Collection]:
    """Return a catalog with one collection, both empty."""
    catalog = pystac.Catalog("bench", "Benchmark archive of generated reflectance")
    extent = pystac.Extent(
        pystac.SpatialExtent([[-180, -90, 180, 90]]), pystac.TemporalExtent([[None, None]])
    )
    collection = pystac.Collection("bench", "Generated reflectance", extent)
    catalog.add_child(collection)
    return catalog, collection


def day_of(date: int) -> dt.datetime:
    """Return when the scene of a number was taken: every five days from 1 March."""
    return dt.datetime(2024, 3, 1, 3, tzinfo=dt.UTC) + dt.timedelta(days=5 * date)


def item_of(date: int, edge: int) -> pystac.Item:
    """Return the item of a scene of so many pixels of 10 m, without assets."""
    left, top = CORNER
    bounds = transform_bounds(CRS, "EPSG:4326", left, top - edge * 10, left + edge * 10, top)
    name = f"bench_{date:02d}"
    item = pystac.Item(name, mapping(box(*bounds)), list(bounds), day_of(date), {})
    item.properties["proj:transform"] = [10.0, 0.0, left, 0.0, -10.0, top]
    return item


def _item(folder: Path, date: int, patches: np.ndarray, rng: np.random.Generator) -> pystac.Item:
    item = item_of(date, EDGE)
    for number, band in enumerate(S2_BANDS):
        path = folder / f"{date:02d}_{band}.tif"
        _write_band(path, 400.0 + 300.0 * number, patches, rng)
        fields = {"raster:bands": [{"nodata": 0, "scale": SCALE, "offset": 0.0}]}
        item.add_asset(band, pystac.Asset(str(path), extra_fields=fields))
    return item


def _write_band(path: Path, level: float, patches: np.ndarray, rng: np.random.Generator) -> None:
    """Write fields, a smooth haze and sensor noise: about 1.2 MB, like a real 10 m band."""
    smooth = zoom(rng.normal(size=(6, 6)), EDGE / 6, order=1)[:EDGE, :EDGE]
    values = level * (1 + 0.15 * patches + 0.05 * smooth) + rng.normal(scale=25, size=patches.shape)
    profile = {
        "driver": "GTiff", "height": EDGE, "width": EDGE, "count": 1, "dtype": "uint16",
        "crs": CRS, "transform": Affine(10, 0, CORNER[0], 0, -10, CORNER[1]), "nodata": 0,
        "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.clip(values, 1, 65535).astype("uint16"), 1)


def make_parcels(path: Path, seed: int = 11) -> None:
    """Write 5,000 rotated rectangles of 0.03 to 1.6 ha, most of them under 10 mu."""
    rng = np.random.default_rng(seed)
    extent = EDGE * 10 - 300
    x, y = (
        CORNER[0] + 150 + rng.uniform(0, extent, PARCELS),
        CORNER[1] - 150 - rng.uniform(0, extent, PARCELS),
    )
    long = np.exp(rng.normal(4.3, 0.5, PARCELS)).clip(20, 180)
    wide = long * rng.uniform(0.3, 1.0, PARCELS)
    shapes = [
        affinity.rotate(box(a - w / 2, b - n / 2, a + w / 2, b + n / 2), angle)
        for a, b, w, n, angle in zip(x, y, wide, long, rng.uniform(0, 180, PARCELS), strict=True)
    ]
    frame = gpd.GeoDataFrame(
        {"parcel_id": [f"P{i:05d}" for i in range(PARCELS)], "farmer_id": "f"},
        geometry=shapes,
        crs=CRS,
    )
    frame.to_parquet(path.with_name("parcels_metric.parquet"))
    frame.to_crs("EPSG:4326").to_parquet(path)


def choose(folder: Path, dates: int) -> None:
    """Choose the first dates of the archive into `scenes_{dates}.parquet`."""
    end = dt.date(2024, 3, 1) + dt.timedelta(days=5 * (dates - 1))
    run_scenes(
        catalog=folder / "stac" / "catalog.json",
        parcels=folder / "parcels.parquet",
        season=SEASON.model_copy(update={"end": end}),
        scenes=SCENES,
        out=folder / f"scenes_{dates}.parquet",
        outcomes=folder / "outcomes_scenes.parquet",
    )


def run_ours(folder: Path, dates: int, threads: int) -> None:
    """Run the stage as the workflow does, on the grid the parcels' file asks for."""
    _run(folder, dates, threads, CRS)


def run_next_zone(folder: Path, dates: int, threads: int) -> None:
    """Run the stage on a grid of the zone beside the scenes' own."""
    _run(folder, dates, threads, NEXT_ZONE)


def _run(folder: Path, dates: int, threads: int, crs: str) -> None:
    run_observe(
        scenes=folder / f"scenes_{dates}.parquet",
        parcels=folder / "parcels.parquet",
        grid=GridSettings(crs=crs),
        scene_settings=SCENES,
        settings=ObserveSettings(),
        threads=threads,
        out=folder / f"observations{'' if crs == CRS else '_next_zone'}.parquet",
        outcomes=folder / "outcomes.parquet",
    )


def run_peer(folder: Path, dates: int, threads: int) -> None:
    """Run exactextract's raster-sequential strategy over the same files; it has one thread."""
    del threads
    from exactextract import exact_extract

    parcels = gpd.read_parquet(folder / "parcels_metric.parquet")
    result = exact_extract(
        _files(folder, dates),
        parcels,
        ["mean", "stdev"],
        include_cols=["parcel_id"],
        strategy="raster-sequential",
        output="pandas",
    )
    result.to_parquet(folder / "peer.parquet")


def run_read(folder: Path, dates: int, threads: int) -> None:
    """Read the same files in the same blocks with the same number of threads, and do nothing."""
    windows = [Window(c, r, 512, 512) for r in (0, 512) for c in (0, 512)]

    def one(path: str) -> None:
        with rasterio.Env(GDAL_CACHEMAX=64 * 2**20), rasterio.open(path) as file:
            for window in windows:
                file.read(1, window=window.intersection(Window(0, 0, EDGE, EDGE)))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, _files(folder, dates)))


def _files(folder: Path, dates: int) -> list[str]:
    return [str(folder / f"{date:02d}_{band}.tif") for date in range(dates) for band in S2_BANDS]


CONTENDERS: dict[str, Callable[[Path, int, int], None]] = {
    "ours": run_ours,
    "next_zone": run_next_zone,
    "peer": run_peer,
    "read": run_read,
}


def measure(name: str, folder: Path, dates: int = DATES, threads: int = 1) -> dict[str, float]:
    """Run one contender in its own process; return seconds and peak memory."""
    command = [sys.executable, "-m", "tests.benchmarks.observe", "--only", name]
    answer = subprocess.run(
        [*command, "--folder", str(folder), "--dates", str(dates), "--threads", str(threads)],
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return result


def largest_difference(folder: Path) -> float:
    """Return the largest |ours - peer| of any mean or standard deviation, digital numbers."""
    ours = read_table(folder / "observations.parquet").sort_values(["parcel_id", "datetime"])
    peer = pd.read_parquet(folder / "peer.parquet").sort_values("parcel_id")
    worst = 0.0
    for statistic, theirs in (("mean", "mean"), ("std", "stdev")):
        names = [f"{date:02d}_{band}_{theirs}" for date in range(DATES) for band in S2_BANDS]
        expected = peer[names].to_numpy().reshape(PARCELS, DATES, len(S2_BANDS))
        columns = [f"{band}_{statistic}" for band in S2_BANDS]
        found = ours[columns].to_numpy(dtype=float).reshape(expected.shape) / SCALE
        worst = max(worst, float(np.abs(found - expected).max()))
    return worst


def compare(folder: Path, rounds: int) -> dict[str, object]:
    """Measure all contenders, interleaved, and return the figures."""
    make_archive(folder)
    make_parcels(folder / "parcels.parquet")
    for dates in (DATES, DATES // 2):
        choose(folder, dates)
    runs = [{name: measure(name, folder) for name in CONTENDERS} for _ in range(rounds)]
    best = {name: min(run[name]["seconds"] for run in runs) for name in CONTENDERS}
    work = {name: min(run[name]["cpu_seconds"] for run in runs) for name in CONTENDERS}
    difference = largest_difference(folder)
    half = measure("ours", folder, DATES // 2)
    cores = os.cpu_count() or 1
    wide = {n: measure(n, folder, threads=cores)["seconds"] for n in ("ours", "read")}
    return {
        "seconds": best["ours"],
        "peer_seconds": best["peer"],
        "read_seconds": best["read"],
        "ratio_peer": best["peer"] / best["ours"],
        "ratio_read": best["ours"] / best["read"],
        "ratio_peer_cpu": work["peer"] / work["ours"],
        "ratio_read_cpu": work["ours"] / work["read"],
        "ratio_next_zone_cpu": work["next_zone"] / work["ours"],
        "load_average": os.getloadavg()[0],
        "max_abs_diff": difference,
        "peak_mb": max(run["ours"]["peak_mb"] for run in runs),
        "peak_mb_half": half["peak_mb"],
        "peer_peak_mb": max(run["peer"]["peak_mb"] for run in runs),
        "rounds": runs,
        "work": f"{PARCELS} parcels x {DATES * len(S2_BANDS)} bands of {EDGE} x {EDGE} pixels",
        "mb_on_disk": sum(path.stat().st_size for path in folder.glob("*.tif")) / 1e6,
        "threads": 1,
        "all_cores": {
            "threads": cores,
            "seconds": wide["ours"],
            "read_seconds": wide["read"],
            "ratio_peer": best["peer"] / wide["ours"],
            "ratio_read": wide["ours"] / wide["read"],
        },
        "machine": {
            "cpus": os.cpu_count(),
            "arch": platform.machine(),
            "python": platform.python_version(),
        },
        "versions": {n: version(n) for n in ("exactextract", "numpy", "scipy", "rasterio")},
        "gdal": rasterio.__gdal_version__,
    }


def main() -> None:
    """Run the benchmark, or one contender of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CONTENDERS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--dates", type=int, default=DATES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/observe.json"))
    arguments = parser.parse_args()
    if arguments.only:
        start, busy = time.perf_counter(), time.process_time()
        CONTENDERS[arguments.only](arguments.folder, arguments.dates, arguments.threads)
        seconds, cpu = time.perf_counter() - start, time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak}))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = compare(Path(folder), arguments.rounds)
    write_text(arguments.out, json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
