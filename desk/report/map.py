"""What the map of the county report is drawn from: one document of outlines, words and figures.

Owns putting the desk's own layer, panel and decision facts into one file that needs no server:
outlines in metres, each text once, and no figure of its own. How it is drawn is `report.js`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from fieldline.desk.app.layer import LAYERS, ClassOf, Layer
from fieldline.desk.app.parcel_facts import code_texts, panel_facts
from fieldline.desk.app.people_facts import DecisionFacts
from fieldline.desk.app.places import Place
from fieldline.desk.app.seen import seen_fields
from fieldline.desk.app.words import LANGUAGES, Words, words
from fieldline.desk.report.backdrop import Picture

MOST_DRAWN = 20_000
"""Parcels up to which they are drawn: a browser holds more only as tiles, which the desk has."""
MOST_CURVES = 3_000
"""Parcels up to which each shows its growth curve."""
FRAME_M = 120.0
"""Land shown around the outermost parcels."""
_LEAST_SHARE = 0.05
"""A seen field that holds less of every ring than this tells nothing of one."""
Corner = tuple[float, float]
Document = dict[str, Any]


def map_document(
    place: Place, layer: Layer, pictures: Sequence[Picture], crs: str, decisions: pd.DataFrame
) -> Document:
    """Return what the map draws.

    Args:
        place: County and season.
        layer: Its parcels.
        pictures: Backdrop in metres of `crs`.
        crs: Metric CRS of the map.
        decisions: `decisions.parquet`.

    Returns:
        Plain values for JSON. Lengths are metres right of and below the corner of the map; texts
        come as one list per language.
    """
    outlines = layer.frame.to_crs(crs)
    west, south, east, north = outlines.total_bounds
    corner = (west - FRAME_M, north + FRAME_M)
    return {
        "size": [round(east - west + 2 * FRAME_M), round(north - south + 2 * FRAME_M)],
        "currency": layer.currency,
        "layers": list(LAYERS),
        "legends": {name: [_entry(e) for e in layer.legends[name]] for name in LAYERS},
        "pictures": [_placed(picture, corner) for picture in pictures],
        "labels": {name: _labels(layer, words(name)) for name in LANGUAGES},
        "parcels": _parcels(layer, outlines, corner, _curves(place, len(outlines))),
        "farmers": _farmers(layer, decisions),
        "seen": _seen(place, outlines, corner),
    }


def _entry(entry: ClassOf) -> Document:
    texts = [entry.text.get(n) or words(n)(f"class.{entry.key}") for n in LANGUAGES]
    return {"colour": entry.colour, "count": entry.count, "text": texts}


def _placed(picture: Picture, corner: Corner) -> Document:
    return {
        "href": picture.href, "x": round(picture.west - corner[0], 1),
        "y": round(corner[1] - picture.north, 1), "w": picture.width, "h": picture.height,
    }  # fmt: skip


def _labels(layer: Layer, told: Words) -> list[str]:
    first = {str(name): value for name, value in layer.frame.iloc[0].items()}
    return [label for label, _ in panel_facts(first, told)["rows"]]


def _parcels(
    layer: Layer, outlines: gpd.GeoDataFrame, corner: Corner, curves: dict[str, Document]
) -> list[Document]:
    told = []
    for row, outline in zip(layer.frame.to_dict("records"), outlines.geometry, strict=True):
        fact = {str(name): value for name, value in row.items()}
        xmin, ymin, xmax, ymax = outline.bounds
        told.append({
            "id": fact["parcel_id"], "farmer": fact["farmer_id"],
            "village": fact["village"] if isinstance(fact["village"], str) else "",
            "path": path_of(outline, corner),
            "box": [_short(xmin - corner[0]), _short(corner[1] - ymax),
                    _short(xmax - xmin), _short(ymax - ymin)],
            "classes": [int(fact[f"{name}_class"]) for name in LAYERS],
            "rows": [[v for _, v in panel_facts(fact, words(n))["rows"]] for n in LANGUAGES],
            "codes": [[_code(c) for c in code_texts(fact["codes"], words(n))] for n in LANGUAGES],
            "curve": curves.get(fact["parcel_id"]),
        })  # fmt: skip
    return told


def _code(code: dict[str, str]) -> str:
    return f"{code['text']} ({code['does']})"


def _farmers(layer: Layer, decisions: pd.DataFrame) -> list[Document]:
    """Return every farmer who was decided on, with or without a parcel that could be used."""
    held = layer.frame.groupby("farmer_id")["parcel_id"].agg(list).to_dict()
    found = []
    for row in decisions.to_dict("records"):
        facts = [DecisionFacts({str(k): v for k, v in row.items()}, None, words(n))
                 for n in LANGUAGES]  # fmt: skip
        found.append({
            "id": row["farmer_id"], "access": row["access"],
            "parcels": held.get(row["farmer_id"], []),
            "figures": [[fact.words(f"class.{row['access']}"), fact.money(row["limit_minor"]),
                         fact.share(row["annual_rate"])] for fact in facts],
            "reasons": [fact.reasons for fact in facts],
        })  # fmt: skip
    return found


def _seen(place: Place, outlines: gpd.GeoDataFrame, corner: Corner) -> list[str]:
    """Return the outlines of the fields seen in the rings, without specks and far neighbours."""
    fields = seen_fields(place)
    if fields.empty:
        return []
    metric = fields.to_crs(outlines.crs).geometry
    number, ring = outlines.sindex.query(metric, predicate="intersects")
    shared = shapely.area(
        shapely.intersection(metric.values[number], outlines.geometry.values[ring])
    )
    enough = shared >= _LEAST_SHARE * outlines.geometry.area.to_numpy()[ring]
    return [path_of(metric.iloc[one], corner, 0) for one in np.unique(number[enough])]


def _curves(place: Place, parcels: int) -> dict[str, Document]:
    if parcels > MOST_CURVES or not place.has("growth"):
        return {}
    names = ["parcel_id", "curve_start", "curve_step_days", "curve", "harvest_date"]
    rows = place.table("growth", names).dropna(subset=["curve_start"])
    return {
        row["parcel_id"]: {
            "start": str(row["curve_start"]), "step": int(row["curve_step_days"]),
            "ndvi": [round(100 * float(value)) for value in row["curve"]],
            "harvest": str(row["harvest_date"]) if pd.notna(row["harvest_date"]) else None,
        }
        for row in rows.to_dict("records")
    }  # fmt: skip


def path_of(geometry: BaseGeometry, corner: Corner, digits: int = 1) -> str:
    """Return an outline as SVG path data in metres from the corner of the map.

    Args:
        geometry: Polygon or polygons in metres.
        corner: North-western corner of the map.
        digits: Decimals of a metre. Each corner is told as the step from the one before, which
            halves the page; steps are taken between rounded corners, so that none adds up.
    """
    polygons = getattr(geometry, "geoms", [geometry])
    rings = [ring for p in polygons for ring in (p.exterior, *p.interiors)]
    return "".join(_ring(np.asarray(ring.coords)[:, :2], corner, digits) for ring in rings)


def _ring(points: NDArray[np.float64], corner: Corner, digits: int) -> str:
    metres = np.round((points[:-1] - corner) * (1, -1), digits)
    steps = np.diff(metres, axis=0)
    (x, y), *more = [(_short(x, digits), _short(y, digits)) for x, y in (metres[0], *steps)]
    return f"M{x},{y}l" + " ".join(f"{right},{down}" for right, down in more) + "Z"


def _short(metres: float, digits: int = 1) -> float:
    """Return a length to so many decimals, without a useless zero."""
    short = round(float(metres), digits)
    return int(short) if short == int(short) else short
