"""Text that does not arrive as UTF-8: names in GBK or a Windows code page, and damaged bytes.

Files are decoded with `surrogateescape`, which keeps every unknown byte; this module then settles
one legacy encoding per file by vote of its cells and says, cell by cell, what was done. It never
raises: one bad name must not stop a county. Which code page it is, `code_pages` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fieldline.pipeline.records.code_pages import CodePage, code_page, is_cyrillic

ENCODING, ERRORS = "utf-8", "surrogateescape"
REPLACEMENT = "�"

Legacy = CodePage | Literal["gb18030"]
_MANY = 5000
"""Broken cells that are looked at for the code page."""


@dataclass(frozen=True)
class Decoded:
    """A cell's text and how it was recovered."""

    text: str
    note: Literal["", "text_decoded", "text_damaged"] = ""
    encoding: str = ENCODING


def legacy_encoding(cells: Iterable[str]) -> tuple[Legacy, bool]:
    """Settle the legacy encoding of a file and whether the whole file is in it.

    A cell votes for GB18030 when its bytes are pairs of GB 2312, where common Chinese names live;
    a European name holds single high bytes and votes for a Windows code page; words all of high
    bytes, most of them lower-case Cyrillic letters, are no hanzi. The whole file counts as
    legacy when more non-ASCII cells break UTF-8 than obey it (two GBK characters can look like
    UTF-8 by accident, never most of a file).

    Args:
        cells: Texts decoded with `surrogateescape`.

    Returns:
        The encoding, and True where all non-ASCII cells should be read with it.
    """
    chinese = european = obeying = 0
    broken: list[bytes] = []
    for cell in cells:
        if cell.isascii():
            continue
        if not _broken(cell):
            obeying += 1
            continue
        raw = _raw(cell)
        if len(broken) < _MANY:
            broken.append(raw)
        if _decodes(raw, "gb2312"):
            chinese += 1
        else:
            european += 1
    text = b" ".join(broken)
    hanzi = bool(chinese) and chinese >= european and not is_cyrillic(text)
    return "gb18030" if hanzi else code_page(text), chinese + european > obeying


def recover(cell: str, legacy: Legacy, whole_file: bool) -> Decoded:
    """Return readable text for one cell that was decoded with `surrogateescape`."""
    if cell.isascii() or not (_broken(cell) or whole_file):
        return Decoded(cell, "text_damaged" if REPLACEMENT in cell else "")
    raw = _raw(cell)
    if _decodes(raw, legacy):
        return Decoded(raw.decode(legacy), "text_decoded", legacy)
    if not _broken(cell):
        return Decoded(cell)
    return Decoded(raw.decode(ENCODING, "replace"), "text_damaged")


def recover_columns(columns: Sequence[list[str | None]]) -> tuple[dict[int, str], str]:
    """Make the cells of a table readable in place, its legacy encoding settled by all of them.

    Args:
        columns: Cells by column, decoded with `surrogateescape`; missing ones None.

    Returns:
        By row, `text_decoded` or `text_damaged`; and what the decoded cells were in, `utf-8` where
        none had to be.
    """
    odd = [cell for column in columns for cell in column if cell and not cell.isascii()]
    legacy, whole_file = legacy_encoding(odd)
    notes: dict[int, str] = {}
    for column in columns if odd else ():
        for row, cell in enumerate(column):
            if cell is None or cell.isascii():
                continue
            decoded = recover(cell, legacy, whole_file)
            column[row] = decoded.text
            if decoded.note and notes.get(row) != "text_damaged":
                notes[row] = decoded.note
    return notes, legacy if "text_decoded" in notes.values() else ENCODING


def decode_whole(data: bytes) -> Decoded:
    """Decode a document that must be text before it can be parsed (XML)."""
    text = data.decode(ENCODING, ERRORS)
    legacy, whole_file = legacy_encoding(text.splitlines())
    return recover(text.removeprefix("\ufeff"), legacy, whole_file)


def _broken(cell: str) -> bool:
    try:
        cell.encode(ENCODING)
    except UnicodeEncodeError:
        return True
    return False


def _raw(cell: str) -> bytes:
    try:
        return cell.encode(ENCODING, ERRORS)
    except UnicodeEncodeError:  # half of a surrogate pair, written as an escape in JSON
        return cell.encode(ENCODING, "surrogatepass")


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
