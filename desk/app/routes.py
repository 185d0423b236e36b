"""The one table of routes: every address, its method, what answers it and what asking takes.

`may` is a permission of `desk.access.roles`; a page without one cannot be written down. The desk on
loopback has the pages alone, `fieldline serve` the signing-in and the decision API besides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from fieldline.desk.access import login_answers
from fieldline.desk.access.roles import (
    ACCOUNTS,
    CLIENT,
    COUNTY,
    DECIDE,
    EXPORT,
    HOME,
    OPEN,
    PEOPLE,
    REVIEWS,
)
from fieldline.desk.api import answers
from fieldline.desk.api.bodies import (
    ApplicationOut,
    EstimateOut,
    Health,
    OfferOut,
    QuoteOut,
    StatementOut,
)
from fieldline.desk.app import map_answers, people_answers, review_answers, work_answers


@dataclass(frozen=True)
class Route:
    """One address."""

    method: str
    path: str
    answer: Callable[..., Any]
    may: str
    """Permission that asking takes."""

    @property
    def name(self) -> str:
        """Name of the route."""
        return self.answer.__name__


@dataclass(frozen=True)
class ApiRoute(Route):
    """One address of the decision API."""

    gives: type[BaseModel] | None = None
    """What it answers; None for what is no JSON."""
    problems: tuple[int, ...] = ()
    """Statuses of the problems that it may answer, beside those that every one may."""
    status: int = 200
    media: str = ""
    """Media type of an answer that is no JSON."""
    also: tuple[int, ...] = ()
    """Other statuses with the same answer."""


_PLACE = "{season}/{county}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", map_answers.home, HOME),
    Route("GET", f"/map/{_PLACE}", map_answers.map_page, COUNTY),
    Route("GET", f"/api/{_PLACE}/map", map_answers.map_facts, COUNTY),
    Route("GET", f"/api/{_PLACE}/search", map_answers.search, PEOPLE),
    Route("GET", f"/api/{_PLACE}/parcels/{{parcel_id}}", map_answers.panel, PEOPLE),
    Route("GET", f"/tiles/{_PLACE}/parcels.pmtiles", map_answers.tiles, COUNTY),
    Route("GET", f"/tiles/{_PLACE}/{{date}}/{{z}}/{{x}}/{{y}}.png", map_answers.scene, COUNTY),
    Route("GET", f"/chips/{_PLACE}/{{parcel_id}}/{{date}}.png", map_answers.parcel_chip, PEOPLE),
    Route("GET", f"/parcel/{_PLACE}/{{parcel_id}}", people_answers.parcel, PEOPLE),
    Route("GET", f"/api/{_PLACE}/parcels/{{parcel_id}}/series", people_answers.parcel_series,
          PEOPLE),
    Route("GET", f"/csv/{_PLACE}/{{parcel_id}}", people_answers.series_csv, PEOPLE),
    Route("GET", f"/farmer/{_PLACE}/{{farmer_id}}", people_answers.farmer, PEOPLE),
    Route("GET", f"/report/{_PLACE}/{{farmer_id}}", people_answers.report, PEOPLE),
    Route("GET", f"/export/{_PLACE}/{{name}}", map_answers.export, EXPORT),
    Route("GET", "/reviews", review_answers.queue, REVIEWS),
    Route("GET", "/reviews/{offer_id}", review_answers.case, REVIEWS),
    Route("POST", "/reviews/{offer_id}/decide", review_answers.decide, DECIDE),
    Route("POST", "/reviews/{offer_id}/{review_id}/confirm", review_answers.confirm, DECIDE),
    Route("POST", "/reviews/{offer_id}/{review_id}/revoke", review_answers.revoke, DECIDE),
    Route("POST", "/reviews/assign", work_answers.assign, DECIDE),
    Route("POST", "/reviews/{offer_id}/work", work_answers.work, DECIDE),
    Route("GET", "/photos/{name}", review_answers.photo, REVIEWS),
    Route("GET", "/static/{name}", map_answers.static, OPEN),
    Route("GET", "/vendor/{name}", map_answers.vendor, OPEN),
    Route("GET", "/favicon.ico", map_answers.favicon, OPEN),
)  # fmt: skip

SIGNING_IN: tuple[Route, ...] = (
    Route("GET", "/login", login_answers.login_page, OPEN),
    Route("POST", "/login", login_answers.login, OPEN),
    Route("POST", "/logout", login_answers.logout, OPEN),
    Route("GET", "/login/oidc", login_answers.to_provider, OPEN),
    Route("GET", "/login/oidc/back", login_answers.from_provider, OPEN),
    Route("GET", "/accounts", login_answers.accounts, ACCOUNTS),
    Route("POST", "/accounts/{name}/off", login_answers.account_off, ACCOUNTS),
)

_OFFER = "/v1/offers/{offer_id}"
_APPLICATION = "/v1/applications/{name}"
API_ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute("POST", "/v1/applications", answers.apply, CLIENT, ApplicationOut,
             (400, 403, 404, 408, 409, 413), 201, also=(202,)),
    ApiRoute("GET", _APPLICATION, answers.application, CLIENT, ApplicationOut, (403, 404)),
    ApiRoute("GET", f"{_APPLICATION}/events", answers.events, CLIENT, None, (404,),
             media="text/event-stream"),
    ApiRoute("DELETE", f"{_APPLICATION}/consent", answers.withdraw, CLIENT, None, (404,), 204),
    ApiRoute("GET", _OFFER, answers.offer, CLIENT, OfferOut, (403, 404)),
    ApiRoute("GET", f"{_OFFER}/quote", answers.line_quote, CLIENT, QuoteOut, (403, 404, 409)),
    ApiRoute("POST", f"{_OFFER}/statement", answers.line_statement, CLIENT, StatementOut,
             (400, 403, 404, 408, 409, 413)),
    ApiRoute("GET", "/v1/estimate", answers.estimate, CLIENT, EstimateOut, (404, 409)),
    ApiRoute("GET", "/v1/metrics", answers.told_metrics, CLIENT, None, media="text/plain"),
    ApiRoute("GET", "/v1/health", answers.health, OPEN, Health),
    ApiRoute("GET", "/v1/ready", answers.ready, OPEN, Health),
    ApiRoute("GET", "/v1/openapi.json", answers.document, OPEN, None, media="application/json"),
)  # fmt: skip
