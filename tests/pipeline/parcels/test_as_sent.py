"""Parcel tables as spreadsheets leave them: the rows, ids and areas that a person would read."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldline.pipeline.parcels.intake import check_file
from fieldline.pipeline.parcels.readers import read_parcel_file
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.errors import UserError

MU = 10_000 / 15
HEAD = ["parcel_id", "farmer_id", "village", "declared_crop", "declared_area_mu", "geometry"]


def ring(place: int) -> str:
    west, east = 115.9 + place / 1000, 115.9005 + place / 1000
    return f"POLYGON (({west} 33.2, {east} 33.2, {east} 33.2005, {west} 33.2005, {west} 33.2))"


def table(rows: list[list[str]], mark: str = ",", head: list[str] | None = None) -> str:
    """Return rows with an outline each, quoted as a spreadsheet does."""
    cells = [head or HEAD, *([*row, f'"{ring(n)}"'] for n, row in enumerate(rows))]
    return "".join(mark.join(row) + "\n" for row in cells)


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "parcels.csv"
    path.write_bytes(data)
    return path


def outcomes(path: Path) -> list[tuple[str, str]]:
    found = check_file(path, columns={}, crs="EPSG:4326", boundary=None, settings=IntakeSettings())
    return list(zip(found["parcel_id"], found["outcome"], strict=True))


PLAIN = [["P0", "F0", "东村", "玉米", "3.9"], ["P1", "F1", "东村", "大豆", "4"]]


@pytest.mark.parametrize(
    ("mark", "encoding", "before"),
    [
        (",", "utf-8", ""), (";", "utf-8-sig", ""), ("\t", "utf-16", ""), (";", "utf-8", "sep=;\n"),
        ("\t", "utf-16-be", ""),
    ],
)  # fmt: skip
def test_separators_and_encodings_change_no_row(
    mark: str, encoding: str, before: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, (before + table(PLAIN, mark)).encode(encoding))
    assert outcomes(path) == [("P0", "ok"), ("P1", "ok")]
    frame = read_parcel_file(path, crs="EPSG:4326").frame
    assert frame["declared_area_m2"].tolist() == pytest.approx([3.9 * MU, 4 * MU])
    assert frame["village"].tolist() == ["东村", "东村"]


def test_a_decimal_comma_is_one_where_semicolons_separate(tmp_path: Path) -> None:
    rows = [
        ["P0", "F0", "", "", "3,9"],
        ["P1", "F1", "", "", "1.234,5"],
        ["P2", "F2", "", "", "1.234"],
    ]
    frame = read_parcel_file(saved(tmp_path, table(rows, ";").encode()), crs="EPSG:4326").frame
    assert frame["declared_area_m2"].tolist() == pytest.approx([3.9 * MU, 1234.5 * MU, 1234 * MU])


def test_areas_with_their_unit_are_read_and_a_guess_is_noted(tmp_path: Path) -> None:
    areas = ["3.9亩", "3.9 mu", "３．９", "3。9", "0.26公顷", "2600 m²", "约4亩", "3.9"]
    rows = [[f"P{n}", f"F{n}", "", "", area] for n, area in enumerate(areas)]
    path = saved(tmp_path, table(rows).encode())
    found = read_parcel_file(path, crs="EPSG:4326").frame["declared_area_m2"]
    assert found.drop(6).tolist() == pytest.approx([2600.0] * 7)
    assert found.isna().tolist() == [False] * 6 + [True, False]
    assert [outcome for _, outcome in outcomes(path)] == ["ok"] * 6 + ["unreadable_area", "ok"]


def test_an_area_without_a_unit_is_not_read_and_that_is_said(tmp_path: Path) -> None:
    head = ["parcel_id", "farmer_id", "面积", "geometry"]
    path = saved(tmp_path, table([["P0", "F0", "3.9"]], head=head).encode())
    file = read_parcel_file(path, crs="EPSG:4326")
    assert file.frame["declared_area_m2"].isna().all()
    assert any("'面积' states no unit and is not read" in sentence for sentence in file.said)


@pytest.mark.parametrize(
    ("header", "cell", "m2"),
    [
        ("area (rai)", "5", 8000), ("เนื้อที่ (ไร่)", "5", 8000), ("declared_area", "2 งาน", 800),
        ("area (feddan)", "2", 8401.67), ("declared_area (坪)", "1000", 3305.785),
        ("면적 (평)", "1000", 3305.785), ("area (stremmata)", "8.2", 8200),
        ("área (mz)", "1", 6987), ("area (dönüm)", "8", 8000), ("area guntha", "40", 4046.856),
        ("area (sq ft)", "100", 9.290304), ("area (cents)", "100", 4046.856),
        ("površina (jutro)", "1", 5754.64), ("area (га)", "0.5", 5000),
        ("面積 (反)", "1", 991.7355), ("area (km2)", "0.01", 10000),
    ],
)  # fmt: skip
def test_areas_of_other_countries_are_converted(
    tmp_path: Path, header: str, cell: str, m2: float
) -> None:
    """A rai is 40 m squared, a feddan 24 kirat of 175.035 m2, a pyeong 400/121 m2."""
    head = ["parcel_id", "farmer_id", header, "geometry"]
    path = saved(tmp_path, table([["P0", "F0", cell]], head=head).encode())
    found = read_parcel_file(path, crs="EPSG:4326").frame["declared_area_m2"]
    assert found.tolist() == pytest.approx([m2], rel=1e-5)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("area (bigha)", "1338 m2 in West Bengal to 6773 m2 in Nepal"),
        ("area (sào)", "360 m2 in the north of Vietnam"),
        ("declared_area [jerib]", "2000 m2 in Afghanistan and 10000 m2 in Iran"),
        ("area (dunam)", "2500 m2 in Iraq"),
        ("area_morgen", "8565 m2 in South Africa"),
    ],
)
def test_a_unit_that_is_another_in_the_next_region_is_said(
    tmp_path: Path, header: str, says: str
) -> None:
    head = ["parcel_id", "farmer_id", header, "geometry"]
    path = saved(tmp_path, table([["P0", "F0", "3"]], head=head).encode())
    file = read_parcel_file(path, crs="EPSG:4326")
    assert file.frame["declared_area_m2"].isna().all()
    (told,) = [s for s in file.said if "another in the next region" in s]
    assert f"column {header!r} is in " in told
    assert says in told
    assert "convert it to ha" in told


@pytest.mark.parametrize("guard", ['"=""{}"""', "'{}", " {}\u3000", "\u00a0{}"])
def test_guards_and_blanks_are_no_part_of_an_id(guard: str, tmp_path: Path) -> None:
    rows = [[guard.format("00123"), guard.format("341122000"), "", "", "4"]]
    frame = read_parcel_file(saved(tmp_path, table(rows).encode()), crs="EPSG:4326").frame
    assert frame[["parcel_id", "farmer_id"]].to_numpy().tolist() == [["00123", "341122000"]]


def test_rounded_ids_are_refused_row_by_row_and_never_one_farmer(tmp_path: Path) -> None:
    rows = [
        ["P0", "3.41122E+17", "", "", "4"], ["P1", "3,41122E+17", "", "", "4"],
        ["3.41122E+17", "F2", "", "", "4"], ["P3", "341122198001011234", "", "", "4"],
    ]  # fmt: skip
    assert outcomes(saved(tmp_path, table(rows, ";").encode())) == [
        ("P0", "input_damaged_id"), ("P1", "input_damaged_id"), ("row3", "input_damaged_id"),
        ("P3", "ok"),
    ]  # fmt: skip


def test_a_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    head = ["parcel_id", "farmer_id", "farmer_id", "geometry"]
    with pytest.raises(UserError, match="two columns are called 'farmer_id'"):
        outcomes(saved(tmp_path, table([["P0", "F0", ""]], head=head).encode()))


def test_headers_in_any_case_are_the_same_columns(tmp_path: Path) -> None:
    head = ["Parcel_ID", "FARMER_ID", "WKT"]
    assert outcomes(saved(tmp_path, table([["P0", "F0"]], head=head).encode())) == [("P0", "ok")]


def test_outlines_that_nobody_quoted_are_said_to_be_so(tmp_path: Path) -> None:
    text = table([["P0", "F0", "", "", "4"], ["P1", "F1", "", "", "4"]]).replace('"', "")
    with pytest.raises(UserError, match=r"row 1 has \d+, as most rows have more: put cells"):
        outcomes(saved(tmp_path, text.encode()))


def test_a_lone_quote_costs_its_own_row(tmp_path: Path) -> None:
    rows = [["P0", "F0", "Dong", "maize", "4"], ["P1", "F1", '"Dong', "maize", "4"],
            ["P2", "F2", "Dong", "maize", "4"]]  # fmt: skip
    assert outcomes(saved(tmp_path, table(rows).encode())) == [
        ("P0", "ok"), ("P1", "input_extra_cells"), ("P2", "ok"),
    ]  # fmt: skip
