"""Two parcels whose scenes are pulled from the STAC API on loopback: for the tests of the pull."""

from __future__ import annotations

import datetime as dt
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    EAGER,
    GRID,
    SEASON,
    TinyScene,
    pixel_box,
    scene_settings,
    write_parcels,
)

#: Many attempts with next to no wait: the tests count them.
QUICK = PullSettings(attempts=4, first_wait_s=0.001, longest_wait_s=2, timeout_s=2)
SCENES = scene_settings("B02", "B04", mask=AS_DRAWN)
SIZE = 700
"""Pixels of a scene's edge: the county is a corner of it."""


def scenes_of(count: int = 3) -> list[TinyScene]:
    """Return scenes of pixels that are all different, half of them under cloud in one place."""
    made = []
    for number in range(count):
        numbers = np.random.default_rng(number).integers(1, 9000, (2, SIZE, SIZE))
        classes = np.full((SIZE, SIZE), 4, dtype=np.uint8)
        classes[: 3 + number, :20] = 9
        bands = {"B02": numbers[0], "B04": numbers[1], "SCL": classes}
        day = dt.date(2021, 5, 10) + dt.timedelta(days=10 * number)
        made.append(TinyScene(f"S2_{number}", bands, day=day))
    return made


def county(folder: Path) -> Path:
    """Write two parcels with edges inside pixels; return parcels.parquet."""
    shapes = {"a": pixel_box(0.3, 0.6, 11.5, 9.2), "b": pixel_box(20.1, 14.0, 31.7, 33.3)}
    return write_parcels(folder / "parcels.parquet", shapes)


def choose(folder: Path, remote: str | None, catalog: Path | None = None, **changes: Any) -> Path:
    """Run the scenes stage; return the results folder."""
    results = folder / "results"
    given = {"season": SEASON, "scenes": SCENES, "pull": QUICK}
    given["parcels"] = changes.pop("parcels", None) or county(folder)
    run_scenes(
        catalog=catalog, out=results / "scenes.parquet",
        outcomes=results / "chosen.parquet", remote=remote, grid=GRID, **{**given, **changes},
    )  # fmt: skip
    return results


def observe(folder: Path) -> Path:
    """Run the observe stage over what was chosen; return the results folder."""
    results = folder / "results"
    run_observe(
        scenes=results / "scenes.parquet", parcels=folder / "parcels.parquet", grid=GRID,
        scene_settings=SCENES, settings=EAGER, out=results / "observations.parquet",
        outcomes=results / "observed.parquet",
    )  # fmt: skip
    return results


def told(path: Path) -> dict[str, tuple[str, str]]:
    """Return outcome and detail of every row of an outcome file by its name."""
    frame = read_table(path)
    pairs = zip(frame["outcome"], frame["detail"], strict=True)
    return dict(zip(frame["parcel_id"], pairs, strict=True))


def files_of(results: Path) -> dict[str, bytes]:
    """Return every file of a results folder with its bytes."""
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file()
    }


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as a disk that fills up does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
