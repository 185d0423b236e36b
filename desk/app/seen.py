"""Fields that the images show, beside the rings that farmers drew.

Owns reading `field_polygons.parquet` and `ring_fields.parquet` for pictures; what they mean for an
offer is evidence, not shown here. Where the stage has not run, or could not look, there are none.
"""

from __future__ import annotations

import geopandas as gpd

from fieldline.desk.app.places import Place

POLYGONS = "field_polygons"
RINGS = "ring_fields"
_SIMPLER_M = 2.0
"""A polygon follows pixels of 10 m: corners of less than this are steps, not shape."""


def seen_fields(place: Place) -> gpd.GeoDataFrame:
    """Return the fields seen around the rings.

    Returns:
        `field_id`, `area_m2`, `confidence` and outline, EPSG:4326; no row where none was seen.

    Raises:
        UserError: The table is half written or of another version.
    """
    empty = gpd.GeoDataFrame(
        {"field_id": [], "area_m2": [], "confidence": []}, geometry=[], crs="EPSG:4326"
    )
    if not place.has(POLYGONS):
        return empty
    place.table(POLYGONS, ["id", "metrics:area"])
    columns = ["id", "metrics:area", "confidence", "geometry"]
    read = gpd.read_parquet(place.path(POLYGONS), columns=columns)
    if read.empty:
        return empty
    fields = read.rename(columns={"id": "field_id", "metrics:area": "area_m2"})
    metric = fields.to_crs(fields.estimate_utm_crs())
    fields = metric.assign(geometry=metric.geometry.simplify(_SIMPLER_M)).to_crs(4326)
    return fields[fields.geometry.is_valid & ~fields.geometry.is_empty].reset_index(drop=True)
