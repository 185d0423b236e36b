"""Pull scenes through loopback against curl fetching the same files, and plan 10,000 items.

Run as `python -m tests.benchmarks.pull`. The service is a process of its own; the county covers the
scenes whole, so both contenders move the same bytes over the same number of connections. Rounds are
interleaved, best of the rounds, imports not counted, once as fast as loopback goes and once at the
20 MB/s a connection that Copernicus' object store allows. curl writes what comes; the pull also
checks each range, copies tiles into GeoTIFFs and decodes every tile once. Memory is the peak of a
pull in a process of its own, for some scenes and for four times as many.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.shutil import copy
from scipy import ndimage

from fieldline.pipeline.records.tables import write_text
from tests.pipeline.imagery.pulling import QUICK, choose
from tests.pipeline.imagery.tiny_archive import TinyScene, pixel_box, write_archive, write_parcels
from tests.services.stac_api import StacApi, serving

CONNECTIONS = 4
RATE = 20e6
_SPAWN = multiprocessing.get_context("spawn")


def make_scenes(folder: Path, scenes: int, size: int) -> None:
    """Write scenes of smooth land with noise, as compressible as reflectance, in COG tiles."""
    made = []
    for number in range(scenes):
        draw = np.random.default_rng(number)
        land = ndimage.zoom(draw.integers(300, 5000, (size // 50, size // 50)), 50, order=1)
        bands = {
            name: (land + draw.normal(0, 60, land.shape)).clip(1).astype("uint16")
            for name in ("B02", "B04")
        }
        bands["SCL"] = np.full(land.shape, 4, dtype="uint8")
        made.append(TinyScene(f"S2_{number:02d}", bands))
    write_archive(folder, made)
    for path in (folder / "files").glob("*.tif"):
        whole = path.rename(path.with_suffix(".whole"))
        options = {"blocksize": 512, "compress": "deflate", "overviews": "NONE"}
        copy(whole, path, driver="COG", **options)
        whole.unlink()


def serve(folder: Path, rate: float | None, line: Any) -> None:
    """Serve an archive until told to end."""
    with serving(StacApi(folder, page=1000, rate=rate)) as api:
        line.send(api.root)
        line.recv()


@contextmanager
def service(folder: Path, rate: float | None = None) -> Iterator[str]:
    """Yield the root of a service in a process of its own."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=serve, args=(folder, rate, theirs))
    process.start()
    root: str = ours.recv()
    try:
        yield root
    finally:
        ours.send("end")
        process.join()


def pull(root: str, target: Path, size: int) -> None:
    """Pull every scene of the service."""
    shape = {"a": pixel_box(0.5, 0.5, size - 0.5, size - 0.5)}
    parcels = write_parcels(target / "parcels.parquet", shape)
    settings = QUICK.model_copy(update={"connections": CONNECTIONS, "timeout_s": 60.0})
    choose(target, root, parcels=parcels, pull=settings)


def curl(root: str, files: list[str], target: Path) -> None:
    """Fetch the same files with curl over as many connections."""
    target.mkdir(parents=True)
    server = root.removesuffix("/api")
    command = ["curl", "-s", "-S", "-f", "-Z", "--parallel-max", str(CONNECTIONS)]
    for name in files:
        command += ["-o", str(target / name), f"{server}/files/{name}"]
    subprocess.run(command, check=True)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return wall-clock and own processor seconds of some work, children's included."""
    before, start = os.times(), time.perf_counter()
    work()
    after = os.times()
    spent = sum(after[:4]) - sum(before[:4])
    return time.perf_counter() - start, spent


def _peak(root: str, target: Path, size: int, line: Any) -> None:
    pull(root, target, size)
    line.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_mib(root: str, target: Path, size: int) -> float:
    """Return the peak memory of a pull in a process of its own, MiB."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_peak, args=(root, target, size, theirs))
    process.start()
    peak: float = ours.recv()
    process.join()
    return peak


def race(folder: Path, archive: Path, size: int, rounds: int, rate: float | None) -> dict[str, Any]:
    """Return the figures of both contenders at a rate."""
    files = sorted(path.name for path in (archive / "files").glob("*.tif"))
    best: dict[str, tuple[float, float]] = {}
    with service(archive, rate) as root:
        for number in range(rounds):
            for name, work in (
                ("curl", lambda: curl(root, files, folder / "curl")),
                ("pull", lambda: pull(root, folder / "pull", size)),
            ):
                best[name] = min(best.get(name, (1e9, 0.0)), timed(work))
                shutil.rmtree(folder / name)
            print(f"rate {rate}, round {number + 1}: {best}", flush=True)
    return {
        "seconds": {name: value[0] for name, value in best.items()},
        "processor_seconds": {name: value[1] for name, value in best.items()},
        "pull_over_curl": best["pull"][0] / best["curl"][0],
    }


def measure(folder: Path, scenes: int, size: int, rounds: int) -> dict[str, Any]:
    """Return the figures of both contenders, and the peak memory of pulls."""
    archive, few = folder / "archive", folder / "few"
    make_scenes(archive, scenes, size)
    make_scenes(few, max(1, scenes // 4), size)
    peaks = {}
    for name, place in (("few", few), ("all", archive)):
        with service(place) as root:
            peaks[name] = peak_mib(root, folder / f"peak_{name}", size)
    return {
        "megabytes": sum(path.stat().st_size for path in (archive / "files").iterdir()) / 1e6,
        "loopback": race(folder, archive, size, rounds, None),
        "at_20_megabytes_a_second": race(folder, archive, size, rounds, RATE),
        "peak_mib": {str(max(1, scenes // 4)): peaks["few"], str(scenes): peaks["all"]},
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--size", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("pull.json"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = measure(Path(folder), asked.scenes, asked.size, asked.rounds)
    names = ("rasterio", "requests", "urllib3", "numpy")
    told |= {
        "versions": {name: version(name) for name in names},
        "machine": f"{platform.machine()} {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "python": platform.python_version(), "connections": CONNECTIONS,
        "scenes": asked.scenes, "size": asked.size,
    }  # fmt: skip
    write_text(asked.out, json.dumps(told, indent=2) + "\n")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
