"""Answers about the map: the first page, the map with its layers, tiles, chips and search.

Owns what each of these addresses gives; the values are those of `layer` and `pictures`.
"""

from __future__ import annotations

import datetime as dt
from io import BytesIO
from typing import Any, Literal

from fastapi import Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from shapely.geometry import mapping

from fieldline.desk.app.downloads import download
from fieldline.desk.app.export import geopackage, geoparquet
from fieldline.desk.app.industry import COLUMNS, industry, industry_map
from fieldline.desk.app.layer import GREY, LAYERS, ClassOf, Point
from fieldline.desk.app.overview import coarse_zooms, fine_zoom
from fieldline.desk.app.pages import Asked, Call
from fieldline.desk.app.parcel_facts import panel_facts
from fieldline.desk.app.pictures import chip, scene_tile
from fieldline.desk.app.places import NotHereError, Place
from fieldline.desk.app.scripts import FILES, HERE, VENDOR
from fieldline.desk.app.seen import POLYGONS
from fieldline.desk.app.series import written
from fieldline.lending.store.queue import STATES
from fieldline.pipeline.records.errors import UserError

Colours = Literal["true", "false"]
REVIEW = "review"
"""Colouring by where people's reviews stand; the store tells it, not the tables of the run."""
STATE_COLOURS = {
    "none": GREY, "waits": "#E69F00", "waits for a second person": "#CC79A7",
    "in force": "#0072B2", "revoked": "#7f7f7f", "lapsed": "#56B4E9",
}  # fmt: skip
_WAIT_SECONDS = 4.0
_GEOPARQUET = "application/vnd.apache.parquet"
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_TYPES = {
    ".svg": "image/svg+xml",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
}


def home(call: Asked) -> Response:
    """The counties and seasons of the results, and how far each has come."""
    places = call.scope.places(call.desk.shelf)
    return call.page("home", rows=[_row(place) for place in places], place=None)


def _row(place: Place) -> dict[str, Any]:
    try:
        parcels: int | None = len(place.table("parcels", ["parcel_id"]))
        problem = ""
    except UserError as error:
        parcels, problem = None, str(error)
    done, following = len(place.done()), place.next_stage()
    return {
        "place": place, "parcels": parcels, "problem": problem, "done": done,
        "stages": len(place.stages), "next": following, "decided": place.has("decisions"),
    }  # fmt: skip


def map_page(call: Asked, season: str, county: str) -> Response:
    """The map of a county."""
    place = call.place(season, county)
    names = [name for name in call.words.table if name.startswith(("map.", "class.", "layer."))]
    shown = {name: call.words(name) for name in names}
    start = {
        "place": place.key, "language": call.words.language, "words": shown,
        "layers": [*LAYERS, REVIEW],
    }  # fmt: skip
    return call.page("map", place=place, start=start, places=call.scope.places(call.desk.shelf))


def map_facts(call: Asked, season: str, county: str) -> Response:
    """What the map draws: classes with counts, dates of scenes, the address of the tiles."""
    place = call.place(season, county)
    layer = call.desk.layer(place)
    ready = call.desk.drawn(place, _WAIT_SECONDS)
    version = call.desk.version(place)
    following = place.next_stage()
    reviewed, problem = _reviewed(call, place)
    legends = {name: [_entry(call, e) for e in layer.legends[name]] for name in LAYERS}
    return JSONResponse(
        {
            "bounds": layer.bounds,
            "parcels": len(layer.frame),
            "currency": layer.currency,
            "legends": {**legends, REVIEW: _states(call, reviewed, len(layer.frame))},
            "reviewed": [reviewed[name] for name in STATES],
            "problem": problem,
            "fine": fine_zoom(layer.frame),
            "coarse": list(coarse_zooms(layer.frame)),
            "seen": place.has(POLYGONS) and place.rows(POLYGONS) > 0,
            "dates": _dates(call, place),
            "tiles": f"/tiles/{place.key}/parcels.pmtiles?v={version}" if ready else None,
            "running": call.words.stage(following.name, following.title) if following else None,
        }
    )


def _reviewed(call: Call, place: Place) -> tuple[dict[str, list[Point]], str]:
    """Return the parcels of people under review by state, and what is wrong with the store."""
    try:
        states = call.desk.store.states(place.county, place.season, call.scope)
        problem = ""
    except UserError as error:  # the map is there without the store
        states, problem = {}, str(error)
    return call.desk.layer(place).points_by(states, STATES), problem


def _states(call: Call, reviewed: dict[str, list[Point]], parcels: int) -> list[dict[str, Any]]:
    """Return the legend of where reviews stand; the first class is of parcels without any."""
    counts = {name: len(points) for name, points in reviewed.items()}
    every = {"none": parcels - sum(counts.values()), **counts}
    return [
        {
            "key": name.replace(" ", "_"), "colour": STATE_COLOURS[name], "count": count,
            "text": call.words(f"state.{name.replace(' ', '_')}"),
        }
        for name, count in every.items()
    ]  # fmt: skip


def _entry(call: Call, entry: ClassOf) -> dict[str, Any]:
    text = entry.text.get(call.words.language)
    words = text if text is not None else call.words(f"class.{entry.key}")
    return {"key": entry.key, "colour": entry.colour, "count": entry.count, "text": words}


def _dates(call: Call, place: Place) -> list[dict[str, Any]]:
    if not place.has("scenes"):
        return []
    found = []
    for day in call.desk.scenes(place).days:
        clouds = [item.cloud_cover for item in day.items if item.cloud_cover is not None]
        cloud = round(sum(clouds) / len(clouds)) if clouds else None
        found.append({"date": day.date.isoformat(), "cloud": cloud})
    return found


def search(call: Asked, season: str, county: str, q: str = "") -> Response:
    """Parcels, farmers and villages that hold a text."""
    layer = call.desk.layer(call.place(season, county))
    return JSONResponse(layer.found(q[:100], call.scope.farmers))


def panel(call: Asked, season: str, county: str, parcel_id: str) -> Response:
    """What the map tells of one parcel when it is clicked."""
    place = call.place(season, county)
    row = call.desk.layer(place).parcel(parcel_id)
    call.parcel_farmer(row)
    html = call.drawn("panel", place=place, **panel_facts(row, call.words))
    bounds = [float(edge) for edge in row["geometry"].bounds]
    outline = {"type": "Feature", "properties": {}, "geometry": mapping(row["geometry"])}
    return JSONResponse({
        "id": parcel_id, "farmer": row["farmer_id"], "bounds": bounds, "outline": outline,
        "html": html,
    })  # fmt: skip


def tiles(call: Asked, season: str, county: str, v: str) -> Response:
    """The parcels as PMTiles, by ranges."""
    place = call.place(season, county)
    if v != call.desk.version(place):
        raise NotHereError("these tiles are of an earlier run", "load the map again")
    path = call.desk.drawn(place, _WAIT_SECONDS)
    if path is None:
        raise UserError("the tiles of this county are still being made", "wait a little")
    return FileResponse(path, media_type="application/vnd.pmtiles", headers=_FOREVER)


def scene(
    call: Asked, season: str, county: str, date: dt.date, z: int, x: int, y: int,
    colours: Colours = "true",
) -> Response:  # fmt: skip
    """One map tile of a day's scenes."""
    place = call.place(season, county)
    scenes = call.desk.scenes(place)
    day = date.isoformat()
    key = (place.key, place.version(["scenes"]), day, z, x, y, colours)
    png = call.desk.pictures.get(key, lambda: scene_tile(scenes, day, z, x, y, colours))
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


def parcel_chip(
    call: Asked, season: str, county: str, parcel_id: str, date: dt.date,
    colours: Colours = "true",
) -> Response:  # fmt: skip
    """A parcel and its surroundings on one day."""
    place = call.place(season, county)
    row = call.desk.layer(place).parcel(parcel_id)
    call.parcel_farmer(row)
    outline = row["geometry"]
    scenes = call.desk.scenes(place)
    day = date.isoformat()
    key = (place.key, place.version(["scenes", "parcels"]), parcel_id, day, colours)
    png = call.desk.pictures.get(key, lambda: chip(scenes, outline, day, colours))
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


def static(name: str) -> Response:
    """A script or style of the desk itself."""
    return _file(HERE / "static", name, {path.name for path in (HERE / "static").iterdir()})


def vendor(name: str) -> Response:
    """A script or style of others."""
    return _file(VENDOR, name, set(FILES))


def _file(folder: Any, name: str, known: set[str]) -> Response:
    if name not in known or not (folder / name).is_file():
        raise NotHereError(f"there is no file {name!r}", "go back to the first page")
    kind = _TYPES.get((folder / name).suffix, "text/plain")
    return FileResponse(folder / name, media_type=kind, headers={"Cache-Control": "no-cache"})


def favicon() -> Response:
    """No picture for the tab: the browser asks for one unasked."""
    return RedirectResponse("/static/mark.svg")


def export(
    call: Asked, season: str, county: str,
    name: Literal["layer.gpkg", "layer.parquet", "industry.csv", "industry.parquet"],
) -> Response:  # fmt: skip
    """A county for other tools."""
    place = call.place(season, county)
    layer = call.desk.layer(place)
    start = f"{place.county}-{place.season}"
    if name == "industry.csv":
        rows = industry(place, layer, call.desk.suppress_below)
        text = written(COLUMNS, rows)
        return download(text, f"{start}-industry.csv", "text/csv; charset=utf-8")
    if name == "industry.parquet":
        written_to = BytesIO()
        industry_map(place, layer, call.desk.suppress_below).to_parquet(written_to)
        return download(written_to.getvalue(), f"{start}-industry.parquet", _GEOPARQUET)
    if name == "layer.parquet":
        content, kind = geoparquet(place, layer), _GEOPARQUET
    else:
        content, kind = geopackage(place, layer, call.words), "application/geopackage+sqlite3"
    return download(content, f"{start}-parcels{name.removeprefix('layer')}", kind)
