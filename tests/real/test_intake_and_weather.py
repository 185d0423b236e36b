"""Intake and weather on real outlines and real daily weather."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.pipeline.parcels.intake import read_parcels, run_intake
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.outcomes import OK
from fieldline.pipeline.records.settings import PrivacySettings, Season
from fieldline.pipeline.records.tables import read_table
from fieldline.pipeline.weather.daily import load_weather, run_weather
from fieldline.pipeline.weather.evapotranspiration import extraterrestrial_radiation, hargreaves
from fieldline.pipeline.weather.settings import WeatherSettings

pytestmark = pytest.mark.realdata


def intake(data: Path, county: str, file: str, out: Path) -> None:
    source = data / "stac" / county / file
    run_intake(
        sources=[source],
        county=county,
        season="real",
        columns={"declared_area_ha": "area_ha"},
        crs=None,
        settings=IntakeSettings(),
        privacy=PrivacySettings(demo_key=True),
        parcels=out / "parcels.parquet",
        farmers=out / "farmers.parquet",
        vault=out / "vault.sqlite",
        outcomes=out / "outcomes.parquet",
    )


def weather(data: Path, county: str, out: Path, start: str, end: str) -> pd.DataFrame:
    run_weather(
        source=data / "stac" / county / "weather.csv",
        cells=None,
        parcels=out / "parcels.parquet",
        season=Season.model_validate({"start": start, "end": end, "as_of": end}),
        settings=WeatherSettings(),
        out=out / "weather.parquet",
        out_cells=out / "weather_cells.parquet",
        outcomes=out / "weather_outcomes.parquet",
    )
    return read_table(out / "weather_outcomes.parquet")


@pytest.mark.parametrize(
    ("county", "file", "parcels"),
    [
        ("bavaria_2018", "parcels.geojson", 31),
        ("switzerland_2022", "parcels.geojson", 7),
        ("magdeburg_2021", "parcels_wall_to_wall.geojson", 380),
        ("coast_2021", "parcels_wall_to_wall.geojson", 1316),
    ],
)
def test_every_real_outline_is_accepted_with_its_published_area(
    real_data: Path, tmp_path: Path, county: str, file: str, parcels: int
) -> None:
    intake(real_data, county, file, tmp_path)
    outcomes = read_table(tmp_path / "outcomes.parquet")
    assert outcomes["outcome"].value_counts().to_dict() == {OK: parcels}
    frame = read_parcels(tmp_path / "parcels.parquet")
    # The published areas are planar (UTM), hence the 1 per mille.
    assert np.allclose(frame["metrics:area"], frame["declared_area_m2"], rtol=1e-3, atol=1)


def test_nine_bavarian_parcels_take_a_neighbours_weather(real_data: Path, tmp_path: Path) -> None:
    intake(real_data, "bavaria_2018", "parcels.geojson", tmp_path)
    outcomes = weather(real_data, "bavaria_2018", tmp_path, "2018-03-01", "2018-07-31")
    assert outcomes["outcome"].value_counts().to_dict() == {OK: 31}
    cells = read_table(tmp_path / "weather_cells.parquet")
    assert (cells["parcel_id"] != cells["cell_id"]).sum() == 9
    assert cells["distance_m"].max() < 5000


def test_hargreaves_tracks_the_bavarian_station_values(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "stac" / "bavaria_2018" / "weather.csv", parse_dates=["date"])
    day = frame["date"].dt.day_of_year.to_numpy(dtype=float)
    radiation = extraterrestrial_radiation(np.full(len(frame), 48.4), day)
    own = hargreaves(frame["tmin_c"].to_numpy(), frame["tmax_c"].to_numpy(), radiation)
    given = frame["et0_mm"].to_numpy()
    assert np.corrcoef(own, given)[0, 1] > 0.85
    assert np.abs(own - given).mean() < 1.0


def test_swiss_weather_has_means_only_and_two_filled_days(real_data: Path, tmp_path: Path) -> None:
    intake(real_data, "switzerland_2022", "parcels.geojson", tmp_path)
    outcomes = weather(real_data, "switzerland_2022", tmp_path, "2021-10-01", "2022-07-31")
    assert set(outcomes["outcome"]) == {"weather_incomplete"}
    assert outcomes["detail"].str.endswith("lacking=tmin_c,tmax_c,et0_mm").all()
    table = read_table(tmp_path / "weather.parquet")
    assert (table["provenance"] == "filled").sum() == 2
    assert table["tmin_c"].isna().all()
    assert table["precip_mm"].notna().all()


def test_season_longer_than_the_record_is_told(real_data: Path, tmp_path: Path) -> None:
    intake(real_data, "bavaria_2018", "parcels.geojson", tmp_path)
    outcomes = weather(real_data, "bavaria_2018", tmp_path, "2017-10-01", "2018-07-31")
    assert set(outcomes["outcome"]) == {"weather_short"}


def test_poltavas_file_of_nasa_power_is_read_as_it_was_downloaded(
    real_data: Path, tmp_path: Path
) -> None:
    """The frost of 1 January 2010, and nothing that was not measured."""
    (file,) = (real_data / "weather_power_other").glob("POWER_Point_Daily_*.csv")
    season = Season(
        start=dt.date(2010, 1, 1), end=dt.date(2010, 12, 31), as_of=dt.date(2010, 12, 31)
    )
    places = pd.DataFrame({"lon": [34.55], "lat": [49.59]}, index=["p"])
    series, positions, service = load_weather(file, None, places, season, {})
    assert service == "power"
    assert positions.iloc[0].tolist() == [34.551, 49.588]
    assert series.values["tmin_c"][0, 0] == -12.49
    assert series.values["precip_mm"][:3, 0].tolist() == [2.62, 8.67, 0.0]
    assert np.isnan(series.values["et0_mm"]).all()
    assert not np.isnan(series.values["tmax_c"]).any()
