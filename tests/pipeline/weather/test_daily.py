"""Weather: FAO-56 worked examples, the rules for gaps, and the parcel-to-cell map."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fieldline.pipeline.parcels.fiboa import write_parcels
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table
from fieldline.pipeline.weather.daily import run_weather
from fieldline.pipeline.weather.evapotranspiration import extraterrestrial_radiation, hargreaves
from fieldline.pipeline.weather.series import NEEDED, VARIABLES, empty_series
from fieldline.pipeline.weather.settings import WeatherSettings

START = dt.date(2023, 5, 1)
SEASON = Season(start=START, end=dt.date(2023, 5, 20), as_of=dt.date(2023, 5, 15))
DAYS = 15  # 1 to 15 May: nothing after the as-of date


def write_places(path: Path, places: dict[str, tuple[float, float]]) -> None:
    ids = list(places)
    frame = pd.DataFrame(
        {
            "id": ids,
            "parcel_id": ids,
            "collection": "X1",
            "farmer_id": [f"F{i}" for i in ids],
            "village": None,
            "declared_crop": None,
            "declared_area_m2": np.nan,
            "metrics:area": np.float32(1),
            "metrics:perimeter": np.float32(1),
            "determination:method": "manual",
            "repair": "",
        }
    )
    rings = [shapely.box(x - 1e-4, y - 1e-4, x + 1e-4, y + 1e-4) for x, y in places.values()]
    write_parcels(gpd.GeoDataFrame(frame, geometry=rings, crs="EPSG:4326"), "X1", path)


def daily(cell: str, days: int = 25, **changes: Any) -> pd.DataFrame:
    dates = [str(START + dt.timedelta(days=i)) for i in range(days)]
    frame = pd.DataFrame(
        {"cell_id": cell, "date": dates, "tmin_c": 10.0, "tmax_c": 20.0, "precip_mm": 1.0}
    )
    return frame.assign(**changes)


class Run:
    """One run of the stage on given frames."""

    def __init__(
        self,
        folder: Path,
        frame: pd.DataFrame | None,
        places: dict[str, tuple[float, float]] | None = None,
        cells: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        write_places(folder / "parcels.parquet", places or {"p1": (11.0, 48.0)})
        if frame is not None:
            frame.to_csv(folder / "weather.csv", index=False)
        positions = [(c, *xy) for c, xy in (cells or {"c1": (11.0, 48.01)}).items()]
        pd.DataFrame(positions, columns=["cell_id", "lon", "lat"]).to_csv(
            folder / "cells.csv", index=False
        )
        run_weather(
            source=folder / "weather.csv" if frame is not None else None,
            cells=folder / "cells.csv",
            parcels=folder / "parcels.parquet",
            season=SEASON,
            settings=WeatherSettings(),
            out=folder / "weather.parquet",
            out_cells=folder / "weather_cells.parquet",
            out_climate=folder / "climate.parquet",
            outcomes=folder / "outcomes.parquet",
        )
        self.weather = read_table(folder / "weather.parquet")
        self.climate = read_table(folder / "climate.parquet")
        self.cells = read_table(folder / "weather_cells.parquet").set_index("parcel_id")
        self.outcomes = read_table(folder / "outcomes.parquet").set_index("parcel_id")


def test_the_years_before_the_season_are_kept_checked_and_end_where_it_begins(tmp_path) -> None:
    before = daily("c1", 20, date=[f"2021-05-{1 + i:02d}" for i in range(20)], tmax_c=24.0)
    before.loc[3, "precip_mm"] = -5.0
    ancient = daily("c1", 1, date=["1980-05-01"])
    unused = daily("far", 5, date=[f"2022-05-{1 + i:02d}" for i in range(5)])
    frame = pd.concat([daily("c1"), before, ancient, unused])
    found = Run(tmp_path, frame, cells={"c1": (11.0, 48.01), "far": (19.0, 40.0)})
    assert set(found.climate["cell_id"]) == {"c1"}
    assert found.climate["date"].tolist() == [dt.date(2021, 5, 1 + i) for i in range(20)]
    assert (found.climate["tmax_c"] == 24.0).all()
    # Rain below nothing counts as missing; evapotranspiration is Hargreaves', as in the season.
    assert found.climate["precip_mm"][3] != -5.0
    assert found.climate["et0_mm"].between(2, 6).all()
    assert len(found.weather) == DAYS
    assert Run(tmp_path, daily("c1")).climate.empty
    assert Run(tmp_path, None).climate.empty


def test_a_file_that_begins_the_day_before_the_season_keeps_that_day(tmp_path: Path) -> None:
    eve = SEASON.start - dt.timedelta(days=1)
    found = Run(tmp_path, pd.concat([daily("c1", 1, date=[eve.isoformat()]), daily("c1")]))
    assert found.climate["date"].tolist() == [eve]
    assert len(found.weather) == DAYS


def test_radiation_of_fao56_example_8() -> None:
    # FAO-56 example 8: 3 September (day 246) at 20 degrees south gives 32.2 MJ m-2 d-1.
    value = extraterrestrial_radiation(np.array([-20.0]), np.array([246.0]))
    assert value[0] == pytest.approx(32.2, abs=0.05)


def test_radiation_has_a_polar_night_and_no_nan() -> None:
    value = extraterrestrial_radiation(np.array([80.0, 80.0]), np.array([355.0, 172.0]))
    assert value[0] == pytest.approx(0, abs=1e-9)
    assert value[1] > 40


def test_hargreaves_of_fao56_example_20() -> None:
    # FAO-56 example 20: Lyon in July, 14.8 to 26.6 degrees, Ra 40.6 MJ m-2 d-1 gives 5.0 mm/day.
    value = hargreaves(np.array([14.8]), np.array([26.6]), np.array([40.6]))
    assert value[0] == pytest.approx(5.0, abs=0.05)


def test_a_clean_series_is_ok_and_stops_at_the_as_of_date(tmp_path: Path) -> None:
    run = Run(tmp_path, daily("c1"))
    assert run.outcomes.loc["p1", "outcome"] == OK
    assert len(run.weather) == DAYS
    assert max(run.weather["date"]) == SEASON.as_of
    assert set(run.weather["provenance"]) == {"observed"}
    assert set(run.weather["tmean_c"]) == {15.0}
    assert run.weather["et0_mm"].between(3, 4).all()


def test_a_planted_future_value_changes_nothing(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 900.0)):
        (tmp_path / name).mkdir()
        frame = daily("c1")
        frame.loc[frame["date"] > str(SEASON.as_of), "precip_mm"] = value
        Run(tmp_path / name, frame)
    one, two = ((tmp_path / n / "weather.parquet").read_bytes() for n in ("a", "b"))
    assert one == two


def test_short_gaps_in_temperature_are_interpolated_and_marked(tmp_path: Path) -> None:
    frame = daily("c1", tmax_c=20.0 + np.arange(25.0))
    frame.loc[[4, 5], "tmax_c"] = np.nan
    run = Run(tmp_path, frame)
    assert run.weather["tmax_c"].tolist() == [20.0 + i for i in range(DAYS)]
    assert run.weather.index[run.weather["provenance"] == "filled"].tolist() == [4, 5]
    assert run.outcomes.loc["p1", ["outcome", "detail"]].tolist() == [OK, "filled=2"]


def test_rain_is_filled_from_other_cells_never_in_time(tmp_path: Path) -> None:
    rain = daily("c1", precip_mm=9.0)
    rain.loc[[3, 4], "precip_mm"] = np.nan
    others = [daily("c2", precip_mm=2.0), daily("c3", precip_mm=4.0)]
    cells = {"c1": (11.0, 48.01), "c2": (11.1, 48.0), "c3": (11.2, 48.0)}
    run = Run(tmp_path, pd.concat([rain, *others]), cells=cells)
    assert run.weather["precip_mm"].tolist() == [9.0] * 3 + [3.0] * 2 + [9.0] * 10


def test_rain_that_nobody_measured_stays_missing(tmp_path: Path) -> None:
    frame = daily("c1")
    frame.loc[[3], "precip_mm"] = np.nan
    run = Run(tmp_path, frame)
    assert run.weather["precip_mm"].isna().tolist() == [i == 3 for i in range(DAYS)]
    assert run.outcomes.loc["p1", "outcome"] == "weather_gap"
    assert "missing=1" in run.outcomes.loc["p1", "detail"]


def test_long_gaps_are_an_outcome_not_a_line(tmp_path: Path) -> None:
    frame = daily("c1").drop(index=range(3, 9))
    run = Run(tmp_path, frame)
    lost = run.weather[run.weather["provenance"] == "missing"]
    assert lost.index.tolist() == [3, 4, 5, 6, 7, 8]
    assert lost[list(VARIABLES)].isna().all().all()
    assert run.outcomes.loc["p1", ["outcome", "detail"]].tolist() == [
        "weather_gap", "days=9 expected=15 missing=6 longest=6 since=2023-05-04",
    ]  # fmt: skip


def test_a_record_that_starts_late_is_short_and_not_extrapolated(tmp_path: Path) -> None:
    run = Run(tmp_path, daily("c1").iloc[2:])
    assert (run.weather["provenance"] == "missing").tolist() == [True] * 2 + [False] * (DAYS - 2)
    assert run.outcomes.loc["p1", "outcome"] == "weather_short"
    assert "first=2023-05-03" in run.outcomes.loc["p1", "detail"]


@pytest.mark.parametrize(
    "change",
    [{"precip_mm": -5.0}, {"tmin_c": 25.0}, {"tmax_c": 99.0}, {"precip_mm": 5000.0}],
)
def test_impossible_values_count_as_missing(tmp_path: Path, change: dict[str, float]) -> None:
    frame = daily("c1")
    for name, value in change.items():
        frame.loc[6, name] = value
    other = daily("c2")
    run = Run(tmp_path, pd.concat([frame, other]), cells={"c1": (11, 48.01), "c2": (11.1, 48)})
    assert run.weather.loc[6, ["tmin_c", "tmax_c", "precip_mm"]].tolist() == [10, 20, 1]
    assert run.weather.loc[6, "provenance"] == "filled"
    assert "bad=1" in run.outcomes.loc["p1", "detail"]
    crossed = "tmin_above_tmax=1" in run.outcomes.loc["p1", "detail"]
    assert crossed == (change.get("tmin_c", 0) > 20)


def test_equal_duplicates_count_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    frame = daily("c1")
    double = frame.iloc[[2, 5]].copy()
    double.loc[5, "tmax_c"] = 30.0
    run = Run(
        tmp_path,
        pd.concat([frame, double, daily("c2")]),
        cells={"c1": (11, 48.01), "c2": (11.1, 48)},
    )
    assert len(run.weather) == DAYS
    assert run.weather.loc[2, "provenance"] == "observed"
    assert run.weather.loc[5, ["tmax_c", "provenance"]].tolist() == [20.0, "filled"]


def test_mean_temperature_alone_leaves_extremes_and_et0_missing(tmp_path: Path) -> None:
    frame = daily("c1").drop(columns=["tmin_c", "tmax_c"]).assign(tmean_c=12.0)
    run = Run(tmp_path, frame)
    assert run.outcomes.loc["p1", ["outcome", "detail"]].tolist() == [
        "weather_incomplete", "days=15 expected=15 lacking=tmin_c,tmax_c,et0_mm",
    ]  # fmt: skip
    assert run.weather[["tmin_c", "tmax_c", "et0_mm"]].isna().all().all()


def test_given_evapotranspiration_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, daily("c1", et0_mm=4.5))
    assert set(run.weather["et0_mm"]) == {4.5}


def test_each_parcel_takes_the_nearest_cell_within_reach(tmp_path: Path) -> None:
    frame = pd.concat([daily("c1"), daily("c2"), daily("empty", tmin_c=np.nan, tmax_c=np.nan)])
    places = {"west": (11.0, 48.0), "east": (11.3, 48.0), "far": (15.0, 48.0)}
    cells = {"c1": (11.0, 48.01), "c2": (11.3, 48.02), "empty": (11.0, 48.0)}
    run = Run(tmp_path, frame, places, cells)
    assert run.cells["cell_id"].to_dict() == {"east": "c2", "west": "c1"}
    # One hundredth of a degree of latitude at 48 degrees north is 1,112 m (Snyder 1987).
    assert run.cells.loc["west", "distance_m"] == pytest.approx(1112, abs=1)
    assert run.outcomes["outcome"].to_dict() == {"east": OK, "far": "no_weather", "west": OK}


def test_weather_by_parcel_serves_neighbours_without_a_series(tmp_path: Path) -> None:
    frame = daily("p1").rename(columns={"cell_id": "parcel_id"})
    run = Run(tmp_path, frame, {"p1": (11.0, 48.0), "p2": (11.01, 48.0)})
    assert run.cells["cell_id"].to_dict() == {"p1": "p1", "p2": "p1"}
    assert run.cells.loc["p1", "distance_m"] == pytest.approx(0, abs=1e-6)
    assert run.cells.loc["p2", "distance_m"] == pytest.approx(745.9, abs=1)


def test_no_source_is_an_outcome_for_every_parcel(tmp_path: Path) -> None:
    run = Run(tmp_path, None)
    assert run.weather.empty
    assert run.cells.empty
    assert run.outcomes["outcome"].to_dict() == {"p1": "no_weather"}


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame({"cell_id": ["c1"], "date": ["2023-05-01"]}), "columns found: cell_id, date"),
        (daily("c1").assign(date="May"), "YYYY-MM-DD"),
        (daily("c1").drop(columns="cell_id"), "cell_id or parcel_id"),
    ],
)
def test_unusable_files_are_user_errors(tmp_path: Path, frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Run(tmp_path, frame)


def test_a_county_without_weather_has_days_and_no_cell() -> None:
    series = empty_series(SEASON)
    assert series.days[[0, -1]].tolist() == [pd.Timestamp(START), pd.Timestamp("2023-05-15")]
    assert series.cells == []
    assert {values.shape for values in series.values.values()} == {(DAYS, 0)}
    assert {marks.shape for marks in series.filled.values()} == {(DAYS, 0)}
    assert series.bad.shape == (0,)
    late = Season(start=START, end=SEASON.end, as_of=dt.date(2023, 6, 30))
    assert len(empty_series(late).days) == 20


def test_each_value_says_whether_it_was_measured_filled_or_computed(tmp_path: Path) -> None:
    frame = daily("c1", et0_mm=3.0)
    frame.loc[4, ["tmax_c", "et0_mm"]] = np.nan
    run = Run(tmp_path, frame)
    told = run.weather[["filled", "derived", "source"]].apply(tuple, axis=1).tolist()
    assert told[4] == ("tmax_c,et0_mm", "tmean_c", "table")
    assert set(told) - {told[4]} == {("", "tmean_c", "table")}


def test_a_cell_far_away_is_told_with_its_distance(tmp_path: Path) -> None:
    """One degree of latitude is 111.2 km at 48 degrees."""
    run = Run(tmp_path, daily("c1"), cells={"c1": (11.0, 49.0)})
    assert run.outcomes.loc["p1", ["outcome", "detail"]].tolist() == [
        "no_weather", "nearest_km=111.2 limit_km=50",
    ]  # fmt: skip
    assert run.weather.empty


def test_a_missing_month_is_told_with_its_first_day(tmp_path: Path) -> None:
    whole = pd.concat([daily("c1", days=15)])
    run = Run(tmp_path, whole.drop(index=range(2, 13)))
    assert "missing=11 longest=11 since=2023-05-03" in run.outcomes.loc["p1", "detail"]


@given(
    columns=st.sets(st.sampled_from(["tmin_c", "tmax_c", "tmean_c", "et0_mm"])),
    lost=st.sets(st.integers(0, DAYS - 1)),
    rain_lost=st.sets(st.integers(0, DAYS - 1)),
)
@settings(max_examples=40)
def test_what_is_deleted_is_told_and_never_becomes_a_calm_value(
    columns: set[str], lost: set[int], rain_lost: set[int]
) -> None:
    """Any column and any days: what remains equals the whole record's, is marked, or is null.

    A table without any temperature is refused as a whole (`test_sources`). Temperatures
    rise by a degree a day and rain by a millimetre, so that a wrong day is seen.
    """
    assume(not {"tmin_c", "tmax_c", "tmean_c"} <= columns)
    rising = np.arange(25.0)
    whole = daily("c1", tmin_c=rising, tmax_c=rising + 10, tmean_c=rising + 5, et0_mm=4.0,
                  precip_mm=rising + 1)  # fmt: skip
    less = whole.drop(columns=[*columns]).drop(index=[*lost])
    less.loc[[day for day in rain_lost if day not in lost], "precip_mm"] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), less)
    found, outcome = run.weather, run.outcomes.loc["p1", "outcome"]
    untouched = not (columns & {"tmin_c", "tmax_c", "et0_mm"} or lost or rain_lost)
    assert found.empty or len(found) == DAYS
    marks = found["filled"].str.cat(found["derived"], sep=",").str.split(",")
    for name in NEEDED:
        marked = np.array([name in words for words in marks], dtype=bool)
        given_ = found[name].notna().to_numpy() & ~marked
        assert np.array_equal(found.loc[given_, name], whole[name].to_numpy("f4")[:DAYS][given_])
        if found[name].isna().any() or found.empty:
            assert outcome != OK
    assert not found.loc[found["precip_mm"].isna() | (found["precip_mm"] > 0)].empty or found.empty
    assert (found["precip_mm"].dropna() >= 1).all()
    if untouched:
        assert (outcome, marks.explode().replace("", np.nan).dropna().unique().tolist()) == (
            OK, ["tmean_c"] if columns else [],
        )  # fmt: skip
