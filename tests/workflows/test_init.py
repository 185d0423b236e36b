"""`fieldline init`: from a file of outlines to a configuration that loads, every guess said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from shapely.geometry import box

from fieldline.pipeline.parcels.readers import read_parcel_file
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.init.headers import readings, unit_named
from fieldline.workflows.init.place import county_id, written_path
from fieldline.workflows.inputs.tables import TABLES
from tests.workflows.outlines import (
    DAYS,
    EDGES,
    HECTARES,
    MU,
    PLAIN,
    SCALED,
    archive,
    columns_of,
    csv,
    geojson,
    init,
    loaded,
    squares,
    wkt,
)

LANGUAGES: list[tuple[dict[str, Sequence[Any]], dict[str, str]]] = [
    (
        {
            "地块编号": ["1", "2", "3", "4"],
            "农户编号": ["N1", "N1", "N2", "N3"],
            "姓名": ["甲", "甲", "乙", "丙"],
            "面积(亩)": MU,
            "作物": ["玉米", "水稻", "玉米", "玉米"],
            "村": ["东村", "东村", "西村", "西村"],
        },
        {
            "parcel_id": "地块编号",
            "farmer_id": "农户编号",
            "declared_area_mu": "面积(亩)",
            "declared_crop": "作物",
            "name": "姓名",
            "village": "村",
        },
    ),
    (
        {
            "Schlag-Nr.": ["1", "2", "3", "4"],
            "Betriebsnummer": ["B7", "B7", "B8", "B9"],
            "Fläche_ha": HECTARES,
            "Kultur": ["Maize", "Maize", "Maize", "Maize"],
            "Gemarkung": ["Ost", "Ost", "West", "West"],
        },
        {
            "parcel_id": "Schlag-Nr.",
            "farmer_id": "Betriebsnummer",
            "declared_area_ha": "Fläche_ha",
            "declared_crop": "Kultur",
            "village": "Gemarkung",
        },
    ),
    (
        {
            "id_parcela": ["1", "2", "3", "4"],
            "id_agricultor": ["7", "7", "8", "9"],
            "superficie": HECTARES,
            "cultivo": ["maize", "maize", "maize", "maize"],
            "teléfono": ["600 111 222", "600 111 222", "600 111 333", "600 111 444"],
        },
        {
            "parcel_id": "id_parcela",
            "farmer_id": "id_agricultor",
            "declared_area_ha": "superficie",
            "declared_crop": "cultivo",
            "phone": "teléfono",
        },
    ),
    (
        {
            "ID_PARCEL": ["1", "2", "3", "4"],
            "n° client": ["7", "7", "8", "9"],
            "SURF_PARC": HECTARES,
            "culture": ["maize", "maize", "maize", "maize"],
            "commune": ["X", "X", "Y", "Y"],
        },
        {
            "parcel_id": "ID_PARCEL",
            "farmer_id": "n° client",
            "declared_area_ha": "SURF_PARC",
            "declared_crop": "culture",
            "village": "commune",
        },
    ),
    (
        {
            "PlotNo": ["1", "2", "3", "4"],
            "owner_no": ["7", "7", "8", "9"],
            "owner": ["Ann", "Ann", "Bob", "Cid"],
            "area_mu": MU,
            "crop": ["maize", "maize", "maize", "maize"],
        },
        {
            "parcel_id": "PlotNo",
            "farmer_id": "owner_no",
            "declared_area_mu": "area_mu",
            "declared_crop": "crop",
            "name": "owner",
        },
    ),
]


@pytest.mark.parametrize(("columns", "expected"), LANGUAGES, ids=["zh", "de", "es", "fr", "en"])
def test_headers_of_many_languages_give_exactly_their_columns(
    columns: dict[str, Sequence[Any]], expected: dict[str, str], tmp_path: Path
) -> None:
    init(tmp_path / "county", geojson(tmp_path / "outlines.geojson", columns))
    assert columns_of(tmp_path / "county") == expected
    assert loaded(tmp_path / "county").counties == ("county",)


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_a_gis_file_is_read_by_its_own_columns(suffix: str, tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"plot_id": list("abcd"), "owner_no": [7, 7, 8, 9], "area_mu": MU},
        geometry=squares(),
        crs="EPSG:4326",
    )
    frame.to_file(tmp_path / f"outlines{suffix}")
    init(tmp_path / "county", tmp_path / f"outlines{suffix}")
    expected = {"parcel_id": "plot_id", "farmer_id": "owner_no", "declared_area_mu": "area_mu"}
    assert columns_of(tmp_path / "county") == expected


def test_a_shapefile_with_chinese_headers_in_gbk_can_be_mapped_and_read(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"地块编号": list("abcd"), "农户编号": ["7", "7", "8", "9"], "村": ["东村"] * 4},
        geometry=squares(),
        crs="EPSG:4326",
    )
    source = tmp_path / "outlines.shp"
    frame.to_file(source, encoding="GBK")
    init(tmp_path / "county", source)
    columns = columns_of(tmp_path / "county")
    assert columns == {"parcel_id": "地块编号", "farmer_id": "农户编号", "village": "村"}
    assert read_parcel_file(source, columns).frame["village"].tolist() == ["东村"] * 4


def test_a_csv_in_gbk_is_mapped_and_its_degrees_are_taken_as_wgs84(tmp_path: Path) -> None:
    columns = {"地块编号": list("1234"), "农户编号": list("7789"), "边界": wkt()}
    source = csv(tmp_path / "outlines.csv", columns, encoding="gbk")
    said = init(tmp_path / "county", source)
    found = columns_of(tmp_path / "county")
    assert found == {"parcel_id": "地块编号", "farmer_id": "农户编号"}
    inputs = loaded(tmp_path / "county").county["county"].inputs
    assert inputs.parcel_crs == "EPSG:4326"
    assert any("GCJ-02" in line for line in said)
    assert len(read_parcel_file(source, found, inputs.parcel_crs).shapes) == len(EDGES)


def test_metres_without_a_crs_are_never_placed(tmp_path: Path) -> None:
    columns = {"plot_id": list("1234"), "owner_no": list("7789"), "wkt": wkt(scale=10_000)}
    said = init(tmp_path / "county", csv(tmp_path / "outlines.csv", columns))
    assert loaded(tmp_path / "county").county["county"].inputs.parcel_crs is None
    assert "# parcel_crs: EPSG:32650" in (tmp_path / "county/county.yaml").read_text("utf-8")
    assert said[-2].endswith("filled in: inputs.parcel_crs, inputs.catalog.")


def test_kml_fields_are_columns_and_a_placemark_label_is_no_person(tmp_path: Path) -> None:
    marks = "".join(
        f"<Placemark><name>P{i}</name><ExtendedData><Data name='owner_no'><value>{i // 2 + 1}"
        "</value></Data></ExtendedData><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{x},{y}" for x, y in square.exterior.coords)
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for i, square in enumerate(squares())
    )
    source = tmp_path / "outlines.kml"
    source.write_text(f"<kml><Document>{marks}</Document></kml>", encoding="utf-8")
    init(tmp_path / "county", source)
    assert columns_of(tmp_path / "county") == {"parcel_id": "name", "farmer_id": "owner_no"}


def test_values_decide_where_headers_mean_nothing(tmp_path: Path) -> None:
    columns = {
        "c1": ["P-1", "P-2", "P-3", "P-4"],
        "c2": ["K7", "K7", "K8", "K9"],
        "c3": ["maize", "rice", "maize", "maize"],
        "c4": [7_600.0, 30_400.5, 68_400.0, 121_600.0],
        "c5": ["+49 170 1234567", "+49 170 1234567", "+49 170 7654321", "+49 170 1112222"],
        "c6": ["2024-04-01", "2024-04-01", "2024-05-01", "2024-04-01"],
    }
    said = init(tmp_path / "county", geojson(tmp_path / "outlines.geojson", columns))
    assert columns_of(tmp_path / "county") == {
        "parcel_id": "c1",
        "farmer_id": "c2",
        "declared_area_m2": "c4",
        "declared_crop": "c3",
        "phone": "c5",
    }
    assert "inputs.parcel_columns: not read: `c6`." in said
    assert not any("1234567" in line for line in said)


def test_two_columns_that_could_number_the_farmers_are_said_and_none_is_taken(
    tmp_path: Path,
) -> None:
    columns = {"plot_id": list("1234"), "c1": list("7789"), "c2": list("5566")}
    said = init(tmp_path / "county", geojson(tmp_path / "outlines.geojson", columns))
    assert columns_of(tmp_path / "county") == {"parcel_id": "plot_id"}
    assert (
        "inputs.parcel_columns: not read: `c1` (might be the number of a farmer), "
        "`c2` (might be the number of a farmer)." in said
    )
    assert "filled in: inputs.parcel_columns.farmer_id, inputs.catalog." in said[-2]


def test_a_unit_that_contradicts_the_drawn_areas_is_not_read(tmp_path: Path) -> None:
    columns = {"plot_id": list("1234"), "owner_no": list("7789"), "area_ha": MU}
    said = init(tmp_path / "county", geojson(tmp_path / "outlines.geojson", columns))
    assert columns_of(tmp_path / "county") == {"parcel_id": "plot_id", "farmer_id": "owner_no"}
    (line,) = [line for line in said if "`area_ha`" in line]
    assert "its header says ha, but against the drawn areas its numbers are mu" in line


def test_a_prediction_is_no_declared_crop(tmp_path: Path) -> None:
    columns = PLAIN | {"declared_crop": [None] * 4, "predicted_crop": ["x", "y", "x", "y"]}
    init(tmp_path / "county", geojson(tmp_path / "outlines.geojson", columns))
    assert "declared_crop" not in columns_of(tmp_path / "county")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("area (jutro)", "jutro by its header, which is read without a mapping"),
        ("area (bigha)", "bigha is another unit in the next region (1338 m2"),
    ],
)
def test_a_unit_of_another_country_is_never_taken_for_hectares(
    tmp_path: Path, header: str, says: str
) -> None:
    """A jutro is .58 ha: the drawn areas would call it one."""
    columns = {"plot_id": list("1234"), "owner_no": list("7789"), header: [a / 15 for a in MU]}
    said = init(tmp_path / "county", geojson(tmp_path / "outlines.geojson", columns))
    assert header not in columns_of(tmp_path / "county").values()
    assert any(says in line for line in said), said


@pytest.mark.parametrize(
    ("header", "role", "unit"),
    [
        ("DKBM", "parcel_id", None),
        ("CBFBM", "farmer_id", None),
        ("SCMJM", "declared_area", "declared_area_mu"),
        ("面积（公顷）", "declared_area", "declared_area_ha"),
        ("area m²", "declared_area", "declared_area_m2"),
        ("2024年种植作物", "declared_crop", None),
        ("declared_c", "declared_crop", None),
        ("身份证号码", "id_number", None),
        ("owner_phone", "phone", None),
        ("farmr_number", "farmer_id", None),
    ],
)
def test_a_header_says_role_and_unit(header: str, role: str, unit: str | None) -> None:
    assert readings(header)[0].role == role
    assert unit_named(header) == unit


@pytest.mark.parametrize("header", ["亩产", "harvest_date", "set", "geometry", "c1"])
def test_other_headers_say_nothing(header: str) -> None:
    assert readings(header) == []


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("mycounty", "mycounty"),
        ("my county 2", "my-county-2"),
        ("Börde", "Borde"),
        ("遂平县", "county-995b40"),
        ("2024", "county-655773"),
    ],
)
def test_a_county_id_keeps_to_plain_letters(title: str, expected: str) -> None:
    assert county_id(title) == expected


def test_paths_are_relative_beside_the_county_and_absolute_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "lender" / "county"
    assert written_path(folder / "in" / "a.csv", folder) == "in/a.csv"
    assert written_path(tmp_path / "lender" / "a {b}.csv", folder) == "../a {{b}}.csv"
    assert written_path(tmp_path / "a.csv", folder) == str(tmp_path / "a.csv")


def test_without_a_catalog_the_file_loads_and_says_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "遂平 县"
    said = init(folder, geojson(tmp_path / "outlines.geojson", PLAIN))
    config = loaded(folder)
    (county,) = config.counties
    assert config.county[county].title == "遂平 县"
    assert config.privacy.demo_key is False
    assert config.county[county].simulated is False
    assert config.seasons == ("2025",)
    assert said[-2] == "It will not run before these are filled in: inputs.catalog."
    for name in ("PSEUDONYM", "VAULT"):
        assert any(f"export FIELDLINE_{name}_KEY=$(openssl rand -hex 32)" in line for line in said)


def test_a_second_init_is_refused_and_force_keeps_the_first(tmp_path: Path) -> None:
    source = geojson(tmp_path / "outlines.geojson", PLAIN)
    init(tmp_path / "county", source)
    file = tmp_path / "county" / "county.yaml"
    file.write_text("mine: 1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"exists already: edit it, .* or give --force"):
        init(tmp_path / "county", source)
    assert file.read_text(encoding="utf-8") == "mine: 1\n"
    for _ in range(2):
        init(tmp_path / "county", source, force=True)
    assert file.with_name("county.yaml.bak").read_text(encoding="utf-8") == "mine: 1\n"
    assert file.with_name("county.yaml.bak2").read_text("utf-8") == file.read_text("utf-8")


def _wrong(name: str, folder: Path) -> tuple[Path, str | None, dict[str, Any]]:
    good = geojson(folder / "good.geojson", PLAIN)
    broken = folder / "broken.geojson"
    broken.write_text("{", encoding="utf-8")
    points = folder / "points.csv"
    points.write_text("id,geometry\n1,POINT (1 2)\n", encoding="utf-8")
    far = archive(folder / "far", DAYS, {"B04": SCALED})
    east = [{"type": "Feature", "properties": {}, "geometry": box(80, 1, 81, 2).__geo_interface__}]
    elsewhere = folder / "elsewhere.geojson"
    elsewhere.write_text(json.dumps({"type": "FeatureCollection", "features": east}), "utf-8")
    cases: dict[str, tuple[Path, str | None, dict[str, Any]]] = {
        "missing": (folder / "nowhere.geojson", None, {}),
        "kind": (Path(__file__), None, {}),
        "unreadable": (broken, None, {}),
        "points": (points, None, {}),
        "remote": (good, "https://example.org/stac", {}),
        "no catalog": (good, str(folder / "nowhere.json"), {}),
        "no bands": (good, far, {}),
        "another place": (elsewhere, far, {}),
        "no day": (good, None, {"season": {"start": "2024-02-30"}}),
        "backwards": (good, None, {"season": {"start": "2026-01-01"}}),
        "currency": (good, None, {"currency": "euro"}),
    }
    return cases[name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "nowhere.geojson does not exist: give the file of outlines"),
        ("kind", "is of unknown kind '.py': use one of .csv"),
        ("unreadable", "is not JSON (line 1): export the file again as GeoJSON"),
        ("points", "none of the 1 rows of"),
        (
            "remote",
            "is not on disk, and `fieldline init` looks at local static catalogs only: leave",
        ),
        ("no catalog", "nowhere.json does not exist: give the catalog.json"),
        ("no bands", "has a red and a near-infrared Sentinel-2 band"),
        ("another place", "none of the 6 scenes of"),
        ("no day", "--start '2024-02-30' is no day: write it as YYYY-MM-DD"),
        ("backwards", "season 2025 runs 2026-01-01 to 2025-06-30"),
        ("currency", "`county.county.currency`"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(
    name: str, sentence: str, tmp_path: Path
) -> None:
    parcels, catalog, options = _wrong(name, tmp_path)
    with pytest.raises(UserError) as refused:
        init(tmp_path / "county", parcels, catalog, **options)
    assert sentence in str(refused.value)
    assert not (tmp_path / "county").exists()


def test_the_command_says_its_guesses_and_refuses_a_file_for_a_folder(tmp_path: Path) -> None:
    source = geojson(tmp_path / "out lines.geojson", PLAIN)
    command = [sys.executable, "-m", "fieldline.workflows.cli", "init", "--parcels", source.name]

    def run(folder: str) -> subprocess.CompletedProcess[str]:
        whole = [*command, folder]
        return subprocess.run(whole, capture_output=True, text=True, cwd=tmp_path, check=False)

    good = run("my county")
    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines()[-1] == "my county/county.yaml"
    check = "  fieldline parcels check 'out lines.geojson' --county my-county -c"
    assert check in good.stdout
    bad = run(source.name)
    assert bad.returncode == 2
    assert bad.stderr.strip().endswith("is a file: name a folder for the county.")


def test_every_table_that_a_lender_may_give_is_proposed_and_what_is_proposed_loads(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "county"
    init(folder, geojson(tmp_path / "outlines.geojson", PLAIN))
    file = folder / "county.yaml"
    text = file.read_text(encoding="utf-8")
    proposed = {
        name for name in TABLES if re.search(rf"^      # {name}: \S", text, re.MULTILINE)
    }  # fmt: skip
    # series of other places are not a county's to collect
    assert set(TABLES) - proposed == {"labelled_series"}
    assert "#   rule_tables: [./rules.csv]" in text
    taken = re.sub(rf"^(      )# ((?:{'|'.join(proposed)}): )", r"\1\2", text, flags=re.MULTILINE)
    file.write_text(taken, encoding="utf-8")
    config = loaded(folder)
    for name in proposed:
        assert getattr(config.county[config.counties[0]].inputs, name) is not None, name
