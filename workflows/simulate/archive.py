"""The scene archive: one STAC item and one COG per asset and date, in a static catalog.

Owns file layout, radiometric coding (scale, offset, baseline) and STAC JSON; knows nothing of what
the pixels mean. Files are written one date at a time and hold no wall clock.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform_bounds

from fieldline.pipeline.imagery.settings import S2_BANDS
from fieldline.workflows.simulate.optics import BAND_NM, COARSE
from fieldline.workflows.simulate.render import PIXEL_M

Floats = npt.NDArray[np.float64]

COLLECTION = "sentinel-2-l2a"
SCALE = 0.0001
_OFFSET_DN = 1000
_COMMON = {
    "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge", "B06": "rededge",
    "B07": "rededge", "B08": "nir", "B8A": "nir08", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
_EXTENSIONS = [
    "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
]
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@dataclass(frozen=True)
class Grid:
    """Place of a tile."""

    epsg: int
    west: float
    north: float
    size: int
    """Edge, pixels."""

    @property
    def transform(self) -> Affine:
        """Affine transform of the 10 m grid."""
        return from_origin(self.west, self.north, PIXEL_M, PIXEL_M)

    @property
    def bbox(self) -> list[float]:
        """Bounding box in longitude and latitude."""
        edge = self.size * PIXEL_M
        bounds = (self.west, self.north - edge, self.west + edge, self.north)
        return [round(v, 7) for v in transform_bounds(self.epsg, 4326, *bounds)]


@dataclass(frozen=True)
class Acquisition:
    """One item to be written."""

    tile: str
    taken: dt.datetime
    """Acquisition time, UTC."""
    offset: bool
    """Whether the product carries the +1000 DN offset of baseline 04.00 and later."""
    columns: tuple[int, int]
    """Columns of the tile that the swath covers; the rest is nodata."""

    @property
    def stamp(self) -> str:
        """File name part."""
        return f"{self.taken:%Y%m%dT%H%M%SZ}"

    @property
    def item_id(self) -> str:
        """STAC item id."""
        return f"SIM_S2_L2A_{self.tile}_{self.stamp}"


def digital_numbers(reflectance: Floats, offset: bool) -> npt.NDArray[np.uint16]:
    """Code reflectance as uint16 with 0 kept for nodata."""
    shift = _OFFSET_DN if offset else 0
    return np.asarray(np.clip(np.rint(reflectance / SCALE) + shift, 1, 65_535).astype(np.uint16))


def _write(path: Path, values: npt.NDArray[Any], grid: Grid) -> None:
    block = 256 if grid.size >= 256 else None
    tiling = {"tiled": True, "blockxsize": block, "blockysize": block} if block else {}
    with rasterio.open(
        path, "w", driver="GTiff", width=grid.size, height=grid.size, count=1, dtype=values.dtype,
        crs=f"EPSG:{grid.epsg}", transform=grid.transform, nodata=0, compress="deflate", zlevel=4,
        predictor=2, **tiling,
    ) as file:  # fmt: skip
        file.write(values, 1)


def write_item(
    archive: Path,
    grid: Grid,
    shot: Acquisition,
    reflectance: Floats,
    classes: npt.NDArray[np.uint8],
) -> Path:
    """Write one item: a COG per band, the scene classes and the STAC JSON.

    Args:
        archive: Folder of the catalog.
        grid: Place of the tile.
        shot: What is acquired.
        reflectance: Shape (bands, size, size).
        classes: Scene classes, shape (size, size).

    Returns:
        The item's path relative to the collection.
    """
    folder = archive / COLLECTION / f"{shot.taken:%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{shot.tile}_{shot.stamp}"
    inside = np.zeros(grid.size, dtype=bool)
    inside[slice(*shot.columns)] = True
    numbers = digital_numbers(reflectance, shot.offset) * inside
    for position, band in enumerate(S2_BANDS):
        _write(folder / f"{name}_{band}.tif", numbers[position], grid)
    seen = classes * inside
    _write(folder / f"{name}_SCL.tif", seen.astype(np.uint8), grid)
    cloudy = float(np.isin(seen[:, inside], (3, 8, 9, 10)).mean() * 100)
    item = _item(grid, shot, name, round(cloudy, 2), round(100 - inside.mean() * 100, 2))
    path = folder / f"{name}.json"
    path.write_text(json.dumps(item, indent=1) + "\n", encoding="utf-8")
    return path.relative_to(archive / COLLECTION)


def _item(grid: Grid, shot: Acquisition, name: str, cloudy: float, empty: float) -> dict[str, Any]:
    west, south, east, north = grid.bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    links = [
        ("root", "../../catalog.json"),
        ("parent", "../collection.json"),
        ("collection", "../collection.json"),
    ]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": _EXTENSIONS,
        "id": shot.item_id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": grid.bbox,
        "properties": {
            "datetime": f"{shot.taken:%Y-%m-%dT%H:%M:%SZ}",
            "platform": "sentinel-2a",
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "gsd": 10,
            "fieldline:simulated": True,
            "eo:cloud_cover": cloudy,
            "s2:nodata_pixel_percentage": empty,
            "s2:processing_baseline": "05.09" if shot.offset else "03.01",
            "proj:epsg": grid.epsg,
            "proj:shape": [grid.size, grid.size],
            "proj:transform": list(grid.transform)[:6],
        },
        "links": [{"rel": rel, "href": href, "type": "application/json"} for rel, href in links],
        "assets": {
            **{band: _band_asset(name, band, shot.offset) for band in S2_BANDS},
            "SCL": {
                "href": f"./{name}_SCL.tif",
                "type": _COG,
                "title": "Scene classification",
                "roles": ["data"],
                "raster:bands": [{"nodata": 0, "data_type": "uint8"}],
            },
        },
        "collection": COLLECTION,
    }


def _band_asset(name: str, band: str, offset: bool) -> dict[str, Any]:
    coding = {"nodata": 0, "data_type": "uint16", "scale": SCALE, "offset": -0.1 if offset else 0.0}
    return {
        "href": f"./{name}_{band}.tif",
        "type": _COG,
        "roles": ["data"],
        "gsd": 20 if band in COARSE else 10,
        "eo:bands": [
            {
                "name": band,
                "common_name": _COMMON[band],
                "center_wavelength": round(BAND_NM[band][0] / 1000, 4),
                "full_width_half_max": round(BAND_NM[band][1] / 1000, 4),
            }
        ],
        "raster:bands": [coding],
    }


def write_catalog(
    archive: Path, title: str, grids: list[Grid], items: list[Path], days: tuple[str, str]
) -> None:
    """Write catalog.json and the collection over all items."""
    boxes = np.array([grid.bbox for grid in grids])
    extent = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    root = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
    child = {"rel": "child", "href": f"./{COLLECTION}/collection.json", "type": "application/json"}
    _json(
        archive / "catalog.json",
        {
            "type": "Catalog", "stac_version": "1.0.0", "id": f"{title}_simulated",
            "title": f"{title} (simulated)",
            "description": "Simulated scenes; no satellite has seen this county.",
            "links": [*root, child],
        },
    )  # fmt: skip
    up = [
        {"rel": rel, "href": "../catalog.json", "type": "application/json"}
        for rel in ("root", "parent")
    ]
    down = [
        {"rel": "item", "href": f"./{i.as_posix()}", "type": "application/geo+json"} for i in items
    ]
    _json(
        archive / COLLECTION / "collection.json",
        {
            "type": "Collection", "stac_version": "1.0.0", "stac_extensions": [], "id": COLLECTION,
            "title": "Simulated Sentinel-2 L2A",
            "description": "uint16 reflectance and scene classes; scale and offset are per item.",
            "keywords": ["simulated"], "license": "Apache-2.0",
            "extent": {"spatial": {"bbox": [extent]}, "temporal": {"interval": [list(days)]}},
            "links": [*up, *down],
        },
    )  # fmt: skip


def _json(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def plan_dates(start: dt.date, end: dt.date, count: int) -> Iterator[dt.date]:
    """Yield `count` acquisition days, evenly spread over a season."""
    span = (end - start).days + 1
    for order in range(count):
        yield start + dt.timedelta(days=order * span // count)
