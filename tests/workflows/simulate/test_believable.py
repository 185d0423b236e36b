"""The believable county: perennials claimed as what they are, and debts that follow earnings."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import shapely
import yaml
from pydantic import ValidationError

from fieldline.workflows.simulate import people, rings
from fieldline.workflows.simulate.appearance import draw_traits
from fieldline.workflows.simulate.cultivars import planted
from fieldline.workflows.simulate.growth import FieldGrowth
from fieldline.workflows.simulate.land import COVERS, GREENHOUSE, TEA, Land, lay_out
from fieldline.workflows.simulate.markets import price_book, price_on, prices
from fieldline.workflows.simulate.papers import (
    Ground,
    applications_table,
    debt_shares,
    declare,
    registry_table,
    survey_table,
    truth_table,
)
from fieldline.workflows.simulate.people import People
from fieldline.workflows.simulate.perennials import harvest, statistics, year_effects
from fieldline.workflows.simulate.settings import (
    HouseholdSettings,
    LandSettings,
    SimulateSettings,
    TenureSettings,
)
from fieldline.workflows.simulate.tenure import documents_table, let
from tests.conftest import ROOT

LAND = LandSettings(orchards=0.15, greenhouses=0.1, tea=0.1, permanent=0.2, permanent_median_mu=2)
SETTINGS = SimulateSettings.tiny(crops=("maize",), yield_years=4, land=LAND)
SPAN = SETTINGS.seasons["2024"]


@pytest.fixture(scope="module")
def county() -> tuple[Land, People, list[rings.Claim]]:
    ground = lay_out(1200.0, LAND, np.random.default_rng(5))
    settled = people.settle(ground, 0, np.random.default_rng(2), growing=True)
    drawn = rings.claims(ground, settled, 100, (LAND, SETTINGS.lies), np.random.default_rng(3))
    return ground, settled, drawn


def test_the_overlay_is_a_county_that_the_default_is_not() -> None:
    text = (ROOT / "workflows/config/believable.yaml").read_text(encoding="utf-8")
    asked, plain = yaml.safe_load(text), SimulateSettings()
    near = SimulateSettings.model_validate(asked["simulate"])
    assert near.land.permanent > plain.land.permanent == 0.0
    assert near.land.field_median_mu < plain.land.field_median_mu
    assert near.households.wage > plain.households.wage
    assert asked["crops"]["yields"]["area_value_file"] == "area_values_sim.csv"


def test_a_fifth_of_the_claims_are_perennials_that_their_growers_claim_as_what_they_are(
    county: tuple[Land, People, list[rings.Claim]],
) -> None:
    ground, settled, drawn = county
    grown = [claim for claim in drawn if claim.ground >= 0]
    assert len(drawn) == 100
    assert len(grown) == 20
    assert {claim.kind for claim in grown} == {rings.HONEST}
    for claim in grown:
        shape = ground.polygons[claim.ground]
        assert COVERS[ground.kind[claim.ground]] == claim.land_use
        assert claim.ring.intersection(shape).area > 0.75 * shape.area
        place = ground.permanent.tolist().index(claim.ground)
        assert settled.grower[place] == claim.farmer
    lied = [claim for claim in drawn if claim.kind == rings.GREENHOUSE_CLAIM]
    taken = shapely.union_all([claim.ring for claim in grown])
    assert lied
    assert all(claim.ring.intersection(taken).area < 0.2 * claim.ring.area for claim in lied)


@pytest.mark.parametrize(("alone", "tilling"), [(0.0, True), (1.0, False)])
def test_growers_till_a_field_too_or_nothing_else(alone: float, *, tilling: bool) -> None:
    ground = lay_out(900.0, LAND, np.random.default_rng(5))
    homes = HouseholdSettings(growers_alone=alone)
    settled = people.settle(ground, 0, np.random.default_rng(2), homes, growing=True)
    assert len(settled.grower) == len(ground.permanent)
    assert (np.isin(settled.grower, settled.owner) == tilling).all()
    assert settled.grower.max() < len(settled.farmers)
    assert settled.farmers["village"].notna().all()


def _ground(ground: Land, settled: People) -> Ground:
    fields = len(ground.fields)
    growth = FieldGrowth(np.full(fields, 19_800.0), np.full(fields, 120.0), np.full(fields, 9.0),
                         np.full((fields, 101), 0.8))  # fmt: skip
    traits = draw_traits(np.zeros((fields, 2)), np.full(fields, 999.0), 1200.0, 1,
                         np.random.default_rng(1))  # fmt: skip
    tenure = let(settled, TenureSettings(leased=0.0), np.random.default_rng(1))
    return Ground(ground, settled, traits, np.zeros(fields, np.int64), growth,
                  growth.yields, tenure, harvest(ground, SETTINGS, SPAN, 1))  # fmt: skip


def test_a_perennial_earns_its_yield_or_its_area_less_its_cost(
    county: tuple[Land, People, list[rings.Claim]],
) -> None:
    ground, settled, drawn = county
    world, book = _ground(ground, settled), price_book(prices(SETTINGS))
    cultivars, ids = planted(("maize",)), [f"P{i}" for i in range(len(drawn))]
    said = declare(drawn, world, cultivars, 0.0, np.random.default_rng(1))
    truth = truth_table(drawn, ids, world, cultivars, book, said, SETTINGS, SPAN)
    costs = {"orchard": 45_000, "tea": 21_000, "greenhouse": 200_000}
    seen = set()
    for place, claim in enumerate(drawn):
        if claim.ground < 0:
            continue
        row, code = truth.iloc[place], claim.land_use
        seen.add(code)
        assert said[place] == row["crop"] == code
        hectares = row["planted_area_m2"] / 10_000
        assert 0 < hectares <= ground.polygons[claim.ground].area / 10_000 + 1e-9
        if code == "greenhouse":
            assert row["yield_t_ha"] is None or np.isnan(row["yield_t_ha"])
            gross = row["income_minor"] / 100 / hectares + costs[code]
            assert 400_000 * 0.2 < gross < 400_000 * 5
        else:
            paid = price_on(book, code, row["harvest_date"])
            expected = (row["yield_t_ha"] * 1000 * paid - costs[code]) * hectares
            assert row["income_minor"] / 100 == pytest.approx(expected, rel=1e-3, abs=20)
    assert seen == set(costs)


def test_every_office_knows_a_perennial_by_its_name(
    county: tuple[Land, People, list[rings.Claim]],
) -> None:
    ground, settled, drawn = county
    world, book = _ground(ground, settled), price_book(prices(SETTINGS))
    cultivars, ids = planted(("maize",)), [f"C-P{i}" for i in range(len(drawn))]
    said = declare(drawn, world, cultivars, 0.0, np.random.default_rng(1))
    truth = truth_table(drawn, ids, world, cultivars, book, said, SETTINGS, SPAN)
    crops = dict(zip(ids, said, strict=True))
    grown = {name for name, claim in zip(ids, drawn, strict=True) if claim.ground >= 0}
    survey = survey_table(truth, said, SPAN, 100, np.random.default_rng(1)).set_index("parcel_id")
    assert grown <= set(survey.index)
    # Tea was picked in May; apples are still to be picked and greenhouses bring in all year.
    cut = survey[survey.index.isin(grown)].groupby("crop")["yield_t_ha"].count()
    assert cut["tea"] > 0 == cut["orchard"] == cut["greenhouse"]
    registry = registry_table(drawn, truth, world, SPAN, SETTINGS, cultivars,
                              np.random.default_rng(1)).set_index("parcel_id")  # fmt: skip
    known = registry[registry.index.isin(grown)]
    assert len(known) > 0.7 * len(grown)
    assert (known["crop"] == known.index.map(crops)).all()
    farmers = settled.farmers["farmer_id"].to_numpy()
    owners = {name: farmers[claim.farmer] for name, claim in zip(ids, drawn, strict=True)}
    assert (known["holder_id"] == known.index.map(owners)).all()
    tenure = let(settled, by_contract(1.0), np.random.default_rng(1))
    applied = applications_table(drawn, settled, SPAN, SETTINGS, np.random.default_rng(1))
    papers = documents_table(drawn, ids, settled, tenure, applied, said, SPAN, SETTINGS,
                             np.random.default_rng(1))  # fmt: skip
    leases = set(papers["parcel_id"][papers["kind"] == "lease_contract"].dropna())
    assert leases
    assert not leases & grown


def by_contract(leased: float) -> TenureSettings:
    """Return tenure in which a share of the fields is let by contract."""
    return TenureSettings(leased=leased, contract=1.0, confirmed=0.0, stated=0.0)


def test_statistics_are_the_mean_yield_times_what_each_year_did() -> None:
    table = statistics(SETTINGS)
    assert sorted(table["crop"].unique()) == ["orchard", "tea"]
    assert sorted(table["year"].unique()) == [2019, 2020, 2021, 2022]
    for row in table.itertuples():
        mean = {"orchard": 26.0, "tea": 0.75}[row.crop]
        assert row.yield_t_ha == pytest.approx(mean * year_effects(SETTINGS, row.year)[row.crop],
                                               abs=0.001)  # fmt: skip
    plain = SETTINGS.model_copy(update={"land": LandSettings()})
    assert statistics(plain).empty
    assert set(prices(plain)["crop"]) == {"maize"}
    assert set(prices(SETTINGS)["crop"]) == {"maize", "orchard", "tea"}
    assert prices(SETTINGS).head(len(prices(plain))).equals(prices(plain))


def test_who_earns_more_owes_more_and_half_owe_nothing() -> None:
    settings = SimulateSettings(households=HouseholdSettings(indebted=0.4, debt_share=0.05))
    shares = debt_shares(4000, settings, np.random.default_rng(1))
    assert (shares == 0).mean() == pytest.approx(0.6, abs=0.03)
    assert shares[shares > 0].mean() == pytest.approx(0.05, rel=0.06)


def test_debts_are_a_share_of_land_and_wages_together(
    county: tuple[Land, People, list[rings.Claim]],
) -> None:
    _, settled, drawn = county
    no_wages = SETTINGS.model_copy(update={
        "households": HouseholdSettings(wage_chance=0.0), "land": LandSettings(),
    })  # fmt: skip
    fields = [claim for claim in drawn if claim.ground < 0]
    bare = applications_table(fields, settled, SPAN, no_wages, np.random.default_rng(4))
    earning = applications_table(
        fields, settled, SPAN, SETTINGS.model_copy(update={
            "households": HouseholdSettings(wage_chance=1.0, wage_land_ha=1e6)}),
        np.random.default_rng(4),
    )  # fmt: skip
    assert (bare["off_farm_income"] == 0).all()
    owing = bare["annual_debt_service"] > 0
    assert (owing == (earning["annual_debt_service"] > 0)).all()
    land = pd.Series({
        settled.farmers["farmer_id"].iloc[farmer]: sum(
            claim.ring.area for claim in fields if claim.farmer == farmer
        ) / 10_000
        for farmer in {claim.farmer for claim in fields}
    })  # fmt: skip
    usual = bare["farmer_id"].map(land) * 9_500
    members = bare.groupby("household_id")["farmer_id"].transform("size")
    share = bare["annual_debt_service"] / usual
    earned = (usual + earning["off_farm_income"] / members) / usual
    apart = (earning["annual_debt_service"] - share * usual * earned).abs()
    assert (apart <= 0.5 + 0.5 * earned).all()  # both are whole yuan


def test_a_lease_may_be_free_of_rent_and_stays_a_lease(
    county: tuple[Land, People, list[rings.Claim]],
) -> None:
    settled = county[1]
    paid = let(settled, TenureSettings(leased=1.0), np.random.default_rng(1))
    some = let(settled, TenureSettings(leased=1.0, rent_free=0.4), np.random.default_rng(1))
    none = let(settled, TenureSettings(leased=1.0, rent_free=1.0), np.random.default_rng(1))
    owing = paid.rent > 0
    assert (some.rent[owing] == 0).mean() == pytest.approx(0.4, abs=0.12)
    assert not none.rent.any()
    assert (none.landlord == paid.landlord).all()


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("households", {"plots": [0.5, 0.4]}, "add up to 1"),
        ("households", {"heads": [1.2, -0.2]}, "shares of 0 or more"),
        ("land", {"orchards": 0.4, "tea": 0.4}, "of the blocks"),
        ("crop_shares", {"maize": 0.0}, "numbers above 0"),
    ],
)
def test_impossible_shares_are_refused(section: str, values: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SimulateSettings.model_validate({section: values})


def test_tea_is_green_all_year_and_a_greenhouse_never(
    county: tuple[Land, People, list[rings.Claim]],
) -> None:
    from fieldline.workflows.simulate.appearance import cover_reflectance

    kinds = np.array([TEA, GREENHOUSE])
    for month in (1, 4, 7, 10):
        looks = cover_reflectance(kinds, np.zeros(2), 0.3, dt.date(2024, month, 15), 40.0)
        ndvi = (looks[:, 6] - looks[:, 2]) / (looks[:, 6] + looks[:, 2])
        assert ndvi[0] > 0.6 > 0.35 > ndvi[1]


def test_weights_stand_for_the_tables_shares_of_crops() -> None:
    ground = lay_out(1200.0, LandSettings(), np.random.default_rng(5))
    crops = planted(("maize", "rice"))
    rare = people.plant(ground, crops, 1, np.random.default_rng(1), {"maize": 0.001})
    assert (rare == 0).mean() < 0.5
    plain = people.plant(ground, crops, 1, np.random.default_rng(1))
    named = people.plant(ground, crops, 1, np.random.default_rng(1),
                         {c.code: c.share for c in crops})  # fmt: skip
    assert np.array_equal(plain, named)
