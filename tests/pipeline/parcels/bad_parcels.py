"""The bad-parcel files: one row of every kind that intake must tell apart, mixed with good rows.

`bad_parcels` builds the rows around given good rings, so that the same kinds can stand among a
test's own squares or among a simulated county's parcels. Each row knows the outcome code it must
get. Deterministic: no randomness, no clock.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.records.outcomes import OK

Ring = list[list[float]]

NAMES = ("王小明", "李芳", "Jürgen Müller")
PHONE, ID_NUMBER = "13800001234", "110101199003071234"
_EDGE = 0.0008  # about 60 x 90 m at 48 degrees north: 8 mu, the normal case


@dataclass(frozen=True)
class Row:
    """One input row and the outcome it must get."""

    parcel_id: Any
    expected: str
    geometry: Any
    """GeoJSON geometry object, perhaps malformed on purpose."""
    farmer_id: str | None = "P-001"
    name: str = NAMES[0]
    phone: str = PHONE
    id_number: str = ID_NUMBER
    village: str = "东村"
    declared_crop: str | None = "winter_wheat"
    declared_area_mu: Any = 8.0
    srid: int | None = None
    """CSV only: CRS of this row."""

    def properties(self) -> dict[str, Any]:
        """Return the attribute columns of the row."""
        names = ("parcel_id", "farmer_id", "name", "phone", "id_number", "village")
        return {n: getattr(self, n) for n in (*names, "declared_crop", "declared_area_mu")}


@dataclass
class Plot:
    """Squares on a free strip of ground, one cell per bad row."""

    lon: float
    lat: float
    used: int = field(default=0)

    def corner(self) -> tuple[float, float]:
        """Return the south-west corner of the next free cell."""
        column, line = self.used % 10, self.used // 10
        self.used += 1
        return self.lon + column * 2 * _EDGE, self.lat + line * 2 * _EDGE


def square(x: float, y: float, edge: float = _EDGE) -> Ring:
    """Return a closed square ring."""
    return [[x, y], [x + edge, y], [x + edge, y + edge], [x, y + edge], [x, y]]


def polygon(*rings: Ring) -> dict[str, Any]:
    """Return a GeoJSON polygon."""
    return {"type": "Polygon", "coordinates": list(rings)}


def bad_parcels(
    good: Sequence[BaseGeometry], free: tuple[float, float], outside: tuple[float, float]
) -> list[Row]:
    """Return good rows mixed with one row of each bad kind.

    Args:
        good: Valid lon/lat polygons (at least three) that must be accepted.
        free: South-west corner (lon, lat) of free ground inside the county, about 0.02 x 0.02 deg.
        outside: A place (lon, lat) outside the county.
    """
    goods = [
        Row(f"good-{i:03d}", OK, shapely.geometry.mapping(ring), farmer_id=f"P-{i % 7 + 100}")
        for i, ring in enumerate(good)
    ]
    bad = [*_ring_kinds(Plot(*free)), *_place_kinds(Plot(free[0], free[1] + 10 * _EDGE), outside)]
    bad += _identity_kinds(Plot(free[0], free[1] + 20 * _EDGE), goods)
    mixed: list[Row] = []
    for i in range(max(len(goods), len(bad))):
        mixed += goods[i : i + 1] + bad[i : i + 1]
    return mixed


def _ring_kinds(plot: Plot) -> list[Row]:
    rows = []
    x, y = plot.corner()
    rows.append(Row("unclosed", "ring_closed", polygon(square(x, y)[:-1])))
    x, y = plot.corner()
    tail = [[x, y], [x + _EDGE, y], [x + _EDGE, y + _EDGE], [x - _EDGE / 50, y + _EDGE]]
    rows.append(
        Row("self-crossing", "self_crossing", polygon([*tail, [x + _EDGE / 50, y], [x, y]]))
    )
    x, y = plot.corner()
    bow = [[x, y], [x + _EDGE, y + _EDGE], [x + _EDGE, y], [x, y + _EDGE], [x, y]]
    rows.append(Row("bow-tie", "bow_tie", polygon(bow)))
    x, y = plot.corner()
    hole = square(x + _EDGE / 4, y + _EDGE / 4, _EDGE / 2)[::-1]
    rows.append(Row("holes", OK, polygon(square(x, y), hole)))
    x, y = plot.corner()
    near = [[square(x, y, _EDGE / 2)], [square(x + 0.6 * _EDGE, y, _EDGE / 2)]]
    rows.append(Row("multi-near", "multipart", {"type": "MultiPolygon", "coordinates": near}))
    x, y = plot.corner()
    far = [[square(x, y)], [square(x + 0.05, y)]]
    rows.append(Row("multi-far", "parts_far_apart", {"type": "MultiPolygon", "coordinates": far}))
    x, y = plot.corner()
    rows.append(Row("two-points", "too_few_points", polygon([[x, y], [x + _EDGE, y], [x, y]])))
    x, y = plot.corner()
    nan = square(x, y)
    nan[2] = [math.nan, y]
    rows.append(Row("nan", "nan_coordinates", polygon(nan)))
    rows.append(Row("null", "empty_geometry", None))
    rows.append(Row("empty", "empty_geometry", {"type": "Polygon", "coordinates": []}))
    x, y = plot.corner()
    rows.append(Row("point", "not_a_polygon", {"type": "Point", "coordinates": [x, y]}))
    x, y = plot.corner()
    rows.append(Row("words", "unreadable_geometry", polygon([["a", "b"], ["c", "d"], ["e", "f"]])))
    x, y = plot.corner()
    rows.append(Row("round", "simplified", polygon(_circle(x, y, 100_000, wobble=0.0))))
    x, y = plot.corner()
    rows.append(Row("star", "too_many_vertices", polygon(_circle(x, y, 100_000, wobble=0.3))))
    x, y = plot.corner()
    rows.append(Row("one-pixel", "under_one_pixel", polygon(square(x, y, _EDGE / 12))))
    x, y = plot.corner()
    rows.append(Row("tiny-but-fine", OK, polygon(square(x, y, _EDGE / 5)), declared_area_mu=0.3))
    x, y = plot.corner()
    rows.append(Row("village", "too_large", polygon(square(x, y, 0.05))))
    return rows


def _circle(x: float, y: float, vertices: int, wobble: float) -> Ring:
    ring = []
    for i in range(vertices):
        angle = 2 * math.pi * i / vertices
        radius = _EDGE / 2 * (1 - wobble * (i % 2))
        ring.append(
            [x + _EDGE / 2 + radius * math.cos(angle), y + _EDGE / 2 + radius * math.sin(angle)]
        )
    return [*ring, ring[0]]


def _place_kinds(plot: Plot, outside: tuple[float, float]) -> list[Row]:
    x, y = plot.corner()
    swapped = [[lat, lon] for lon, lat in square(x, y)]
    metric = square(600_000.0, 5_300_000.0, 80.0)
    rows = [
        Row("swapped", "axes_swapped", polygon(swapped)),
        Row("metres", "wrong_crs", polygon(metric)),
        Row("outside", "outside_county", polygon(square(*outside))),
    ]
    x, y = plot.corner()
    rows.append(Row("original", OK, polygon(square(x, y)), farmer_id="P-002"))
    rows.append(Row("same-ring", "duplicate_outline", polygon(square(x, y)), farmer_id="P-002"))
    x, y = plot.corner()
    rows.append(Row("claim-a", "overlap", polygon(square(x, y)), farmer_id="P-003"))
    shifted = square(x + _EDGE / 2, y)
    rows.append(Row("claim-b", "overlap", polygon(shifted), farmer_id="P-004", name=NAMES[1]))
    return rows


def _identity_kinds(plot: Plot, goods: Sequence[Row]) -> list[Row]:
    def fresh() -> dict[str, Any]:
        return polygon(square(*plot.corner()))

    return [
        Row(goods[0].parcel_id, "duplicate_id", fresh()),
        Row(None, "missing_id", fresh()),
        Row("no-farmer", "missing_farmer", fresh(), farmer_id=None),
        Row("blank-farmer", "missing_farmer", fresh(), farmer_id="  "),
        Row("odd-crop", "unknown_crop", fresh(), declared_crop="dragon fruit"),
        Row("chinese-crop", OK, fresh(), declared_crop="冬小麦"),
        Row("no-crop", OK, fresh(), declared_crop=None, declared_area_mu=None),
        Row("odd-area", "unreadable_area", fresh(), declared_area_mu="about eight"),
        Row("negative-area", "unreadable_area", fresh(), declared_area_mu=-3),
    ]


def write_geojson(rows: Sequence[Row], path: Path) -> None:
    """Write rows as GeoJSON, malformed geometries and NaN included."""
    features = [
        {"type": "Feature", "properties": row.properties(), "geometry": row.geometry}
        for row in rows
    ]
    document = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def write_csv(rows: Sequence[Row], path: Path, encodings: Sequence[str] = ("utf-8",)) -> None:
    """Write rows as CSV with WKT; line n is encoded in encoding n modulo their number."""
    names = list(rows[0].properties())
    with path.open("wb") as handle:
        handle.write((",".join([*names, "geometry"]) + "\n").encode())
        for i, row in enumerate(rows):
            cells = ["" if v is None else str(v) for v in row.properties().values()]
            line = ",".join([*cells, '"' + _wkt(row) + '"']) + "\n"
            handle.write(line.encode(encodings[i % len(encodings)], "replace"))


def _wkt(row: Row) -> str:
    """Return the row's WKT; written by hand because shapely writes no open ring."""
    if not row.geometry or not row.geometry["coordinates"]:
        return ""
    kind, coordinates = row.geometry["type"], row.geometry["coordinates"]
    prefix = f"SRID={row.srid};" if row.srid else ""
    if kind == "Point":
        return f"{prefix}POINT ({coordinates[0]} {coordinates[1]})"
    polygons = [coordinates] if kind == "Polygon" else coordinates
    text = ", ".join("(" + ", ".join(_ring_wkt(ring) for ring in rings) + ")" for rings in polygons)
    return f"{prefix}{kind.upper()} {text if kind == 'Polygon' else '(' + text + ')'}"


def _ring_wkt(ring: Ring) -> str:
    return "(" + ", ".join(f"{x} {y}" for x, y in ring) + ")"


def write_vector(rows: Sequence[Row], path: Path, crs: str | None, **options: str) -> None:
    """Write the rows that GDAL accepts (polygons or nothing) as Shapefile or GeoPackage."""
    frame = gpd.GeoDataFrame(
        [row.properties() for row in rows],
        geometry=[shapely.geometry.shape(row.geometry) if row.geometry else None for row in rows],
        crs=crs,
    )
    frame = frame.rename(columns={"declared_area_mu": "area_mu", "declared_crop": "crop"})
    frame.to_file(path, **options)


def write_kml(rows: Sequence[Row], path: Path) -> None:
    """Write rows as KML placemarks with ExtendedData."""
    marks = []
    for row in rows:
        data = "".join(
            f'<Data name="{name}"><value>{value}</value></Data>'
            for name, value in row.properties().items()
            if value is not None
        )
        marks.append(f"<Placemark><ExtendedData>{data}</ExtendedData>{_kml(row)}</Placemark>")
    body = "".join(marks)
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2">'
        f"<Document>{body}</Document></kml>",
        encoding="utf-8",
    )


def _kml(row: Row) -> str:
    if not row.geometry or not row.geometry["coordinates"]:
        return ""
    if row.geometry["type"] == "Point":
        return "<Point><coordinates>{},{}</coordinates></Point>".format(
            *row.geometry["coordinates"]
        )
    multi = row.geometry["type"] == "MultiPolygon"
    polygons = row.geometry["coordinates"] if multi else [row.geometry["coordinates"]]
    text = "".join(_kml_polygon(rings) for rings in polygons)
    return f"<MultiGeometry>{text}</MultiGeometry>" if multi else text


def _kml_polygon(rings: Sequence[Ring]) -> str:
    sides = ["outerBoundaryIs", *["innerBoundaryIs"] * (len(rings) - 1)]
    parts = [
        f"<{side}><LinearRing><coordinates>"
        + " ".join(f"{x},{y},0" for x, y in ring)
        + f"</coordinates></LinearRing></{side}>"
        for side, ring in zip(sides, rings, strict=True)
    ]
    return f"<Polygon>{''.join(parts)}</Polygon>"
