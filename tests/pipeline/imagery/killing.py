"""Runs a pull again and again, each killed at a random moment, then once to its end.

A program of its own: it forks pulls from one process that has loaded everything, so that a kill
falls into the pull and not into the loading.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.pipeline.imagery.pulling import QUICK, SIZE, choose, observe
from tests.pipeline.imagery.tiny_archive import pixel_box, write_parcels

SMALL = QUICK.model_copy(update={"connections": 2, "largest_request_kib": 16, "gap_kib": 0})
"""Small requests: what is under way when a pull is killed is what may be lost."""


def pull(folder: Path, root: str) -> Path:
    """Pull scenes whole and observe one parcel that covers them."""
    shape = {"a": pixel_box(0.5, 0.5, SIZE - 0.5, SIZE - 0.5)}
    parcels = write_parcels(folder / "parcels.parquet", shape)
    given: dict[str, Any] = {"parcels": parcels, "pull": SMALL}
    choose(folder, root, **given)
    return observe(folder)


def kill_some(folder: Path, root: str, kills: int, seconds: float) -> int:
    """Kill pulls at random moments; return how many were still at work when they were."""
    draw, met = random.Random(7), 0
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            pull(folder, root)
            os._exit(0)
        time.sleep(draw.uniform(0, 2 * seconds / kills))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        met += os.WIFSIGNALED(status)
    return met


if __name__ == "__main__":
    place, service, count, spread = sys.argv[1:]
    print(kill_some(Path(place), service, int(count), float(spread)))
    pull(Path(place), service)
