"""Offers as a workbook, opened again by a reader that is not the writer."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from python_calamine import CalamineWorkbook

from fieldline.lending.store.database import open_database, posting
from fieldline.lending.store.offers import (
    CSV_COLUMNS,
    beside_offers,
    live_offers,
    offers_text,
    offers_workbook,
)
from fieldline.lending.workbook import workbook
from fieldline.pipeline.records.errors import UserError

FORMULAS = ["=cmd|' /C calc'!A0", "+8613800138000", "-1", "@SUM(A1)", "\t=1", "=HYPERLINK(1)"]
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells(content: bytes) -> list[list[Any]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()


def part(content: bytes, name: str) -> ElementTree.Element:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return ElementTree.fromstring(book.read(name))


@pytest.fixture
def posted(county: Any, loans: Any) -> Any:
    """Two approvals, a review and a decline, posted; one village is named like a formula."""
    county.loans = loans
    county.add("a", "ann", width=200, village="=HYPERLINK(1)")
    county.add("b", "bob", x=1000, village="东风村")
    county.add("c", "cat", x=2000, yield_t_ha=None)
    for farmer in ("ann", "bob", "cat"):
        county.apply(farmer)
    county.refused["eve"] = ["too_cloudy"]
    county.absent = {"weather": "there are no hazard indices"}
    county.decide()
    county.offers(county.path("db.sqlite"))
    return county


def beside(county: Any) -> Any:
    places = (county.path("parcels.parquet"), county.path("evidence.parquet"))
    return beside_offers(*places, county.absent)


def test_every_value_of_the_csv_is_in_the_workbook_as_the_kind_that_it_is(posted: Any) -> None:
    engine = open_database(posted.path("db.sqlite"))
    rows = live_offers(engine, "T", "2024")
    assert offers_text(rows, beside(posted)) == posted.path("offers.csv").read_text("utf-8")
    head, *body = cells(offers_workbook(rows, beside(posted)))
    text = posted.path("offers.csv").read_text(encoding="utf-8-sig")
    written = list(csv.DictReader(io.StringIO(text)))
    assert (len(body), len(head)) == (len(written), len(CSV_COLUMNS)) == (4, 26)
    for told, row in zip(written, body, strict=True):
        for name, value in zip(CSV_COLUMNS, row, strict=True):
            expected: Any = told[name].removeprefix("'")
            if expected and name in {"valid_from", "valid_to"}:
                expected = dt.date.fromisoformat(expected)
            elif expected and name in {
                "limit", "annual_rate", "tenor_days", "day_basis", "area_mu", "area_ha",
            }:  # fmt: skip
                expected = float(expected)
            assert value == expected, name
            assert type(value) is type(expected), name
    limits = [row[CSV_COLUMNS.index("limit")] for row in body]
    assert sum(isinstance(limit, float) for limit in limits) == 2
    assert "=HYPERLINK(1)" in [row[CSV_COLUMNS.index("village")] for row in body]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_like_a_formula_stays_a_text_when_its_cell_is_edited(text: str) -> None:
    content = workbook([{"name": text, "currency": "CNY"}], ("name", "currency"))
    assert cells(content)[1] == [text, "CNY"]
    sheet = part(content, "xl/worksheets/sheet1.xml")
    assert list(sheet.iter(f"{_MAIN}f")) == []
    assert list(sheet.iter(f"{_MAIN}hyperlink")) == []
    (name, currency) = list(sheet.iter(f"{_MAIN}row"))[1]
    looks = part(content, "xl/styles.xml").find(f"{_MAIN}cellXfs")
    assert looks is not None
    assert looks[int(name.attrib["s"])].attrib["quotePrefix"] == "1"
    assert "s" not in currency.attrib


@pytest.mark.parametrize(
    ("currency", "limit", "shown"),
    [("CNY", "12345.60", "#,##0.00"), ("VND", "8000000", "#,##0"), ("KWD", "1.250", "#,##0.000")],
)
def test_money_is_a_number_with_the_decimals_of_its_currency(
    currency: str, limit: str, shown: str
) -> None:
    content = workbook([{"limit": limit, "currency": currency}], ("limit", "currency"))
    assert Decimal(str(cells(content)[1][0])) == Decimal(limit)
    styles = part(content, "xl/styles.xml")
    made = {f.attrib["numFmtId"]: f.attrib["formatCode"] for f in styles.iter(f"{_MAIN}numFmt")}
    made |= {"3": "#,##0", "4": "#,##0.00"}  # ECMA-376, 18.8.30: formats that need no writing
    looks = styles.find(f"{_MAIN}cellXfs")
    cell = list(part(content, "xl/worksheets/sheet1.xml").iter(f"{_MAIN}c"))[2]
    assert looks is not None
    assert made[looks[int(cell.attrib["s"])].attrib["numFmtId"]] == shown


def test_the_headings_are_in_both_languages_and_stay_in_sight_over_columns_wide_enough() -> None:
    reasons = "土地已登记并且种植了玉米"
    row = {"limit": "1234567.00", "currency": "CNY", "reasons_zh": reasons}
    content = workbook([row], ("limit", "currency", "reasons_zh"))
    assert cells(content)[0] == ["Limit\n授信额度", "Currency\n币种", "Reasons (Chinese)\n原因"]
    sheet = part(content, "xl/worksheets/sheet1.xml")
    pane = next(sheet.iter(f"{_MAIN}pane"))
    assert (pane.attrib["ySplit"], pane.attrib["state"]) == ("1", "frozen")
    widths = [float(column.attrib["width"]) for column in sheet.iter(f"{_MAIN}col")]
    assert widths[0] >= len("1,234,567.00")
    assert widths[2] >= 2 * len(reasons)


def test_an_amount_of_more_digits_than_a_sheet_keeps_is_text_and_loses_none() -> None:
    rows = [{"limit": "9999999999999.99", "currency": "CNY"},
            {"limit": "90071992547409.93", "currency": "CNY"}]  # fmt: skip
    assert [row[0] for row in cells(workbook(rows, ("limit",)))[1:]] == [
        9999999999999.99, "90071992547409.93",
    ]  # fmt: skip


def test_a_text_longer_than_a_cell_is_cut_and_says_where_the_rest_is() -> None:
    (cell,) = cells(workbook([{"parcels": "p" * 40_000}], ("parcels",)))[1]
    assert len(cell) == 32_767
    assert cell.endswith("ppp ... (the CSV file has the rest)")


def test_more_offers_than_a_sheet_holds_are_one_sentence() -> None:
    with pytest.raises(
        UserError, match=r"3 offers do not fit on a sheet of 2 rows: export them as CSV"
    ):
        workbook([{}] * 3, ("limit",), most_rows=2)


def test_equal_rows_make_equal_files() -> None:
    row = {"limit": "5.00", "currency": "CNY", "valid_from": dt.date(2024, 6, 1)}
    columns = ("limit", "valid_from")
    assert workbook([row], columns) == workbook([dict(row)], columns)
    assert b"2000-01-01T00:00:00Z" in ElementTree.tostring(
        part(workbook([row], columns), "docProps/core.xml")
    )


def test_a_county_without_live_offers_is_one_sentence(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    with posting(engine):
        pass
    with pytest.raises(UserError, match="county T has no live offer of season 2024"):
        live_offers(engine, "T", "2024")
