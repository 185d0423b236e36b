from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from fieldline.lending.codes import EFFECTS, evidence_codes
from fieldline.lending.documents.facts import NO_PARCEL_PAPERS, Lease, Objection, ParcelPapers
from fieldline.lending.evidence.crosscheck import judge
from fieldline.lending.evidence.facts import ParcelFacts, SeenGround
from fieldline.lending.evidence.gather import Known, gather, holds_ground
from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.records.tables import read_table

RULES = EvidenceSettings()
AS_OF = dt.date(2024, 9, 30)
GOOD = ParcelFacts(
    parcel_id="p", farmer_id="ann", ring_area_m2=2000, declared_area_m2=2000, declared_crop="maize",
    seen_area_m2=1950, planted_fraction=0.975, pixels=20, seen_crop="maize", probability=0.9,
    prediction_set=("maize",), registry_area_m2=2050, registry_holder="ann",
    registry_crop="maize", registry_on=dt.date(2024, 1, 1),
)  # fmt: skip


def codes(**changes: Any) -> list[str]:
    return judge(replace(GOOD, **changes), RULES, AS_OF).codes


def test_agreement_has_no_effect_and_takes_nothing() -> None:
    verdict = judge(GOOD, RULES, AS_OF)
    assert verdict.codes == ["area_agrees", "crop_agrees", "holder_agrees"]
    assert {evidence_codes()[c].effect for c in verdict.codes} == {"none"}
    assert verdict.evidence_area_m2 == 2000
    assert judge(replace(GOOD, registry_area_m2=1990), RULES, AS_OF).evidence_area_m2 == 1990


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"declared_area_m2": 3000.0}, "area_overdrawn"),
        ({"seen_area_m2": 1000.0}, "area_doubt"),
        ({"seen_area_m2": 1000.0, "registry_area_m2": 1500.0}, "area_overdrawn"),
        ({"registry_area_m2": 1500.0}, "area_conflict_registry"),
        ({"seen_area_m2": None}, "area_unseen"),
        ({"pixels": 0.7}, "area_unseen"),
        ({"declared_crop": None}, "crop_unknown"),
        ({"prediction_set": ()}, "crop_unknown"),
        ({"declared_crop": "rice"}, "crop_conflict"),
        ({"declared_crop": "rice", "probability": 0.6}, "crop_doubt"),
        ({"declared_crop": "rice", "declared_learnt": False}, "crop_unlearnt"),
        ({"declared_crop": "rice", "prediction_set": ("maize", "rice")}, "crop_agrees"),
        ({"planted_fraction": 0.05}, "no_crop_cycle"),
        ({"registry_on": None}, "registry_missing"),
        ({"registry_on": dt.date(2020, 1, 1)}, "registry_stale"),
        ({"registry_holder": "bob"}, "lease_unproven"),
        ({"registry_crop": "rice"}, "crop_registry_differs"),
        ({"own_overlap_m2": 300.0}, "own_overlap"),
        ({"rivals": ("q",), "registry_holder": None}, "claimed_by_other"),
        ({"rivals": ("q",), "disputed_m2": 1000.0}, "claim_upheld"),
        ({"rivals": ("q",), "registry_on": None, "named_on_rival": True}, "claim_upheld"),
        ({"rivals": ("q",), "registry_holder": None, "rival_holds": True}, "claim_refuted"),
        ({"protected_m2": 900.0, "protected_core_m2": 400.0}, "protected_overlap"),
        ({"protected_m2": 900.0, "protected_core_m2": 150.0}, "protected_touch"),
    ],
)
def test_each_conflict_has_its_code(changes: dict[str, Any], expected: str) -> None:
    found = codes(**changes)
    assert expected in found
    assert set(found) <= set(evidence_codes())


def test_one_pixel_either_way_is_no_lie() -> None:
    # 3 mu drawn as 200 m2: two pixels, of which one shows no crop.
    assert "area_overdrawn" not in codes(
        ring_area_m2=200.0, declared_area_m2=200.0, seen_area_m2=100.0, pixels=2, registry_on=None,
        registry_area_m2=None,
    )  # fmt: skip


def test_a_small_parcel_is_never_called_idle() -> None:
    assert "no_crop_cycle" not in codes(planted_fraction=0.0, pixels=3.9)


def test_land_green_all_season_asks_a_person_only_where_a_yearly_crop_is_declared() -> None:
    assert "never_bare" in codes(green_throughout=True)
    for declared in ("grassland", "orchard", None, "no such crop"):
        assert "never_bare" not in codes(green_throughout=True, declared_crop=declared)


def test_houses_and_woods_ask_a_person_where_a_yearly_crop_is_declared() -> None:
    assert "no_field_seen" in codes(uneven=True)
    assert "no_field_seen" not in codes(uneven=True, declared_crop="orchard")

    def wood(share: float, cover: str = "wood", **more: Any) -> list[str]:
        ground = SeenGround(0.0, 0.0, None, None, share * 1000.0, cover)
        return codes(ground=ground, ring_area_m2=1000.0, declared_area_m2=1000.0, **more)

    assert "no_field_seen" in wood(0.6)
    assert "no_field_seen" not in wood(0.4)
    assert "no_field_seen" not in wood(0.6, "bare")
    assert "no_field_seen" not in wood(0.6, cycle_seen=True)
    assert "no_field_seen" in wood(0.6, cycle_seen=True, seen_crop="rice")
    assert "no_field_seen" in wood(0.6, cycle_seen=True, prediction_set=())
    photo = replace(NO_PARCEL_PAPERS, crops=frozenset({"maize"}))
    assert "crop_proven" in codes(uneven=True, declared_crop="maize", papers=photo)


def test_the_edge_of_a_park_is_map_error() -> None:
    assert "protected_overlap" not in codes(protected_m2=250.0, protected_core_m2=150.0)
    assert "protected_overlap" not in codes(
        protected_m2=900.0, protected_core_m2=300.0, ring_area_m2=10_000.0
    )
    assert "protected_overlap" in codes(
        protected_m2=60.0, protected_core_m2=55.0, ring_area_m2=100.0
    )


def test_both_registered_is_for_a_person() -> None:
    found = codes(rivals=("q",), rival_holds=True)
    assert "claimed_by_other" in found
    assert "claim_refuted" not in found


area = st.none() | st.floats(0, 10_000)


@given(area, area, area, st.floats(100, 10_000), st.floats(0, 500))
def test_evidence_area_never_exceeds_what_is_declared_drawn_and_registered(
    declared: float | None, seen: float | None, registry: float | None, ring: float, own: float
) -> None:
    facts = replace(
        GOOD, declared_area_m2=declared, seen_area_m2=seen, registry_area_m2=registry,
        ring_area_m2=ring, own_overlap_m2=own,
    )  # fmt: skip
    found = judge(facts, RULES, AS_OF).evidence_area_m2
    assert 0 <= found <= min(a for a in (declared, registry, ring) if a is not None)


def test_every_code_has_a_known_effect_and_both_languages() -> None:
    for code in evidence_codes().values():
        assert code.effect in EFFECTS
        assert code.english
        assert code.chinese
        assert code.remedy


def test_run_gives_every_parcel_one_row_and_one_outcome(county: Any, name_of: Any) -> None:
    county.add("a", "ann")
    county.add("b", "bob", x=20)
    county.add("c", "cat", x=1000, declared_area=20_000)
    county.add("d", "dan", x=2000)
    county.stopped["d"] = "too_cloudy"
    rows = county.evidence()
    outcomes = read_table(county.path("outcomes_evidence.parquet")).set_index("parcel_id")
    assert list(rows.index) == list(outcomes.index) == ["a", "b", "c", "d"]
    assert list(rows.loc["a", "rivals"]) == ["b"]
    assert rows.loc["a", "effect"] == "review"
    assert rows.loc["c", "effect"] == "lower"
    assert rows.loc["c", "evidence_area_m2"] == 10_000
    assert "area_unseen" in rows.loc["d", "codes"]
    assert outcomes.loc["c", "outcome"] == "evidence_lowered"
    assert outcomes.loc["c", "detail"].startswith("codes=area_overdrawn declared=2e+04")


def test_the_registry_is_read_as_of_the_day_and_by_pseudonym(county: Any) -> None:
    county.add("a", "ann")
    row = {"parcel_id": "a", "area_m2": 9000, "holder_id": "ann", "crop": "maize"}
    county.registry = [
        {**row, "recorded_on": "2024-01-01"},
        {**row, "holder_id": "thief", "area_m2": 1, "recorded_on": "2024-10-01"},
    ]
    found = county.evidence().loc["a"]
    assert "holder_agrees" in found["codes"]
    assert found["evidence_area_m2"] == 9000


def test_a_ring_pushed_over_a_neighbour_does_not_take_the_neighbours_claim(
    county: Any, name_of: Any
) -> None:
    # ann's registered 100 x 100 m; bob drew 150 m where the registry gives him 100
    county.add("a", "ann")
    county.add("b", "bob", x=50, width=150)
    row = {"crop": "maize", "recorded_on": "2024-01-01", "area_m2": 10_000}
    bob = {**row, "parcel_id": "b", "holder_id": "bob"}
    county.registry = [bob, {**row, "parcel_id": "a", "holder_id": "ann"}]
    rows = county.evidence()
    assert "claim_upheld" in rows.loc["a", "codes"]
    assert "claimed_by_other" in rows.loc["b", "codes"]
    assert rows.loc["b", "evidence_area_m2"] == 10_000
    # without a registry row ann is in doubt but never refuted by a ring that is too large
    county.registry = [bob]
    rows = county.evidence()
    assert "claim_refuted" not in rows.loc["a", "codes"]
    assert rows.loc["a", "effect"] == rows.loc["b", "effect"] == "review"


def test_the_rightful_holder_of_a_doubled_parcel_is_upheld(county: Any) -> None:
    county.add("a", "ann")
    county.add("b", "bob", x=3)
    row = {"crop": "maize", "recorded_on": "2024-01-01", "holder_id": "ann"}
    for own in ([{**row, "parcel_id": "a", "area_m2": 7_000}], []):
        county.registry = [*own, {**row, "parcel_id": "b", "area_m2": 10_000}]
        rows = county.evidence()
        assert rows.loc["a", "effect"] in ("none", "lower")
        assert rows.loc["b", "effect"] == "block"


def test_a_ring_that_touches_a_park_is_noted(county: Any) -> None:
    east, north = 500_000.0, 3_800_000.0
    county.add("a", "ann")
    county.add("b", "bob", x=1000)
    # 4 m and 12 m deep along 100 m: 0 and 700 m2 by more than 5 m
    county.protected = [
        (box(east - 50, north - 50, east + 4, north + 150), "", ""),
        (box(east + 950, north - 50, east + 1012, north + 150), "", ""),
    ]
    rows = county.evidence()
    assert list(rows.loc["a", "codes"]).count("protected_touch") == 1
    assert rows.loc["a", "effect"] == "none"
    assert rows.loc["a", "protected_m2"] == pytest.approx(400, rel=1e-3)
    assert rows.loc["b", "effect"] == "block"


def test_protected_areas_count_while_in_force(county: Any) -> None:
    east, north = 500_000.0, 3_800_000.0
    county.add("a", "ann")
    county.add("b", "bob", x=1000)
    county.protected = [
        (box(east, north, east + 50, north + 100), "2020-01-01", ""),
        (box(east + 1000, north, east + 1100, north + 100), "2020-01-01", "2024-09-29"),
        (box(east + 1000, north, east + 1100, north + 100), "2024-10-01", ""),
    ]
    rows = county.evidence()
    assert rows.loc["a", "effect"] == "block"
    assert rows.loc["b", "effect"] == "none"


def test_a_registry_row_that_cannot_be_read_sends_its_parcel_alone_to_a_person(
    county: Any, name_of: Any
) -> None:
    county.add("a", "ann")
    county.add("b", "bob", x=1000)
    row = {"crop": "maize", "recorded_on": "2024-01-01", "area_m2": 10_000}
    older = {**row, "parcel_id": "a", "holder_id": "ann", "recorded_on": "2020-01-01"}
    newest = {**row, "parcel_id": "a", "holder_id": "zoe", "area_m2": "ten"}
    county.registry = [newest, older, {**row, "parcel_id": "b", "holder_id": "bob"}]
    rows = county.evidence()
    assert "registry_unclear" in rows.loc["a", "codes"]
    assert rows.loc["a", "effect"] == "review"
    assert pd.isna(rows.loc["a", "registry_area_m2"])
    assert "holder_agrees" in rows.loc["b", "codes"]
    found = county.decision("ann")
    assert found["access"] == "review"
    assert found["reasons"][0].startswith("The registry's entry for parcel a cannot be read")
    assert "review_registry_unclear" not in county.decision("bob")["reason_codes"]


def test_a_park_larger_than_the_grid_of_the_county_still_stops_its_parcels(county: Any) -> None:
    county.add("a", "ann")
    county.evidence()
    parcels = gpd.read_parquet(county.path("parcels.parquet"))
    whole_earth = gpd.GeoDataFrame(geometry=[box(-180, -90, 180, 90)], crs="EPSG:4326")
    found = gather(parcels, FIELDS, CROPS, Known(protected=whole_earth), RULES)
    assert found[0].protected_m2 == pytest.approx(10_000, rel=1e-3)


PLAIN = ParcelFacts(
    parcel_id="p", farmer_id="ann", ring_area_m2=2000, declared_area_m2=2000, declared_crop="maize"
)
QUARTER = EvidenceSettings(area_tolerance=0.25)
"""A tolerance that binary fractions hold exactly."""


def test_where_only_paper_is_known_only_paper_counts() -> None:
    verdict = judge(PLAIN, RULES, AS_OF)
    assert verdict.codes == ["area_unseen", "crop_unknown", "registry_missing"]
    assert verdict.evidence_area_m2 == 2000
    assert verdict.numbers == {"declared": 2000, "drawn": 2000}
    assert replace(
        PLAIN, pixels=0.0, declared_learnt=True, disputed_m2=0.0, named_on_rival=False,
        rival_holds=False, own_overlap_m2=0.0, protected_m2=0.0, protected_core_m2=0.0,
    ) == PLAIN  # fmt: skip


def test_the_numbers_behind_a_verdict_are_told() -> None:
    found = judge(replace(GOOD, protected_m2=0.5), RULES, AS_OF)
    assert found.numbers == {
        "declared": 2000, "drawn": 2000, "seen": 1950, "registry": 2050, "protected": 0.5,
    }  # fmt: skip
    assert judge(replace(GOOD, own_overlap_m2=450), RULES, AS_OF).evidence_area_m2 == 1550
    assert judge(replace(GOOD, own_overlap_m2=5000), RULES, AS_OF).evidence_area_m2 == 0


def test_one_whole_pixel_is_seen() -> None:
    assert "area_unseen" not in codes(pixels=1.0)
    assert "area_unseen" in codes(pixels=0.99)


@pytest.mark.parametrize(
    ("changes", "overdrawn"),
    [
        pytest.param({"ring_area_m2": 1500.0}, False, id="a quarter less is within a quarter"),
        pytest.param({"ring_area_m2": 1499.5}, True, id="half a square metre more is not"),
        # 1,000 - 600 against 250 + a pixel of 600 / .5
        pytest.param(
            {"ring_area_m2": 600.0, "declared_area_m2": 1000.0, "pixels": 0.5}, False,
            id="a pixel as large as the parcel",
        ),
        # 2,800 - 2,000 against 700 + 50: what lies outside the ring is not seen in it
        pytest.param(
            {"declared_area_m2": 2800.0, "seen_area_m2": 3000.0, "pixels": 40.0}, True,
            id="seen beyond the ring",
        ),
        # 2,000 - 1,000 against 500 + 100, and 1,000 registered, times 1.25
        pytest.param(
            {"declared_area_m2": None, "seen_area_m2": 1000.0, "pixels": 20.0,
             "registry_area_m2": 1000.0, "registry_on": dt.date(2024, 1, 1)}, True,
            id="nothing declared is the ring declared",
        ),
    ],
)  # fmt: skip
def test_an_area_is_overdrawn_beyond_tolerance_and_one_pixel(
    changes: dict[str, Any], overdrawn: bool
) -> None:
    found = judge(replace(PLAIN, **changes), QUARTER, AS_OF).codes
    assert ("area_overdrawn" in found) is overdrawn
    assert "area_agrees" not in found


def test_a_registered_area_has_the_same_tolerance() -> None:
    for declared, conflict in ((2500.0, False), (2501.0, True)):
        facts = replace(GOOD, declared_area_m2=declared, registry_area_m2=2000.0,
                        ring_area_m2=2500.0, seen_area_m2=2500.0)  # fmt: skip
        found = judge(facts, QUARTER, AS_OF).codes
        assert ("area_conflict_registry" in found) is conflict
        assert ("area_agrees" in found) is not conflict
    assert "area_agrees" not in codes(declared_area_m2=3000.0, registry_area_m2=None)


def test_thresholds_of_crops_and_dates_count_themselves() -> None:
    assert "no_crop_cycle" not in codes(planted_fraction=0.1)
    assert "no_crop_cycle" in codes(planted_fraction=0.099, pixels=4.0)
    assert "crop_unknown" in codes(planted_fraction=None, seen_crop=None)
    assert "crop_conflict" in codes(declared_crop="rice", probability=0.8)
    assert "crop_doubt" in codes(declared_crop="rice", probability=0.799)
    assert "crop_doubt" in codes(declared_crop="rice", probability=None)
    assert "registry_stale" not in codes(registry_on=AS_OF - dt.timedelta(days=730))
    assert "registry_stale" in codes(registry_on=AS_OF - dt.timedelta(days=731))


def test_what_the_registry_does_not_say_it_does_not_contradict() -> None:
    assert codes(registry_on=None)[-1] == "registry_missing"
    assert codes(registry_holder=None, registry_crop=None) == ["area_agrees", "crop_agrees"]
    found = codes(declared_crop=None)
    assert found == ["area_agrees", "crop_unknown", "holder_agrees"]


LEASED = ParcelPapers(lease=Lease("zoe", dt.date(2024, 6, 1)))
"""A lease of the land that zoe holds; `DENIED`: she denied it later."""
DENIED = replace(LEASED, objections=(Objection("zoe", dt.date(2024, 6, 2)),))


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        # 1,000 m2 undisputed and half of 1,000 m2 disputed
        ({"disputed_m2": 1000.0, "registry_area_m2": 1500.0}, True),
        ({"disputed_m2": 1000.0, "registry_area_m2": 1499.0}, False),
        # two rivals may claim more than there is: half of 2,500 m2
        ({"disputed_m2": 2500.0, "registry_area_m2": 1250.0}, True),
        ({"disputed_m2": 2500.0, "registry_area_m2": 1249.5}, False),
        ({"disputed_m2": 1000.0, "registry_area_m2": None}, False),
        ({"disputed_m2": 1000.0, "registry_holder": "bob"}, False),
        ({"disputed_m2": 1000.0, "registry_holder": "bob", "named_on_rival": True}, True),
        # the holder's lease gives the tenant the holder's right, anybody else's does not
        ({"disputed_m2": 1000.0, "registry_holder": "zoe", "papers": LEASED}, True),
        ({"disputed_m2": 1000.0, "registry_holder": "bob", "papers": LEASED}, False),
        ({"disputed_m2": 1000.0, "registry_holder": None, "papers": LEASED}, False),
        ({"disputed_m2": 1000.0, "registry_holder": "zoe", "papers": LEASED,
          "registry_area_m2": 1499.0}, False),
        ({"disputed_m2": 1000.0, "registry_holder": "zoe", "papers": DENIED}, False),
    ],
)  # fmt: skip
def test_who_needs_the_disputed_ground_holds_it(changes: dict[str, Any], holds: bool) -> None:
    assert holds_ground(replace(GOOD, **changes), RULES) is holds


def test_a_claim_against_a_tenant_is_judged_as_one_against_the_holder() -> None:
    tenant = {"registry_holder": "zoe", "papers": LEASED, "rivals": ("q",), "disputed_m2": 1000.0,
              "rival_farmers": frozenset({"eve"})}  # fmt: skip
    assert "claim_upheld" in codes(**tenant)
    assert "claimed_by_other" in codes(**tenant, rival_holds=True)
    # without a lease, or where the rival is the landlord himself
    assert "claim_refuted" in codes(**{**tenant, "papers": NO_PARCEL_PAPERS}, rival_holds=True)
    of_rival = {**tenant, "rival_farmers": frozenset({"zoe"})}
    assert "claim_settled" in codes(**of_rival, rival_holds=True)


def test_a_claim_has_one_code() -> None:
    claimed = {"rivals": ("q",), "disputed_m2": 1000.0, "registry_crop": None}
    rest = ["area_agrees", "crop_agrees"]
    assert codes(**claimed, registry_holder=None) == [*rest, "claimed_by_other"]
    assert codes(**claimed, registry_holder=None, rival_holds=True) == [*rest, "claim_refuted"]
    rest = [*rest, "holder_agrees"]
    assert codes(**claimed) == [*rest, "claim_upheld"]
    assert codes(**claimed, rival_holds=True) == [*rest, "claimed_by_other"]
    # the registry names ann too, but with too little land for the disputed ground
    rest[0] = "area_conflict_registry"
    small = {**claimed, "registry_area_m2": 1400.0, "rival_holds": True}
    assert codes(**small) == [*rest, "claimed_by_other"]
    assert codes() == ["area_agrees", "crop_agrees", "holder_agrees"]


def test_the_least_overlap_with_own_ground_is_told() -> None:
    assert "own_overlap" in codes(own_overlap_m2=0.5)


@pytest.mark.parametrize(
    ("ring", "core", "code"),
    [
        (2000.0, 200.0, "protected_overlap"),
        (2000.0, 199.9, "protected_touch"),
        (10_000.0, 500.0, "protected_overlap"),
        (10_000.0, 499.0, "protected_touch"),
        (100.0, 50.0, "protected_overlap"),
        (100.0, 49.0, "protected_touch"),
        (1.0, 0.5, "protected_overlap"),
        (2000.0, 0.0, "protected_touch"),
    ],
)
def test_protected_ground_stops_from_200_m2_5_percent_or_half(
    ring: float, core: float, code: str
) -> None:
    found = codes(ring_area_m2=ring, protected_m2=core + 0.5, protected_core_m2=core)
    assert [name for name in found if name.startswith("protected")] == [code]


def test_an_edge_never_stops_whatever_the_thresholds() -> None:
    strict = EvidenceSettings(protected_min_share=0, protected_min_m2=0)
    touch = replace(GOOD, protected_m2=90.0, protected_core_m2=0.0)
    assert "protected_touch" in judge(touch, strict, AS_OF).codes


EAST, NORTH = 500_000.0, 3_800_000.0


def parcels_of(*rows: tuple[str, str, float, float]) -> gpd.GeoDataFrame:
    """Return parcels of 100 m height from (parcel, farmer, offset, width)."""
    shapes = [box(EAST + x, NORTH, EAST + x + width, NORTH + 100) for _, _, x, width in rows]
    frame = pd.DataFrame({
        "parcel_id": [row[0] for row in rows], "farmer_id": [row[1] for row in rows],
        "metrics:area": [100 * row[3] for row in rows], "declared_area_m2": np.nan,
        "metrics:perimeter": [2 * (100 + row[3]) for row in rows],
        "declared_crop": "maize",
    })  # fmt: skip
    return gpd.GeoDataFrame(frame, geometry=shapes, crs="EPSG:32650")


FIELDS = pd.DataFrame(columns=["parcel_id", "seen_area_m2", "planted_fraction", "pixels", "method"])
CROPS = pd.DataFrame(columns=["parcel_id", "crop", "probability", "cannot_tell", "prediction_set"])


def facts_of(
    parcels: gpd.GeoDataFrame,
    *,
    fields: pd.DataFrame = FIELDS,
    crops: pd.DataFrame = CROPS,
    registry: pd.DataFrame | None = None,
    protected: gpd.GeoDataFrame | None = None,
    settings: EvidenceSettings = RULES,
) -> dict[str, ParcelFacts]:
    found = gather(parcels, fields, crops, Known(registry, protected), settings)
    return {fact.parcel_id: fact for fact in found}


def test_an_unseen_parcel_without_papers_is_all_unknown() -> None:
    assert facts_of(parcels_of(("a", "ann", 0, 100)))["a"] == ParcelFacts(
        "a", "ann", 10_000.0, None, "maize", perimeter_m=400.0
    )
    assert facts_of(parcels_of(("a", "ann", 0, 100)).iloc[:0]) == {}


def test_what_was_seen_and_registered_is_brought_to_its_parcel() -> None:
    fields = pd.DataFrame({
        "parcel_id": ["a"], "seen_area_m2": [9000.0], "planted_fraction": [0.9], "pixels": [90.0],
        "method": ["green"],
    })  # fmt: skip
    crops = pd.DataFrame({
        "parcel_id": ["a", "b"], "crop": ["maize", "rice"], "probability": [0.9, 0.8],
        "cannot_tell": [False, True], "prediction_set": [["maize", "rice"], ["rice"]],
        "p_maize": 0.9, "p_rice": 0.1,
    })  # fmt: skip
    registry = pd.DataFrame(
        {"area_m2": [8000.0], "holder_id": ["ann"], "crop": [""],
         "recorded_on": [pd.Timestamp("2024-01-01")], "unclear": [False]}, index=["a"],
    )  # fmt: skip
    parcels = parcels_of(("b", "bob", 1000, 100), ("a", "ann", 0, 100))
    parcels.loc[0, "declared_crop"] = "soybean"
    found = facts_of(parcels, fields=fields, crops=crops, registry=registry)
    assert list(found) == ["a", "b"]
    assert found["a"] == ParcelFacts(
        "a", "ann", 10_000.0, None, "maize", 9000.0, 0.9, 90.0, True, "maize", 0.9,
        ("maize", "rice"), True, 8000.0, "ann", None, dt.date(2024, 1, 1), perimeter_m=400.0,
    )  # fmt: skip
    uneven = facts_of(parcels, fields=fields.assign(method="uneven"))["a"]
    assert (uneven.uneven, uneven.green_throughout, uneven.cycle_seen) == (True, False, False)
    assert facts_of(parcels, fields=fields.assign(method="unmixed"))["a"].cycle_seen
    # a model that cannot tell names no plausible crop, and it never learnt soybean
    assert found["b"] == ParcelFacts(
        "b", "bob", 10_000.0, None, "soybean", seen_crop="rice", probability=0.8,
        declared_learnt=False, perimeter_m=400.0,
    )  # fmt: skip


def test_ground_claimed_by_three_is_disputed_with_each() -> None:
    # bob's and cat's parcels share no ground with each other, ann's shares 50 m with each
    parcels = parcels_of(("a", "ann", 0, 200), ("b", "bob", -50, 100), ("c", "cat", 150, 100))
    registry = pd.DataFrame(
        {
            "area_m2": np.nan,
            "holder_id": ["ann", None],
            "crop": None,
            "recorded_on": pd.NaT,
            "unclear": False,
        },
        index=["b", "c"],
    )
    found = facts_of(parcels, registry=registry)
    assert found["a"].rivals == ("b", "c")
    assert [found[p].disputed_m2 for p in "abc"] == pytest.approx([10_000, 5000, 5000], rel=1e-4)
    # the registry names ann on b: she holds, so both her rivals face a holder
    assert [found[p].named_on_rival for p in "abc"] == [True, False, False]
    assert [found[p].rival_holds for p in "abc"] == [False, True, True]


def test_own_ground_is_counted_with_the_earlier_parcel() -> None:
    found = facts_of(parcels_of(("a", "ann", 0, 100), ("b", "ann", 50, 100)))
    assert [found[p].own_overlap_m2 for p in "ab"] == [0, pytest.approx(5000, rel=1e-4)]
    assert found["a"].rivals == ()


def test_a_holder_without_a_rival_is_no_rival_of_others() -> None:
    registry = pd.DataFrame(
        {
            "area_m2": [10_000.0],
            "holder_id": ["ann"],
            "crop": None,
            "recorded_on": pd.NaT,
            "unclear": False,
        },
        index=["a"],
    )
    found = facts_of(parcels_of(("a", "ann", 0, 100), ("b", "bob", 1000, 100)), registry=registry)
    assert not any(fact.rival_holds for fact in found.values())


@pytest.mark.parametrize(("depth", "core"), [(5.0, 1500.0), (1.0, 1900.0), (0.0, 2000.0)])
def test_the_core_of_a_park_begins_as_deep_as_a_phone_errs(depth: float, core: float) -> None:
    park = box(EAST - 500, NORTH - 500, EAST + 20, NORTH + 600)
    parcels = parcels_of(("a", "ann", 0, 100), ("b", "bob", 1000, 100))
    zones = gpd.GeoDataFrame(geometry=[park], crs="EPSG:32650")
    settings = EvidenceSettings(gps_tolerance_m=depth)
    found = facts_of(parcels, protected=zones, settings=settings)
    assert found["a"].protected_m2 == pytest.approx(2000, rel=1e-3)
    assert found["a"].protected_core_m2 == pytest.approx(core, rel=1e-3)
    assert (found["b"].protected_m2, found["b"].protected_core_m2) == (0, 0)
    assert facts_of(parcels, protected=zones.iloc[:0])["a"].protected_m2 == 0


@pytest.mark.parametrize(
    ("objections", "lease_on", "code"),
    [
        ({"neighbour": "2024-06-10"}, None, "lease_unproven"),
        ({"neighbour": "2024-06-10"}, "2024-06-01", "lease_upheld"),
        ({"zoe": "2024-06-10"}, None, "holder_conflict"),
        ({"zoe": "2024-06-10", "neighbour": "2024-06-20"}, None, "holder_conflict"),
        ({"zoe": "2024-06-10"}, "2024-06-10", "holder_conflict"),
        ({"zoe": "2024-06-10"}, "2024-06-11", "lease_upheld"),
        ({"zoe": "2024-06-10", "neighbour": "2024-06-20"}, "2024-06-11", "lease_upheld"),
    ],
)
def test_only_the_registered_holder_can_object_and_a_later_lease_answers(
    county: Any, objections: dict[str, str], lease_on: str | None, code: str
) -> None:
    county.add("a", "ann")
    county.registry = [{
        "parcel_id": "a", "area_m2": 10_000, "holder_id": "zoe", "crop": "maize",
        "recorded_on": "2024-01-01",
    }]  # fmt: skip
    for by, day in objections.items():
        county.hand_in("holder_objection", parcel_id="a", counterparty_id=by, issued_on=day)
    if lease_on is not None:
        county.hand_in(
            "lease_contract", parcel_id="a", counterparty_id="zoe", issued_on=lease_on, amount="1"
        )
    found = set(county.evidence().loc["a", "codes"])
    assert found & {"lease_upheld", "lease_unproven", "holder_conflict"} == {code}
    assert ("objection_of_other" in found) == ("neighbour" in objections)


def test_an_objection_where_no_holder_is_registered_is_noted(county: Any) -> None:
    county.add("a", "ann")
    county.hand_in("holder_objection", parcel_id="a", counterparty_id="zoe")
    row = county.evidence().loc["a"]
    assert {"registry_missing", "objection_of_other"} <= set(row["codes"])
    assert row["effect"] == "none"


def test_a_refused_tenant_hears_who_objects_and_which_lease_answers(county: Any) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.registry = [{
        "parcel_id": "a", "area_m2": 10_000, "holder_id": "zoe", "crop": "maize",
        "recorded_on": "2024-01-01",
    }]  # fmt: skip
    county.hand_in("holder_objection", parcel_id="a", counterparty_id="zoe")
    assert county.decision("ann")["reasons"][0] == (
        "The registered holder of parcel a states that it is not let to you. Bring a lease that "
        "the holder signed after that statement, or have the registry corrected."
    )
