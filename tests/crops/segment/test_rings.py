"""What seen fields say of rings, on squares whose shares a person can work out."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
from shapely.geometry import box

from fieldline.crops.segment.rings import ring_evidence


def _rings(*shapes) -> gpd.GeoDataFrame:
    names = [f"P{number}" for number in range(len(shapes))]
    return gpd.GeoDataFrame({"parcel_id": names}, geometry=list(shapes), crs=32632)


FIELDS = gpd.GeoDataFrame(
    {"id": ["east", "west"]}, geometry=[box(0, 0, 100, 100), box(100, 0, 300, 100)], crs=32632
)


def test_half_of_a_field_that_is_not_drawn_is_told() -> None:
    (row,) = ring_evidence(_rings(box(0, 0, 50, 100)), FIELDS).to_dict("records")
    assert (row["field_id"], row["field_share"], row["undrawn"]) == ("east", 1.0, 0.5)
    assert (row["fields_in_ring"], row["seen_area_m2"]) == (1, 5000.0)


def test_a_ring_over_two_fields_counts_both_and_a_sliver_counts_as_none() -> None:
    both, sliver = ring_evidence(_rings(box(50, 0, 150, 100), box(0, 0, 105, 100)), FIELDS).to_dict(
        "records"
    )
    assert both["fields_in_ring"] == 2
    assert both["field_share"] == 0.5
    assert sliver["fields_in_ring"] == 1
    assert round(sliver["field_share"], 4) == round(100 / 105, 4)


def test_a_ring_where_no_field_was_seen_has_none_and_no_share() -> None:
    (row,) = ring_evidence(_rings(box(900, 900, 950, 950)), FIELDS).to_dict("records")
    assert row["field_id"] is None
    assert pd.isna(row["field_share"])
    assert (row["fields_in_ring"], row["seen_area_m2"]) == (0, 0.0)
