"""Simulated land with every outline known: what the network that ships learnt from.

Owns a catalog of scenes with all polygons of its tiles beside it; no people, papers or lies. The
world, its growth and its sky are those of the simulated county.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd

from fieldline.workflows.simulate import archive
from fieldline.workflows.simulate.files import lonlat
from fieldline.workflows.simulate.land import COVERS
from fieldline.workflows.simulate.run import build_tile, places, world_of, write_scenes
from fieldline.workflows.simulate.settings import LandSettings, SimulateSettings

CATALOG, OUTLINES = "stac/catalog.json", "outlines.parquet"


def fields_settings(median_mu: float, parcels: int, seed: int) -> SimulateSettings:
    """Return settings of a small county whose fields have a median size.

    Args:
        median_mu: Median field size, mu.
        parcels: Fields about; they make the area.
        seed: Seed of everything.
    """
    return SimulateSettings.tiny(
        parcels=parcels, seed=seed, land=LandSettings(field_median_mu=median_mu),
    )  # fmt: skip


def simulate_fields(settings: SimulateSettings, out: Path, county: str = "LAND") -> None:
    """Write `stac/` and `outlines.parquet` (polygons with `cover`, EPSG:4326) below a folder.

    Args:
        settings: As those of a county.
        out: Folder to write into.
        county: Name of the collection's county.
    """
    world, _ = world_of(settings, county)
    grids, items, outlines = list[archive.Grid](), list[Path](), list[gpd.GeoDataFrame]()
    before = (0, 0)
    for number, (parcels, place) in enumerate(places(settings)):
        tile = build_tile(world, number, parcels, before, place)
        items += write_scenes(world, tile, out / "stac")
        grids.append(tile.grid)
        covers = [COVERS[kind] for kind in tile.land.kind]
        shapes = list(lonlat(tile, list(tile.land.polygons)))
        outlines.append(gpd.GeoDataFrame({"cover": covers}, geometry=shapes, crs="EPSG:4326"))
        before = (before[0] + len(tile.people.farmers), before[1] + parcels)
    days = (f"{world.spans[0].start}T00:00:00Z", f"{world.spans[-1].end}T23:59:59Z")
    archive.write_catalog(out / "stac", county, grids, sorted(items), days)
    gpd.GeoDataFrame(pd.concat(outlines, ignore_index=True)).to_parquet(out / OUTLINES)
