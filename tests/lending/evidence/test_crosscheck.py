from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from fieldline.lending.codes import EFFECTS, evidence_codes
from fieldline.lending.evidence.crosscheck import ParcelFacts, judge
from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.records.errors import UserError
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


def test_agreement_has_no_effect_and_the_least_area_counts() -> None:
    verdict = judge(GOOD, RULES, AS_OF)
    assert verdict.codes == ["area_agrees", "crop_agrees", "holder_agrees"]
    assert {evidence_codes()[c].effect for c in verdict.codes} == {"none"}
    assert verdict.evidence_area_m2 == 1950


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"declared_area_m2": 3000.0}, "area_overdrawn"),
        ({"seen_area_m2": 1000.0}, "area_overdrawn"),
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
        ({"registry_holder": "bob"}, "holder_conflict"),
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
def test_evidence_area_never_exceeds_a_known_area(
    declared: float | None, seen: float | None, registry: float | None, ring: float, own: float
) -> None:
    facts = replace(
        GOOD, declared_area_m2=declared, seen_area_m2=seen, registry_area_m2=registry,
        ring_area_m2=ring, own_overlap_m2=own,
    )  # fmt: skip
    found = judge(facts, RULES, AS_OF).evidence_area_m2
    assert 0 <= found <= min(a for a in (declared, seen, registry, ring) if a is not None)


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


def test_a_registry_with_a_wrong_number_is_refused_with_its_row(county: Any) -> None:
    county.add("a", "ann")
    county.registry = [
        {
            "parcel_id": "a",
            "area_m2": "ten",
            "holder_id": "",
            "crop": "",
            "recorded_on": "2024-01-01",
        }
    ]
    with pytest.raises(UserError, match=r"row 1: area_m2 is 'ten'"):
        county.evidence()
