"""Smooth many simulated series and read their cycles, dates and harvests, batch by batch.

Run as `python -m tests.benchmarks.growth --series 100000`. The peer is whittaker-eilers smoothing
the same gappy series alone, one call each, in the same run; `ratio` is our whole step over it, and
`ratio_with_vigour` is that with the comparison at the same thermal time.
`per_second` is series per second of processor time; making the series is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from whittaker_eilers import WhittakerSmoother

from fieldline.crops.growth.curves import Points
from fieldline.crops.growth.seasons import measure
from fieldline.crops.growth.thermal import ThermalClock
from fieldline.crops.growth.vigour import courses, green_up, thermal_norms
from fieldline.crops.settings import GrowSettings

DATES, STEP = 73, 5


def series(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return NDVI and clear share (0 where cloudy) of so many seasons, shape (count, 73)."""
    generator = np.random.default_rng(seed)
    day = np.arange(DATES) * STEP
    rise = generator.uniform(80, 160, (count, 1))
    fall = rise + generator.uniform(60, 130, (count, 1))
    ndvi = 0.2 + 0.6 / (1 + np.exp(-(day - rise) / 8)) - 0.6 / (1 + np.exp(-(day - fall) / 8))
    ndvi += generator.normal(0, 0.03, ndvi.shape)
    clear = np.where(generator.random(ndvi.shape) < 0.6, generator.uniform(0.5, 1, ndvi.shape), 0)
    return ndvi, clear


def points_of(ndvi: np.ndarray, clear: np.ndarray) -> Points:
    """Return the clear observations."""
    parcel, at = np.nonzero(clear)
    return Points(len(ndvi), parcel, at * STEP, ndvi[parcel, at], clear[parcel, at])


def measured(count: int, batch: int) -> dict[str, Any]:
    """Return processor time of our step and of the peer over the same series."""
    settings, ours, peer, cycles, vigour = GrowSettings(), 0.0, 0.0, 0, 0.0
    days, names = np.arange(DATES * STEP), [f"p{n}" for n in range(batch)]
    warmth = 10 - 15 * np.cos(2 * np.pi * days / 365)
    clock = ThermalClock(
        {"c": warmth - 5}, {"c": warmth + 5}, dict.fromkeys(names, "c"), len(days)
    )  # fmt: skip
    crops = np.array(["maize", "winter_wheat"], dtype=object)[np.arange(batch) % 2]
    means = []
    for number in range(-(-count // batch)):
        ndvi, clear = series(batch, number)
        points = points_of(ndvi, clear)
        begin = time.process_time()
        found = measure(points, 5, settings)
        cycles += int((found.main >= 0).sum())
        ours += time.process_time() - begin
        begin = time.process_time()
        start = green_up(found, settings.min_amplitude)
        rows = clock.rows(names, crops)
        grown = courses(found.curves, start, rows, found.of_main(found.ends))
        means.append(grown.means.astype(np.float32))
        vigour += time.process_time() - begin
        begin = time.process_time()
        for values, weight in zip(ndvi, clear, strict=True):
            smoother = WhittakerSmoother(settings.penalty, 2, DATES, None, weight.tolist())
            smoother.smooth(values.tolist())
        peer += time.process_time() - begin
    begin = time.process_time()
    thermal_norms(np.vstack(means).astype(float), np.tile(crops, len(means)), 8)
    vigour += time.process_time() - begin
    done = -(-count // batch) * batch
    return {
        "series": done, "dates": DATES, "with_a_cycle": cycles, "seconds": round(ours, 2),
        "per_second": round(done / ours), "whittaker_eilers_seconds": round(peer, 2),
        "ratio": round(ours / peer, 2), "vigour_seconds": round(vigour, 2),
        "ratio_with_vigour": round((ours + vigour) / peer, 2),
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=2_500)
    chosen = parser.parse_args()
    where = {
        "python": platform.python_version(), "fieldline": version("fieldline"),
        "whittaker_eilers": version("whittaker-eilers"), "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    print(json.dumps({**measured(chosen.series, chosen.batch), "machine": where}, indent=2))


if __name__ == "__main__":
    main()
