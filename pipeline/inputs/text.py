"""Bytes of a text file and the encoding that they are in.

Owns byte order marks, UTF-16 without one, and the choice between UTF-8, GB18030 and a Windows code
page; knows no separator. The bytes stay as they are while they can be read in one piece.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fieldline.pipeline.records.encodings import ENCODING, ERRORS, legacy_encoding
from fieldline.pipeline.records.errors import UserError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_SAMPLE_BYTES = 1 << 18


@dataclass(frozen=True)
class Text:
    """A text file."""

    data: bytes
    """UTF-8, or bytes of mixed encodings."""
    encoding: str
    """What the file was in."""
    legacy: bool = False
    """Whether it was neither UTF-8 nor UTF-16: its text is a guess, and told so."""

    @property
    def sample(self) -> str:
        """The beginning, unknown bytes as surrogates."""
        return self.data[:_SAMPLE_BYTES].decode(ENCODING, ERRORS)

    @property
    def content(self) -> str:
        """All of it, unknown bytes as surrogates."""
        return self.data.decode(ENCODING, ERRORS)

    def settled(self) -> Text:
        """Return it with `legacy` told also where bytes break its UTF-8 far from the beginning."""
        if self.legacy:
            return self
        try:
            self.data.decode(ENCODING)
        except UnicodeDecodeError:
            return replace(self, legacy=True, encoding="mixed")
        return self


def read_text(path: Path) -> Text:
    """Read a text file and settle its encoding.

    Raises:
        UserError: The file is no text, or breaks the encoding that its byte order mark promises.
    """
    data = path.read_bytes()
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _told(path, data[len(mark) :], encoding)
    wide = _unmarked_utf16(data)
    if wide is not None:
        return _told(path, data, wide)
    if b"\0" in data[:_SAMPLE_BYTES]:
        raise UserError(f"{path} is no text file", "export it as CSV UTF-8, .xlsx or Parquet")
    try:
        data.decode(ENCODING)
    except UnicodeDecodeError:
        return _legacy(data)
    return Text(data, ENCODING)


def _told(path: Path, data: bytes, encoding: str) -> Text:
    if encoding == ENCODING:
        return Text(data, ENCODING).settled()
    try:
        return Text(data.decode(encoding).encode(ENCODING), encoding)
    except UnicodeError as error:
        raise UserError(
            f"{path} says that it is {encoding.upper()[:6]} and its bytes are not",
            "export it again, as CSV UTF-8",
        ) from error


def _unmarked_utf16(data: bytes) -> str | None:
    """Return UTF-16 by its zeros: ASCII separators and digits leave every other byte empty."""
    sample = np.frombuffer(data[: _SAMPLE_BYTES // 2 * 2], dtype=np.uint8)
    if len(sample) < 2:
        return None
    even, odd = (float((sample[first::2] == 0).mean()) for first in (0, 1))
    if odd > 0.3 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.3 and odd < 0.05 else None


def _legacy(data: bytes) -> Text:
    """Decode a file in GB18030 or a code page whole, or leave mixed bytes to the slow reader."""
    encoding, whole = legacy_encoding(data.decode(ENCODING, ERRORS).splitlines())
    if whole:
        try:
            return Text(data.decode(encoding).encode(ENCODING), encoding, legacy=True)
        except UnicodeDecodeError:
            pass
    return Text(data, "mixed", legacy=True)
