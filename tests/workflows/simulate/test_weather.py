import datetime as dt

import numpy as np
import pytest

from fieldline.workflows.simulate.settings import SeasonSpan, SimulateSettings, SkySettings
from fieldline.workflows.simulate.weather import (
    extraterrestrial_radiation,
    generate_weather,
    hazards_table,
    weather_table,
)


def test_extraterrestrial_radiation_is_fao56_example_8() -> None:
    # FAO-56 example 8: 3 September (day 246) at 20 degrees south gives 32.2 MJ m-2 d-1.
    assert extraterrestrial_radiation(np.array([246.0]), -20.0)[0] == pytest.approx(32.2, abs=0.05)


def test_weather_has_seasons_and_stays_physical() -> None:
    weather = generate_weather(SimulateSettings())
    month = weather.days.astype("datetime64[M]").astype(int) % 12
    assert weather.tmean[0, month == 6].mean() > weather.tmean[0, month == 0].mean() + 20
    assert weather.precip[0, month == 6].sum() > 3 * weather.precip[0, month == 0].sum()
    assert (weather.tmin <= weather.tmax).all()
    assert (weather.precip >= 0).all()
    assert (weather.et0 > 0).all()


def test_planted_hazards_are_in_the_weather() -> None:
    weather = generate_weather(SimulateSettings())
    for hazard in weather.hazards:
        span = slice(weather.index(hazard.start), weather.index(hazard.end) + 1)
        if hazard.kind == "frost":
            assert weather.tmin[hazard.cell, span].max() <= hazard.strength + 1e-9
        if hazard.kind == "flood":
            assert weather.precip[hazard.cell, span].sum() >= hazard.strength
    kinds = hazards_table(weather)
    assert {"drought", "frost", "flood"} <= set(kinds["kind"][kinds["start"] >= "2022-10-01"])


def test_drought_takes_the_rain() -> None:
    wet = generate_weather(SimulateSettings(sky=SkySettings(drought_rain_share=1.0)))
    dry = generate_weather(SimulateSettings(sky=SkySettings(drought_rain_share=0.0)))
    drought = next(h for h in dry.hazards if h.kind == "drought" and h.start.year == 2024)
    span = slice(dry.index(drought.start), dry.index(drought.end) + 1)
    assert dry.precip[drought.cell, span].sum() == 0
    assert wet.precip[drought.cell, span].sum() > 0


def test_cells_share_most_of_their_weather() -> None:
    weather = generate_weather(SimulateSettings())
    assert 0.5 < np.corrcoef(weather.precip)[0, 1] < 1
    assert 0.8 < np.corrcoef(weather.tmean)[0, 1] < 1


def test_weather_table_has_one_row_per_cell_and_day() -> None:
    settings = SimulateSettings()
    start, end = dt.date(2022, 10, 1), dt.date(2022, 10, 10)
    table = weather_table(generate_weather(settings), start, end)
    assert len(table) == 10 * settings.sky.weather_cells
    assert not table.duplicated(["cell_id", "date"]).any()


def test_seasons_must_be_consecutive() -> None:
    one = SeasonSpan(start=dt.date(2022, 10, 1), end=dt.date(2023, 9, 30))
    two = SeasonSpan(start=dt.date(2023, 11, 1), end=dt.date(2024, 9, 30))
    with pytest.raises(ValueError, match="without a gap"):
        SimulateSettings(seasons={"a": one, "b": two})


def test_the_seed_makes_the_weather() -> None:
    one, same, other = (generate_weather(SimulateSettings(seed=s)) for s in (1, 1, 2))
    assert (one.tmin == same.tmin).all()
    assert not np.array_equal(one.tmin, other.tmin)
