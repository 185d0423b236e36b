"""The one table of routes: every address of the desk, its method and what answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fieldline.desk.app import map_answers, people_answers, review_answers, work_answers


@dataclass(frozen=True)
class Route:
    """One address."""

    method: str
    path: str
    answer: Callable[..., Any]

    @property
    def name(self) -> str:
        """Name of the route."""
        return self.answer.__name__


_PLACE = "{season}/{county}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", map_answers.home),
    Route("GET", f"/map/{_PLACE}", map_answers.map_page),
    Route("GET", f"/api/{_PLACE}/map", map_answers.map_facts),
    Route("GET", f"/api/{_PLACE}/search", map_answers.search),
    Route("GET", f"/api/{_PLACE}/parcels/{{parcel_id}}", map_answers.panel),
    Route("GET", f"/tiles/{_PLACE}/parcels.pmtiles", map_answers.tiles),
    Route("GET", f"/tiles/{_PLACE}/{{date}}/{{z}}/{{x}}/{{y}}.png", map_answers.scene),
    Route("GET", f"/chips/{_PLACE}/{{parcel_id}}/{{date}}.png", map_answers.parcel_chip),
    Route("GET", f"/parcel/{_PLACE}/{{parcel_id}}", people_answers.parcel),
    Route("GET", f"/api/{_PLACE}/parcels/{{parcel_id}}/series", people_answers.parcel_series),
    Route("GET", f"/csv/{_PLACE}/{{parcel_id}}", people_answers.series_csv),
    Route("GET", f"/farmer/{_PLACE}/{{farmer_id}}", people_answers.farmer),
    Route("GET", f"/report/{_PLACE}/{{farmer_id}}", people_answers.report),
    Route("GET", f"/export/{_PLACE}/{{name}}", map_answers.export),
    Route("GET", "/reviews", review_answers.queue),
    Route("GET", "/reviews/{offer_id}", review_answers.case),
    Route("POST", "/reviews/{offer_id}/decide", review_answers.decide),
    Route("POST", "/reviews/{offer_id}/{review_id}/confirm", review_answers.confirm),
    Route("POST", "/reviews/{offer_id}/{review_id}/revoke", review_answers.revoke),
    Route("POST", "/reviews/assign", work_answers.assign),
    Route("POST", "/reviews/{offer_id}/work", work_answers.work),
    Route("GET", "/photos/{name}", review_answers.photo),
    Route("GET", "/static/{name}", map_answers.static),
    Route("GET", "/vendor/{name}", map_answers.vendor),
    Route("GET", "/favicon.ico", map_answers.favicon),
)
