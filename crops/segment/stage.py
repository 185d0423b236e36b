"""The segment stage: field polygons around the drawn rings, and what they say of each ring.

Owns `field_polygons.parquet`, `ring_fields.parquet` and one outcome of the whole. Where the stage
cannot look (no torch, no clear date, bands that the network does not know) it says so there, writes
both files empty, and the chain goes on without this evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from rasterio.windows import Window

from fieldline.crops.networks.folder import StoredNetwork, need_bands, read_network
from fieldline.crops.networks.machine import choose_machine, networks_installed
from fieldline.crops.schemas import RING_FIELDS
from fieldline.crops.segment.cover import NO_FIELD
from fieldline.crops.segment.delineate import delineate, field_polygons
from fieldline.crops.segment.learn import module_of
from fieldline.crops.segment.pairs import KIND
from fieldline.crops.segment.polygons import write_fields
from fieldline.crops.segment.predict import Wanted
from fieldline.crops.segment.rings import ring_evidence
from fieldline.crops.segment.stack import NothingClearError, Scenes, spread_days
from fieldline.crops.series import stopped_parcels
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.grid import Grid, county_grid
from fieldline.pipeline.imagery.scene_days import SceneDay, read_scene_days
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings
from fieldline.pipeline.imagery.whereabouts import need_some_file
from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table

STAGE = "segment"
ABOUT = "field_polygons"
"""What the stage's one outcome is about."""


def run_segment(
    *,
    scenes: Path,
    parcels: Path,
    network: Path,
    grid: GridSettings,
    scene_settings: SceneSettings,
    settings: SegmentSettings,
    season: Season,
    out: Path,
    out_rings: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
) -> None:
    """Write field polygons, what they say of each ring, and the stage's outcome.

    Args:
        scenes: `scenes.parquet`.
        parcels: `parcels.parquet`.
        network: `manifest.json` of the network that serves (`fields_train`).
        grid: The county's grid.
        scene_settings: Bands and mask of the scenes.
        settings: Dates and tiles.
        season: Season; nothing after its as-of date is read.
        out: Where the polygons go.
        out_rings: Where the evidence of rings goes.
        outcomes: Where the outcome goes.
        previous: Outcome files of earlier stages; parcels they stopped are left out.

    Raises:
        UserError: The network's folder is damaged, or the scenes lie elsewhere now.
    """
    drawn = read_parcels(parcels)
    drawn = drawn[~drawn["parcel_id"].isin(stopped_parcels(previous))].reset_index(drop=True)
    days = [day for day in read_scene_days(scenes) if season.start <= day.date <= season.as_of]
    code, words = _obstacle(days, drawn, settings)
    fields = gpd.GeoDataFrame(
        {"id": [], "confidence": [], "cover": []}, geometry=[], crs="EPSG:32631"
    )
    rings = drawn
    if code == OK:
        need_some_file(days, scenes)
        serving = read_network(network.parent, KIND)
        lacking = [band for band in serving.bands if band not in scene_settings.bands]
        if lacking:
            code, words = "segment_no_bands", detail(bands=",".join(lacking))
        else:
            county = county_grid(drawn, grid)
            rings = drawn.to_crs(county.crs)
            days = spread_days(days, settings.dates)
            over = season.as_of >= season.end
            try:
                fields = _fields(serving, days, county, rings, scene_settings, settings, over)
                words = detail(fields=len(fields), network=serving.version, dates=len(days))
            except NothingClearError:
                code, words = "segment_nothing_seen", detail(dates=len(days), clear=0)
    _write(fields, days, out)
    write_table(_evidence(rings, fields), RING_FIELDS, out_rings)
    write_outcomes([Outcome(STAGE, ABOUT, "", code, words)], outcomes)


def _obstacle(
    days: Sequence[SceneDay], drawn: gpd.GeoDataFrame, settings: SegmentSettings
) -> tuple[str, str]:
    if not settings.enabled:
        return "segment_off", ""
    if not networks_installed():
        return "segment_no_networks", ""
    if not days or drawn.empty:
        return "segment_nothing_seen", detail(dates=len(days), parcels=len(drawn))
    return OK, ""


def _fields(
    network: StoredNetwork, days: Sequence[SceneDay], county: Grid, rings: gpd.GeoDataFrame,
    scene_settings: SceneSettings, settings: SegmentSettings, over: bool,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Return the field polygons of all tiles that hold a ring.

    Raises:
        NothingClearError: No date shows a clear pixel.
    """
    need_bands(network, scene_settings.bands, "scenes.parquet")
    machine = choose_machine(settings.device, threads=settings.threads)
    wanted = tiles_of(rings, county, settings)
    with Scenes(days, county, network.bands, scene_settings.mask) as scenes:
        found = delineate(module_of(network), scenes, machine, settings, wanted, over=over)
    fields = field_polygons(found, county, settings)
    fields["details"] = f"Fieldline field segmentation, network {network.version}"
    return fields


def tiles_of(rings: gpd.GeoDataFrame, county: Grid, settings: SegmentSettings) -> Wanted:
    """Return which tiles of a grid are needed: those near a ring, in the grid's CRS."""
    near = shapely.STRtree(np.asarray(list(rings.geometry), dtype=object))
    margin = settings.halo * county.resolution

    def wanted(window: Window) -> bool:
        box = shapely.buffer(shapely.box(*county.window_bounds(window)), margin)
        return bool(near.query(box).size)

    return wanted


def _write(fields: gpd.GeoDataFrame, days: Sequence[SceneDay], out: Path) -> None:
    table = fields.copy()
    table["seen_on"] = days[-1].datetime if len(days) and len(table) else pd.NaT
    if "details" not in table:
        table["details"] = ""
    write_fields(table, out.parent.name or "fields", out)


def _evidence(rings: gpd.GeoDataFrame, fields: gpd.GeoDataFrame) -> pd.DataFrame:
    if fields.empty:
        return pd.DataFrame(columns=RING_FIELDS.names)
    return ring_evidence(rings, fields, NO_FIELD)[RING_FIELDS.names]
