"""Whole tables as they are saved: encodings, separators, headers, workbooks, Parquet."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

import pandas as pd
import pytest

from fieldline.pipeline.inputs import delimited
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import outcome_codes

LAND = InputSchema(
    "registry",
    "the land registry",
    (
        InputColumn("parcel_id", "id", "Parcel", required=True, needed=True),
        InputColumn(
            "area_m2", "number", "Area", "m2", required=True, needed=True, minimum=1, maximum=1e8,
            quantity="area", units={"area_mu": 1e4 / 15, "area_ha": 1e4},
        ),
        InputColumn("holder_id", "id", "Holder", named_as=("farmer_id",), personal=True),
        InputColumn("crop", "crop", "Crop", named_as=("declared_crop",)),
        InputColumn("recorded_on", "date", "Day of record", required=True, needed=True),
    ),
)  # fmt: skip
ROWS = [
    ("00123", "2600.5", "341122198001011234", "玉米", "2024-04-21"),
    ("00124", "1300", "F2", "Soybean", "2023-12-01"),
]
ENGLISH = ["parcel_id", "area_m2", "holder_id", "crop", "recorded_on"]


def lines(header: list[str], rows: list[tuple[str, ...]], mark: str) -> str:
    return "".join(mark.join(row) + "\n" for row in [tuple(header), *rows])


def table(tmp_path: Path, data: bytes, name: str = "land.csv") -> InputTable:
    path = tmp_path / name
    path.write_bytes(data)
    return read_input(path, LAND)


def assert_read(read: InputTable) -> None:
    frame = read.frame
    assert read.problems == []
    assert frame["parcel_id"].tolist() == ["00123", "00124"]
    assert frame["area_m2"].tolist() == [2600.5, 1300.0]
    assert frame["holder_id"].tolist() == ["341122198001011234", "F2"]
    assert frame["crop"].tolist() == ["maize", "soybean"]
    assert frame["recorded_on"].dt.date.tolist() == [dt.date(2024, 4, 21), dt.date(2023, 12, 1)]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"]
)
def test_every_encoding_and_separator_gives_the_same_table(
    mark: str, encoding: str, tmp_path: Path
) -> None:
    assert_read(table(tmp_path, lines(ENGLISH, ROWS, mark).encode(encoding)))


def as_sep_hint(text: str) -> str:
    return "sep=;\n" + text.replace(",", ";")


def as_crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def with_title(text: str) -> str:
    return "XX县土地承包经营权登记表,,,,\n\n" + text


def with_blank_rows(text: str) -> str:
    head, *rows = text.splitlines()
    return "\n".join([head, "", rows[0], ",,,,", rows[1], "", ""])


def with_trailing_marks(text: str) -> str:
    return text.replace("\n", ",,\n")


def with_quotes(text: str) -> str:
    return "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in text.splitlines())


def with_text_guards(text: str) -> str:
    return text.replace("00123", '"=""00123"""').replace("00124", "'00124")


def with_blanks(text: str) -> str:
    return text.replace("00123", " 00123\u3000").replace("F2", "\u00a0F2 ")


@pytest.mark.parametrize(
    "changed",
    [as_sep_hint, as_crlf, with_title, with_blank_rows, with_trailing_marks, with_quotes,
     with_text_guards, with_blanks],
)  # fmt: skip
def test_what_spreadsheets_do_to_a_file_changes_nothing(
    changed: Callable[[str], str], tmp_path: Path
) -> None:
    assert_read(table(tmp_path, changed(lines(ENGLISH, ROWS, ",")).encode()))


@pytest.mark.parametrize(
    "header",
    [
        ["地块编号", "面积(平方米)", "承包方编码", "作物名称", "登记日期"],
        ["地块编码", "面积（㎡）", "权利人编号", "种植作物", "登记时间"],
        ["Parcel ID", "Area [m2]", "HOLDER_ID", "Crop Type", "Registration-Date"],
        ["Schlag Nr", "Fläche m2", "Betriebsnummer", "Kultur", "Eintragungsdatum"],
        ["ＰＡＲＣＥＬ＿ＩＤ", "area m²", "holder id", "crop", "recorded on"],
    ],
)
def test_common_headers_need_no_mapping(header: list[str], tmp_path: Path) -> None:
    assert_read(table(tmp_path, lines(header, ROWS, ",").encode()))


def test_a_mapping_decides_and_states_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "land.csv"
    path.write_text("no,Größe,since\nP1,3.9,2024-04-21\n", encoding="utf-8")
    mapping = {"parcel_id": "no", "area_mu": "Größe", "recorded_on": "since"}
    read = read_input(path, LAND, Reading(columns=mapping))
    assert read.frame["area_m2"].tolist() == pytest.approx([2600])
    with pytest.raises(UserError, match=r"'nowhere', which .*area_ha names"):
        read_input(path, LAND, Reading(columns={**mapping, "area_ha": "nowhere"}))
    with pytest.raises(UserError, match="names size, which the land registry does not have"):
        read_input(path, LAND, Reading(columns={**mapping, "size": "no"}))


def test_an_area_without_a_unit_is_refused_by_row_and_one_with_a_unit_is_read(
    tmp_path: Path,
) -> None:
    text = "地块编号,面积,登记日期\nP1,3.9,2024-04-21\nP2,3.9亩,2024-04-21\n"
    read = table(tmp_path, text.encode())
    assert [(p.row, p.column, p.code) for p in read.problems] == [
        (1, "area_m2", "input_unknown_unit")
    ]
    assert read.good["area_m2"].tolist() == pytest.approx([2600])


def test_a_bad_cell_is_coded_and_every_other_row_goes_on(tmp_path: Path) -> None:
    good = [(f"P{i}", "2600", f"F{i}", "maize", "2024-04-21") for i in range(20)]
    bad = [
        ("Q1", "-", "F", "maize", "2024-04-21"), ("Q2", "inf", "F", "maize", "2024-04-21"),
        ("Q3", "-5", "F", "maize", "2024-04-21"), ("Q4", "1e12", "F", "maize", "2024-04-21"),
        ("Q5", "2600", "F", "maize", "长期"), ("Q6", "2600", "3.41122E+17", "maize", "2024-04-21"),
        ("Q7", "2600", "F", "dragon", "2024-04-21"), ("Q8", "2600", "F", "maize", ""),
        ("1.23457E+17", "2600", "F", "maize", "2024-04-21"), ("", "2600", "F", "", "2024-04-21"),
        ("Q11", "2600", "F", "maize", "2024-04-21", "more"),
    ]  # fmt: skip
    read = table(tmp_path, lines(ENGLISH, good + bad, ",").encode())
    assert read.good["parcel_id"].tolist() == [f"P{i}" for i in range(20)]
    assert {p.row - 20: p.code for p in reversed(read.problems)} == {
        1: "input_missing", 2: "input_not_a_number", 3: "input_out_of_range",
        4: "input_out_of_range", 5: "input_not_a_date", 6: "input_damaged_id",
        7: "input_unknown_crop", 8: "input_missing", 9: "input_damaged_id", 10: "input_missing",
        11: "input_extra_cells",
    }  # fmt: skip
    assert {problem.code for problem in read.problems} <= set(outcome_codes())


def test_no_message_repeats_a_cell_that_may_be_a_persons(tmp_path: Path) -> None:
    rows = [("P1", "2600", "3.41122E+17", "maize", "2024-04-21")]
    read = table(tmp_path, lines(ENGLISH, rows, ",").encode())
    assert [(p.column, p.value) for p in read.problems] == [("holder_id", "")]


def test_a_number_that_two_offices_read_differently_is_settled_by_the_file(tmp_path: Path) -> None:
    rows = [("P1", "1.234", "F", "maize", "30.09.2024"), ("P2", "3,9", "F", "maize", "1.10.2024")]
    german = table(tmp_path, lines(ENGLISH, rows, ";").encode())
    assert german.frame["area_m2"].tolist() == [1234.0, 3.9]
    alone = table(tmp_path, lines(ENGLISH, rows[:1], ";").encode())
    assert [p.code for p in alone.problems] == ["input_ambiguous_number"]
    english = table(tmp_path, lines(ENGLISH, rows[:1], ",").encode())
    assert english.frame["area_m2"].tolist() == [1.234]


def test_an_open_number_of_which_one_reading_is_possible_is_that(tmp_path: Path) -> None:
    schema = InputSchema(
        "cells",
        "cells",
        (InputColumn("lon", "number", "", minimum=-180, maximum=180),),
    )
    (tmp_path / "c.csv").write_text("lon;x\n115.900;1\n", encoding="utf-8")
    assert read_input(tmp_path / "c.csv", schema).frame["lon"].tolist() == [115.9]


def test_a_mostly_gbk_file_with_one_utf8_row_loses_neither(tmp_path: Path) -> None:
    head = lines(ENGLISH, [], ",").encode()
    gbk = [lines([*row], [], ",").encode("gbk") for row in ROWS]
    utf8 = "00125,1,F3,大豆,2024-01-01\n".encode()
    read = table(tmp_path, head + b"".join(gbk) + utf8)
    assert read.frame["crop"].tolist() == ["maize", "soybean", "soybean"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\n", "is empty"),
        (b"parcel_id,area_m2,recorded_on\n", "holds no row below its header"),
        (b"parcel_id,size\nP1,3\n", "has no column area_m2, recorded_on (columns found: parcel_id"),
        (b"parcel_id,area_m2,area_m2,recorded_on\nP,1,,2024-01-01\n", "two columns are called"),
        (b"parcel_id,area_m2,area_mu,recorded_on\nP,1,2,2024-01-01\n", ""),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00\x01\x00", "is no text file"),
        (b"\xff\xfea", "says that it is UTF-16"),
        (
            b"parcel_id,area_m2,recorded_on\nP,1,234.5,2024-01-01\nQ,1,234.5,2024-01-01\n",
            "as most rows have more",
        ),
        (
            b'parcel_id,area_m2,recorded_on\nP,"1,2024-01-01\nQ,1,2024-01-01\nR,1,2024-01-01\n',
            "row 1: a quote is opened there and not closed",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(data: bytes, says: str, tmp_path: Path) -> None:
    if not says:
        assert table(tmp_path, data).frame["area_m2"].tolist() == [1.0]
        return
    with pytest.raises(UserError) as refused:
        table(tmp_path, data)
    assert says in str(refused.value)
    assert str(tmp_path / "land.csv") in str(refused.value)


@pytest.mark.parametrize("name", ["land.parquet", "land.xlsx", "land.xls"])
def test_bytes_under_a_wrong_ending_are_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="land"):
        table(tmp_path, b"parcel_id,area_m2\n1,2\n", name)


def test_an_absent_file_a_folder_and_an_unknown_kind_name_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist: correct .*\.registry"):
        read_input(tmp_path / "none.csv", LAND)
    with pytest.raises(UserError, match=r"is a folder"):
        read_input(tmp_path, LAND)
    with pytest.raises(UserError, match=r"unknown kind '.doc'"):
        table(tmp_path, b"x", "land.doc")


def test_parquet_keeps_its_own_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "parcel_id": [123.0, 124.0], "area_m2": [2600.5, 1300.0],
            "holder_id": pd.Categorical(["00123", "F2"]), "crop": ["玉米", "Soybean"],
            "recorded_on": pd.to_datetime(["2024-04-21 16:20+08:00", "2023-12-01 00:00+08:00"]),
        }
    )  # fmt: skip
    frame.to_parquet(tmp_path / "land.parquet")
    read = read_input(tmp_path / "land.parquet", LAND).frame
    assert read["parcel_id"].tolist() == ["123", "124"]
    assert read["holder_id"].tolist() == ["00123", "F2"]
    assert read["recorded_on"].dt.date.tolist() == [dt.date(2024, 4, 21), dt.date(2023, 12, 1)]
    frame.assign(parcel_id=[1.23457e17, 124.0]).to_parquet(tmp_path / "land.parquet")
    damaged = read_input(tmp_path / "land.parquet", LAND)
    assert [(p.row, p.code) for p in damaged.problems] == [(1, "input_damaged_id")]


def test_a_text_of_digits_is_another_id_than_a_number_with_a_point(tmp_path: Path) -> None:
    rows = [("123", "1", "F", "maize", "2024-01-01"), ("123.0", "1", "F", "maize", "2024-01-01")]
    assert table(tmp_path, lines(ENGLISH, rows, ",").encode()).frame["parcel_id"].tolist() == [
        "123", "123.0",
    ]  # fmt: skip


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    """Write a workbook by hand from the parts that ISO 29500 asks for."""
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"

    def cell(value: object) -> str:
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'

    with zipfile.ZipFile(path, "w") as book:
        kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml."
        overrides = (
            '<Override PartName="/xl/workbook.xml" ContentType="' + kinds + 'sheet.main+xml"/>'
        )
        listed = related = ""
        for number, (name, rows) in enumerate(sheets.items(), start=1):
            part = f"worksheets/sheet{number}.xml"
            overrides += f'<Override PartName="/xl/{part}" ContentType="{kinds}worksheet+xml"/>'
            listed += f'<sheet name="{escape(name)}" sheetId="{number}" r:id="r{number}"/>'
            related += f'<Relationship Id="r{number}" Type="{relation}/worksheet" Target="{part}"/>'
            body = "".join("<row>" + "".join(map(cell, row)) + "</row>" for row in rows)
            sheet = f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
            book.writestr(f"xl/{part}", sheet)
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
            f'ContentType="application/xml"/>{overrides}</Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
            f'Type="{relation}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{relation}"><sheets>{listed}</sheets></workbook>',
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">{related}</Relationships>',
        )


def test_a_workbook_under_a_title_is_read_and_its_other_sheets_are_named(tmp_path: Path) -> None:
    head: list[object] = ["地块编号", "面积(亩)", "承包方编码", "作物", "登记日期"]
    sheets: dict[str, list[list[object]]] = {
        "说明": [["请勿修改"]],
        "东村": [["东村登记表"], head, [123, 3.9, "00123", "玉米", "2024/4/21"]],
        "西村": [
            head,
            ["124", 7.8, "F2", "大豆", "2023年12月1日"],
            ["125", 1, 3.41e17, "大豆", "-"],
        ],
    }
    workbook(tmp_path / "land.xlsx", sheets)
    read = read_input(tmp_path / "land.xlsx", LAND)
    assert read.frame["parcel_id"].tolist() == ["123", "124", "125"]
    assert read.frame["area_m2"].tolist() == pytest.approx([2600, 5200, 2000 / 3])
    assert read.frame["crop"].tolist() == ["maize", "soybean", "soybean"]
    assert [(p.row, p.code) for p in read.problems] == [
        (3, "input_damaged_id"), (3, "input_missing"),
    ]  # fmt: skip
    assert read.remarks == ("sheets not read: 说明",)


def test_a_column_that_cannot_be_read_at_all_is_said_in_one_sentence(tmp_path: Path) -> None:
    rows = [(f"P{i}", "about 3", "F", "maize", "2024-01-01") for i in range(4)]
    read = table(tmp_path, lines(ENGLISH, rows, ",").encode())
    assert read.remarks == (
        "no cell of column 'area_m2' could be read as area_m2, such as 'about 3' in row 1 "
        "(input_not_a_number)",
    )


def test_a_plain_file_read_by_arrow_equals_the_reading_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        (f"P{i}", f"{i * 7.5}", f"F{i % 3}", "maize", f"2024-01-{i % 28 + 1:02d}")
        for i in range(1, 200)
    ]
    data = lines(ENGLISH, [*rows[:50], ("", "", "", "", ""), *rows[50:]], ",").encode()
    fast = table(tmp_path, data)
    monkeypatch.setattr(delimited, "_fast", lambda *_: None)
    slow = table(tmp_path, data)
    pd.testing.assert_frame_equal(fast.frame, slow.frame)
    assert fast.problems == slow.problems == []


PAPERS = InputSchema(
    "applications",
    "applications",
    (
        InputColumn("farmer_id", "id", "Farmer", required=True),
        InputColumn("household_id", "id", "Household"),
        InputColumn("currency", "currency", "Currency"),
        InputColumn("requested_amount", "money", "Request", "currency"),
    ),
)


def papers(tmp_path: Path, text: str) -> InputTable:
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    return read_input(path, PAPERS, Reading("CNY"))


def test_a_name_of_two_ids_is_the_one_that_has_no_other_header(tmp_path: Path) -> None:
    read = papers(tmp_path, "农户编号,户号\n1,2\n")
    assert (read.headers["farmer_id"], read.headers["household_id"]) == ("农户编号", "户号")
    with pytest.raises(UserError, match="has no column farmer_id"):
        papers(tmp_path, "户号,币种\n1,CNY\n")


def test_rows_in_another_currency_are_told_by_row(tmp_path: Path) -> None:
    read = papers(tmp_path, "农户编号,币种,申请金额\n1,人民币,5\n2,美元,6\n3,,7\n")
    assert [(p.row, p.column, p.code, p.value) for p in read.problems] == [
        (2, "currency", "input_other_currency", "USD")
    ]
    assert read.frame["requested_amount"].fillna(-1).tolist() == [500, -1, 700]


@pytest.mark.parametrize("name", ["申请金额(万元)", "申请金额（万元）", "requested_amount 万元"])
def test_the_header_of_an_amount_states_its_unit(tmp_path: Path, name: str) -> None:
    read = papers(tmp_path, f"农户编号,{name}\n1,1.2\n2,\n3,30000元\n")
    assert read.frame["requested_amount"].fillna(-1).tolist() == [1_200_000, -1, 3_000_000]
    other = papers(tmp_path, "农户编号,申请金额(美元)\n1,1.2\n")
    assert [p.code for p in other.problems] == ["input_other_currency"]


def test_a_note_on_a_row_does_not_refuse_it(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("farmer_id,requested_amount\n1,5\n2,x\n", encoding="utf-8")

    def note(frame: pd.DataFrame) -> list[Problem]:
        return [Problem(1, "farmer_id", "input_repeated")]

    read = read_input(path, replace(PAPERS, rules=(note,)), Reading("CNY"))
    assert [p.row for p in read.problems] == [1, 2]
    assert read.bad_rows == set(read.problems_of_rows()) == {2}
    assert read.good["farmer_id"].tolist() == ["1"]
