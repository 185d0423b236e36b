"""Answers about who does what: assigning the waiting cases, visits and notes.

Owns reading these two forms; what is kept is `work`, the rules are `assignment`.
"""

from __future__ import annotations

from typing import Annotated

import geopandas as gpd
from fastapi import Form, Response
from fastapi.responses import RedirectResponse

from fieldline.desk.app.assignment import by_grid, by_village, names_of
from fieldline.desk.app.pages import Asked, Call
from fieldline.desk.app.places import Place
from fieldline.desk.app.work import NOTE, VISIT
from fieldline.lending.store.queue import WAITS
from fieldline.pipeline.records.errors import UserError


def assign(
    call: Asked,
    county: Annotated[str, Form()] = "",
    season: Annotated[str, Form()] = "",
    reviewers: Annotated[str, Form()] = "",
    rule: Annotated[str, Form()] = "village",
) -> Response:
    """Give the waiting cases of a county and season to reviewers."""
    names = names_of(reviewers)
    place = call.place(season, county)
    states = call.desk.store.states(county, season, call.scope)
    farmers = sorted(farmer for farmer, said in states.items() if said == WAITS)
    if not farmers:
        raise UserError("no case waits there", "choose another county or season")
    if rule == "grid":
        owners = by_grid(_places(call, place, farmers), names)
    elif rule == "village":
        villages = call.desk.villages(place)
        held = call.desk.store.book.owners(county, season)
        owners = by_village({f: villages.get(f, "") for f in farmers}, names, held)
    else:
        raise UserError(f"there is no rule {rule!r}", "choose village or grid")
    call.desk.store.assign(county, season, owners, call.scope)
    return RedirectResponse(call.link("reviews", county=county, season=season), status_code=303)


def _places(call: Call, place: Place, farmers: list[str]) -> dict[str, tuple[float, float]]:
    """Return where each farmer's parcels lie in the mean, metres; 0, 0 for who has none."""
    frame = call.desk.layer(place).frame
    own = frame[frame["farmer_id"].isin(farmers)]
    found: dict[str, tuple[float, float]] = dict.fromkeys(farmers, (0.0, 0.0))
    if own.empty:
        return found
    metric: gpd.GeoSeries = own.to_crs(own.estimate_utm_crs()).geometry.centroid
    means = metric.groupby(own["farmer_id"]).agg(
        lambda points: (float(points.x.mean()), float(points.y.mean()))
    )
    return found | {str(name): place for name, place in means.items()}


def work(
    call: Asked,
    offer_id: str,
    visit: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Enter the state of a visit, a note, or both."""
    if not visit.strip() and not note.strip():
        raise UserError("neither a visit nor a note is given", "fill in one of them")
    offer = call.desk.store.opened(offer_id, call.scope, call.words).offer
    for kind, value in ((VISIT, visit), (NOTE, note)):
        if value.strip():
            call.desk.store.add_work(offer, kind, value, call.scope)
    return RedirectResponse(call.link("reviews", offer_id), status_code=303)
