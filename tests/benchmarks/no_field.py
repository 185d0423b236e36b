"""Land that is no field, on real areas: what the pixels of squares drawn there say.

    FIELDLINE_REAL_DATA=... python -m tests.benchmarks.no_field MAG|COA OUT.json

Squares of 60 to 120 m are drawn at random wherever none of an area's outlines lies within 12 m:
villages, woods, gardens, yards, water, verges and some fields that nobody drew (which of it is not
known). Beside them stand the outlines of fields. Counted is how `planted` answers: `uneven`
(houses, gardens, loose woods), `bare`, `green` (grass and woods: a person is asked where a yearly
crop was declared) and the rest, which passes for a crop; then the same with `uneven` off.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from fieldline.crops.recognise.pixels import ring_curves
from fieldline.crops.recognise.planted import planted
from fieldline.crops.segment.stack import days_of_catalog
from fieldline.pipeline.imagery.grid import grid_around
from fieldline.pipeline.imagery.settings import GridSettings
from fieldline.workflows.config.load import load_config
from tests.benchmarks.rings import COUNTIES, ROOT

SQUARES, TRIES, SEED = 400, 40_000, 3
HALF_M, AWAY_M = (30.0, 60.0), 12.0


def squares(fields: gpd.GeoSeries) -> gpd.GeoDataFrame:
    """Return squares between the fields of an area, in their CRS."""
    random = np.random.default_rng(SEED)
    near = shapely.STRtree(fields.buffer(AWAY_M).to_numpy())
    hull = shapely.convex_hull(shapely.union_all(fields.to_numpy()))
    west, south, east, north = hull.bounds
    found: list[shapely.Polygon] = []
    for _ in range(TRIES):
        x, y = random.uniform((west, south), (east, north))
        half = random.uniform(*HALF_M)
        square = shapely.box(x - half, y - half, x + half, y + half)
        if hull.contains(square) and not len(near.query(square, predicate="intersects")):
            found.append(square)
        if len(found) == SQUARES:
            break
    names = [f"square {number}" for number in range(len(found))]
    return gpd.GeoDataFrame({"parcel_id": names}, geometry=found, crs=fields.crs)


def answers(county: str) -> pd.DataFrame:
    """Return `kind`, `method` and the method without `uneven` of every outline and square."""
    config = load_config([ROOT / f"workflows/config/{COUNTIES[county]}.yaml"], {})
    own, crs = config.county[county], str(config.county[county].grid.crs)
    (name, season), *_ = own.seasons.items()
    (catalog,) = config.input_paths(county, name, "catalog")
    paths = config.input_paths(county, name, "parcels")
    fields = pd.concat([gpd.read_file(path).to_crs(crs) for path in paths], ignore_index=True)
    rings = pd.concat([fields[["parcel_id", "geometry"]], squares(fields.geometry)],
                      ignore_index=True)  # fmt: skip
    grid = grid_around(tuple(rings.total_bounds), crs, GridSettings())
    days, settings = days_of_catalog(catalog, own.scenes.bands), config.crops.fields
    looked = ring_curves(rings, grid, days, own.scenes, settings, season)
    blind = settings.model_copy(update={"uneven_noise": 1.0})
    rows = [
        (ring.parcel_id, *(planted(ring, how, over=True).method for how in (settings, blind)))
        for ring in looked
    ]
    table = pd.DataFrame(rows, columns=["parcel_id", "method", "without"])
    return table.assign(kind=np.where(table["parcel_id"].str.startswith("square"),
                                      "no outline", "field"))  # fmt: skip


def main(county: str, out: Path) -> None:
    """Write and print how many of each are answered how."""
    table = answers(county)
    told: dict[str, Any] = {
        str(kind): {
            "rings": len(group),
            **group["method"].value_counts().to_dict(),
            "without": group["without"].value_counts().to_dict(),
        }
        for kind, group in table.groupby("kind")
    }
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
