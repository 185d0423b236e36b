"""Pages: how an answer is drawn, and what every answer knows of its request.

Owns the templates' environment, the language and the links of a request, and the page that tells a
mistake. Every address keeps the language that was asked for, so that a link shows what was seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Place
from fieldline.desk.app.scope import NOBODY, Scope
from fieldline.desk.app.words import LANGUAGES, Words, chosen, words

NOT_PAGES = ("/api/", "/tiles/", "/chips/", "/static/", "/vendor/")


@dataclass(frozen=True)
class Call:
    """One request: who asks what of which desk, in which language."""

    request: Request
    desk: Desk
    scope: Scope
    words: Words

    def place(self, season: str, county: str) -> Place:
        """Return a county and season that the asker may see."""
        return self.scope.place(self.desk.shelf, season, county)

    def parcel_farmer(self, row: Mapping[str, Any]) -> None:
        """Refuse a parcel whose farmer the asker may not see."""
        self.scope.refuse_farmer(str(row["farmer_id"]))

    def link(self, *parts: str, **query: object) -> str:
        """Return an address of the desk that keeps the language."""
        asked = self.request.query_params.get("lang")
        kept = {"lang": asked} if asked in LANGUAGES else {}
        path = "/" + "/".join(quote(part, safe="") for part in parts)
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return path + ("?" + urlencode({**given, **kept}) if given or kept else "")

    def in_language(self, language: str) -> str:
        """Return this request's own address in another language."""
        query = [(k, v) for k, v in self.request.query_params.multi_items() if k != "lang"]
        return self.request.url.path + "?" + urlencode([*query, ("lang", language)])

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page drawn from a template."""
        return HTMLResponse(self.drawn(template, **values), status)

    def drawn(self, template: str, **values: Any) -> str:
        """Return what a template gives."""
        return (
            _environment()
            .get_template(f"{template}.html.j2")
            .render(call=self, t=self.words, link=self.link, languages=LANGUAGES, **values)
        )


def call_of(request: Request) -> Call:
    """Return what is known of a request: the one door of every answer."""
    accepted = request.headers.get("accept-language", "")
    language = chosen(request.query_params.get("lang"), accepted)
    scope = request.state.scope if hasattr(request.state, "scope") else None
    return Call(request, request.app.state.desk, scope or NOBODY, words(language))


Asked = Annotated[Call, Depends(call_of)]
"""Type of the parameter by which an answer gets its request."""


def error_answer(request: Request, sentence: str, status: int) -> Response:
    """Return a sentence as a page, or as JSON where no page was asked for."""
    if request.url.path.startswith(NOT_PAGES):
        return JSONResponse({"error": sentence}, status)
    return call_of(request).page("error", status, sentence=sentence, code=status, place=None)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fieldline.desk.app"),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data"] = _data
    return environment


def _data(value: Any) -> Markup:
    """Return a value as JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))
