"""What seen fields say of drawn rings: a third kind of evidence beside curves and the registry.

Owns plain geometry of two sets of polygons; decides nothing about an offer.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

SLIVER = 0.1
"""Share of a ring that a seen field must cover to be one of the fields in it: the outlines of both
are a few metres off."""


def ring_evidence(rings: gpd.GeoDataFrame, fields: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return what seen fields say of each ring.

    Args:
        rings: `parcel_id` and polygons in a metric CRS.
        fields: `id` and polygons in the same CRS that do not overlap each other.

    Returns:
        One row per ring, sorted: `field_id` of the seen field that covers most of it, its
        `field_share` of the ring, the share of that field that is `undrawn`, the number of
        `fields_in_ring` that cover a tenth of it, and `seen_area_m2` that any field covers.
    """
    outlines = np.asarray(list(rings.geometry), dtype=object)
    seen = np.asarray(list(fields.geometry), dtype=object)
    at, to = shapely.STRtree(seen).query(outlines, predicate="intersects")
    common = shapely.area(shapely.intersection(outlines[at], seen[to]))
    pairs = pd.DataFrame({"ring": at, "field": to, "common": common})
    pairs["share"] = pairs["common"] / shapely.area(outlines[at])
    pairs["undrawn"] = 1.0 - (pairs["common"] / shapely.area(seen[to])).clip(upper=1.0)
    pairs = pairs[pairs["common"] > 0].sort_values(["ring", "common", "field"])
    best = pairs.groupby("ring").last().reindex(range(len(rings)))
    number = pairs[pairs["share"] >= SLIVER].groupby("ring").size()
    names = pd.Series([*fields["id"], None], dtype=object)
    return pd.DataFrame({
        "parcel_id": rings["parcel_id"].to_numpy(),
        "field_id": names[best["field"].fillna(len(fields)).astype(int)].to_numpy(),
        "field_share": best["share"].clip(upper=1.0).to_numpy(),
        "undrawn": best["undrawn"].to_numpy(),
        "fields_in_ring": number.reindex(range(len(rings)), fill_value=0).to_numpy("int32"),
        "seen_area_m2": pairs.groupby("ring")["common"].sum().reindex(
            range(len(rings)), fill_value=0.0).to_numpy(),
    }).sort_values("parcel_id", ignore_index=True)  # fmt: skip
