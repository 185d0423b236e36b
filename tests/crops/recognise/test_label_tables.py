"""Published tables of labelled series with ids, codes and outlines of other kinds."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from fieldline.crops.recognise.label_tables import LabelledSeries, outline_places, read_frame
from fieldline.crops.recognise.points import read_polygons
from fieldline.pipeline.records.errors import UserError

_BANDS = [f"B{n}_mean" for n in (2, 3, 4, 5, 6, 7, 8, 11, 12)] + ["B8A_mean"]


def _halfmonth(path: Path, ids: list[object], codes: list[object]) -> LabelledSeries:
    days = pd.date_range("2018-03-15", periods=4, freq="MS") + pd.Timedelta(days=14)
    rows = [(i, c, day) for i, c in zip(ids, codes, strict=True) for day in days]
    frame = pd.DataFrame(rows, columns=["id", "NC", "Date"])
    for band in _BANDS:
        frame[band] = 2500 if band.startswith("B8") else 900
    frame.to_parquet(path)
    return LabelledSeries(path, "bavaria_halfmonth")


def test_ids_and_codes_are_text_whatever_type_they_are_stored_in(tmp_path, caplog) -> None:
    whole, _ = read_frame(_halfmonth(tmp_path / "a.parquet", [7, 8, 9], [601, 115, 115]))
    assert sorted(set(whole["sample_id"])) == ["000007", "000008", "000009"]
    text, _ = read_frame(_halfmonth(tmp_path / "b.parquet", ["x1", "x2"], ["601", "115"]))
    assert sorted(set(text["sample_id"])) == ["x1", "x2"]
    parts, _ = read_frame(_halfmonth(tmp_path / "c.parquet", [7, 8, 9], [601.0, 115.0, np.nan]))
    assert set(parts["crop"]) == set(text["crop"]) == {"601", "115"}
    assert set(parts["sample_id"]) == {"000007", "000008"}
    assert "4 rows without a crop code are left out" in caplog.text


def test_outlines_of_samples_come_as_geoparquet_too(tmp_path: Path) -> None:
    made = gpd.GeoDataFrame({"id": ["x1"]}, geometry=[box(11, 48, 11.01, 48.01)], crs=4326)
    made.to_file(tmp_path / "f.gpkg")
    made.to_crs(32632).to_parquet(tmp_path / "f.parquet")
    first, second = (outline_places(tmp_path / name, ["x1"]) for name in ("f.gpkg", "f.parquet"))
    assert np.allclose(first[0], second[0])
    assert np.allclose(first[1], second[1])
    made.set_crs(None, allow_override=True).to_parquet(tmp_path / "n.parquet")
    with pytest.raises(UserError, match="states no CRS"):
        outline_places(tmp_path / "n.parquet", ["x1"])


def test_columns_that_are_no_fractions_are_refused(tmp_path: Path) -> None:
    days = pd.date_range("2021-04-01", periods=6, freq="20D")
    rows = [(f"s{n}", crop, day.date(), 0.05, 0.3) for n in range(8)
            for crop in [("maize", "rice")[n % 2]] for day in days]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["sample_id", "crop", "date", "B04", "B08"])
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert read_polygons(LabelledSeries(tmp_path / "a.csv"), 10).classes == ("maize", "rice")
    frame[["B04", "B08"]] *= 10_000
    frame.to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(UserError, match=r"B04 is 500 in the median.*divide"):
        read_polygons(LabelledSeries(tmp_path / "b.csv"), 10)


def test_samples_of_two_seasons_under_one_id_are_told_as_such(tmp_path: Path) -> None:
    """Three fields in rotation: whichever dates count, each sample bears both crops."""
    days = [f"{year}-{month:02d}-01" for year in (2022, 2023) for month in range(3, 11)]
    crop = {"22": ("maize", "rice", "maize"), "23": ("rice", "maize", "rice")}
    rows = [(f"s{n}", crop[day[2:4]][n], day, 0.05, 0.3 + 0.02 * n) for n in range(3)
            for day in days]  # fmt: skip
    table = pd.DataFrame(rows, columns=["sample_id", "crop", "date", "B04", "B08"])
    table.to_csv(tmp_path / "one.csv", index=False)
    for starts in ("", "03-01"):
        with pytest.raises(UserError, match=r"all 3 samples bear several crops.*own sample_id"):
            read_polygons(LabelledSeries(tmp_path / "one.csv"), 10, None, starts)
    table["sample_id"] += "_" + table["date"].str[:4]
    table.to_csv(tmp_path / "own.csv", index=False)
    points = read_polygons(LabelledSeries(tmp_path / "own.csv"), 10, None, "03-01")
    assert np.bincount(points.labels).tolist() == [3, 3]


def _dated(path: Path, **further: object) -> LabelledSeries:
    """Write eight samples of two crops, six dates each; further columns by function of a row."""
    days = pd.date_range("2021-04-01", periods=6, freq="20D")
    rows = [(f"s{n}", ("maize", "rice")[n % 2], day.date(), 0.05 + n / 1000, 0.2 + at / 50)
            for n in range(8) for at, day in enumerate(days)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["sample_id", "crop", "date", "red", "B8"])
    frame.assign(**further).to_csv(path, index=False)
    return LabelledSeries(path)


def test_what_a_table_says_of_a_whole_sample_or_row_is_no_band(tmp_path: Path, caplog) -> None:
    """A crop's code beside its name would tell the label; an area or a row number may."""
    source = _dated(
        tmp_path / "a.csv",
        crop_code=lambda rows: rows["crop"].map({"maize": 201, "rice": 104}),
        area_ha=lambda rows: rows["sample_id"].str[1:].astype(int) * 0.3 + 0.1,
        fid=lambda rows: range(1, len(rows) + 1),
        humidity=lambda rows: np.arange(len(rows)) % 5,
    )
    frame, bands = read_frame(source)
    assert bands == ["B04", "B08", "humidity"]
    assert not {"crop_code", "area_ha", "fid"} & set(frame.columns)
    assert "are not read: crop_code, area_ha, fid" in caplog.text
    assert frame["B04"].iloc[6] == pytest.approx(0.051)
    only = _dated(tmp_path / "b.csv").table
    pd.read_csv(only).drop(columns=["red", "B8"]).assign(code=3).to_csv(only, index=False)
    with pytest.raises(UserError, match="no column of numbers by date"):
        read_frame(LabelledSeries(only))


def test_bands_of_a_table_are_known_by_any_of_their_names(tmp_path: Path) -> None:
    source = _dated(tmp_path / "a.csv", vv=lambda rows: -10.0 - rows.index % 3)
    assert read_polygons(source, 10).cube.bands == ("B04", "B08")
    assert "VV" in read_frame(source)[0]
    twice = _dated(tmp_path / "b.csv", B04_mean=0.1)
    with pytest.raises(UserError, match=r"the columns red and B04_mean are both B04"):
        read_frame(twice)


@pytest.mark.parametrize("days", [1, 2])
def test_a_table_of_one_or_two_dates_is_refused_for_its_dates(tmp_path: Path, days: int) -> None:
    rows = [
        f"{series},{crop},2024-07-{1 + 9 * day:02d},{10 + series},48,0.05,0.{series + 1}"
        for series, crop in enumerate(["maize", "soybean"] * 3)
        for day in range(days)
    ]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["sample_id,crop,date,lon,lat,B04,B08", *rows]), encoding="utf-8")
    with pytest.raises(UserError, match="6 series with fewer than 3 dates"):
        read_polygons(LabelledSeries(table), 10)
