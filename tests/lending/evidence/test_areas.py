"""Areas held against each other: no single kind of evidence takes land, two together do."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import pytest

from fieldline.lending.evidence.areas import areas_of
from fieldline.lending.evidence.crosscheck import judge
from fieldline.lending.evidence.facts import ParcelFacts, SeenGround
from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.records.tables import read_table

RULES = EvidenceSettings()
AS_OF = dt.date(2024, 9, 30)
#: A hectare of 100 pixels: slack of pixels 1,500 + 100 m2, of outlines 100 + 4 x 400 = 1,700 m2.
HONEST = ParcelFacts(
    parcel_id="p", farmer_id="ann", ring_area_m2=10_000, declared_area_m2=10_000,
    declared_crop="maize", seen_area_m2=10_000, planted_fraction=1.0, pixels=100, perimeter_m=400,
    seen_crop="maize", probability=0.9, prediction_set=("maize",), registry_area_m2=10_000,
    registry_holder="ann", registry_on=dt.date(2024, 1, 1),
    ground=SeenGround(10_000, 0, None, None, 0, None),
)  # fmt: skip
OVER = SeenGround(7_500, 2_000, "F1", "q", 500, "wood")
LESS: dict[str, dict[str, Any]] = {
    "planted": {"seen_area_m2": 7_000.0, "planted_fraction": 0.7},
    "fields": {"ground": OVER},
    "registry": {"registry_area_m2": 8_000.0},
}
"""What each kind of evidence finds where it finds less than the hectare that is drawn."""


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_an_over_drawn_ring_is_found_by_any_two_kinds_and_by_none_alone(size: int) -> None:
    for kinds in itertools.combinations(LESS, size):
        changed = {name: value for kind in kinds for name, value in LESS[kind].items()}
        codes = judge(replace(HONEST, **changed), RULES, AS_OF).codes
        assert ("area_overdrawn" in codes) is (size > 1), kinds


@pytest.mark.parametrize(
    ("cover", "cycle", "planted", "doubted"),
    [
        ("bare", True, 9_900.0, False),  # 100 m2 can be bare
        ("bare", False, 9_900.0, True),
        ("water", True, 9_900.0, True),
        ("bare", True, 8_000.0, True),  # 2,000 can
        ("bare", True, None, True),
    ],
)
def test_land_that_pixels_saw_planted_is_not_bare(
    cover: str, cycle: bool, planted: float | None, doubted: bool
) -> None:
    ground = SeenGround(5_000, 0, None, None, 5_000, cover)
    found = areas_of(
        replace(HONEST, ground=ground, cycle_seen=cycle, seen_area_m2=planted),
        RULES, registry_stale=False,
    )  # fmt: skip
    assert ("fields" in found.against) is doubted


@pytest.mark.parametrize("kind", ["planted", "fields"])
def test_what_the_images_find_alone_is_noted_and_takes_nothing(kind: str) -> None:
    verdict = judge(replace(HONEST, **LESS[kind]), RULES, AS_OF)
    assert "area_doubt" in verdict.codes
    assert verdict.evidence_area_m2 == 10_000


@pytest.mark.parametrize(
    ("kinds", "counted"),
    [
        (("planted", "fields"), 7_000.0),
        (("planted", "registry"), 7_000.0),
        (("fields", "registry"), 8_000.0),
        (("planted", "fields", "registry"), 7_000.0),
    ],
)
def test_two_kinds_take_what_pixels_find_and_the_register_bounds_it(
    kinds: tuple[str, ...], counted: float
) -> None:
    changed = {name: value for kind in kinds for name, value in LESS[kind].items()}
    assert judge(replace(HONEST, **changed), RULES, AS_OF).evidence_area_m2 == counted


def test_outlines_measure_only_where_pixels_saw_nothing() -> None:
    # Outlines find 7,500 m2 of the hectare and an old register 8,000.
    found = {**LESS["fields"], **LESS["registry"]}
    unseen = replace(HONEST, **found, seen_area_m2=None, planted_fraction=None)
    assert judge(unseen, RULES, AS_OF).evidence_area_m2 == 7_500


def test_less_planted_area_never_counts_for_more() -> None:
    for kinds in ((), ("fields",), ("registry",), ("fields", "registry")):
        changed = {name: value for kind in kinds for name, value in LESS[kind].items()}
        counted = [
            judge(replace(HONEST, **changed, seen_area_m2=area), RULES, AS_OF).evidence_area_m2
            for area in range(1_500, 10_001, 100)
        ]
        assert counted == sorted(counted), kinds


def test_a_recent_registry_alone_bounds_the_claim_and_an_old_one_needs_the_images() -> None:
    old = {"registry_on": dt.date(2020, 1, 1)}
    recent = judge(replace(HONEST, **LESS["registry"]), RULES, AS_OF)
    assert "area_conflict_registry" in recent.codes
    assert recent.evidence_area_m2 == 8_000
    alone = judge(replace(HONEST, **LESS["registry"], **old), RULES, AS_OF)
    assert "area_registry_old" in alone.codes
    assert "area_conflict_registry" not in alone.codes
    assert alone.evidence_area_m2 == 10_000
    both = judge(replace(HONEST, **LESS["registry"], **LESS["fields"], **old), RULES, AS_OF)
    assert {"area_conflict_registry", "area_overdrawn"} <= set(both.codes)
    unseen = replace(HONEST, **LESS["registry"], **old, ground=None, seen_area_m2=None)
    assert judge(unseen, RULES, AS_OF).evidence_area_m2 == 8_000


@pytest.mark.parametrize(("beyond", "against"), [(1_700.0, ()), (1_701.0, ("fields",))])
def test_a_ring_may_miss_its_fields_by_a_pixel_and_the_error_of_borders(
    beyond: float, against: tuple[str, ...]
) -> None:
    ground = SeenGround(10_000 - beyond, beyond, "F1", None, 0, None)
    found = areas_of(replace(HONEST, ground=ground), RULES, registry_stale=False)
    assert found.against == against


@pytest.mark.parametrize(("left_out", "against"), [(0, True), (300, True), (301, False)])
def test_what_a_ring_leaves_of_its_own_field_is_set_against_what_it_reaches_beyond(
    left_out: float, against: bool
) -> None:
    # 2,001 m2 beyond, 1,700 m2 allowed; 7,999 m2 drawn of a field that is so much larger.
    own = 7_999.0
    ground = SeenGround(own, 2_001, "F1", None, 0, None, 0.7999, left_out / (own + left_out))
    found = areas_of(replace(HONEST, ground=ground), RULES, registry_stale=False)
    assert (found.against == ("fields",)) is against


def test_a_field_that_goes_on_for_ever_excuses_no_more_than_a_strip_along_the_outline() -> None:
    # The strip: 400 m of outline, one metre wide, beside 1,700 m2 that are allowed anyway.
    for beyond, against in ((2_100.0, ()), (2_101.0, ("fields",))):
        ground = SeenGround(10_000 - beyond, beyond, "F1", None, 0, None, 0.79, 0.999)
        found = areas_of(replace(HONEST, ground=ground), RULES, registry_stale=False)
        assert found.against == against


def test_ground_that_is_drawn_but_not_declared_counts_against_nobody() -> None:
    ground = SeenGround(8_000, 2_000, "F1", None, 0, None)
    modest = replace(HONEST, declared_area_m2=8_000, ground=ground, seen_area_m2=8_000)
    assert areas_of(modest, RULES, registry_stale=False).against == ()
    assert judge(modest, RULES, AS_OF).evidence_area_m2 == 8_000


def test_an_over_drawn_ring_names_the_neighbours_parcel_and_the_land_that_is_no_field() -> None:
    numbers = judge(replace(HONEST, **LESS["planted"], **LESS["fields"]), RULES, AS_OF).numbers
    assert (numbers["covers_field"], numbers["covers_field_m2"]) == ("q", 2_000)
    assert (numbers["covers"], numbers["covers_m2"]) == ("wood", 500)
    nobody = replace(OVER, foreign_parcel=None)
    changed = replace(HONEST, **LESS["planted"], ground=nobody)
    assert judge(changed, RULES, AS_OF).numbers["covers_field"] == "F1"
    assert "covers" not in judge(HONEST, RULES, AS_OF).numbers


def test_areas_stand_side_by_side_and_mostly_unseen_ground_is_not_evidence(county: Any) -> None:
    covers = {"own_area_m2": 7_500.0, "foreign_area_m2": 2_000.0, "open_area_m2": 500.0,
              "foreign_field": "F1", "foreign_parcel": "b", "open_cover": "wood"}  # fmt: skip
    county.add("a", "ann", seen_area=7_000.0, planted_fraction=0.7, outlined=covers)
    county.add("b", "bob", x=500)
    cloudy = {"own_area_m2": 2_000.0, "foreign_area_m2": 2_900.0}
    county.add("c", "cat", x=1000, seen_area=7_000.0, planted_fraction=0.7, outlined=cloudy)
    rows = county.evidence()
    names = ["drawn_area_m2", "declared_area_m2", "seen_area_m2", "fields_area_m2",
             "foreign_area_m2", "open_area_m2", "evidence_area_m2"]  # fmt: skip
    assert rows.loc["a", names].tolist() == [1e4, 1e4, 7e3, 7.5e3, 2e3, 500.0, 7e3]
    assert (rows.loc["a", "foreign_parcel"], rows.loc["a", "open_cover"]) == ("b", "wood")
    assert rows.loc["b", "fields_area_m2"] is None or rows.loc["b", names].isna()["fields_area_m2"]
    assert rows.loc["c", "evidence_area_m2"] == 10_000
    outcomes = read_table(county.path("outcomes_evidence.parquet")).set_index("parcel_id")
    assert "covers_field=b" in outcomes.loc["a", "detail"]
