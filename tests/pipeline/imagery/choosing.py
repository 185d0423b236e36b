"""Running the scene stage over a tiny archive: what the tests of `scenes` share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.tiny_archive import (
    SEASON,
    TinyScene,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)

RED = {"B04": [[500, 600], [700, 800]]}


def choose(folder: Path, scenes: list[TinyScene], season: Season = SEASON, **changes: Any) -> Path:
    """Run the stage over a tiny archive; return scenes.parquet."""
    catalog = write_archive(folder / "archive", scenes)
    return choose_from(folder, catalog, season, **changes)


def choose_from(folder: Path, catalog: Path, season: Season = SEASON, **changes: Any) -> Path:
    """Run the stage over any archive; return scenes.parquet."""
    parcels = write_parcels(folder / "parcels.parquet", {"p": pixel_box(0.2, 0.2, 1.4, 1.8)})
    out = folder / "results" / "scenes.parquet"
    run_scenes(
        simulated=changes.pop("simulated", False),
        catalog=catalog,
        parcels=parcels,
        season=season,
        scenes=scene_settings("B04", **changes),
        out=out,
        outcomes=folder / "results" / "outcomes.parquet",
    )
    return out


def outcomes(folder: Path) -> dict[str, str]:
    """Return the outcome of every item by its name."""
    frame = read_table(folder / "results" / "outcomes.parquet")
    return dict(zip(frame["parcel_id"], frame["outcome"], strict=True))


def edit(archive: Path, name: str, **places: Any) -> None:
    """Put values into an item's document; `properties__eo:cloud_cover` names a place."""
    path = archive / "tiny" / name / f"{name}.json"
    document = json.loads(path.read_text())
    for place, value in places.items():
        *folders, last = place.split("__")
        inside = document
        for folder in folders:
            inside = inside[int(folder) if folder.isdigit() else folder]
        inside[last] = value
    path.write_text(json.dumps(document))


def told(folder: Path) -> dict[str, tuple[str, str]]:
    """Return outcome and detail of every item by its name."""
    frame = read_table(folder / "results" / "outcomes.parquet")
    pairs = zip(frame["outcome"], frame["detail"], strict=True)
    return dict(zip(frame["parcel_id"], pairs, strict=True))
