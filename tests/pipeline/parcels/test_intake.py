"""Intake on the bad-parcel file, in every format, and what it writes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from fieldline.pipeline.parcels.intake import check_file, read_parcels, run_intake
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table
from fieldline.pipeline.vault.erasure import admit, erase
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import persons_of
from tests.pipeline.parcels.bad_parcels import (
    ID_NUMBER,
    NAMES,
    PHONE,
    Row,
    bad_parcels,
    polygon,
    square,
    write_csv,
    write_geojson,
    write_kml,
    write_vector,
)

SETTINGS = IntakeSettings()
DEMO = PrivacySettings(demo_key=True)
COUNTY = shapely.box(11.0, 48.0, 11.2, 48.2)
FREE = (11.05, 48.05)


def good_rings(count: int = 40) -> list[shapely.Polygon]:
    return [
        shapely.Polygon(square(11.01 + 0.001 * (i % 8), 48.15 + 0.001 * (i // 8)))
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return bad_parcels(good_rings(), free=FREE, outside=(11.5, 48.05))


@pytest.fixture
def boundary(tmp_path: Path) -> Path:
    path = tmp_path / "boundary.gpkg"
    gpd.GeoDataFrame(geometry=[COUNTY], crs="EPSG:4326").to_crs("EPSG:32632").to_file(path)
    return path


@dataclass(frozen=True)
class Given:
    """What a county says of its parcel file."""

    boundary: Path | None = None
    columns: dict[str, str] = field(default_factory=dict)
    crs: str | None = None


def intake(source: Path, folder: Path, given: Given = Given(), **changes: object) -> pd.DataFrame:
    run_intake(
        sources=[source],
        county="X1",
        season="2023",
        columns=given.columns,
        crs=given.crs,
        settings=SETTINGS,
        parcels=folder / "parcels.parquet",
        farmers=folder / "farmers.parquet",
        vault=folder / "vault.sqlite",
        outcomes=folder / "outcomes.parquet",
        boundary=given.boundary,
        **({"privacy": DEMO} | changes),
    )
    return read_table(folder / "outcomes.parquet")


def check(source: Path, given: Given = Given()) -> pd.DataFrame:
    return check_file(source, **vars(given), settings=SETTINGS)


def codes(source: Path, given: Given = Given()) -> dict[int, str]:
    frame = check(source, given)
    return dict(zip(frame["row"], frame["outcome"], strict=True))


def expected(rows: list[Row]) -> dict[int, str]:
    return {i + 1: row.expected for i, row in enumerate(rows)}


def test_every_kind_gets_its_code_in_geojson(
    tmp_path: Path, rows: list[Row], boundary: Path
) -> None:
    source = tmp_path / "bad.geojson"
    write_geojson(rows, source)
    assert codes(source, Given(boundary)) == expected(rows)


def test_every_kind_gets_its_code_in_csv(tmp_path: Path, rows: list[Row], boundary: Path) -> None:
    source = tmp_path / "bad.csv"
    write_csv(rows, source)
    given = Given(boundary, crs="EPSG:4326")
    assert codes(source, given) == expected(rows)


def test_every_kind_gets_its_code_in_kml(tmp_path: Path, rows: list[Row], boundary: Path) -> None:
    source = tmp_path / "bad.kml"
    write_kml(rows, source)
    want = expected(rows)
    # KML writes words as numbers nobody can read; there is no other kind of geometry in it.
    words = next(i for i, row in enumerate(rows) if row.parcel_id == "words")
    want[words + 1] = "nan_coordinates"
    assert codes(source, Given(boundary)) == want


@pytest.mark.parametrize("suffix", [".shp", ".gpkg"])
def test_vector_files_give_the_same_codes(
    tmp_path: Path, rows: list[Row], boundary: Path, suffix: str
) -> None:
    unwritable = {"two-points", "words", "point", "empty", "no_number"}
    # Drivers close rings and measure areas as numbers when they write.
    changed = {"unclosed": OK, "odd-area": OK}
    kept = [
        replace(row, expected=changed.get(row.parcel_id, row.expected), declared_area_mu=8.0)
        if row.parcel_id in changed
        else row
        for row in rows
        if row.parcel_id not in unwritable
    ]
    source = tmp_path / f"bad{suffix}"
    write_vector(kept, source, "EPSG:4326", **({"encoding": "utf-8"} if suffix == ".shp" else {}))
    columns = {"declared_crop": "crop", "declared_area_mu": "area_mu"}
    assert codes(source, Given(boundary, columns=columns)) == expected(kept)


def test_every_refusal_has_a_remedy_in_two_languages(rows: list[Row]) -> None:
    for row in rows:
        if row.expected != OK:
            code = outcome_codes()[row.expected]
            assert len(code.remedy) > 8
            assert len(code.english) > 8
            assert any("一" <= c <= "鿿" for c in code.chinese)


def test_without_a_boundary_swaps_are_found_by_where_the_others_lie(
    tmp_path: Path, rows: list[Row]
) -> None:
    source = tmp_path / "bad.geojson"
    write_geojson(rows, source)
    want = expected(rows)
    number = {row.parcel_id: i + 1 for i, row in enumerate(rows)}
    # The others only make it likely that the axes are exchanged; nothing settles it.
    want |= {number["outside"]: OK, number["swapped"]: "latlon_swapped"}
    assert codes(source) == want


def test_outputs_hold_every_row_once_and_no_person(
    tmp_path: Path, rows: list[Row], boundary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in" / "bad.geojson"
    source.parent.mkdir()
    write_geojson(rows, source)
    out = tmp_path / "out"
    outcomes = intake(source, out, Given(boundary))
    assert len(outcomes) == len(rows)
    assert not outcomes["parcel_id"].duplicated().any()
    parcels = read_parcels(out / "parcels.parquet")
    stops = {
        code
        for code in outcomes["outcome"]
        if code != OK and outcome_codes()[code].effect == "stop"
    }
    assert len(parcels) == (~outcomes["outcome"].isin(stops)).sum()
    written = [p for p in out.rglob("*") if p.is_file()]
    assert len(written) == 4
    secrets = [*NAMES[:2], PHONE, ID_NUMBER, "P-001", "P-100"]
    for path in written:
        table = path.suffix == ".parquet"
        text = path.read_bytes() + (read_table(path).to_csv().encode() if table else b"")
        assert not [s for s in secrets if s.encode() in text], path
    shown = capfd.readouterr()
    assert not [s for s in secrets if s in shown.out + shown.err]
    with open_vault(out / "vault.sqlite", DEMO) as vault:
        stored = list(persons_of(vault, "X1", "2023"))
    assert any(person.phone == PHONE and person.name == NAMES[0] for person in stored)


def test_an_erased_farmer_is_refused_with_a_code_and_not_taken_in_again(tmp_path: Path) -> None:
    rows = [
        Row("a", OK, polygon(square(*FREE)), farmer_id="P-1"),
        Row("b", "bow_tie", None, farmer_id="P-1"),
        Row("c", OK, polygon(square(FREE[0] + 0.01, FREE[1])), farmer_id="P-2"),
    ]
    source = tmp_path / "rows.geojson"
    write_geojson(rows, source)
    gone, stays = (pseudonymiser(DEMO)(ref) for ref in ("P-1", "P-2"))
    intake(source, tmp_path)
    with open_vault(tmp_path / "vault.sqlite", DEMO) as vault:
        erase(vault, gone, "letter of 2 May")
    outcomes = intake(source, tmp_path).set_index("parcel_id")
    assert outcomes["outcome"].to_dict() == {
        "a": "farmer_erased", "b": "empty_geometry", "c": OK,
    }  # fmt: skip
    assert read_parcels(tmp_path / "parcels.parquet")["farmer_id"].tolist() == [stays]
    farmers = read_table(tmp_path / "farmers.parquet").set_index("farmer_id")
    assert list(farmers.loc[gone, "refusals"]) == ["empty_geometry", "farmer_erased"]
    with open_vault(tmp_path / "vault.sqlite", DEMO) as vault:
        assert [p.farmer_id for p in persons_of(vault, "X1", "2023")] == [stays]
        admit(vault, gone, "consent of 9 May")
    assert intake(source, tmp_path)["outcome"].tolist() == [OK, "empty_geometry", OK]
    with open_vault(tmp_path / "vault.sqlite", DEMO) as vault:
        assert {p.farmer_id for p in persons_of(vault, "X1", "2023")} == {gone, stays}


@pytest.mark.parametrize("variable", ["FIELDLINE_VAULT_KEY", "FIELDLINE_PSEUDONYM_KEY"])
def test_another_key_on_a_second_run_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    source = tmp_path / "rows.geojson"
    write_geojson([Row("a", OK, polygon(square(*FREE)), farmer_id="P-1")], source)
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", "c41f0a7e935db268e07d5f13a94b82c6")
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", "5d0c1e7f92ab4836d7e1f05b9c3a6284")
    real = PrivacySettings(demo_key=False)
    intake(source, tmp_path, privacy=real)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setenv(variable, "7be2904fd5a1c3860f1d8e6b25c97a43")
    with pytest.raises(UserError, match=f"set {variable} "):
        intake(source, tmp_path, privacy=real)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_farmers_count_their_rows_and_refusals(tmp_path: Path) -> None:
    rows = [
        Row("a", OK, polygon(square(*FREE)), farmer_id="P-1"),
        Row("b", "bow_tie", None, farmer_id="P-1"),
        Row("c", "empty_geometry", None, farmer_id="P-2"),
    ]
    source = tmp_path / "rows.geojson"
    write_geojson(rows, source)
    intake(source, tmp_path / "out")
    farmers = read_table(tmp_path / "out" / "farmers.parquet")
    by_count = farmers.sort_values("parcels_declared")
    assert by_count["parcels_declared"].tolist() == [1, 2]
    assert by_count["parcels_accepted"].tolist() == [0, 1]
    assert [list(r) for r in by_count["refusals"]] == [["empty_geometry"], ["empty_geometry"]]


def test_two_runs_give_equal_bytes(tmp_path: Path, rows: list[Row], boundary: Path) -> None:
    source = tmp_path / "bad.geojson"
    write_geojson(rows, source)
    for name in ("one", "two"):
        intake(source, tmp_path / name, Given(boundary))
    for name in ("parcels.parquet", "farmers.parquet", "outcomes.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_square_of_100_m_has_15_mu_whatever_its_crs(tmp_path: Path) -> None:
    # On the central meridian of UTM the scale is 0.9996, so 100 m on the grid are 100.04 m.
    side = 100.0
    ring = square(500_000.0, 5_300_000.0, side)
    source = tmp_path / "utm.csv"
    write_csv([Row("a", OK, polygon(ring), srid=32632, declared_area_mu=15)], source)
    intake(source, tmp_path / "out")
    parcel = read_parcels(tmp_path / "out" / "parcels.parquet").iloc[0]
    assert parcel["metrics:area"] == pytest.approx((side / 0.9996) ** 2, rel=1e-5)
    assert parcel["metrics:perimeter"] == pytest.approx(4 * side / 0.9996, rel=1e-5)
    assert parcel["declared_area_m2"] == pytest.approx(10_000.0)


def test_degrees_in_a_metric_file_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    write_csv([Row("a", "wrong_crs", polygon(square(*FREE)))], source)
    assert codes(source, Given(crs="EPSG:32632")) == {1: "wrong_crs"}


def test_rows_without_crs_beside_rows_with_one_are_refused(tmp_path: Path) -> None:
    rows = [
        Row("a", OK, polygon(square(*FREE)), srid=4326),
        Row("b", "missing_crs", polygon(square(FREE[0] + 0.01, FREE[1]))),
    ]
    source = tmp_path / "rows.csv"
    write_csv(rows, source)
    assert codes(source) == {1: OK, 2: "missing_crs"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "parcel_id,farmer_id,geometry\n1,2,POINT(1 2)\n", "parcel_crs"),
        ("a.csv", "parcel_id,owner,geometry\n1,2,POINT(1 2)\n", "farmer_id.*owner, geometry"),
        ("a.csv", "parcel_id,farmer_id\n1,2\n", "outline column"),
        ("a.csv", "", "holds no parcel|is empty"),
        ("a.geojson", '{"type": "FeatureCollection", "features": []}', "holds no parcel"),
        ("a.geojson", "[1, 2", "not JSON"),
        ("a.geojson", '{"type": "Feature"}', "FeatureCollection"),
        ("a.kml", "<kml><Placemark>", "not KML"),
        ("a.gpkg", "nonsense", "cannot be opened"),
        ("a.ofds", "nonsense", "unknown kind"),
        ("a.docx", "nonsense", "a document or picture, no outlines"),
        ("a.gpx", "<gpx/>", "walked tracks and points, no outlines.*Lines to polygons"),
        ("a.dxf", "0", "a drawing, whose lines carry no parcel_id"),
        ("a.dbf", "nonsense", "one of the files of a Shapefile.*name its .shp"),
        ("a.rar", "Rar!", "an archive that is not read: pack it again as .zip"),
        (
            "a.csv",
            "parcel_id,farmer_id,lat,lon\n1,2,33.1,115.1\n1,2,33.2,115.1\n",
            r"holds corners of parcels \(lat, lon\) and no outline.*Points to path",
        ),
        (
            "a.csv",
            "parcel_id,farmer_id,lat1,lon1,lat2,lon2\n1,2,33.1,115.1,33.2,115.1\n",
            "holds corners of parcels",
        ),
        (
            "a.csv",
            "parcel_id,farmer_id,Latitude,Longitude\n1,2,33.1,115.1\n2,2,33.2,115.1\n",
            "holds one point of each parcel.*ask for the drawn outlines",
        ),
        ("a.geojsonl", '{"type": "Feature", "geometry": null}\n{"type": "Fea', "record 2 of its"),
    ],
)
def test_files_that_cannot_be_used_are_one_clear_sentence(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    source = tmp_path / name
    source.write_text(text)
    with pytest.raises(UserError, match=says):
        check(source)


def test_a_shapefile_without_prj_is_refused_until_its_crs_is_configured(tmp_path: Path) -> None:
    source = tmp_path / "rows.shp"
    row = Row("a", OK, polygon(square(*FREE)))
    write_vector([row], source, None, encoding="utf-8")
    with pytest.raises(UserError, match="parcel_crs"):
        codes(source)
    assert codes(source, Given(crs="EPSG:4326")) == {1: OK}


def test_check_writes_nothing_and_names_the_remedy(tmp_path: Path) -> None:
    source = tmp_path / "rows.geojson"
    write_geojson([Row("a", "empty_geometry", None)], source)
    frame = check(source)
    assert list(tmp_path.iterdir()) == [source]
    assert frame.iloc[0][["row", "parcel_id", "outcome", "effect"]].tolist() == [
        1, "a", "empty_geometry", "stop",
    ]  # fmt: skip
    assert "Draw the field" in frame.iloc[0]["remedy"]


def test_the_declared_crop_is_mapped_but_never_echoed(tmp_path: Path) -> None:
    rows = [
        Row("a", OK, polygon(square(*FREE)), declared_crop="冬小麦"),
        Row("b", "unknown_crop", polygon(square(FREE[0] + 0.01, FREE[1])), declared_crop=PHONE),
    ]
    source = tmp_path / "rows.geojson"
    write_geojson(rows, source)
    outcomes = intake(source, tmp_path / "out")
    parcels = read_parcels(tmp_path / "out" / "parcels.parquet").set_index("parcel_id")
    assert parcels.loc["a", "declared_crop"] == "winter_wheat"
    assert pd.isna(parcels.loc["b", "declared_crop"])
    assert not outcomes["detail"].str.contains(PHONE).any()


def test_shells_run_counter_clockwise_and_rows_are_sorted(
    tmp_path: Path, rows: list[Row], boundary: Path
) -> None:
    source = tmp_path / "bad.geojson"
    write_geojson(rows, source)
    intake(source, tmp_path / "out", Given(boundary))
    frame = read_parcels(tmp_path / "out" / "parcels.parquet")
    assert frame["parcel_id"].is_monotonic_increasing
    assert shapely.is_valid(frame.geometry.to_numpy()).all()
    shells = [shapely.get_parts(g)[0].exterior for g in frame.geometry]
    assert np.all(shapely.is_ccw(shells))
    assert (frame["repair"] != "").sum() == 4  # closed, untangled, thinned, swapped


def test_two_files_of_one_county_are_read_as_one(tmp_path: Path) -> None:
    """Outlines of the second file keep their own CRS."""
    from fieldline.pipeline.parcels.readers import read_parcel_files

    lonlat = gpd.GeoDataFrame(
        {"parcel_id": ["a"], "farmer_id": ["f1"]},
        geometry=[shapely.box(117.0, 0.0, 117.001, 0.001)],
        crs="EPSG:4326",
    )
    metric = lonlat.assign(parcel_id=["b"]).to_crs("EPSG:32650")
    lonlat.to_file(tmp_path / "one.geojson")
    metric.to_file(tmp_path / "two.gpkg")
    both = read_parcel_files([tmp_path / "one.geojson", tmp_path / "two.gpkg"])
    assert list(both.frame["parcel_id"]) == ["a", "b"]
    crs = [shape.crs for shape in both.shapes]
    assert crs[0] is not None
    assert crs[0].is_geographic
    assert crs[1] == "EPSG:32650"


def people(tmp_path: Path, rows: list[tuple[str, str, str]]) -> list[str]:
    """Return the outcome of parcels by farmer's number, name and national id number."""
    lines = ["parcel_id,farmer_id,name,id_number,geometry"]
    for place, (farmer, name, number) in enumerate(rows):
        west = 11.0 + place / 1000
        ring = (
            f"POLYGON(({west} 48,{west + 5e-4} 48,{west + 5e-4} 48.0005,{west} 48.0005,{west} 48))"
        )
        lines.append(f'P{place},{farmer},{name},{number},"{ring}"')
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = check_file(path, columns={}, crs="EPSG:4326", boundary=None, settings=IntakeSettings())
    return found["outcome"].tolist()


def test_one_number_for_two_people_is_refused_and_never_one_farmer(tmp_path: Path) -> None:
    rows = [
        ("1", "Wang", "A1"), ("1", "Li", "B2"), ("1", "Wang", ""), ("2", "Zhao", "C3"),
        ("2", "Zhao", "C3"), ("3", "Sun", ""), ("3", "Sunn", ""), ("4", "", ""),
    ]  # fmt: skip
    assert people(tmp_path, rows) == [
        *["farmer_conflict"] * 3, "ok", "ok", *["farmer_names_differ"] * 2, "ok",
    ]  # fmt: skip
