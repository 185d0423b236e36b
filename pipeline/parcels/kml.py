"""Placemarks of a KML file with their fields and polygon rings.

Owns the little of KML that outlines need (names, ExtendedData, polygons, always WGS84); it exists
because the usual drivers lose ExtendedData fields or refuse the file at one malformed ring.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fieldline.pipeline.parcels.crs import WGS84
from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.shapes import Shape, Shapes, shape_from_rings
from fieldline.pipeline.records.encodings import decode_whole
from fieldline.pipeline.records.errors import UserError

Ring = list[list[float]]
_OTHER = ("Point", "LineString", "LinearRing", "Track", "MultiTrack", "Model")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


@dataclass(frozen=True)
class Placemark:
    """One drawn object."""

    fields: dict[str, str | None]
    """`name`, `description` and every ExtendedData field."""
    polygons: list[list[Ring]]
    """Polygons as rings of positions (lon, lat), shell first."""
    other: str
    """Kind of KML in which it is drawn instead (`Point`, `Track`), empty where there is none."""


def read_kml(source: Path) -> Layer:
    """Read all placemarks of all folders as one layer.

    Raises:
        UserError: The file is not XML, or only points to other files.
    """
    marks = placemarks(source)
    names = dict.fromkeys(name for mark in marks for name in mark.fields)
    return Layer(
        columns={name: [mark.fields.get(name) for mark in marks] for name in names},
        shapes=Shapes.of(_shape(mark) for mark in marks),
        crs=WGS84,
    )


def _shape(mark: Placemark) -> Shape:
    if mark.polygons:
        return shape_from_rings(mark.polygons)
    if mark.other:
        return Shape(None, "not_a_polygon", {"type": mark.other})
    return Shape(None, "empty_geometry")


def placemarks(source: Path) -> list[Placemark]:
    """Read all placemarks in document order.

    Raises:
        UserError: The file is not XML.
    """
    text = _DECLARATION.sub("", decode_whole(source.read_bytes()).text)
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        line, _ = error.position
        raise UserError(f"{source} is not KML (line {line})", "export it again as KML") from error
    found = [_placemark(element) for element in _all(root, "Placemark")]
    if not found and next(_all(root, "NetworkLink"), None) is not None:
        raise UserError(
            f"{source} holds no outline but a link to another file", "save the linked file as KML"
        )
    return found


def _placemark(element: ET.Element) -> Placemark:
    polygons = [_rings(polygon) for polygon in _all(element, "Polygon")]
    other = next((kind for kind in _OTHER if next(_all(element, kind), None) is not None), "")
    return Placemark(_fields(element), polygons, "" if polygons else other)


def _fields(element: ET.Element) -> dict[str, str | None]:
    fields = {tag: child.text for tag in ("name", "description") for child in _own(element, tag)}
    for data in _all(element, "Data"):
        fields[data.get("name", "")] = next((v.text for v in _own(data, "value")), None)
    fields |= {data.get("name", ""): data.text for data in _all(element, "SimpleData")}
    return fields


def _rings(polygon: ET.Element) -> list[Ring]:
    boundaries = [*_all(polygon, "outerBoundaryIs"), *_all(polygon, "innerBoundaryIs")]
    return [_positions(c.text or "") for b in boundaries for c in _all(b, "coordinates")]


def _positions(text: str) -> Ring:
    """Parse `lon,lat[,height] lon,lat ...`; an unreadable number becomes NaN and is coded later."""
    return [[_number(part) for part in position.split(",")[:2]] for position in text.split()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(element: ET.Element, tag: str) -> Iterator[ET.Element]:
    return (found for found in element.iter() if _tag(found) == tag)


def _own(element: ET.Element, tag: str) -> Iterator[ET.Element]:
    return (child for child in element if _tag(child) == tag)
