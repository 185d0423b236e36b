"""What jobs claim of a scheduler: by the county's size, and no less than was measured."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import box

from fieldline.workflows.config.load import load_config
from fieldline.workflows.county_size import parcels_of
from fieldline.workflows.plan import Plan
from fieldline.workflows.stages import STAGES, stage
from tests.workflows.conftest import ROOT

MEASURED = re.compile(
    r"^\| (\w+) \|(?: [\d,.]+ \|){3} ([\d,]+) \| ([\d,]+) \| [\d.]+ \|$", re.MULTILINE
)


def outlines(folder: Path, name: str, rows: int = 40, corners: int = 5) -> Path:
    """Write parcels of so many corners in a format."""
    drawn = [box(11.6 + 0.001 * n, 52.1, 11.6008 + 0.001 * n, 52.1005) for n in range(rows)]
    rings = [ring.segmentize(ring.length / max(corners - 5, 1)) for ring in drawn]
    frame = gpd.GeoDataFrame({"parcel": [f"P{n}" for n in range(rows)]}, geometry=rings, crs=4326)
    path = folder / name
    if name.endswith(".zip"):
        frame.to_file(folder / "drawn.shp")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in folder.glob("drawn.*"):
                archive.write(part, part.name)
    elif name.endswith(".parquet"):
        frame.to_parquet(path)
    elif name.endswith(".csv"):
        texts = frame.geometry.to_wkt(rounding_precision=6)
        pd.DataFrame({"parcel": frame["parcel"], "geometry": texts}).to_csv(path, index=False)
    elif name.endswith(".kml"):
        places = [
            f"<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
            f"{' '.join(f'{x:.6f},{y:.6f}' for x, y in ring.exterior.coords)}</coordinates>"
            "</LinearRing></outerBoundaryIs></Polygon></Placemark>\n"
            for name, ring in zip(frame["parcel"], rings, strict=True)
        ]
        path.write_text(f"<kml><Document>{''.join(places)}</Document></kml>", encoding="utf-8")
    else:
        frame.to_file(path)
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.zip", "a.parquet"])
def test_files_that_state_their_number_are_counted(tmp_path: Path, name: str) -> None:
    assert parcels_of(tmp_path / "none.parquet", [outlines(tmp_path, name)]) == 40


@pytest.mark.parametrize("corners", [5, 120])
@pytest.mark.parametrize("name", ["a.geojson", "a.csv", "a.kml"])
def test_a_text_holds_what_its_beginning_shows_however_long_its_rings_are(
    tmp_path: Path, name: str, corners: int
) -> None:
    for rows in (100, 6000 if corners == 5 else 1000):  # the second longer than what is looked at
        drawn = outlines(tmp_path, name, rows, corners)
        told = parcels_of(tmp_path / "none.parquet", [drawn])
        assert rows <= told <= (1.3 * rows if drawn.stat().st_size > 2**20 else rows + 1)


def test_a_text_without_marks_and_a_sheet_hold_at_most_what_their_size_allows(
    tmp_path: Path,
) -> None:
    wide, sheet = tmp_path / "a.geojson", tmp_path / "a.xlsx"
    wide.write_text("{}" * 1000, encoding="utf-16-le")
    sheet.write_bytes(b"x" * 4000)
    assert parcels_of(tmp_path / "none.parquet", [wide, sheet]) == 4000 // 200 + 4000 // 40


def test_files_are_added_up_and_one_that_nobody_can_read_counts_by_its_size(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gpkg"
    broken.write_bytes(b"x" * 900)
    files = [outlines(tmp_path, "a.gpkg"), broken, tmp_path / "absent.gpkg"]
    assert parcels_of(tmp_path / "none.parquet", files) == 40 + 10


def test_parcels_that_intake_accepted_count_until_their_outlines_change(tmp_path: Path) -> None:
    drawn, table = outlines(tmp_path, "a.gpkg"), tmp_path / "parcels.parquet"
    pd.DataFrame({"parcel_id": range(31)}).to_parquet(table)
    os.utime(table, ns=(2 * 10**18, 2 * 10**18))
    assert parcels_of(table, [drawn]) == 31
    os.utime(drawn, ns=(3 * 10**18, 3 * 10**18))
    assert parcels_of(table, [drawn]) == 40


def test_a_job_claims_by_the_parcels_that_it_works_on_and_more_when_tried_again(
    tmp_path: Path,
) -> None:
    drawn = outlines(tmp_path, "a.gpkg")
    county = {"blocks": 4, "inputs": {"parcels": str(drawn)}}
    config = load_config((), {"results": str(tmp_path), "county": {"SIM001": county}})
    plan, where = Plan(config), SimpleNamespace(county="SIM001", season="2024")
    assert plan.resources(stage("intake"))["mem_mb"](where, attempt=1) == 1501  # of 40 outlines
    table = tmp_path / "2024" / "SIM001" / "parcels.parquet"
    table.parent.mkdir(parents=True)
    pd.DataFrame({"parcel_id": range(8000)}).to_parquet(table)
    os.utime(table, ns=(2 * 10**18, 2 * 10**18))

    def claimed(name: str, **more: Any) -> list[int]:
        asked = plan.resources(stage(name), **more)["mem_mb"]
        return [asked(where, attempt=attempt) for attempt in (1, 2)]

    assert claimed("observe") == [3064, 6128]  # 3,000 MB and 8 for each of 8 thousand
    assert claimed("observe", block=True) == [3016, 6032]  # of 2 thousand
    assert claimed("fields_train") == [6000, 12000]


def test_claims_cover_what_was_measured_and_small_counties_claim_little() -> None:
    """A mebibyte is 1.049 MB; a tenth more is left to other land than that."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = {name: (small, large) for name, small, large in MEASURED.findall(text)}
    assert rows.keys() == {item.name for item in STAGES}
    for item in STAGES:
        small, large = (1.1 * 1.049 * int(one.replace(",", "")) for one in rows[item.name])
        assert small <= item.memory_mb(10_000), item.name
        assert large <= item.memory_mb(200_000), item.name
        if item.together == "credit" and item.name not in ("risk_train", "report"):
            assert item.memory_mb(1000) <= 1100
