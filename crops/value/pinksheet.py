"""The World Bank's monthly price workbook, read with nothing but the standard library.

Owns the few rules of that one sheet: row 5 names the series, row 6 its unit, column A the month.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from fieldline.pipeline.records.errors import UserError

_NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_SHEET = "Monthly Prices"
_NAME_ROW, _UNIT_ROW = 5, 6
_MONTH = re.compile(r"^(\d{4})M(\d{2})$")
_COLUMN = re.compile(r"^[A-Z]+")
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    StopIteration,
    ElementTree.ParseError,
)
Rows = dict[int, dict[str, str]]


def is_pink_sheet(path: Path) -> bool:
    """Whether a file is a workbook with the sheet `Monthly Prices`."""
    if path.suffix.lower() != ".xlsx" or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as book:
            return bool(_sheet_name(book))
    except _BROKEN:
        return False


def read_pink_sheet(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read the sheet `Monthly Prices`.

    Returns:
        Prices by month (first day) and series name, and the unit of each series as written.

    Raises:
        UserError: The file is not that workbook.
    """
    if not path.is_file():
        raise UserError(f"price table {path} does not exist", "correct inputs.prices")
    try:
        with zipfile.ZipFile(path) as book:
            rows = _rows(book)
    except (*_BROKEN, IndexError, ValueError) as error:
        raise UserError(
            f"{path} is not a World Bank price workbook", f"give the file with a sheet {_SHEET!r}"
        ) from error
    names = {column: text.strip() for column, text in rows.get(_NAME_ROW, {}).items()}
    units = {names[c]: text.strip() for c, text in rows.get(_UNIT_ROW, {}).items() if c in names}
    months, records = [], []
    for cells in rows.values():
        found = _MONTH.match(cells.get("A", ""))
        if found:
            months.append(pd.Timestamp(int(found[1]), int(found[2]), 1))
            records.append({name: cells.get(column) for column, name in names.items()})
    frame = pd.DataFrame(records, index=months).apply(pd.to_numeric, errors="coerce")
    return frame, units


def _rows(book: zipfile.ZipFile) -> Rows:
    texts = _shared_texts(book)
    rows: Rows = {}
    for cell in ElementTree.fromstring(book.read(_sheet_name(book))).iter(f"{_NAMESPACE}c"):
        value = cell.find(f"{_NAMESPACE}v")
        place = cell.attrib["r"]
        column = _COLUMN.match(place)
        if value is None or value.text is None or column is None:
            continue
        text = texts[int(value.text)] if cell.get("t") == "s" else value.text
        rows.setdefault(int(place[column.end() :]), {})[column[0]] = text
    return rows


def _shared_texts(book: zipfile.ZipFile) -> list[str]:
    tree = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
    return ["".join(_texts(item)) for item in tree.iter(f"{_NAMESPACE}si")]


def _texts(item: ElementTree.Element) -> Iterator[str]:
    yield from (part.text or "" for part in item.iter(f"{_NAMESPACE}t"))


def _sheet_name(book: zipfile.ZipFile) -> str:
    sheets = ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{_NAMESPACE}sheet")
    wanted = next(sheet.attrib[_RELATION] for sheet in sheets if sheet.get("name") == _SHEET)
    links = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    return "xl/" + next(link.attrib["Target"] for link in links if link.get("Id") == wanted)
