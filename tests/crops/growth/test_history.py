import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.growth.history import PastSeason, regularity, run_history, stability
from fieldline.pipeline.records.settings import Season


def test_stability_and_regularity_by_hand():
    assert stability(np.array([80.0, 120.0])) == pytest.approx(0.8)
    assert regularity(np.array([180.0, 210.0])) == pytest.approx(0.75)
    assert stability(np.array([80.0])) is None
    assert regularity(np.array([])) is None


def write_season(folder, year, rows):
    growth = pd.DataFrame(
        rows, columns=["parcel_id", "pos", "integral", "cycles", "curve_start", "crop"]
    )
    folder.mkdir()
    growth.drop(columns="crop").to_parquet(folder / "growth.parquet")
    growth[["parcel_id", "crop"]].to_parquet(folder / "crops.parquet")
    season = Season(
        start=dt.date(year - 1, 10, 1), end=dt.date(year, 9, 30), as_of=dt.date(year, 9, 30)
    )
    return PastSeason(season, folder / "growth.parquet", folder / "crops.parquet")


def test_new_parcels_are_thin_files_and_idle_seasons_are_counted(tmp_path):
    begin = {2023: dt.date(2022, 10, 3), 2024: dt.date(2023, 10, 3)}
    old = write_season(tmp_path / "a", 2023, [
        ("p", dt.date(2023, 5, 1), 80.0, 1, begin[2023], "maize"),
        ("q", None, np.nan, 0, begin[2023], None),
        ("gone", dt.date(2023, 5, 1), 80.0, 1, begin[2023], "rice"),
    ])  # fmt: skip
    new = write_season(tmp_path / "b", 2024, [
        ("p", dt.date(2024, 5, 1), 120.0, 1, begin[2024], "rice"),
        ("q", dt.date(2024, 5, 1), 90.0, 1, begin[2024], "rice"),
        ("r", dt.date(2024, 5, 1), 90.0, 1, begin[2024], "rice"),
    ])  # fmt: skip
    run_history(
        growth=new.growth, crops=new.crops, earlier_growth=[old.growth],
        earlier_crops=[old.crops], seasons=[old.season, new.season], out=tmp_path / "h.parquet",
        outcomes=tmp_path / "o.parquet",
    )  # fmt: skip
    rows = pd.read_parquet(tmp_path / "h.parquet").set_index("parcel_id")
    assert list(rows.index) == ["p", "q", "r"]
    assert list(rows.loc["p", "crops"]) == ["maize", "rice"]
    assert rows.loc["p", "stability"] == pytest.approx(0.8)
    # day 212 of 365 against day 213 of 366: half a day from their mean
    assert rows.loc["p", "regularity"] == pytest.approx(1 - 0.5 / 60)
    assert rows.loc["q", "idle_seasons"] == 1
    assert list(rows.loc["q", "crops"]) == ["unknown", "rice"]
    assert rows["thin_file"].to_dict() == {"p": False, "q": False, "r": True}
    outcomes = pd.read_parquet(tmp_path / "o.parquet").set_index("parcel_id")["outcome"]
    assert outcomes.to_dict() == {"p": "ok", "q": "ok", "r": "thin_file"}
