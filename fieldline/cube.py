"""The pulled or archived scenes of a county's season as a cube of xarray, for notebooks.

Owns finding a county and what its tables say of mask and grid; the cube itself is
`pipeline.imagery.cube`. Scenes that the observe stage could not read are left out here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd

from fieldline.county import County
from fieldline.pipeline.imagery.cube import scene_cube
from fieldline.pipeline.imagery.grid import county_grid
from fieldline.pipeline.imagery.lineage import read_lineage
from fieldline.pipeline.imagery.scene_days import SceneDay, read_scene_days
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_rows
from fieldline.results import open as open_results
from fieldline.results import open_county

if TYPE_CHECKING:
    import xarray as xr


def open_cube(
    place: County | str | Path,
    bands: Sequence[str] | None = None,
    chunks: Mapping[str, int] | None = None,
    *,
    county: str | None = None,
    season: str | int | None = None,
) -> xr.Dataset:
    """Open the scenes of a county's season as a dataset of dask arrays; no pixel is read yet.

    Args:
        place: A county, its folder (`results/2024/SIM001`), or the results folder of a run.
        bands: Sentinel-2 bands; those of the run unless given. A pixel that lacks one of the bands
            asked for has none, so the run's bands give exactly what was observed.
        chunks: Dates and pixels of a chunk, by `time`, `y` and `x`.
        county: County id, where `place` is a results folder that holds several.
        season: Season name, where it holds several.

    Returns:
        One variable for each band, (time, y, x) float32 reflectance, NaN where not clear; `clear`,
        (time, y, x); coordinates `time` (UTC), `y` and `x` (pixel centres, m), `spatial_ref` as
        rioxarray reads it, and by time `scene_id` and `baseline`. Computing it raises
        `SceneReadError` where a file is not there any more.

    Raises:
        UserError: No such county, no scenes yet, an unknown band, or xarray or dask missing.
    """
    found = _county(place, county, season)
    scenes = found.artifacts.parquet("scenes")
    lineage = read_lineage(scenes)
    unknown = [band for band in bands or () if band not in lineage.bands]
    if unknown:
        raise UserError(
            f"the scenes of county {found.id} hold no band {unknown[0]!r}",
            f"choose from {', '.join(lineage.bands)}",
        )
    outlines = gpd.read_parquet(found.artifacts.parquet("parcels"))
    unreadable = _unreadable(found)
    days = [_readable(day, unreadable) for day in read_scene_days(scenes)]
    return scene_cube(
        [day for day in days if day.items],
        county_grid(outlines, lineage.grid),
        tuple(bands or lineage.bands),
        lineage.mask,
        chunks,
    )


def _county(place: County | str | Path, county: str | None, season: str | int | None) -> County:
    if isinstance(place, County):
        return place
    if (Path(place) / "parcels.parquet").is_file():
        return open_county(place)
    results = open_results(place)
    ids = sorted(set(results.counties["county"]))
    if county is None and len(ids) > 1:
        raise UserError(f"{place} holds the counties {', '.join(ids)}", "name one: county=...")
    return results.county(county or ids[0], season)


def _unreadable(county: County) -> set[str]:
    """Return the ids of items that the observe stage left out."""
    told = county.folder / "outcomes" / "observe.parquet"
    if not told.is_file():
        return set()
    return set(read_rows(told, "outcome", "scene_unreadable").column("parcel_id").to_pylist())


def _readable(day: SceneDay, unreadable: set[str]) -> SceneDay:
    for item_id in unreadable & {item.id for item in day.items}:
        day = day.without(item_id)
    return day
