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
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.parcels.antimeridian import beside_boundary, on_one_side
from fieldline.pipeline.parcels.ledger import Ledger
from fieldline.pipeline.parcels.map_shift_signs import shift_sign
from fieldline.pipeline.parcels.overlaps import overlapping_pairs
from fieldline.pipeline.parcels.parcel_files import ParcelFile
from fieldline.pipeline.parcels.positions import to_lonlat
from fieldline.pipeline.parcels.rings import (
    WGS84,
    Floats,
    Geometries,
    geodesic_measures,
    holes_outside,
    parts_connected,
    thin,
    untangle,
)
from fieldline.pipeline.parcels.settings import IntakeSettings


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
    said: tuple[str, ...]
    """What was read and how it was understood, one sentence each."""


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
    ledger = Ledger(len(file.frame), file.places)
    frame = file.frame.copy()
    frame["row_id"] = _identify(frame, ledger)
    _judge_people(frame, ledger)
    _refuse_unreadable(file, ledger)
    geometries = to_lonlat(file, ledger, boundary, settings)
    _repair(geometries, ledger, settings)
    area, perimeter = _measure(geometries, ledger, settings)
    _judge_parts(geometries, ledger, settings)
    said = list(file.said)
    if boundary is not None:
        if not file.map_shift:
            said += _suspect_shift(file, geometries, ledger, boundary)
        _refuse_outside(geometries, ledger, boundary, settings)
    _judge_overlaps(frame, geometries, ledger, settings)
    _read_declarations(frame, ledger, crop_named)
    said += _told(ledger)
    return Screened(frame, geometries, area, perimeter, ledger, tuple(said))


def _identify(frame: pd.DataFrame, ledger: Ledger) -> list[str]:
    """Give every row a unique id; refuse rows that name no parcel, no farmer or a taken id."""
    numbers = frame["parcel_id"].tolist()
    if len(set(numbers)) == len(numbers) and not _lacking(frame):
        return numbers
    seen: set[str] = set()
    ids: list[str] = []
    told = zip(frame["parcel_id"], frame["farmer_id"], frame["refused"], strict=True)
    for row, (parcel, farmer, refused) in enumerate(told):
        identity = parcel or f"row{row + 1}"
        if refused:
            ledger.refuse(row, refused)
        elif parcel is None:
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


def _judge_people(frame: pd.DataFrame, ledger: Ledger) -> None:
    """Refuse rows whose farmer's number stands for several people: they must not become one.

    Two national id numbers are two people. Two names without one may be a slip or a couple, so the
    rows go on and the doubt is told.
    """
    for column, note in (("id_number", False), ("name", True)):
        people = frame[["farmer_id", column]].dropna().drop_duplicates()
        people = people[people["farmer_id"].duplicated(keep=False)]
        counts = people["farmer_id"].value_counts().to_dict()
        for row in np.flatnonzero(frame["farmer_id"].isin(list(counts)).to_numpy()).tolist():
            count = counts[frame["farmer_id"].iloc[row]]
            if note:
                ledger.note(row, "farmer_names_differ", names=count)
            else:
                ledger.refuse(row, "farmer_conflict", people=count)


def _lacking(frame: pd.DataFrame) -> bool:
    """Whether any row names no parcel or no farmer, or is refused by what its cells hold."""
    blank = frame[["parcel_id", "farmer_id"]].isna().to_numpy().any()
    return bool(blank) or bool((frame["refused"] != "").any())


def _refuse_unreadable(file: ParcelFile, ledger: Ledger) -> None:
    for row, shape in file.shapes.odd.items():
        if shape.code:
            ledger.refuse(row, shape.code, **shape.numbers)
            continue
        if shape.closed:
            ledger.note(row, "ring_closed", rings=shape.closed)
        if shape.dropped:
            ledger.note(row, "part_dropped", dropped=shape.dropped)


def _told(ledger: Ledger) -> list[str]:
    """Say what happened to many rows at once and is easily overlooked row by row."""
    swapped = ledger.count("axes_swapped")
    if not swapped:
        return []
    return [
        f"rows with exchanged axes, put right where the county or the CRS settles it: {swapped}"
    ]


def _repair(geometries: Geometries, ledger: Ledger, settings: IntakeSettings) -> None:
    """Thin outlines with too many vertices, then untangle those that cross themselves."""
    rows = ledger.rows
    vertices = shapely.get_num_coordinates(geometries[rows])
    for row, before in zip(rows.tolist(), vertices.tolist(), strict=True):
        if before > settings.max_vertices:
            _thin(geometries, row, before, ledger, settings)
    rows = ledger.rows
    for row in rows[~shapely.is_valid(geometries[rows])].tolist():
        drawn = geometries[row]
        repair = untangle(drawn, settings.self_crossing_share)
        geometries[row] = repair.geometry
        if repair.geometry is None and (outside := holes_outside(drawn)) > 0:
            ledger.refuse(row, "hole_outside", outside=outside)
        elif repair.geometry is None:
            ledger.refuse(row, "bow_tie", doubt=repair.share)
        else:
            ledger.note(row, "self_crossing", doubt=repair.share)
    _orient(geometries, ledger.rows)


def _orient(geometries: Geometries, rows: npt.NDArray[np.int64]) -> None:
    """Turn shells counter-clockwise; those that are stay the same object, not a copy."""
    shells = shapely.is_ccw(shapely.get_exterior_ring(geometries[rows]))
    turned = rows[~shells | (shapely.get_num_interior_rings(geometries[rows]) > 0)]
    geometries[turned] = shapely.orient_polygons(geometries[turned])


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
    holes = shapely.get_num_interior_rings(geometries[rows]).astype(float)
    several = np.flatnonzero(counts > 1)
    parts_of, owner = shapely.get_parts(geometries[rows[several]], return_index=True)
    inner = shapely.get_num_interior_rings(parts_of)
    holes[several] = np.bincount(owner, weights=inner, minlength=len(several))
    for row, count in zip(rows[holes > 0].tolist(), holes[holes > 0].tolist(), strict=True):
        ledger.remark(row, holes=int(count))


def _suspect_shift(
    file: ParcelFile, geometries: Geometries, ledger: Ledger, boundary: BaseGeometry
) -> list[str]:
    """Note every outline in degrees where the boundary says they were drawn on a shifted map."""
    in_degrees = file.degrees()
    rows = ledger.rows[in_degrees[ledger.rows]]
    sign = shift_sign(geometries[rows], boundary)
    if sign is None:
        return []
    for row in rows.tolist():
        ledger.note(row, "map_shift_suspected", map=sign.map_shift)
    return [str(sign)]


def _refuse_outside(
    geometries: Geometries, ledger: Ledger, boundary: BaseGeometry, settings: IntakeSettings
) -> None:
    rows = ledger.rows
    drawn, boundary = beside_boundary(geometries[rows], boundary)
    shapely.prepare(boundary)
    out = ~shapely.covers(boundary, drawn)
    rows, drawn = rows[out], drawn[out]
    share = shapely.area(shapely.intersection(drawn, boundary)) / shapely.area(drawn)
    for row, outline, inside in zip(rows, drawn, share, strict=True):
        if inside < settings.boundary_min_share:
            distance = _distance_km(outline, boundary)
            ledger.refuse(row, "outside_county", inside=float(inside), distance_km=distance)


def _distance_km(geometry: BaseGeometry, boundary: BaseGeometry) -> float:
    (x1, y1), (x2, y2) = shapely.get_coordinates(shapely.shortest_line(geometry, boundary))
    return float(WGS84.inv(x1, y1, x2, y2)[2]) / 1000


def _judge_overlaps(
    frame: pd.DataFrame, geometries: Geometries, ledger: Ledger, settings: IntakeSettings
) -> None:
    """Refuse the later of one farmer's equal outlines; note ground that two outlines share."""
    rows = ledger.rows
    outlines = on_one_side(geometries[rows])
    pairs = overlapping_pairs(outlines, min(settings.overlap_share, settings.duplicate_iou))
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
    names = frame["declared_crop"].tolist()
    code_of = {n: crop_named(str(n)) if n else None for n in dict.fromkeys(names)}
    codes = [code_of[name] for name in names]
    # The text itself stays out: a shifted column could hold a name or a phone number.
    for row, (name, code) in enumerate(zip(names, codes, strict=True)):
        if code is None and name:
            ledger.note(row, "unknown_crop")
    frame["declared_crop"] = pd.Series(codes, dtype=object)
    notes = [frame[name].tolist() for name in ("text_note", "text_encoding", "area_note")]
    for row, (text, encoding, area) in enumerate(zip(*notes, strict=True)):
        if text:
            ledger.note(row, text, encoding=encoding)
        if area:
            ledger.note(row, area)
