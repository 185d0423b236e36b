"""The harder county: each of its settings does what it says, and the default does none of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely
import yaml

from fieldline.workflows.simulate import appearance, atmosphere, people, render, rings
from fieldline.workflows.simulate.appearance import Seasons
from fieldline.workflows.simulate.atmosphere import Sky
from fieldline.workflows.simulate.cultivars import planted
from fieldline.workflows.simulate.growth import FieldGrowth, GrowthTable
from fieldline.workflows.simulate.land import FIELD, ORCHARD, Land
from fieldline.workflows.simulate.papers import mistaken
from fieldline.workflows.simulate.run import _lay_out
from fieldline.workflows.simulate.second_crop import standing
from fieldline.workflows.simulate.settings import (
    LandSettings,
    SeasonSpan,
    SimulateSettings,
    SkySettings,
)
from fieldline.workflows.simulate.weather import generate_weather
from tests.conftest import ROOT


def test_the_overlay_is_a_county_of_its_own_that_differs_from_the_default() -> None:
    asked = yaml.safe_load((ROOT / "workflows/config/hard.yaml").read_text(encoding="utf-8"))
    hard, plain = SimulateSettings.model_validate(asked["simulate"]), SimulateSettings()
    assert hard.land.texture > plain.land.texture == 1.0
    assert hard.sky.bright_soil_red < plain.sky.bright_soil_red == 1.0
    assert hard.lies.survey_wrong == 0.03
    assert plain.lies.survey_wrong == 0.0


def test_three_labels_in_a_hundred_name_another_crop_and_keep_their_cut() -> None:
    survey = pd.DataFrame({
        "parcel_id": [f"P{n}" for n in range(200)], "crop": ["maize", "rice"] * 100,
        "yield_t_ha": np.arange(200.0),
    })  # fmt: skip
    slips = mistaken(survey, 0.03, np.random.default_rng(1))
    assert (slips["crop"] != survey["crop"]).sum() == 6
    assert set(slips["crop"]) == {"maize", "rice"}
    assert slips.drop(columns="crop").equals(survey.drop(columns="crop"))
    assert mistaken(survey, 0.0, np.random.default_rng(1)).equals(survey)
    one = survey.assign(crop="maize")
    assert mistaken(one, 0.5, np.random.default_rng(1)).equals(one)


def test_bright_bare_soil_is_called_cloud_and_no_other_land() -> None:
    # Bright soil, dark soil, bright crop: only the first is bare and bright.
    surface = np.zeros((10, 1, 3))
    surface[2] = [[0.3, 0.1, 0.3]]
    surface[6:8] = np.array([0.33, 0.12, 0.9])[None, None]
    clear = Sky(np.zeros((1, 3)), np.zeros((1, 3)), 0.0)
    plain = atmosphere.classify(surface, clear, SkySettings())
    hard = atmosphere.classify(surface, clear, SkySettings(bright_soil_red=0.25))
    assert plain[0, 0] == atmosphere.BARE
    assert hard[0].tolist() == [atmosphere.CLOUD_MEDIUM, *plain[0, 1:].tolist()]


def test_a_factor_on_texture_multiplies_the_variation_and_nothing_else() -> None:
    square = np.array([shapely.box(20, 20, 140, 140)], dtype=object)
    land = Land(square, np.array([FIELD]), np.array([0]))
    once = render.prepare(land, 16, np.random.default_rng(3))
    twice = render.prepare(land, 16, np.random.default_rng(3), 2.0)
    assert np.allclose(twice.texture, 2 * once.texture)
    assert np.array_equal(twice.speckle, once.speckle)


def test_patches_look_as_their_field_did_or_will_and_the_rest_as_it_does() -> None:
    square = np.array([shapely.box(0, 0, 160, 160)], dtype=object)
    canvas = render.prepare(
        Land(square, np.array([FIELD]), np.array([0])), 16, np.random.default_rng(3), 0.0
    )
    ahead = np.zeros((16, 16))
    ahead[:5], ahead[11:] = -1.0, 0.5
    canvas = replace(canvas, ahead=ahead.ravel())
    now, before, after = (np.full((1, 10), value) for value in (0.2, 0.1, 0.6))
    image = render.surface_image(canvas, now, 0 * now, np.zeros(10), (before, after))
    # Halfway to what the field will be, two pixels from where the patches end.
    assert np.allclose(image[0, [1, 8, 14], 8], [0.1, 0.2, 0.4], atol=1e-3)


def test_patches_are_as_far_behind_as_ahead_and_never_further_than_the_most() -> None:
    drawn = render.patches(128, np.random.default_rng(1))
    assert np.abs(drawn).max() == 1.0
    assert abs(drawn.mean()) < 0.05
    assert (np.abs(drawn) < 1.0).mean() > 0.5


def test_snow_lies_on_winter_dates_in_patches_and_is_called_snow_where_it_is_deep() -> None:
    days = [dt.date(2023, month, 5) for month in (10, 12, 1, 2, 4)]
    drawn = atmosphere.snow_days(days, 2, np.random.default_rng(1))
    assert len(drawn) == 2
    assert {day.month for day in drawn} <= {12, 1, 2}
    assert atmosphere.snow_days(days, 9, np.random.default_rng(1)) == set(days[1:4])
    assert atmosphere.snow_days(days, 0, np.random.default_rng(1)) == frozenset()
    # Half of a grey pixel under snow of .80 blue and .10 short-wave infrared.
    half = atmosphere.under_snow(np.full((10, 1, 1), 0.2), np.full((1, 1), 0.5))
    assert half[0, 0, 0] == pytest.approx(0.5)
    assert half[9, 0, 0] == pytest.approx(0.15)
    clear = Sky(np.zeros((1, 2)), np.zeros((1, 2)), 0.0)
    deep = np.array([[0.9, 0.3]])
    classes = atmosphere.classify(np.full((10, 1, 2), 0.3), clear, SkySettings(), deep)
    assert classes.tolist() == [[atmosphere.SNOW, atmosphere.BARE]]


def _growth(sow: list[float], length: float = 100.0) -> FieldGrowth:
    count = len(sow)
    return FieldGrowth(np.array(sow), np.full(count, length), np.ones(count),
                       np.full((count, 101), 0.8))  # fmt: skip


def test_a_second_crop_stands_between_the_cereal_and_the_next_season() -> None:
    spans = {
        "2023": SeasonSpan(start=dt.date(2022, 10, 1), end=dt.date(2023, 9, 30)),
        "2024": SeasonSpan(start=dt.date(2023, 10, 1), end=dt.date(2024, 9, 30)),
    }
    settings = SimulateSettings(seasons=spans, land=LandSettings(double_cropping=1.0))

    def day(year: int, month: int, of: int) -> float:
        return float((dt.date(year, month, of) - dt.date(1970, 1, 1)).days)

    # Wheat cut on 10 June, and maize of the main season cut in September: only wheat is followed.
    wheat, maize = day(2022, 10, 15), day(2023, 5, 1)
    first = FieldGrowth(
        np.array([wheat, maize]), np.array([day(2023, 6, 10) - wheat, 140.0]), np.ones(2),
        np.full((2, 101), 0.8),
    )  # fmt: skip
    later = _growth([day(2023, 10, 15)] * 2)
    seasons = Seasons(
        planted(("winter_wheat", "maize")), np.array([[0, 1], [0, 0]]), (first, later)
    )
    flat = np.ones((2, 1, 1, 1))
    runs = GrowthTable(
        ("maize",), flat * np.array([day(2023, 6, 12), day(2024, 6, 12)])[:, None, None, None],
        flat * 100, flat, np.full((2, 1, 1, 1, 101), 0.5),
    )  # fmt: skip
    found = standing(seasons, runs, settings, (np.zeros(2, int), np.full(2, 0.5)),
                     np.random.default_rng(1))  # fmt: skip
    assert [c.code for c in found.cultivars] == ["winter_wheat", "maize", "maize"]
    # Sown four days after the harvest, not on the table's 12 June.
    assert found.growth[1].sow_day.tolist() == [day(2023, 6, 14), np.inf]
    august, which = day(2023, 8, 1), appearance._latest
    assert which(found, august)[0].tolist() == [1, 0]
    # In the next season both carry its own crop, whether a second one came between or not.
    assert which(found, day(2023, 12, 1))[0].tolist() == [2, 2]
    assert standing(seasons, None, settings, (np.zeros(2, int), np.zeros(2)),
                    np.random.default_rng(1)) is seasons  # fmt: skip


def test_ley_is_green_in_winter_and_is_cut_between() -> None:
    settings = SimulateSettings.tiny(crops=("maize",), yield_years=2)
    traits = appearance.draw_traits(np.zeros((2, 2)), np.full(2, 999.0), 100.0, 1,
                                    np.random.default_rng(1))  # fmt: skip
    traits = replace(traits, ley=np.array([True, False]), cell=np.zeros(2, int))
    weather = generate_weather(settings)
    bare = FieldGrowth(np.full(2, 1e6), np.full(2, 100.0), np.ones(2), np.zeros((2, 101)))
    seasons = Seasons(planted(("maize",)), np.zeros((1, 2), int), (bare,))

    def ndvi(day: dt.date) -> np.ndarray:
        looks, _ = appearance.field_reflectance(seasons, traits, weather, day, 40.0)
        red, nir = looks[:, 2], looks[:, 6]
        return (nir - red) / (nir + red)

    start = settings.seasons["2023"].start
    curve = np.array([ndvi(start + dt.timedelta(days=5 * n)) for n in range(60)])
    assert curve[:, 0].min() > 0.4
    assert np.abs(np.diff(curve[:, 0])).max() > 0.03
    assert curve[20, 1] < curve[20, 0]


def test_an_orchard_claimed_as_cropland_is_a_lie_of_its_own() -> None:
    settings = SimulateSettings(parcels=200)
    lies = settings.lies.model_copy(update={"orchard": 0.02})
    _, ground = _lay_out(200, settings, np.random.default_rng(3))
    settled = people.settle(ground, 0, np.random.default_rng(3))
    drawn = rings.claims(ground, settled, 200, (settings.land, lies), np.random.default_rng(4))
    orchards = [claim for claim in drawn if claim.kind == rings.ORCHARD_CLAIM]
    assert len(drawn) == 200
    assert len(orchards) == 4
    trees = shapely.union_all(ground.polygons[ground.kind == ORCHARD]).buffer(4)
    assert all(trees.contains(claim.ring) for claim in orchards)
    assert {(claim.field, claim.land_use) for claim in orchards} == {(-1, "orchard")}
    before = rings.claims(ground, settled, 200, (settings.land, settings.lies),
                          np.random.default_rng(4))  # fmt: skip
    assert rings.ORCHARD_CLAIM not in {claim.kind for claim in before}


def test_more_variety_spreads_traits_by_its_factor() -> None:
    def traits(factor: float) -> appearance.FieldTraits:
        return appearance.draw_traits(np.zeros((500, 2)), np.full(500, 999.0), 100.0, 1,
                                      np.random.default_rng(1), factor)  # fmt: skip

    once, twice = traits(1.0), traits(2.0)
    assert np.allclose(np.log(twice.vigour), 2 * np.log(once.vigour))
    assert np.array_equal(twice.quality, once.quality)
