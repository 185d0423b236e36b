"""A letter as one HTML file that shows on any phone, prints on A4 and loads nothing."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from fieldline.desk.letters.content import Letter


def html_of(letter: Letter) -> bytes:
    """Return a letter as HTML in UTF-8; whatever a name holds is text in it and no more."""
    text: str = _template().render(letter=letter, style=Markup(_file("letter.css")))
    return text.encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(_file), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("letter.html.j2")


def _file(name: str) -> str:
    return (files("fieldline") / "desk" / "letters" / "templates" / name).read_text("utf-8")
