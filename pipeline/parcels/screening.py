"""The rules that decide whether a drawn outline can be trusted with a number.

Owns every check between a file that was read and a parcel that is accepted; reads and writes no
file. Each rule looks only at rows that earlier rules left alive, records what it finds in the
`Ledger`, repairs what is unambiguous and guesses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.parcels.ledger import Ledger
from fieldline.pipeline.parcels.overlaps import overlapping_pairs
from fieldline.pipeline.parcels.readers import ParcelFile
from fieldline.pipeline.parcels.rings import (
    WGS84,
    Floats,
    Geometries,
    geodesic_measures,
    parts_connected,
    thin,
    untangle,
)
from fieldline.pipeline.parcels.settings import IntakeSettings

_LON, _LAT = 180.0, 90.0
#: With fewer parcels there is no telling where a county without a boundary lies.
_CROWD = 10


@dataclass
class Screened:
    """A parcel file after all rules."""

    frame: pd.DataFrame
    """As read, with `row_id` (unique per row) and the mapped `declared_crop`."""
    geometries: Geometries
    """Lon/lat on WGS84, shells counter-clockwise; meaningful where alive."""
    area_m2: Floats
    perimeter_m: Floats
    ledger: Ledger


def screen(
    file: ParcelFile,
    settings: IntakeSettings,
    *,
    crop_named: Callable[[str], str | None],
    boundary: BaseGeometry | None = None,
) -> Screened:
    """Run every rule over a parcel file.

    Args:
        file: Rows as read.
        settings: Limits.
        crop_named: Gives a crop's code by any of its names, None where there is none.
        boundary: County boundary in lon/lat, where known.
    """
    ledger = Ledger(len(file.frame))
    frame = file.frame.copy()
    frame["row_id"] = _identify(frame, ledger)
    _refuse_unreadable(file, ledger)
    geometries = _to_lonlat(file, ledger)
    _refuse_swapped(geometries, ledger, _region(geometries, ledger, boundary, settings))
    _repair(geometries, ledger, settings)
    area, perimeter = _measure(geometries, ledger, settings)
    _judge_parts(geometries, ledger, settings)
    if boundary is not None:
        _refuse_outside(geometries, ledger, boundary, settings)
    _judge_overlaps(frame, geometries, ledger, settings)
    _read_declarations(frame, ledger, crop_named)
    return Screened(frame, geometries, area, perimeter, ledger)


def _identify(frame: pd.DataFrame, ledger: Ledger) -> list[str]:
    """Give every row a unique id; refuse rows that name no parcel, no farmer or a taken id."""
    seen: set[str] = set()
    ids: list[str] = []
    pairs = zip(frame["parcel_id"], frame["farmer_id"], strict=True)
    for row, (parcel, farmer) in enumerate(pairs):
        identity = parcel or f"row{row + 1}"
        if parcel is None:
            ledger.refuse(row, "missing_id")
        elif parcel in seen:
            ledger.refuse(row, "duplicate_id", of=parcel)
        elif farmer is None:
            ledger.refuse(row, "missing_farmer")
        if identity in seen:
            identity = f"{identity}#row{row + 1}"
        while identity in seen:
            identity += "#"
        seen.add(identity)
        ids.append(identity)
    return ids


def _refuse_unreadable(file: ParcelFile, ledger: Ledger) -> None:
    for row, shape in enumerate(file.shapes):
        if shape.code:
            ledger.refuse(row, shape.code, **shape.numbers)
        elif shape.closed:
            ledger.note(row, "ring_closed", rings=shape.closed)


def _to_lonlat(file: ParcelFile, ledger: Ledger) -> Geometries:
    """Project every row to lon/lat, refusing coordinates that its CRS cannot hold."""
    geometries = shapely.force_2d(file.geometries)
    for crs, members in _by_crs(file, ledger).items():
        rows = np.array(members, dtype=np.int64)
        _refuse_misfits(geometries, rows, crs, ledger)
        rows = rows[ledger.alive[rows]]
        geometries[rows] = shapely.transform(geometries[rows], _projector(crs))
        lost = ~np.isfinite(shapely.bounds(geometries[rows])).all(axis=1)
        ledger.refuse_all(rows[lost], "wrong_crs")
    return geometries


def _by_crs(file: ParcelFile, ledger: Ledger) -> dict[CRS, list[int]]:
    """Group living rows by their own CRS, else the file's; refuse rows that have neither."""
    rows = ledger.rows.tolist()
    own = {row: crs for row in rows if (crs := file.shapes[row].crs) is not None}
    rest = [row for row in rows if row not in own]
    groups: dict[CRS, list[int]] = {}
    if file.crs is not None:
        groups[file.crs] = rest
    else:
        ledger.refuse_all(rest, "missing_crs")
    for row, crs in own.items():
        groups.setdefault(crs, []).append(row)
    return groups


def _projector(crs: CRS) -> Callable[[Floats], Floats]:
    transformer = Transformer.from_crs(crs, CRS.from_epsg(4326), always_xy=True)

    def project(xy: Floats) -> Floats:
        return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))

    return project if not crs.equals(CRS.from_epsg(4326)) else np.asarray


def _refuse_misfits(
    geometries: Geometries, rows: npt.NDArray[np.int64], crs: CRS, ledger: Ledger
) -> None:
    """Refuse metres in a CRS of degrees, degrees in a CRS of metres and latitudes over 90."""
    west, south, east, north = shapely.bounds(geometries[rows]).T
    x, y = np.maximum(-west, east), np.maximum(-south, north)
    if not crs.is_geographic:
        ledger.refuse_all(rows[(x <= _LON) & (y <= _LAT)], "wrong_crs")
        return
    for index in np.flatnonzero((x > _LON) | (y > _LAT)):
        swapped = x[index] <= _LAT and y[index] <= _LON
        code = "latlon_swapped" if swapped else "wrong_crs"
        ledger.refuse(int(rows[index]), code, x=float(x[index]), y=float(y[index]))


def _region(
    geometries: Geometries, ledger: Ledger, boundary: BaseGeometry | None, settings: IntakeSettings
) -> Floats | None:
    """Return the box (west, south, east, north) where the county's parcels make sense."""
    pad = np.array([-1, -1, 1, 1]) * settings.region_pad_deg
    if boundary is not None:
        return np.array(boundary.bounds) + pad
    if len(ledger.rows) < _CROWD:
        return None
    centres = _centres(geometries[ledger.rows])
    median = np.median(centres, axis=0)
    return np.concatenate([median, median]) + pad


def _centres(geometries: Geometries) -> Floats:
    bounds = shapely.bounds(geometries)
    return (bounds[:, :2] + bounds[:, 2:]) / 2


def _refuse_swapped(geometries: Geometries, ledger: Ledger, region: Floats | None) -> None:
    """Refuse outlines that lie outside the county but inside it with x and y exchanged."""
    if region is None:
        return
    rows = ledger.rows
    centres = _centres(geometries[rows])
    swapped = ~_inside(centres, region) & _inside(centres[:, ::-1], region)
    for row, (x, y) in zip(rows[swapped], centres[swapped], strict=True):
        ledger.refuse(int(row), "latlon_swapped", x=float(x), y=float(y))


def _inside(points: Floats, box: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray(((points >= box[:2]) & (points <= box[2:])).all(axis=1))


def _repair(geometries: Geometries, ledger: Ledger, settings: IntakeSettings) -> None:
    """Thin outlines with too many vertices, then untangle those that cross themselves."""
    rows = ledger.rows
    vertices = shapely.get_num_coordinates(geometries[rows])
    for row, before in zip(rows.tolist(), vertices.tolist(), strict=True):
        if before > settings.max_vertices:
            _thin(geometries, row, before, ledger, settings)
    rows = ledger.rows
    for row in rows[~shapely.is_valid(geometries[rows])].tolist():
        repair = untangle(geometries[row], settings.self_crossing_share)
        geometries[row] = repair.geometry
        if repair.geometry is None:
            ledger.refuse(row, "bow_tie", doubt=repair.share)
        else:
            ledger.note(row, "self_crossing", doubt=repair.share)
    geometries[ledger.rows] = shapely.orient_polygons(geometries[ledger.rows])


def _thin(
    geometries: Geometries, row: int, before: int, ledger: Ledger, settings: IntakeSettings
) -> None:
    repair = thin(geometries[row], settings.simplify_tolerance_m, settings.simplify_area_change)
    after = shapely.get_num_coordinates(repair.geometry) if repair.geometry is not None else before
    numbers = {"vertices": before, "left": int(after), "area_change": repair.share}
    if after > settings.max_vertices:
        ledger.refuse(row, "too_many_vertices", **numbers)
    else:
        geometries[row] = repair.geometry
        ledger.note(row, "simplified", **numbers)


def _measure(
    geometries: Geometries, ledger: Ledger, settings: IntakeSettings
) -> tuple[Floats, Floats]:
    area, perimeter = np.zeros(len(geometries)), np.zeros(len(geometries))
    rows = ledger.rows
    area[rows], perimeter[rows] = geodesic_measures(geometries[rows])
    for row in rows[area[rows] < settings.min_area_m2]:
        ledger.refuse(row, "under_one_pixel", area_m2=float(area[row]))
    for row in rows[area[rows] > settings.max_area_m2]:
        ledger.refuse(row, "too_large", area_km2=float(area[row]) / 1e6)
    return area, perimeter


def _judge_parts(geometries: Geometries, ledger: Ledger, settings: IntakeSettings) -> None:
    rows = ledger.rows
    counts = shapely.get_num_geometries(geometries[rows])
    for row, parts in zip(rows[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True):
        if parts_connected(geometries[row], settings.part_gap_m):
            ledger.note(row, "multipart", parts=parts)
        else:
            ledger.refuse(row, "parts_far_apart", parts=parts, gap_m=settings.part_gap_m)
    polygons, owner = shapely.get_parts(geometries[rows], return_index=True)
    holes = np.bincount(
        owner, weights=shapely.get_num_interior_rings(polygons), minlength=len(rows)
    )
    for row, count in zip(rows[holes > 0].tolist(), holes[holes > 0].tolist(), strict=True):
        ledger.remark(row, holes=int(count))


def _refuse_outside(
    geometries: Geometries, ledger: Ledger, boundary: BaseGeometry, settings: IntakeSettings
) -> None:
    shapely.prepare(boundary)
    rows = ledger.rows
    rows = rows[~shapely.covers(boundary, geometries[rows])]
    common = shapely.area(shapely.intersection(geometries[rows], boundary))
    share = common / shapely.area(geometries[rows])
    for row, inside in zip(rows, share, strict=True):
        if inside < settings.boundary_min_share:
            distance = _distance_km(geometries[row], boundary)
            ledger.refuse(row, "outside_county", inside=float(inside), distance_km=distance)


def _distance_km(geometry: BaseGeometry, boundary: BaseGeometry) -> float:
    (x1, y1), (x2, y2) = shapely.get_coordinates(shapely.shortest_line(geometry, boundary))
    return float(WGS84.inv(x1, y1, x2, y2)[2]) / 1000


def _judge_overlaps(
    frame: pd.DataFrame, geometries: Geometries, ledger: Ledger, settings: IntakeSettings
) -> None:
    """Refuse the later of one farmer's equal outlines; note ground that two outlines share."""
    rows = ledger.rows
    pairs = overlapping_pairs(geometries[rows], min(settings.overlap_share, settings.duplicate_iou))
    first, second = rows[pairs.first], rows[pairs.second]
    farmers = frame["farmer_id"].to_numpy()
    same = (farmers[first] == farmers[second]) & (pairs.iou >= settings.duplicate_iou)
    for i in np.flatnonzero(same):
        if ledger.alive[first[i]]:
            of = frame["row_id"].iloc[int(first[i])]
            ledger.refuse(int(second[i]), "duplicate_outline", of=of, iou=float(pairs.iou[i]))
    both = ledger.alive[first] & ledger.alive[second]
    both &= pairs.smaller_share >= settings.overlap_share
    worst: dict[int, float] = {}
    for i in np.flatnonzero(both):
        for row in (int(first[i]), int(second[i])):
            worst[row] = max(worst.get(row, 0.0), float(pairs.smaller_share[i]))
    for row, share in worst.items():
        ledger.note(row, "overlap", share=share)


def _read_declarations(
    frame: pd.DataFrame, ledger: Ledger, crop_named: Callable[[str], str | None]
) -> None:
    """Map declared crops to codes and carry over what the reader noted about a row's text."""
    known = {name: crop_named(str(name)) for name in frame["declared_crop"].unique() if name}
    codes = [known.get(name) for name in frame["declared_crop"]]
    for row, (name, code) in enumerate(zip(frame["declared_crop"], codes, strict=True)):
        # The text itself stays out: a shifted column could hold a name or a phone number.
        if name and code is None:
            ledger.note(row, "unknown_crop")
    frame["declared_crop"] = pd.Series(codes, dtype=object)
    texts = zip(frame["text_note"], frame["text_encoding"], frame["area_note"], strict=True)
    for row, (text, encoding, area) in enumerate(texts):
        if text:
            ledger.note(row, text, encoding=encoding)
        if area:
            ledger.note(row, area)
