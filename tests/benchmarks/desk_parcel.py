"""How long a parcel page takes with all its chips, from the stored artifacts of a finished county.

Run as `python -m tests.benchmarks.desk_parcel RESULTS --season 2024 --county SIM001`. Parcels are
opened in headless Chromium with no GPU: `first` with chips that nobody asked for yet, `again` with
those that the desk keeps. Seconds from asking for the page until the last chip is on the screen.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.desk import served

LOADED = """() => { const chips = [...document.querySelectorAll(".chips img")];
    return document.body.dataset.idle && chips.length &&
        chips.every((chip) => chip.complete && chip.naturalWidth) && chips.length; }"""


def open_page(page: Any, address: str) -> tuple[float, int]:
    """Open a parcel's page; return seconds to the last chip and how many there are."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(address)
    while time.perf_counter() - began < 60:
        chips = page.evaluate(LOADED)
        if chips:
            return time.perf_counter() - began, int(chips)
        time.sleep(0.02)
    raise TimeoutError(f"the chips of {address} never came")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--season", default="2024")
    parser.add_argument("--county", default="SIM001")
    parser.add_argument("--parcels", type=int, default=8)
    asked = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with served(asked.results) as (desk, address), sync_playwright() as player:
        place = desk.shelf.place(asked.season, asked.county)
        ids = list(desk.layer(place).frame["parcel_id"])[:: max(1, 600 // asked.parcels)]
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        paths = [f"{address}/parcel/{place.key}/{one}" for one in ids[: asked.parcels]]
        open_page(page, paths[0])  # the tables and scripts are read once
        first = [open_page(page, path) for path in paths[1:]]
        again = [open_page(page, path) for path in paths[1:]]
        browser.close()
    told = {
        "chips": first[0][1], "first_s": round(statistics.median(t for t, _ in first), 2),
        "again_s": round(statistics.median(t for t, _ in again), 2),
        "load": [round(load, 1) for load in os.getloadavg()], "cpus": os.cpu_count(),
    }  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    main()
