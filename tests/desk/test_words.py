"""Both languages of the desk are complete, and nothing is said that has no words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fieldline.desk.app.words import LANGUAGES, chosen, words

DESK = Path(__file__).resolve().parents[2] / "desk"
KEY = r"[a-z]+\.[a-z_0-9]+"
#: Keys that are put together from a part and a value, by the code that does it.
MADE = (
    "class.", "layer.", "map.unit_", "map.kind_", "desk.language_", "cap.", "income.", "hazard.",
    "stage.", "state.", "status.", "queue.", "parcel.model_", "parcel.by_", "time.alt_",
    "report.band_", "visit.", "report.chart_", "report.none_", "family.", "measure.",
)  # fmt: skip


def keys_said() -> set[str]:
    said: set[str] = set()
    for path in DESK.rglob("*.j2"):
        said |= set(re.findall(rf"\b(?:t|both)\('({KEY})'[,)]", path.read_text("utf-8")))
    for path in [*DESK.glob("app/static/*.js"), *DESK.glob("report/templates/*.js")]:
        keys = r"\"((?:report|map|farmer|panel|time)\.[a-z_0-9]+)\""
        said |= set(re.findall(keys, path.read_text("utf-8")))
    for path in [*DESK.glob("app/*.py"), *DESK.glob("report/*.py"), *DESK.glob("access/*.py")]:
        text = path.read_text("utf-8")
        said |= set(re.findall(rf"\b(?:words|t|told)\(\s*\"({KEY})\"", text))
        said |= set(re.findall(r"\"(report\.(?!js|css)[a-z_]+)\"", text))
    return said


def test_the_languages_have_the_same_words() -> None:
    tables = [words(language).table for language in LANGUAGES]
    assert set(tables[0]) == set(tables[1])
    assert all(text.strip() for table in tables for text in table.values())


def test_every_word_that_is_said_is_there() -> None:
    assert keys_said() - set(words("en").table) == set()


def test_no_word_is_left_over() -> None:
    left = set(words("en").table) - keys_said()
    assert {key for key in left if not key.startswith(MADE)} == set()


@pytest.mark.parametrize("key", sorted(words("en").table))
def test_a_word_takes_the_same_values_in_both_languages(key: str) -> None:
    english, chinese = (set(re.findall(r"{(\w+)}", words(name).table[key])) for name in LANGUAGES)
    assert english == chinese


def test_chinese_words_are_chinese() -> None:
    table = words("zh").table
    foreign = [key for key, text in table.items() if not re.search(r"[\u4e00-\u9fff]", text)]
    assert set(foreign) <= {"desk.language_en", "unit.yield"}


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en", "zh-CN", "en"),
        ("xx", "de, zh", "zh"),
    ],
)
def test_the_address_chooses_the_language_before_the_browser(
    asked: str | None, accepted: str, language: str
) -> None:
    assert chosen(asked, accepted) == language
