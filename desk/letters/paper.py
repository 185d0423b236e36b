"""A letter as PDF.

Owns fonts and layout. By ReportLab (BSD, 2 MB, no browser and no system library): a county's forty
thousand letters are a matter of minutes, and equal letters are equal byte by byte. Chinese is set
in the configured font, of which each file carries the characters that it shows, else in the
`STSong-Light` that every PDF reader set up for Chinese knows and no file carries.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from fieldline.desk.letters.content import Letter, Part
from fieldline.pipeline.records.errors import UserError

_OWN = "FieldlineLetters"
_SONG = "STSong-Light"
_LATIN, _LATIN_BOLD = "Helvetica", "Helvetica-Bold"
_MARGIN = 51.0
"""Points: 18 mm."""
_SIZES = {"text": 12.5, "title": 22.0, "heading": 15.0, "figure": 24.0, "several": 17.0,
          "cell": 10.5, "small": 9.0}  # fmt: skip
_LEADING = 1.4
_INK, _SOFT, _GREEN, _RED = "#111111", "#444444", "#2f5d34", "#8c1d18"


class UnprintableError(Exception):
    """A letter holds characters that no font at hand has."""

    def __init__(self, characters: str) -> None:
        super().__init__(characters)
        self.characters = characters


@dataclass(frozen=True)
class Fonts:
    """The fonts of the letters of one run."""

    chinese: str
    known: frozenset[int] | None
    """Code points of the carried font; None for the Song of the reader."""

    def latin(self, character: str) -> bool:
        """Whether the Latin font has a character."""
        try:
            character.encode("cp1252")
        except UnicodeEncodeError:
            return False
        return True

    def unprintable(self, text: str) -> str:
        """Return the characters of a text that cannot be shown."""
        return "".join(sorted({c for c in text if not self.latin(c) and not self.has(c)}))

    def has(self, character: str) -> bool:
        """Whether the Chinese font has a character."""
        if self.known is not None:
            return ord(character) in self.known
        try:
            character.encode("gbk")
        except UnicodeEncodeError:
            return False
        return True


@cache
def fonts(path: Path | None) -> Fonts:
    """Return the fonts of letters, ready to be used.

    Args:
        path: A TrueType font that files carry; None for the Song of the reader.

    Raises:
        UserError: ReportLab is not installed, or the file is no font that can be carried.
    """
    _needed()
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    if path is None:
        pdfmetrics.registerFont(UnicodeCIDFont(_SONG))
        return Fonts(_SONG, None)
    try:
        font = TTFont(_OWN, str(path))
    except (TTFError, OSError) as error:
        raise UserError(
            f"letters.font {path} is no TrueType font that a PDF can carry",
            "name a .ttf or .ttc file with TrueType outlines, or leave it empty",
        ) from error
    pdfmetrics.registerFont(font)
    return Fonts(_OWN, frozenset(font.face.charToGlyph))


def pdf_of(letter: Letter, font: Path | None) -> bytes:
    """Return a letter as PDF on A4.

    Args:
        letter: The letter.
        font: As in `fonts`.

    Raises:
        UnprintableError: It holds characters that the fonts do not have.
        UserError: As `fonts`.
    """
    used = fonts(font)
    unprintable = used.unprintable("".join(letter.texts()))
    if unprintable:
        raise UnprintableError(unprintable)
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN,
        bottomMargin=_MARGIN, title=letter.title, author=letter.lender, lang=letter.language,
        invariant=1,
    )  # fmt: skip
    document.build(_Sheet(letter, used, A4[0] - 2 * _MARGIN).flow())
    return buffer.getvalue()


def _needed() -> None:
    try:
        import reportlab  # noqa: F401
    except ImportError as error:
        raise UserError(
            "letters as PDF need ReportLab, which is not installed",
            "run `pip install 'fieldline[letters]'`, or write them with --format html",
        ) from error


@dataclass(frozen=True)
class _Sheet:
    """Sets one letter."""

    letter: Letter
    fonts: Fonts
    width: float

    def flow(self) -> list[Any]:
        """Return what stands on the sheet, from top to bottom."""
        letter = self.letter
        found = []
        if letter.notice:
            found.append(self._boxed([[self._set(letter.notice, "text", _RED)]], _RED))
        found += [
            self._set(letter.lender, "heading"),
            self._set(letter.greeting, "text"),
            self._set(letter.title, "title", before=8.0),
        ]
        for part in letter.parts:
            found += self._part(part)
        small = [letter.footer, letter.notice]
        return [*found, *(self._set(t, "small", _SOFT, before=8.0) for t in small if t)]

    def _part(self, part: Part) -> list[Any]:
        found: list[Any] = []
        if part.heading:
            found.append(self._set(part.heading, "heading", _GREEN, before=9.0, keep=True))
        if part.figures:
            large = "figure" if len(part.figures) == 1 else "several"
            cells = [
                [self._set(label, "text"), self._set(value, large)] for label, value in part.figures
            ]
            pairs = [cells[i : i + 2] for i in range(0, len(cells), 2)]
            found.append(self._boxed(pairs, _GREEN))
        found += [self._set(text, "text") for text in part.texts]
        for number, item in enumerate(part.items, start=1):
            found.append(self._set(item, "text", bullet=f"{number}." if part.numbered else "•"))
        if part.rows:
            found.append(self._table(part))
        return found

    def _set(
        self, text: str, kind: str, ink: str = _INK, *, before: float = 2.0, bullet: str = "",
        keep: bool = False, right: bool = False,
    ) -> Any:  # fmt: skip
        from reportlab.lib.enums import TA_LEFT, TA_RIGHT
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        size, chinese = _SIZES[kind], self.letter.language == "zh"
        strong = kind in ("title", "heading", "figure", "several")
        latin = _LATIN_BOLD if strong else _LATIN
        style = ParagraphStyle(
            kind, fontName=self.fonts.chinese if chinese else latin, fontSize=size,
            leading=size * _LEADING, textColor=ink, spaceBefore=before, spaceAfter=2.0,
            leftIndent=20.0 if bullet else 0.0, bulletFontName=_LATIN, bulletFontSize=size,
            wordWrap="CJK" if chinese else None, keepWithNext=1 if keep else 0,
            alignment=TA_RIGHT if right else TA_LEFT,
        )  # fmt: skip
        return Paragraph(self._marked(text), style, bulletText=bullet or None)

    def _marked(self, text: str) -> str:
        """Return a text as markup, in which each character stands in a font that has it."""
        runs = groupby(text, self._font)
        return "".join(
            f'<font name="{font}">{escape("".join(run))}</font>' if font else escape("".join(run))
            for font, run in runs
        )

    def _font(self, character: str) -> str:
        """Return the other font where a character is not in the letter's own; else nothing."""
        if self.letter.language == "zh":
            return "" if self.fonts.has(character) else _LATIN
        return "" if self.fonts.latin(character) else self.fonts.chinese

    def _boxed(self, rows: list[list[Any]], ink: str) -> Any:
        from reportlab.platypus import Table

        columns = max(map(len, rows))
        rows = [[*row, *[""] * (columns - len(row))] for row in rows]
        return Table(
            rows, colWidths=[self.width / columns] * columns, spaceBefore=6.0, spaceAfter=6.0,
            style=[("BOX", (0, 0), (-1, -1), 1.5, ink), ("VALIGN", (0, 0), (-1, -1), "TOP")],
        )  # fmt: skip

    def _table(self, part: Part) -> Any:
        from reportlab.platypus import Table

        rows = [
            [self._set(cell, "cell", right=place > 0) for place, cell in enumerate(row)]
            for row in (part.head, *part.rows)
        ]
        return Table(
            rows, colWidths=[self.width / len(part.head)] * len(part.head), repeatRows=1,
            spaceBefore=4.0, style=[("LINEBELOW", (0, 0), (-1, -1), 0.5, _SOFT)],
        )  # fmt: skip
