"""Letters as PDF, read back by another library."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Literal

import pypdf
import pytest
import reportlab

from fieldline.desk.letters.content import Letter, decision_letter
from fieldline.desk.letters.paper import UnprintableError, fonts, pdf_of
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import decide_case
from fieldline.pipeline.records.errors import UserError
from tests.desk.letters.conftest import letter_of, offer_of, writer

VERA = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
"""A Latin font that comes with ReportLab: it carries no Chinese."""


def read(content: bytes) -> str:
    """Return the text of a PDF without blanks and without numbers and dots of lists."""
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return re.sub(r"\s", "", "".join(page.extract_text() for page in pages))


def expected(letter: Letter) -> list[str]:
    return [re.sub(r"\s", "", text) for text in letter.texts()]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_text_read_back_is_the_letters_own(case: Case, language: Literal["en", "zh"]) -> None:
    letter = letter_of(case, decide_case(case), language)
    found = read(pdf_of(letter, None))
    at = 0
    for text in expected(letter):
        at = found.index(text, at) + len(text)


def test_equal_letters_are_equal_files(case: Case) -> None:
    letter = letter_of(case, decide_case(case), "zh")
    assert pdf_of(letter, None) == pdf_of(letter, None)


def test_a_chinese_name_stands_in_an_english_letter_and_markup_stays_text(case: Case) -> None:
    name = "王小明 <b>&amp; é"
    letter = decision_letter(offer_of(case, decide_case(case)), (), writer("en", name=name))
    assert "Dear王小明<b>&amp;é," in read(pdf_of(letter, None))


def test_what_no_font_has_is_refused_and_never_a_blank_box(case: Case) -> None:
    offer = offer_of(case, decide_case(case))
    with pytest.raises(UnprintableError) as refused:
        pdf_of(decision_letter(offer, (), writer("en", name="ကျော် 王")), None)
    assert "က" in refused.value.characters
    assert "王" not in refused.value.characters
    with pytest.raises(UnprintableError) as refused:
        pdf_of(decision_letter(offer, (), writer("en", name="王 Ann")), VERA)
    assert refused.value.characters == "王"


def test_a_carried_font_is_within_the_file(case: Case) -> None:
    offer = offer_of(case, decide_case(case))
    # "ł" is not in the Latin standard font, so it is set in the carried one.
    content = pdf_of(decision_letter(offer, (), writer("en", name="Łukasz")), VERA)
    assert "DearŁukasz," in read(content)
    assert b"BitstreamVeraSans" in content
    plain = pdf_of(decision_letter(offer, (), writer("zh", name="王小明")), None)
    assert b"FontFile" not in plain


def test_a_file_that_is_no_font_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "font.ttf").write_bytes(b"no font")
    with pytest.raises(UserError, match=r"letters.font .*font.ttf is no TrueType font"):
        fonts(tmp_path / "font.ttf")
    with pytest.raises(UserError, match="is no TrueType font"):
        fonts(tmp_path / "absent.ttf")


def test_without_the_library_the_remedy_is_said(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "reportlab", None)
    with pytest.raises(UserError, match=r"pip install 'fieldline\[letters\]'"):
        fonts(tmp_path / "never-asked-before.ttf")
