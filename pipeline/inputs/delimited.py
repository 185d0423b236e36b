"""Text with separators: its encoding, its separator, its header and its rows.

Owns what spreadsheets and databases do to a CSV file: byte order marks, UTF-16, GB18030, `sep=`
lines, semicolons, titles above the header, an outline that nobody quoted. A plain file goes through
Arrow at its full speed; any doubt (odd rows, quotes over lines, mixed encodings) takes the reader
of the standard library, which sees every row.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from fieldline.pipeline.inputs.text import Text, read_text
from fieldline.pipeline.records.encodings import (
    ENCODING,
    REPLACEMENT,
    legacy_encoding,
    recover,
    recover_columns,
)
from fieldline.pipeline.records.errors import UserError

HeaderScore = Callable[[Sequence[str]], int]
"""How many names of a row are names that a table is asked for."""

_DELIMITERS = ",;\t|"
_HEADER_LINES = 10
_CHUNK = 1 << 24
#: Above this share of rows with too many cells it is the file that is wrong, not its rows.
_MOSTLY = 0.5


@dataclass(frozen=True)
class Delimited:
    """The rows of a text file by column."""

    names: list[str]
    columns: list[pa.Array]
    """Text, null where blank."""
    encoding: str
    delimiter: str
    wide: npt.NDArray[np.int64]
    """Rows (from 0) with more cells than the header."""
    notes: dict[int, str]
    """`text_decoded` or `text_damaged` by row, where the file is not UTF-8."""


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    names: list[str]
    skipped: int
    """Records up to and with the header."""
    plain: bool
    """Whether these records are lines: no name goes over a line's end."""


def read_delimited(path: Path, score: HeaderScore) -> Delimited:
    """Read a text file.

    Args:
        path: The file.
        score: Counts the known names of a row, to find the header under a title.

    Raises:
        UserError: The file is empty, holds no text, or its rows do not fit its header.
    """
    text = read_text(path)
    if not text.sample.strip():
        raise UserError(f"{path} is empty", "export it again with a header line")
    layout = _layout(path, text, score)
    columns = _fast(text, layout) if layout.plain else None
    if columns is None:
        found = _slow(path, text.settled(), layout)
    else:
        notes = _not_ascii(columns) if text.legacy else {}
        for column in columns if REPLACEMENT.encode() in text.data else ():
            notes |= damaged_rows(column)
        none = np.empty(0, dtype=np.int64)
        found = Delimited(layout.names, columns, text.encoding, layout.delimiter, none, notes)
    if not len(found.columns[0]):
        raise UserError(f"{path} holds no row below its header", "export it again with its rows")
    return found


def _layout(path: Path, text: Text, score: HeaderScore) -> _Layout:
    lines = list(islice(io.StringIO(text.sample, newline=None), _HEADER_LINES + 1))
    hint, start = _hint(lines[0])
    head = lines[start : start + _HEADER_LINES]
    best: tuple[int, int, _Layout] | None = None
    for delimiter in (hint,) if hint else _by_count(head):
        plain = True
        for number, row in enumerate(_records("".join(head), delimiter)):
            plain = plain and not any("\n" in cell for cell in row)
            names = _names(row)
            rank = (score(names), len(names) if number == _first_filled(head) else 0)
            if best is None or rank > best[:2]:
                best = (*rank, _Layout(delimiter, names, start + number + 1, plain))
    if best is None or not any(best[2].names):
        raise UserError(f"{path} has no header line", "write the column names in its first line")
    return best[2]


def _first_filled(head: Sequence[str]) -> int:
    return next((i for i, line in enumerate(head) if line.strip()), 0)


def _hint(line: str) -> tuple[str, int]:
    """Return the separator that a line like `sep=;` names, and how many lines that takes."""
    said = line.strip("\r\n").strip('"')
    if said.casefold().startswith("sep=") and len(said) <= len("sep=;"):
        return said[4:] or "\t", 1
    return "", 0


def _by_count(head: Sequence[str]) -> list[str]:
    counts = Counter({mark: sum(line.count(mark) for line in head) for mark in _DELIMITERS})
    return [mark for mark, count in counts.most_common() if count] or [","]


def _names(row: Sequence[str]) -> list[str]:
    legacy, whole = legacy_encoding(row)
    names = [recover(name, legacy, whole).text.strip("\ufeff \t\r\n\u3000\xa0") for name in row]
    while names and not names[-1]:
        names.pop()
    return names


def _fast(text: Text, layout: _Layout) -> list[pa.Array] | None:
    """Read by Arrow; None where bytes or a row are odd, so that nothing is lost without a word."""
    if _quoted_line_end(text.data):
        return None
    keys = [f"c{place}" for place in range(len(layout.names))]
    try:
        table = pacsv.read_csv(
            pa.BufferReader(text.data),
            read_options=pacsv.ReadOptions(column_names=keys, skip_rows=layout.skipped),
            parse_options=pacsv.ParseOptions(delimiter=layout.delimiter),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()), null_values=[""],
                strings_can_be_null=True, quoted_strings_can_be_null=True, check_utf8=True,
            ),
        )  # fmt: skip
    except pa.ArrowInvalid:
        return None
    return _without_blank_rows([pa.concat_arrays(c.chunks) for c in table.columns if c.num_chunks])


def _quoted_line_end(data: bytes) -> bool:
    """Whether a line ends with an odd count of quotes: a cell may go on over its end."""
    if b'"' not in data:
        return False
    odd = np.uint8(0)
    for first in range(0, len(data), _CHUNK):
        part = np.frombuffer(
            data, dtype=np.uint8, count=min(_CHUNK, len(data) - first), offset=first
        )
        parity = np.bitwise_xor.accumulate((part == ord('"')).view(np.uint8)) ^ odd
        if parity[part == ord("\n")].any():
            return True
        odd = parity[-1]
    return bool(odd)


def _without_blank_rows(columns: list[pa.Array]) -> list[pa.Array] | None:
    if not columns:
        return None
    blank = np.ones(len(columns[0]), dtype=bool)
    for column in columns:
        blank &= column.is_null().to_numpy(zero_copy_only=False)
        if not blank.any():
            return columns
    return [column.filter(pa.array(~blank)) for column in columns]


def _not_ascii(columns: Sequence[pa.Array]) -> dict[int, str]:
    rows: dict[int, str] = {}
    for column in columns:
        longer = pc.not_equal(pc.utf8_length(column), pc.binary_length(column)).fill_null(False)
        found = np.flatnonzero(longer.to_numpy(zero_copy_only=False))
        rows.update(dict.fromkeys(found.tolist(), "text_decoded"))
    return rows


def damaged_rows(column: pa.Array) -> dict[int, str]:
    """Return rows whose text holds the character that stands for one that was lost."""
    if not pa.types.is_string(column.type):
        return {}
    lost = pc.match_substring(column, REPLACEMENT).fill_null(False)
    rows = np.flatnonzero(lost.to_numpy(zero_copy_only=False)).tolist()
    return dict.fromkeys(rows, "text_damaged")


def _slow(path: Path, text: Text, layout: _Layout) -> Delimited:
    width = len(layout.names)
    records = islice(_records(text.content, layout.delimiter), layout.skipped, None)
    rows = [row for row in records if any(cell.strip() for cell in row)]
    _refuse_open_quote(path, rows, layout)
    wide = [i for i, row in enumerate(rows) if any(cell.strip() for cell in row[width:])]
    if len(wide) > _MOSTLY * len(rows):
        raise UserError(
            f"{path}: the header has {width} cells and row {wide[0] + 1} has "
            f"{len(rows[wide[0]])}, as most rows have more",
            'put cells that hold the separator (an outline, 1,234) in quotes "..." and save again',
        )
    cells = [[_filled(row, place) for row in rows] for place in range(width)]
    notes, legacy = recover_columns(cells)
    encoding = legacy if legacy != ENCODING else text.encoding
    columns = [pa.array(column, type=pa.string()) for column in cells]
    return Delimited(
        layout.names, columns, encoding, layout.delimiter, np.array(wide, np.int64), notes
    )


def _filled(row: Sequence[str], place: int) -> str | None:
    return row[place] if place < len(row) and row[place].strip() else None


def _refuse_open_quote(path: Path, rows: Sequence[Sequence[str]], layout: _Layout) -> None:
    """Refuse a quote that was opened and never closed: it would swallow the rows after it."""
    least = max(1, len(layout.names) - 1)
    for number, row in enumerate(rows):
        swallowed = (line for cell in row if "\n" in cell for line in cell.split("\n")[1:])
        if any(line.count(layout.delimiter) >= least for line in swallowed):
            raise UserError(
                f"{path}, row {number + 1}: a quote is opened there and not closed, so that the "
                "rows after it would be lost",
                'remove the lone " from that row and save again',
            )


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    # A ring of 10^5 vertices is longer than csv's default field limit of 128 KiB.
    previous = csv.field_size_limit(sys.maxsize)
    try:
        yield from csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    finally:
        csv.field_size_limit(previous)
