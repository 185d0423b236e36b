"""Answers about parcels and farmers: their pages, the due-diligence report and the charts' data.

Owns what each of these addresses gives; the facts are those of `parcel_page`, `people_facts` and
`series`.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import Response

from fieldline.desk.app import series
from fieldline.desk.app.downloads import download
from fieldline.desk.app.indicator_facts import indicator_facts
from fieldline.desk.app.pages import Asked, Call
from fieldline.desk.app.parcel_facts import area, crop_name, known, yields
from fieldline.desk.app.parcel_page import parcel_page
from fieldline.desk.app.people_facts import decision_facts
from fieldline.desk.app.places import NotHereError, Place


def parcel(call: Asked, season: str, county: str, parcel_id: str) -> Response:
    """The page of one parcel."""
    place = call.place(season, county)
    row = call.desk.layer(place).parcel(parcel_id)
    call.parcel_farmer(row)
    seasons = [p for p in call.scope.places(call.desk.shelf) if p.county == county]
    gathered = parcel_page(place, seasons, row, call.words)
    shown = {name: text for name, text in call.words.table.items() if name.startswith("time.")}
    start = {
        "api": f"/api/{place.key}/parcels/{parcel_id}/series",
        "chips": f"/chips/{place.key}/{parcel_id}/",
        "words": shown,
        "language": call.words.language,
    }
    seen = series.observed(place, parcel_id)
    return call.page("parcel", place=place, start=start, seen=seen, **gathered)


def parcel_series(call: Asked, season: str, county: str, parcel_id: str) -> dict[str, Any]:
    """A parcel's season on one time axis."""
    place, crop, growth = _grown(call, season, county, parcel_id)
    return {
        "observed": series.observed(place, parcel_id),
        "curve": series.curve(growth),
        "norm": call.desk.norm(place, crop) if crop else [],
        "marks": series.marks(growth),
        "weather": series.weather(place, parcel_id),
    }


def series_csv(
    call: Asked, season: str, county: str, parcel_id: str,
    of: Literal["growth", "weather"] = "growth",
) -> Response:  # fmt: skip
    """The data of the parcel page's charts."""
    place, crop, growth = _grown(call, season, county, parcel_id)
    if of == "weather":
        names = ("date", "tmin_c", "tmax_c", "precip_mm")
        text = series.written(names, series.weather(place, parcel_id))
    else:
        spread = call.desk.norm(place, crop) if crop else []
        seen = series.observed(place, parcel_id)
        text = series.growth_csv(seen, series.curve(growth), spread)
    return download(text, f"{of}-{season}-{parcel_id}.csv", "text/csv; charset=utf-8")


def _grown(
    call: Call, season: str, county: str, parcel_id: str
) -> tuple[Place, str | None, dict[str, Any] | None]:
    place = call.place(season, county)
    row = call.desk.layer(place).parcel(parcel_id)
    call.parcel_farmer(row)
    crop = str(row["crop"]) if known(row["crop"]) else None
    return place, crop, place.record("growth", "parcel_id", parcel_id)


def farmer(call: Asked, season: str, county: str, farmer_id: str) -> Response:
    """The page of one farmer."""
    return call.page("farmer", **_farmer(call, season, county, farmer_id))


def report(call: Asked, season: str, county: str, farmer_id: str) -> Response:
    """The due-diligence report of one farmer, to be printed."""
    return call.page("report", **_farmer(call, season, county, farmer_id))


def _farmer(call: Call, season: str, county: str, farmer_id: str) -> dict[str, Any]:
    place = call.place(season, county)
    call.scope.refuse_farmer(farmer_id)
    facts = decision_facts(place, farmer_id, call.words)
    rows = call.desk.layer(place).frame
    own = rows[rows["farmer_id"] == farmer_id].to_dict("records")
    if not own and not facts.case.parcels_declared:
        raise NotHereError(f"{farmer_id!r} has no parcel here", "search on the map")
    return {
        "place": place, "farmer_id": farmer_id, "facts": facts,
        "parcels": [_parcel(row, call) for row in own],
        "offers": call.desk.offers_of(place, farmer_id),
        "indicators": indicator_facts(place, farmer_id, call.desk.spread(place), call.words),
    }  # fmt: skip


def _parcel(row: dict[str, Any], call: Call) -> dict[str, str]:
    effect = row["effect"]
    return {
        "id": str(row["parcel_id"]),
        "declared": crop_name(row["declared_crop"], call.words),
        "crop": crop_name(row["crop"], call.words),
        "drawn": area(row["area_m2"], call.words),
        "area": area(row["evidence_area_m2"], call.words),
        "yields": yields(row, call.words),
        "effect": call.words(f"class.{effect}") if known(effect) else call.words("value.none"),
    }
