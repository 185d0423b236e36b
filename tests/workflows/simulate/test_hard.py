"""The harder county: each of its settings does what it says, and the default does none of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
import yaml

from fieldline.workflows.simulate import atmosphere, render
from fieldline.workflows.simulate.atmosphere import Sky
from fieldline.workflows.simulate.land import FIELD, Land
from fieldline.workflows.simulate.papers import mistaken
from fieldline.workflows.simulate.settings import SimulateSettings, SkySettings
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
