"""What seen fields say of drawn rings: a third kind of evidence beside curves and the registry.

Owns plain geometry of two sets of polygons; decides nothing about an offer. A seen field is a
ring's own where it lies mostly inside it, so a field that the network cut in pieces stays whole,
and where it covers most of the ring, so does one that was run together with its neighbour.
"""

from __future__ import annotations

from collections.abc import Collection

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

SLIVER = 0.1
"""Share of a ring that a seen field must cover to be one of the fields in it: the outlines of both
are a few metres off."""
_AT_ONCE = 10_000
INSIDE = 0.5
"""Share of a seen field that must lie in the ring for it to be the ring's own whatever its size."""


def ring_evidence(
    rings: gpd.GeoDataFrame, fields: gpd.GeoDataFrame, no_field: Collection[str] = ()
) -> pd.DataFrame:
    """Return what seen fields say of each ring.

    Args:
        rings: `parcel_id` and polygons in a metric CRS.
        fields: `id`, `cover` and polygons in the same CRS that do not overlap each other.
        no_field: Covers that are no field.

    Returns:
        `RING_FIELDS` rows, sorted by `parcel_id`.
    """
    pairs = _pairs(rings, fields, no_field)
    of_fields, open_land = pairs[~pairs["open"]], pairs[pairs["open"]]
    best = of_fields[of_fields["best"]].set_index("ring").reindex(range(len(rings)))
    foreign = of_fields[~of_fields["own"]]
    most = foreign.groupby("ring").last().reindex(range(len(rings)))
    names = pd.Series([*fields["id"], None], dtype=object)
    number = of_fields[of_fields["share"] >= SLIVER].groupby("ring").size()
    return pd.DataFrame({
        "parcel_id": rings["parcel_id"].to_numpy(),
        "field_id": _named(names, best["field"]),
        "field_share": best["share"].clip(upper=1.0).to_numpy(),
        "undrawn": best["undrawn"].to_numpy(),
        "fields_in_ring": number.reindex(range(len(rings)), fill_value=0).to_numpy("int32"),
        "seen_area_m2": _sum(of_fields, len(rings)),
        "own_area_m2": _sum(of_fields[of_fields["own"]], len(rings)),
        "foreign_area_m2": _sum(foreign, len(rings)),
        "foreign_field": _named(names, most["field"]),
        "foreign_parcel": _drawn_by(most["field"], of_fields, rings),
        "open_area_m2": _sum(open_land, len(rings)),
        "open_cover": _cover(open_land, fields, len(rings)),
    }).sort_values("parcel_id", ignore_index=True)  # fmt: skip


def _pairs(
    rings: gpd.GeoDataFrame, fields: gpd.GeoDataFrame, no_field: Collection[str]
) -> pd.DataFrame:
    """Return rings and seen fields that share ground, least first within a ring."""
    outlines = np.asarray(list(rings.geometry), dtype=object)
    seen = np.asarray(list(fields.geometry), dtype=object)
    at, to = shapely.STRtree(seen).query(outlines, predicate="intersects")
    common = _shared(outlines[at], seen[to])
    pairs = pd.DataFrame({"ring": at, "field": to, "common": common})
    pairs["share"] = pairs["common"] / shapely.area(outlines[at])
    inside = (pairs["common"] / shapely.area(seen[to])).clip(upper=1.0)
    pairs["undrawn"] = 1.0 - inside
    pairs["open"] = fields["cover"].isin(no_field).to_numpy()[to]
    pairs = pairs[pairs["common"] > 0].sort_values(["ring", "common", "field"])
    pairs["best"] = ~pairs["open"] & ~pairs[["ring", "open"]].duplicated(keep="last")
    pairs["own"] = ~pairs["open"] & (pairs["best"] | (1.0 - pairs["undrawn"] >= INSIDE))
    return pairs


def _shared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the areas of intersections; no more of their outlines than `_AT_ONCE` are held."""
    areas = np.zeros(len(one))
    for start in range(0, len(one), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        areas[part] = shapely.area(shapely.intersection(one[part], other[part]))
    return areas


def _sum(pairs: pd.DataFrame, count: int) -> np.ndarray:
    total = pairs.groupby("ring")["common"].sum().reindex(range(count), fill_value=0.0)
    return np.asarray(total.to_numpy(float))


def _named(names: pd.Series, places: pd.Series) -> np.ndarray:
    return np.asarray(names[places.fillna(len(names) - 1).astype(int)].to_numpy())


def _drawn_by(fields: pd.Series, pairs: pd.DataFrame, rings: gpd.GeoDataFrame) -> list[str | None]:
    """Return, for the field of each ring, the parcel of another ring that it is the field of."""
    parcels = rings["parcel_id"].tolist()
    drawn = pairs[pairs["best"]].sort_values(by=["field", "common", "ring"])
    owner = drawn.groupby("field")["ring"].last().to_dict()
    return [
        parcels[owner[field]] if field in owner and owner[field] != ring else None
        for ring, field in enumerate(fields.tolist())
    ]


def _cover(open_land: pd.DataFrame, fields: gpd.GeoDataFrame, count: int) -> list[str | None]:
    """Return what most of a ring's land that is no field is; None where it has none."""
    cover = fields["cover"].to_numpy()[open_land["field"].to_numpy(int)]
    total = open_land.assign(cover=cover).groupby(["ring", "cover"])["common"].sum().reset_index()
    most = total.sort_values(by=["ring", "common", "cover"]).groupby("ring")["cover"].last()
    return [most.get(ring) for ring in range(count)]
