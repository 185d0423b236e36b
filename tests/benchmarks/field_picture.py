"""Seen fields drawn over an image of their area, the drawn fields coloured by how they were met.

    FIELDLINE_REAL_DATA=... python -m tests.benchmarks.field_picture MAG OUT.jpg [NETWORK|FIELDS]

FIELDS is a GeoParquet file that `fieldline fields predict` wrote: nothing is predicted again. False
colour (near infrared, red and green of the middle date), outlines of seen fields in yellow;
hand-drawn fields in cyan where one seen field overlaps them by half or more (IoU), else in red.
The imagery of MAG and COA is DLR's Sentinel-2 L3A (CC BY 4.0 as catalogues state it), made of
Copernicus Sentinel data: name both beside a picture.
"""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rasterio.windows import Window

from fieldline.crops.segment.scores import best_overlaps
from fieldline.crops.segment.stack import Scenes, days_of_catalog, grid_of, mask_of, spread_days
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.workflows.config.load import load_config
from tests.benchmarks.rings import COUNTIES, ROOT, network_of, seen_fields

FALSE_COLOUR = ("B08", "B04", "B03")
EDGE = 1100
"""Longer edge of the picture at most, pixels."""
YELLOW, CYAN, RED = (255, 220, 60), (0, 255, 255), (255, 60, 60)
MET = 0.5


def backdrop(scenes: Scenes) -> NDArray[np.uint8]:
    """Return the middle date as (rows, columns, 3), stretched between 2nd and 98th percentiles."""
    whole = scenes.read(Window(0, 0, scenes.grid.width, scenes.grid.height))
    bands = whole[len(scenes.days) // 2]
    low, high = (np.nanpercentile(bands, q, axis=(1, 2), keepdims=True) for q in (2, 98))
    return np.asarray(np.nan_to_num(np.clip((bands - low) / (high - low), 0, 1) * 255), np.uint8
                      ).transpose(1, 2, 0)  # fmt: skip


def draw(picture: Image.Image, outlines: gpd.GeoSeries, grid: Grid, zoom: float,
         colours: list[tuple[int, int, int]], width: int) -> None:  # fmt: skip
    """Draw the outlines of polygons in the grid's CRS on a picture of the grid."""
    pen = ImageDraw.Draw(picture)
    for shape, colour in zip(outlines, colours, strict=True):
        for part in getattr(shape, "geoms", [shape]):
            for line in (part.exterior, *part.interiors):
                columns, rows = ~grid.transform * shapely.get_coordinates(line).T
                pen.line([(c * zoom, r * zoom) for c, r in zip(columns, rows, strict=True)],
                         fill=colour, width=width)  # fmt: skip


def main(county: str, out: Path, network: Path | None = None) -> None:
    """Write the picture of a county."""
    config = load_config([ROOT / f"workflows/config/{COUNTIES[county]}.yaml"], {})
    own = config.county[county]
    (name, *_) = own.seasons
    (catalog,) = config.input_paths(county, name, "catalog")
    days = days_of_catalog(catalog, FALSE_COLOUR)
    mask, grid = mask_of(days, MaskSettings()), grid_of(days)
    if network is not None and network.suffix == ".parquet":
        seen = gpd.read_parquet(network).to_crs(grid.crs)
    else:
        seen = seen_fields(network_of(network), (days, grid, mask), config.crops.segment)
    drawn = gpd.read_file(config.input_paths(county, name, "parcels")[-1]).to_crs(grid.crs)
    met = best_overlaps(drawn.geometry, seen.geometry) >= MET
    chosen = spread_days(days, config.crops.segment.dates)
    with Scenes(chosen, grid, FALSE_COLOUR, mask) as scenes:
        image = Image.fromarray(backdrop(scenes))
    zoom = EDGE / max(image.size)
    image = image.resize((round(image.width * zoom), round(image.height * zoom)))
    draw(image, seen.geometry, grid, zoom, [YELLOW] * len(seen), 1)
    draw(image, drawn.geometry, grid, zoom, [CYAN if one else RED for one in met], 3)
    image.save(out, quality=60, optimize=True)
    print(f"{len(seen)} seen fields; {int(met.sum())} of {len(drawn)} drawn ones met")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
