"""A county's season of two parcels, chosen and observed from a tiny archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    EAGER,
    GRID,
    SEASON,
    TinyScene,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)

BANDS = ("B04", "B08")
SETTINGS = scene_settings(*BANDS, mask=AS_DRAWN)
SHAPES = {"a": pixel_box(0.5, 0.5, 37.5, 80.2), "b": pixel_box(50.4, 20.1, 89.6, 89.5)}


def observed_season(base: Path, scenes: Sequence[TinyScene], **changes: Any) -> Path:
    """Choose and observe; return `results/2021/T` in `base`."""
    folder = base / "results" / "2021" / "T"
    parcels = write_parcels(folder / "parcels.parquet", SHAPES)
    given = {"season": SEASON, "catalog": write_archive(base / "archive", scenes), **changes}
    run_scenes(
        parcels=parcels, scenes=SETTINGS, out=folder / "scenes.parquet", grid=GRID,
        outcomes=folder / "outcomes" / "scenes.parquet", **given,
    )  # fmt: skip
    run_observe(
        scenes=folder / "scenes.parquet", parcels=parcels, grid=GRID, scene_settings=SETTINGS,
        settings=EAGER, out=folder / "observations.parquet",
        outcomes=folder / "outcomes" / "observe.parquet",
    )  # fmt: skip
    return folder
