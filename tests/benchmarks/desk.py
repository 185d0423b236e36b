"""How long the desk's map takes with a county of 100,000 or 1,000,000 parcels.

Run as `python -m tests.benchmarks.desk --parcels 100000 --out desk.json`. The county is generated:
a grid of square fields of 45 m with what the map colours, no scenes. Headless Chromium has no GPU
here, so times are those of the slowest machine. `paint` is when the first parcels are drawn and
`idle` when the map rests, in seconds from asking for the page; `pan` is what ten steps of moving it
cost. The tiles are made before; how long that took is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import uvicorn

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Shelf
from fieldline.desk.app.seen import seen_fields
from fieldline.desk.app.server import application
from fieldline.desk.app.tiles import write_tiles
from fieldline.pipeline.records.tables import write_text

WEST, SOUTH = 115.0, 33.0
STEP_DEG, SIDE_DEG = 0.00052, 0.00045
PLACE = "2024/BULK"
CROPS = ("winter_wheat", "maize", "rice", "soybean", "cotton", "peanut")
ACCESSES = ("approve", "review", "decline")
EFFECTS = ("none", "lower", "review", "block")
READY = """() => document.body.dataset.idle &&
    [Number(document.body.dataset.paint), Number(document.body.dataset.idle)]"""


def make_county(folder: Path, parcels: int, seed: int = 3) -> None:
    """Write the tables that the map reads: a square of fields, one farmer to three of them."""
    rng = np.random.default_rng(seed)
    number = np.arange(parcels)
    across = int(np.ceil(np.sqrt(parcels)))
    west, south = WEST + number % across * STEP_DEG, SOUTH + number // across * STEP_DEG
    ids = np.char.add("BULK-P", np.char.zfill(number.astype(str), 7)).astype(object)
    owners = np.char.add("F", np.char.zfill((number // 3).astype(str), 16)).astype(object)
    folder.mkdir(parents=True)
    frame = gpd.GeoDataFrame(
        {
            "parcel_id": ids, "farmer_id": owners,
            "village": np.char.add("Village ", (number // 900).astype(str)).astype(object),
            "declared_crop": rng.choice(CROPS, parcels), "declared_area_m2": 2000.0,
            "metrics:area": 2000.0,
        },
        geometry=shapely.box(west, south, west + SIDE_DEG, south + SIDE_DEG), crs=4326,
    )  # fmt: skip
    frame.to_parquet(folder / "parcels.parquet")

    def write(name: str, **columns: object) -> None:
        pd.DataFrame({"parcel_id": ids, **columns}).to_parquet(folder / f"{name}.parquet")

    write("crops", crop=rng.choice(CROPS, parcels), probability=0.9)
    write("fields", seen_area_m2=1900.0, planted_fraction=0.95)
    write("growth", anomaly=rng.normal(0, 1.2, parcels), harvest_date=None)
    write("hazards", hazard_index=rng.uniform(0, 100, parcels))
    write("yields", yield_q10_t_ha=4.0, yield_q50_t_ha=5.0, yield_q90_t_ha=6.0)
    effects = rng.choice(EFFECTS, parcels, p=(0.8, 0.1, 0.07, 0.03))
    write("evidence", evidence_area_m2=1900.0, effect=effects, codes=[[]] * parcels)
    people = np.unique(owners)
    access = rng.choice(ACCESSES, len(people), p=(0.6, 0.1, 0.3))
    pd.DataFrame({
        "farmer_id": people, "access": access, "currency": "CNY", "decision_id": people,
        "limit_minor": np.where(access == "approve", rng.integers(5, 90, len(people)) * 10000, 0),
    }).to_parquet(folder / "decisions.parquet")  # fmt: skip
    pd.DataFrame(
        {"level": "farmer", "party_id": people, "evidence_area_m2": 5700.0}
    ).to_parquet(folder / "profiles.parquet")  # fmt: skip


@contextmanager
def served(results: Path) -> Iterator[tuple[Desk, str]]:
    """Serve a results folder on loopback."""
    desk = Desk(Shelf(results), f"sqlite:///{results / 'none.sqlite'}")
    settings = uvicorn.Config(application(desk), host="127.0.0.1", port=0, log_level="error")
    socket = settings.bind_socket()
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield desk, f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def look(page: Any, address: str) -> dict[str, float]:
    """Open an address of the map and return seconds to first parcels and to rest."""
    page.goto("about:blank")
    page.goto(address)
    end = time.monotonic() + 240
    while time.monotonic() < end:
        found = page.evaluate(READY)
        if found:
            return {"paint": round(found[0] / 1000, 2), "idle": round(found[1] / 1000, 2)}
        time.sleep(0.05)
    raise TimeoutError(f"{address} never came to rest")


def moves(page: Any) -> dict[str, float]:
    """Pan ten times and return the longest time between two frames and the mean, seconds."""
    script = """() => new Promise((done) => {
        const gaps = []; let last = performance.now(); let steps = 0;
        const frame = (now) => {
            gaps.push(now - last); last = now;
            if (gaps.length % 6 === 0 && steps++ < 10) desk.map.panBy([90, 0], {duration: 80});
            gaps.length < 90 ? requestAnimationFrame(frame) : done(gaps);
        };
        requestAnimationFrame(frame); })"""
    gaps = sorted(page.evaluate(script))
    return {"longest_frame": round(gaps[-1] / 1000, 3), "median_frame": round(gaps[45] / 1000, 3)}


def measure(parcels: int, rounds: int) -> dict[str, Any]:
    """Make a county, its tiles, and look at it."""
    from playwright.sync_api import sync_playwright

    told: dict[str, Any] = {"parcels": parcels}
    with tempfile.TemporaryDirectory() as place:
        results = Path(place)
        make_county(results / PLACE, parcels)
        with served(results) as (desk, address), sync_playwright() as player:
            found = desk.shelf.place(*PLACE.split("/"))
            began = time.perf_counter()
            desk.layer(found)
            told["layer_s"] = round(time.perf_counter() - began, 1)
            began = time.perf_counter()
            write_tiles(desk.layer(found), seen_fields(found), results / "draft")
            told["tiles_s"] = round(time.perf_counter() - began, 1)
            told["tiles_mb"] = round((results / "draft").stat().st_size / 1e6, 1)
            ready = desk.tiles.path(found, desk.version(found))
            (results / "draft").replace(ready)
            flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
            chromium = shutil.which("chromium")
            browser = player.chromium.launch(executable_path=chromium, args=flags)
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            half = STEP_DEG * parcels**0.5 / 2
            middle = f"{WEST + half:.4f},{SOUTH + half:.4f}"
            looks = {
                "county": "",
                **{f"zoom_{z}": f"?at={middle},{z}" for z in (11, 12, 13, 14, 16)},
            }
            for name, at in looks.items():
                seen = [look(page, f"{address}/map/{PLACE}{at}") for _ in range(rounds)]
                told[name] = min(seen, key=lambda one: one["idle"]) | {"pan": moves(page)}
            browser.close()
    return told


def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    before = os.getloadavg()[0]
    told = measure(asked.parcels, asked.rounds)
    told |= {
        "load": [round(before, 1), round(os.getloadavg()[0], 1)], "cpus": os.cpu_count(),
        "machine": platform.machine(), "freestiler": version("freestiler"),
    }  # fmt: skip
    text = json.dumps(told, indent=1)
    print(text)
    if asked.out:
        write_text(asked.out, text)


if __name__ == "__main__":
    main()
