"""The radar stage: backscatter of every parcel by day and orbit direction.

Owns `observations_sentinel1.parquet`. Scenes are chosen and pixels are weighed as optical ones are,
on the power itself: an average of decibels is lower than the decibels of the average, by a decibel
over the speckle of a single look. Only what is written is in decibels.
"""

from __future__ import annotations

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
from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, TableSchema, iter_batches, read_table

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
    if radar.collection is None:
        write_items([], out_scenes)
        with BatchWriter(_schema(radar), out):
            write_outcomes([], outcomes)
        return
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
        of_scenes, of_reading = Path(name) / "scenes.parquet", Path(name) / "observe.parquet"
        write_outcomes([], of_scenes)
        if chosen is None:
            choose_radar(
                catalog=catalog, parcels=parcels, season=season, radar=radar, grid=grid,
                remote=remote, pull=pull, simulated=simulated, out=out_scenes, outcomes=of_scenes,
            )  # fmt: skip
        observe_radar(
            scenes=chosen or out_scenes, parcels=parcels, radar=radar, grid=grid,
            settings=settings, threads=threads, out=out, outcomes=of_reading,
        )  # fmt: skip
        write_outcomes(_told(of_scenes, of_reading), outcomes)


def choose_radar(
    *, catalog: Path | None, parcels: Path, season: Season, radar: RadarSettings,
    grid: GridSettings, remote: str | None, pull: PullSettings | None, simulated: bool,
    out: Path, outcomes: Path,
) -> None:  # fmt: skip
    """Choose the radar scenes of a season, and fetch them where a provider has them.

    Args:
        catalog: Archive on disk.
        parcels: `parcels.parquet`.
        season: Dates of the season and the as-of date.
        radar: Collection, polarisations, and what holds where items are silent.
        grid: The county's grid.
        remote: The provider of the optical scenes; `radar.provider` goes before it.
        pull: How scenes are fetched.
        simulated: Whether the county is; a real one takes no simulated scene.
        out: `scenes_sentinel1.parquet`, the chosen items.
        outcomes: One row per item of the collection, item id in `parcel_id`.

    Raises:
        UserError: The provider gives no radar, or there is no such collection.
    """
    provider = radar.provider or remote
    if provider is not None and provider_of(provider).kind != "stac":
        raise UserError(
            f"{provider} renders reflectance and gives no radar",
            "name one that gives files as county.radar.provider, such as stac:planetary-computer, "
            "or leave county.radar.collection empty",
        )
    run_scenes(
        catalog=catalog, parcels=parcels, season=season, scenes=RadarScenes.of(radar), grid=grid,
        remote=provider, pull=pull, simulated=simulated, out=out, outcomes=outcomes,
    )  # fmt: skip


def observe_radar(
    *, scenes: Path, parcels: Path, radar: RadarSettings, grid: GridSettings,
    settings: ObserveSettings, threads: int, out: Path, outcomes: Path,
) -> None:  # fmt: skip
    """Observe every parcel on chosen radar scenes: weighed as power, written in decibels.

    Args:
        scenes: `scenes_sentinel1.parquet`.
        parcels: `parcels.parquet`.
        radar: Polarisations, and what holds where items are silent.
        grid: The county's grid.
        settings: Block and row group size.
        threads: Dates worked on at once.
        out: `observations_sentinel1.parquet`, `RADAR_OBSERVATIONS`.
        outcomes: One row per parcel, and one per scene that could not be read.
    """
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        power = Path(folder) / "power.parquet"
        run_observe(
            scenes=scenes, parcels=parcels, grid=grid, scene_settings=RadarScenes.of(radar),
            settings=settings, threads=threads, out=power, outcomes=outcomes,
        )  # fmt: skip
        orbits = {item.id: item.orbit for item in read_items(scenes)}
        with BatchWriter(_schema(radar), out) as writer:
            for frame in iter_batches(power):
                writer.write(in_decibels(frame, radar.bands, orbits))


def _schema(radar: RadarSettings) -> TableSchema:
    return RADAR_OBSERVATIONS.with_columns(radar_columns(radar.bands))


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


def _told(of_scenes: Path, of_reading: Path) -> list[Outcome]:
    """Return what became of each item; that it could not be read is the last word."""
    chosen, seen = (read_table(path).to_dict("records") for path in (of_scenes, of_reading))
    unread = [row for row in seen if row["outcome"] == "scene_unreadable"]
    last = {row["parcel_id"]: row for row in (*chosen, *unread)}
    return [Outcome(STAGE, name, "", row["outcome"], row["detail"]) for name, row in last.items()]
