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
    {"id": ["east", "west"], "cover": ["crop", "green"]},
    geometry=[box(0, 0, 100, 100), box(100, 0, 300, 100)], crs=32632,
)  # fmt: skip


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


def test_a_ring_pushed_over_its_neighbour_names_whose_field_it_covers() -> None:
    over, own = ring_evidence(_rings(box(0, 0, 130, 100), box(100, 0, 300, 100)), FIELDS).to_dict(
        "records"
    )
    assert (over["own_area_m2"], over["foreign_area_m2"]) == (10_000.0, 3_000.0)
    assert (over["foreign_field"], over["foreign_parcel"]) == ("west", "P1")
    assert (own["own_area_m2"], own["foreign_area_m2"]) == (20_000.0, 0.0)
    assert pd.isna(own["foreign_field"])
    assert pd.isna(own["foreign_parcel"])


def test_a_field_in_pieces_and_one_run_together_with_its_neighbour_are_the_rings_own() -> None:
    pieces = gpd.GeoDataFrame(
        {"id": ["a", "b", "c"], "cover": "crop"}, crs=32632,
        geometry=[box(0, 0, 60, 100), box(60, 0, 100, 100), box(100, 0, 400, 100)],
    )  # fmt: skip
    whole, part = ring_evidence(_rings(box(0, 0, 100, 100), box(200, 0, 260, 100)), pieces).to_dict(
        "records"
    )
    assert (whole["own_area_m2"], whole["foreign_area_m2"]) == (10_000.0, 0.0)
    assert (part["own_area_m2"], part["foreign_area_m2"]) == (6_000.0, 0.0)


def test_a_wood_under_a_ring_is_no_field_of_anybody() -> None:
    land = FIELDS.assign(cover=["crop", "wood"])
    (row,) = ring_evidence(_rings(box(0, 0, 150, 100)), land, {"wood", "bare"}).to_dict("records")
    assert (row["own_area_m2"], row["foreign_area_m2"], row["open_area_m2"]) == (1e4, 0.0, 5e3)
    assert (row["open_cover"], row["fields_in_ring"]) == ("wood", 1)
    inside = ring_evidence(_rings(box(150, 0, 250, 100)), land, {"wood"}).to_dict("records")
    assert (inside[0]["field_id"], inside[0]["own_area_m2"]) == (None, 0.0)
    assert inside[0]["open_area_m2"] == 10_000.0
