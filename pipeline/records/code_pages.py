"""Which Windows code page a text of single high bytes is in: by letters that stand for each other.

Western, Central European, Cyrillic and Turkish Windows write different letters with the same bytes.
The one idea: read as Western text, another page shows what nobody writes: words all of accents, a
pound sign within a name, a thorn in a text that has Turkish letters alone. Without such a sign the
text is Western.

Source: Unicode Consortium, mapping tables of Windows code pages 1250, 1251, 1252 and 1254.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

CodePage = Literal["cp1250", "cp1251", "cp1252", "cp1254"]

_RUNS, _SMALL = 0.4, 0.5
"""Least share of high letters between two others (Cyrillic words hold .5 and more, Western ones
none), and of those from 0xE0 on (Cyrillic .8 and more, the common hanzi of GB 2312 a sixth)."""
_TURKISH_ALONE = frozenset("ğĞışŞİ".encode("cp1254"))
_TURKISH = _TURKISH_ALONE | frozenset("çÇöÖüÜâÂîÎûÛ".encode("cp1254"))
_LETTER = rb"[A-Za-z\x80-\xff]"
_POLISH = re.compile(
    rb"(?:%(letter)s[\xb3\xb9\xbf\x9f]|[\xa3\xa5\xaf\x8f](?=[a-z]))%(letter)s"
    % {b"letter": _LETTER}
)
"""Of `ł ą ż ź Ł Ą Ż Ź`, which Western Windows shows as superscripts and signs, within a word."""
_CZECH = re.compile(
    rb"[\x9d\x8d]|[\xf8\xec\xf9\xd8](?=.*[\x9a\x9e\xe8\xec\xf9])|\x9e(?=.*\xf8)", re.DOTALL
)
"""`ť Ť`, and `ř ě ů` beside `š ž č`: Western `ø` never stands beside these."""
_HUNGARIAN = (frozenset(b"\xf5\xfb"), frozenset(b"\xf6\xfc\xed"), frozenset(b"\xe3\xe4\xe7\xea"))
"""`ő ű` where `ö ü í` stand too and no letter of Portuguese, Estonian, French or Turkish does."""
_NORDIC = frozenset(b"\xe6\xe5\xc6\xc5")


def is_cyrillic(text: bytes) -> bool:
    """Whether words are all of high bytes, most of them small letters of Windows-1251."""
    letters = _high_letters(text)
    small = np.frombuffer(text, np.uint8) >= 0xE0
    return _between(letters) >= _RUNS and small.sum() >= _SMALL * letters.sum()


def code_page(text: bytes) -> CodePage:
    """Return the code page of a text of single high bytes."""
    if _between(_high_letters(text)) >= _RUNS:
        return "cp1251"
    high = frozenset(byte for byte in text if byte >= 0xC0)
    if high & _TURKISH_ALONE and high <= _TURKISH:
        return "cp1254"
    own, beside, never = _HUNGARIAN
    hungarian = high & own and high & beside and not high & never
    czech = _CZECH.search(text) is not None and not high & _NORDIC
    return "cp1250" if _POLISH.search(text) or czech or hungarian else "cp1252"


def _high_letters(text: bytes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    bytes_ = np.frombuffer(text, np.uint8)
    return np.asarray((bytes_ >= 0xC0) | np.isin(bytes_, list("ЁёІіЇїЄєҐґ".encode("cp1251"))))


def _between(letters: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Return the share of letters that stand between two others."""
    if len(letters) < 3 or not letters.any():
        return 0.0
    inner = letters[:-2] & letters[1:-1] & letters[2:]
    return float(inner.sum() / letters.sum())
