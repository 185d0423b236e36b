"""A tiny archive of square fields whose borders a person can read off the code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.transform import from_origin
from shapely.geometry import box, mapping

LEFT, TOP, EPSG = 600_000.0, 5_700_000.0, 32632
BANDS = ("B02", "B03", "B04", "B08")


def write_archive(
    folder: Path, image: np.ndarray, *, scale: float | None = 1e-4, times: float | None = None,
    bands: Sequence[str] = BANDS, corner: tuple[float, float] = (LEFT, TOP),
) -> Path:  # fmt: skip
    """Write reflectance (dates, bands, rows, columns), NaN for nodata, as a STAC archive.

    Its upper left corner lies at `corner`, metres in EPSG:32632. Numbers are integers of 1e-4, or
    `times` the reflectance as floats; a scale of None is not stated.
    """
    rows, columns = image.shape[2:]
    edges = (corner[0], corner[1] - 10 * rows, corner[0] + 10 * columns, corner[1])
    turn = Transformer.from_crs(EPSG, 4326, always_xy=True)
    lonlat = turn.transform_bounds(*edges)
    items = []
    for number, date in enumerate(image):
        name = f"S{number}"
        place = folder / "scenes" / name
        place.mkdir(parents=True)
        assets = {}
        for band, values in zip(bands, date, strict=True):
            whole = np.where(np.isfinite(values), np.round(values * 1e4), 0).astype(np.uint16)
            written = whole if times is None else (values * times).astype(np.float32)
            with rasterio.open(
                place / f"{band}.tif", "w", driver="GTiff", height=rows, width=columns, count=1,
                dtype=written.dtype, crs=f"EPSG:{EPSG}", transform=from_origin(*corner, 10, 10),
                nodata=0 if times is None else np.nan,
            ) as file:  # fmt: skip
                file.write(written, 1)
            assets[band] = {"href": f"./{band}.tif"}
            if scale is not None:
                about = {"nodata": 0, "scale": scale, "offset": 0.0}
                assets[band]["raster:bands"] = [about]
        item = {
            "type": "Feature", "stac_version": "1.0.0", "id": name,
            "geometry": mapping(box(*lonlat)), "bbox": list(lonlat),
            "properties": {"datetime": f"2021-{3 + number:02d}-15T10:00:00Z"},
            "links": [], "assets": assets, "collection": "scenes",
        }  # fmt: skip
        (place / "item.json").write_text(json.dumps(item))
        items.append({"rel": "item", "href": f"./scenes/{name}/item.json"})
    root = {"type": "Catalog", "stac_version": "1.0.0", "id": "tiny", "description": "",
            "links": items}  # fmt: skip
    (folder / "catalog.json").write_text(json.dumps(root))
    return folder / "catalog.json"


def checks(size: int, field: int, dates: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return reflectance of square fields, each of one colour per date, and their numbers."""
    random = np.random.default_rng(seed)
    number = np.arange(size) // field
    ids = number[:, None] * (number.max() + 1) + number[None, :]
    colour = random.uniform(0.05, 0.5, (dates, len(BANDS), ids.max() + 1))
    image = colour[:, :, ids] + random.normal(0, 0.004, (dates, len(BANDS), size, size))
    return image, ids


def outlines(ids: np.ndarray) -> gpd.GeoDataFrame:
    """Return the squares as polygons."""
    shapes = []
    for number in np.unique(ids):
        rows, columns = np.nonzero(ids == number)
        shapes.append(box(
            LEFT + 10 * columns.min(), TOP - 10 * (rows.max() + 1),
            LEFT + 10 * (columns.max() + 1), TOP - 10 * rows.min(),
        ))  # fmt: skip
    return gpd.GeoDataFrame(geometry=shapes, crs=EPSG)
