import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldline.pipeline.records.units import M2_PER_MU
from fieldline.workflows.simulate import land, people, rings
from fieldline.workflows.simulate.settings import LandSettings, LieSettings


@pytest.fixture(scope="module")
def county() -> land.Land:
    return land.lay_out(1400.0, LandSettings(), np.random.default_rng(5))


def test_polygons_do_not_overlap_and_stay_inside(county: land.Land) -> None:
    assert shapely.is_valid(county.polygons).all()
    union = shapely.union_all(county.polygons)
    assert union.area == pytest.approx(shapely.area(county.polygons).sum(), rel=1e-6)
    assert shapely.box(0, 0, 1400, 1400).buffer(1e-6).covers(union)


def test_every_cover_but_road_is_present(county: land.Land) -> None:
    assert set(np.unique(county.kind)) == {0, 1, 2, 3, 4, 5}


def test_four_fields_in_five_are_small_and_some_tiny() -> None:
    wide = land.lay_out(2400.0, LandSettings(), np.random.default_rng(1))
    mu = shapely.area(wide.polygons[wide.fields]) / M2_PER_MU
    assert 0.72 < (mu <= 10).mean() < 0.9
    assert (mu < 1).any()


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_a_cut_loses_only_its_gap(seed: int) -> None:
    field = shapely.Polygon([(0, 0), (100, 0), (100, 60), (0, 60)])
    halves = land._cut(field, np.random.default_rng(seed), 0.05, 1.0)
    assert len(halves) == 2
    # Each half also shrinks by half a metre along its outer sides: 320 m of rim and one cut.
    assert 6000 - 0.5 * 320 - 1.0 * 80 < sum(h.area for h in halves) < 6000


def test_farms_hold_one_to_six_fields_of_one_village(county: land.Land) -> None:
    settled = people.settle(county, 0, np.random.default_rng(2))
    sizes = np.bincount(settled.owner)
    assert len(settled.owner) == len(county.fields)
    assert sizes.min() >= 1
    assert sizes.max() <= 6
    shared = settled.farmers.groupby("household_id")["household_size"].nunique()
    assert (shared == 1).mean() > 0.9


def test_invented_persons_cannot_be_real() -> None:
    data = people.person(12_345)
    assert data["phone"].startswith("000-")
    assert not data["id_number"].isdigit()


def test_claims_are_as_many_as_asked_and_carry_each_lie(county: land.Land) -> None:
    settled = people.settle(county, 0, np.random.default_rng(2))
    lies = LieSettings(same_parcel=0.05, greenhouse=0.02, fake_farming=0.03, overdrawn=0.1)
    drawn = rings.claims(county, settled, 100, (LandSettings(), lies), np.random.default_rng(3))
    assert len(drawn) == 100
    kinds = [claim.kind for claim in drawn]
    asked = rings.counts(100, lies)
    assert {kind: kinds.count(kind) for kind in asked} == asked
    assert set(kinds) <= set(asked)
    fields = county.polygons[county.fields]
    for claim in drawn:
        assert claim.ring.is_valid
        if claim.kind == rings.OVERDRAWN:
            assert claim.ring.area > 1.1 * fields[claim.field].area
        elif claim.kind == rings.SAME_PARCEL:
            rival = drawn[claim.rival]
            assert rival.farmer != claim.farmer
            assert claim.ring.intersection(rival.ring).area > 0.2 * rival.ring.area
        elif claim.kind == rings.HONEST:
            inside = claim.ring.intersection(fields[claim.field]).area
            assert inside > 0.75 * claim.ring.area
