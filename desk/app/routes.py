"""The one table of routes: every address of the desk, its method and what answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fieldline.desk.app import map_answers


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
    Route("GET", "/static/{name}", map_answers.static),
    Route("GET", "/vendor/{name}", map_answers.vendor),
    Route("GET", "/favicon.ico", map_answers.favicon),
)
