"""The radar stage: backscatter of every parcel by day and orbit direction.

Owns `observations_sentinel1.parquet`. Scenes are chosen and pixels are weighed as optical ones are,
on the power itself: an average of decibels is lower than the decibels of the average, by a decibel
over the speckle of a single look. Only what is written is in decibels.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scene_table import read_items, write_items
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.schemas import RADAR_OBSERVATIONS, radar_columns
from fieldline.pipeline.imagery.settings import (
    GridSettings,
    ObserveSettings,
    PullSettings,
    RadarScenes,
    RadarSettings,
)
from fieldline.pipeline.imagery.sources.providers import provider_of
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, Outcome, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, iter_batches, read_table

STAGE = "radar"


def run_radar(
    *,
    catalog: Path | None,
    parcels: Path,
    season: Season,
    radar: RadarSettings,
    grid: GridSettings,
    settings: ObserveSettings,
    out: Path,
    out_scenes: Path,
    outcomes: Path,
    remote: str | None = None,
    pull: PullSettings | None = None,
    chosen: Path | None = None,
    simulated: bool = False,
    threads: int = 1,
) -> None:
    """Observe every parcel on every radar scene; empty tables where no radar is configured.

    Args:
        catalog: Archive on disk.
        parcels: `parcels.parquet`.
        season: Dates of the season and the as-of date.
        radar: Collection, polarisations, and what holds where items are silent.
        grid: The county's grid.
        settings: Block and row group size.
        out: `observations_sentinel1.parquet`, `RADAR_OBSERVATIONS`.
        out_scenes: `scenes_sentinel1.parquet`, the chosen items.
        outcomes: One row per item of the collection, item id in `parcel_id`.
        remote: The provider of the optical scenes, where they have one; `radar.provider` goes
            before it. Its files are pulled to the folder of the optical ones.
        pull: How they are fetched.
        chosen: `scenes_sentinel1.parquet` of the county, for land that is observed on scenes that
            are there already; nothing is chosen or fetched then, and `out_scenes` not written.
        simulated: Whether the county is; a real one takes no simulated scene.
        threads: Dates worked on at once.

    Raises:
        UserError: The provider gives no radar, or there is no such collection.
    """
    schema = RADAR_OBSERVATIONS.with_columns(radar_columns(radar.bands))
    if radar.collection is None:
        write_items([], out_scenes)
        with BatchWriter(schema, out):
            write_outcomes([], outcomes)
        return
    provider = radar.provider or remote
    if provider is not None and provider_of(provider).kind != "stac":
        raise UserError(
            f"{provider} renders reflectance and gives no radar",
            "name one that gives files as county.radar.provider, such as stac:planetary-computer, "
            "or leave county.radar.collection empty",
        )
    scenes = RadarScenes.of(radar)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        if chosen is None:
            chosen = out_scenes
            run_scenes(
                catalog=catalog, parcels=parcels, season=season, scenes=scenes, grid=grid,
                remote=provider, pull=pull, simulated=simulated, out=out_scenes,
                outcomes=folder / "scenes.parquet",
            )  # fmt: skip
        else:
            write_outcomes([], folder / "scenes.parquet")
        run_observe(
            scenes=chosen, parcels=parcels, grid=grid, scene_settings=scenes,
            settings=settings, threads=threads, out=folder / "power.parquet",
            outcomes=folder / "observe.parquet",
        )  # fmt: skip
        orbits = {item.id: item.orbit for item in read_items(chosen)}
        with BatchWriter(schema, out) as writer:
            for frame in iter_batches(folder / "power.parquet"):
                writer.write(in_decibels(frame, radar.bands, orbits))
        write_outcomes(_told(folder), outcomes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def in_decibels(
    frame: pd.DataFrame, bands: tuple[str, ...], orbits: dict[str, str | None]
) -> pd.DataFrame:
    """Return rows of power as they are written.

    Args:
        frame: Rows of observations whose statistics are of power.
        bands: Polarisations.
        orbits: Orbit direction by item id.

    Returns:
        Mean in dB; spread as standard deviation over mean of the power. A mean that is not positive
        has no decibels and is null.
    """
    columns = {
        name: frame[name]
        for name in ("parcel_id", "datetime", "scene_id", "valid_fraction", "effective_pixels")
    }
    first = frame["scene_id"].str.split("+", n=1, regex=False).str[0]
    columns["orbit"] = first.map(orbits)
    for band in bands:
        mean = frame[f"{band}_mean"].where(frame[f"{band}_mean"] > 0)
        columns[f"{band}_mean"] = 10.0 * np.log10(mean)
        columns[f"{band}_cv"] = frame[f"{band}_std"] / mean
    return pd.DataFrame(columns)


def _told(folder: Path) -> list[Outcome]:
    """Return what became of each item; that it could not be read is the last word."""
    chosen = read_table(folder / "scenes.parquet").to_dict("records")
    seen = read_table(folder / "observe.parquet").to_dict("records")
    unread = [row for row in seen if row["farmer_id"] == "" and row["outcome"] != OK]
    last = {row["parcel_id"]: row for row in (*chosen, *unread)}
    return [Outcome(STAGE, name, "", row["outcome"], row["detail"]) for name, row in last.items()]
