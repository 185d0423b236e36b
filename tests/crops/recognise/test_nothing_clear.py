"""Labels of earlier seasons teach nothing where this season has no step to compare them by."""

from __future__ import annotations

import datetime as dt

import numpy as np

from fieldline.crops.recognise.clock import Clock
from fieldline.crops.recognise.features import Cube
from fieldline.crops.recognise.places import Places
from fieldline.crops.recognise.training import _assemble, _Part
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season


def test_a_season_without_a_clear_step_is_learnt_from_by_nothing() -> None:
    day = dt.date(2025, 5, 1)
    season = Season(start=day, end=day.replace(year=2026), as_of=day.replace(year=2026))
    clock = Clock(season, 10, 0, -1, ("B04", "B08"), ClearSettings())
    names = [f"P{number}" for number in range(12)]
    cube = Cube(np.empty((12, 0, 2)), clock.bands, np.full(12, 20), np.empty((12, 0), bool))
    places = Places.of_points(names, np.full((12, 2), 10.0), np.full(12, 1e4))
    part = _Part(cube, ["maize", "rice"] * 6, places, "2024-05-01")
    assert _assemble([part], "full", clock, ClassifySettings()) == (None, {})
