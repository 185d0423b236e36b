"""A static STAC archive of a few pixels, built from arrays: what the imagery tests read.

Everything sits on EPSG:32632 with the corner (600000, 5340000) unless a band says otherwise, so a
test can name map coordinates by hand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pystac
import rasterio
from rasterio import Affine
from rasterio.warp import transform_bounds
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.archive import SceneItem, parse_item
from fieldline.pipeline.imagery.catalog import find_items
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.settings import (
    ClearSettings,
    GridSettings,
    MaskSettings,
    ObserveSettings,
    SceneSettings,
)
from fieldline.pipeline.records.settings import Season

CRS = "EPSG:32632"
X, Y = 600_000.0, 5_340_000.0
SEASON = Season(start=dt.date(2021, 3, 1), end=dt.date(2021, 9, 30), as_of=dt.date(2021, 9, 30))
NO_MASK = MaskSettings(kind="none")
AS_DRAWN = MaskSettings(kind="scl", dilation_m=0)
"""Scene classes whose clouds end where they are drawn."""
GRID = GridSettings(crs=CRS, margin_m=0)
EAGER = ObserveSettings(clear=ClearSettings(min_dates=1))
RADIOMETRY: Mapping[str, Any] = {"nodata": 0, "scale": 1e-4, "offset": 0.0}


@dataclass
class TinyScene:
    """One item: bands as arrays of digital numbers."""

    name: str
    bands: Mapping[str, Any]
    day: dt.date = dt.date(2021, 5, 10)
    hour: int = 10
    resolution: float = 10.0
    corner: tuple[float, float] = (X, Y)
    crs: str = CRS
    properties: dict[str, Any] = field(default_factory=dict)
    radiometry: Mapping[str, Any] | None = field(default_factory=lambda: dict(RADIOMETRY))
    band_resolution: Mapping[str, float] = field(default_factory=dict)


def write_archive(folder: Path, scenes: Sequence[TinyScene], collection: str = "tiny") -> Path:
    """Write scenes as COG-like files with a self-contained catalog; return `catalog.json`."""
    extent = pystac.Extent(
        pystac.SpatialExtent([[-180, -90, 180, 90]]), pystac.TemporalExtent([[None, None]])
    )
    catalog = pystac.Catalog("root", "Tiny archive")
    child = pystac.Collection(collection, "Tiny scenes", extent)
    catalog.add_child(child)
    for scene in scenes:
        child.add_item(_item(folder, scene))
    catalog.normalize_hrefs(str(folder))
    catalog.make_all_asset_hrefs_relative()
    catalog.save(pystac.CatalogType.SELF_CONTAINED)
    return folder / "catalog.json"


def _item(folder: Path, scene: TinyScene) -> pystac.Item:
    first = np.asarray(next(iter(scene.bands.values())))
    left, top = scene.corner
    right = left + first.shape[1] * scene.resolution
    bottom = top - first.shape[0] * scene.resolution
    bounds = transform_bounds(scene.crs, "EPSG:4326", left, bottom, right, top)
    moment = dt.datetime(*scene.day.timetuple()[:3], scene.hour, tzinfo=dt.UTC)
    item = pystac.Item(
        scene.name, mapping(box(*bounds)), list(bounds), moment, dict(scene.properties)
    )
    for band, values in scene.bands.items():
        path = folder / "files" / f"{scene.name}_{band}.tif"
        write_band(path, values, scene, scene.band_resolution.get(band, scene.resolution))
        fields = {"eo:bands": [{"name": band}]}
        if scene.radiometry is not None:
            fields["raster:bands"] = [dict(scene.radiometry)]
        item.add_asset(band, pystac.Asset(str(path), extra_fields=fields))
    return item


def write_band(path: Path, values: Any, scene: TinyScene, resolution: float) -> None:
    """Write one band; masks stay uint8, reflectance uint16."""
    array = np.asarray(values)
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype("uint16")
    path.parent.mkdir(parents=True, exist_ok=True)
    transform = Affine(resolution, 0, scene.corner[0], 0, -resolution, scene.corner[1])
    with rasterio.open(
        path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1], count=1,
        dtype=dtype, crs=scene.crs, transform=transform, compress="deflate",
    ) as file:  # fmt: skip
        file.write(array.astype(dtype), 1)


def read_all(catalog: Path, collection: str = "tiny") -> list[SceneItem]:
    """Return all items of a collection."""
    sources = find_items(catalog, collection).sources
    return [parse_item(source.read(), source.folder) for source in sources]


def pixel_box(left: float, top: float, right: float, bottom: float) -> BaseGeometry:
    """Return a rectangle given in pixels from the archive's corner."""
    return box(X + 10 * left, Y - 10 * bottom, X + 10 * right, Y - 10 * top)


def outlines(shapes: Mapping[str, BaseGeometry]) -> gpd.GeoDataFrame:
    """Return outlines given in the archive's CRS as parcels in EPSG:4326."""
    frame = gpd.GeoDataFrame(
        {"parcel_id": list(shapes), "farmer_id": "farmer"}, geometry=list(shapes.values()), crs=CRS
    )
    return frame.to_crs("EPSG:4326")


def write_parcels(path: Path, shapes: Mapping[str, BaseGeometry]) -> Path:
    """Write outlines given in the archive's CRS as a parcels table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    outlines(shapes).to_parquet(path)
    return path


def scene_settings(*bands: str, **changes: Any) -> SceneSettings:
    """Return settings for the tiny collection without a mask, unless changed."""
    return SceneSettings(**{"collection": "tiny", "bands": bands, "mask": NO_MASK, **changes})


def tiny_grid(height: int, width: int) -> Grid:
    """Return a grid at the archive's corner."""
    return Grid(CRS, Affine(10, 0, X, 0, -10, Y), height, width)
