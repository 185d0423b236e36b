"""Words of the desk in English and Chinese.

Owns the two tables `words/en.json` and `words/zh.json` and the choice between them. What data say
(crops, codes, reasons) stands with the data in both languages; a word that is in neither table is a
defect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")
DEFAULT = "en"


@dataclass(frozen=True)
class Words:
    """One language."""

    language: str
    table: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return the words under a key, with the values filled in."""
        return self.table[key].format(**values) if values else self.table[key]

    def stage(self, name: str, title: str) -> str:
        """Return what a stage of the chain is called; its own title where it has no words here."""
        return self.table.get(f"stage.{name}", title)

    def pick(self, english: str, chinese: str) -> str:
        """Return the text in this language of data that come in both."""
        return chinese if self.language == "zh" and chinese else english


@cache
def words(language: str) -> Words:
    """Return the words of a language; those of the default one for an unknown name."""
    name = language if language in LANGUAGES else DEFAULT
    text = (files("fieldline") / "desk" / "app" / "words" / f"{name}.json").read_text("utf-8")
    return Words(name, json.loads(text))


def chosen(asked: str | None, accepted: str) -> str:
    """Return the language of a request.

    Args:
        asked: What the address names, if anything.
        accepted: The browser's `Accept-Language`.
    """
    if asked in LANGUAGES:
        return str(asked)
    for part in accepted.split(","):
        name = part.split(";")[0].strip().lower()[:2]
        if name in LANGUAGES:
            return name
    return DEFAULT
