"""A county for other tools: read back by others, and equal to the tables it was made from."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path
from xml.etree import ElementTree as Xml

import geopandas as gpd
import pyarrow.parquet as pq
import pyogrio
import pytest
from fastapi.testclient import TestClient

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.industry import ALL, industry
from tests.pipeline.parcels.test_fiboa import problems, schema_map
from tests.workflows.desk.conftest import PLACE, table

__all__ = ["schema_map"]


def test_the_geopackage_opens_elsewhere_with_its_style(
    client: TestClient, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "layer.gpkg"
    answer = client.get(f"/export/{PLACE}/layer.gpkg?lang=en")
    path.write_bytes(answer.content)
    assert 'filename="SIM001-2024-parcels.gpkg"' in answer.headers["content-disposition"]
    assert [name for name, kind in pyogrio.list_layers(path) if kind is not None] == ["parcels"]
    read = gpd.read_file(path, layer="parcels").set_index("parcel_id")
    assert len(read) == len(table(folder, "parcels"))
    decisions = table(folder, "decisions").set_index("farmer_id")
    for parcel, row in read.head(20).iterrows():
        stored = decisions.loc[row["farmer_id"]]
        assert row["limit"] == stored["limit_minor"] / 100, parcel
        assert row["access"] == stored["access"]
        assert row["reasons"] == " | ".join(stored["reasons"])
    with sqlite3.connect(path) as database:
        styles = database.execute(
            "SELECT styleName, styleQML, useAsDefault FROM layer_styles"
        ).fetchall()
    assert [(name, default) for name, _, default in styles] == [("Crop seen", 1), ("Decision", 0)]
    for (_, qml, _), column in zip(styles, ("crop", "access"), strict=True):
        renderer = Xml.fromstring(qml.removeprefix("<!DOCTYPE qgis>\n")).find("renderer-v2")
        assert renderer is not None
        assert renderer.get("attr") == column
        values = {category.get("value") for category in renderer.iter("category")} - {""}
        assert values == set(read[column].dropna())


def test_the_geoparquet_is_fiboa_to_its_own_validator(
    client: TestClient, tmp_path: Path, schema_map: dict[str, str]
) -> None:
    path = tmp_path / "layer.parquet"
    path.write_bytes(client.get(f"/export/{PLACE}/layer.parquet").content)
    assert problems(path, schema_map) == []
    broken = pq.read_table(path).drop_columns(["collection"])
    pq.write_table(broken, path)
    assert any("collection" in problem for problem in problems(path, schema_map))


def test_the_aggregates_as_geoparquet_tell_what_the_csv_tells_and_no_corner_of_a_parcel(
    client: TestClient, folder: Path
) -> None:
    content = client.get(f"/export/{PLACE}/industry.parquet").content
    read = gpd.read_parquet(io.BytesIO(content))
    text = client.get(f"/export/{PLACE}/industry.csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [tuple(row[n] for n in ("village", "crop")) for row in rows] == list(
        read[["village", "crop"]].itertuples(index=False, name=None)
    )
    told = [float(row["area_ha"]) for row in rows if row["withheld"] == "0"]
    assert read["area_ha"].dropna().tolist() == told
    parcels = gpd.read_parquet(folder / PLACE / "parcels.parquet")
    whole = read[read["village"] == ALL].geometry.iloc[0]
    assert parcels.geometry.within(whole).all()
    assert all(round(edge * 100) == pytest.approx(edge * 100) for edge in whole.bounds)
    few = parcels.groupby("village")["farmer_id"].nunique()
    for village in few.index:
        outline = read.loc[read["village"] == village, "geometry"].iloc[0]
        assert (outline is None) == (few[village] < 5)


def test_the_geoparquet_holds_the_same(client: TestClient, folder: Path) -> None:
    content = client.get(f"/export/{PLACE}/layer.parquet").content
    read = gpd.read_parquet(io.BytesIO(content)).set_index("parcel_id")
    assert read.crs.to_epsg() == 4326
    evidence = table(folder, "evidence").set_index("parcel_id")["evidence_area_m2"]
    assert (read["evidence_area_m2"] - evidence.reindex(read.index)).abs().max() < 1e-9
    stored = gpd.read_parquet(folder / PLACE / "parcels.parquet").set_index("parcel_id")
    assert read.geometry.geom_equals(stored.geometry.reindex(read.index)).all()


def test_aggregates_add_up_to_the_parcels(desk: Desk, folder: Path) -> None:
    place = desk.shelf.place("2024", "SIM001")
    rows = industry(place, desk.layer(place), 1)
    inner = [row for row in rows if ALL not in (row["village"], row["crop"])]
    whole = next(row for row in rows if (row["village"], row["crop"]) == (ALL, ALL))
    evidence = table(folder, "evidence").set_index("parcel_id")["evidence_area_m2"]
    assert whole["area_ha"] == pytest.approx(evidence.sum() / 10_000, abs=1e-3)
    assert sum(row["area_ha"] for row in inner) == pytest.approx(whole["area_ha"], abs=1e-3)
    assert sum(row["parcels"] for row in inner) == whole["parcels"] == len(evidence)
    yields = table(folder, "yields").set_index("parcel_id")["value_q50_per_ha_minor"]
    value = (yields * evidence.reindex(yields.index)).sum() / 10_000 / 100
    assert whole["value"] == pytest.approx(value, rel=1e-6)
    assert whole["farmers"] == table(folder, "parcels")["farmer_id"].nunique()


def test_no_figure_of_fewer_than_five_farmers_leaves(client: TestClient) -> None:
    text = client.get(f"/export/{PLACE}/industry.csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    told = [row for row in rows if row["withheld"] == "0"]
    assert told
    assert all(int(row["farmers"]) >= 5 for row in told)
    hidden = [row for row in rows if row["withheld"] == "1"]
    assert all(not row[name] for row in hidden for name in ("farmers", "area_ha", "value"))
