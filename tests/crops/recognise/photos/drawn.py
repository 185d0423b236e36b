"""Photographs that the tests draw, with the EXIF that a camera would write, and a parcel."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from PIL import Image
from pyproj import Transformer

from fieldline.crops.inputs import PHOTOS
from fieldline.crops.recognise.photos.check import Finding, PhotoCheck, check_photos
from fieldline.crops.settings import PhotoSettings
from fieldline.pipeline.inputs.read import read_input
from fieldline.pipeline.records.settings import Season

UTM = "EPSG:32648"
TO_UTM = Transformer.from_crs("EPSG:4326", UTM, always_xy=True)
TO_DEGREES = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
EAST, NORTH = 404_000.0, 3_386_000.0
"""South-west corner of parcel `a`, metres of the UTM zone: Sichuan."""
SEASON = Season(
    start=dt.date(2024, 3, 1), end=dt.date(2024, 10, 31), as_of=dt.date(2024, 8, 31)
)  # fmt: skip


def lonlat(east: float, north: float) -> tuple[float, float]:
    """Degrees of metres east and north of the corner of parcel `a`."""
    lon, lat = TO_DEGREES.transform(EAST + east, NORTH + north)
    return float(lon), float(lat)


def parcels(path: Path) -> Path:
    """Write squares of 100 m: `a`, and `b` on its eastern side."""
    squares = {"a": shapely.box(0, 0, 100, 100), "b": shapely.box(100, 0, 200, 100)}
    shapes = [
        shapely.transform(box, lambda xy: np.array([lonlat(*point) for point in xy.tolist()]))
        for box in squares.values()
    ]
    table = pa.table({"parcel_id": list(squares), "geometry": [shapely.to_wkb(s) for s in shapes]})
    pq.write_table(table, path)
    return path


def picture(seed: int = 0, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Draw blocks of colour that differ by seed."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST)


def photograph(
    path: Path, *, at: tuple[float, float] | None = (50.0, 50.0), local: str | None = None,
    offset: str | None = None, fix: str | None = None, error_m: float | None = None, seed: int = 0,
    orientation: int | None = None, degrees: tuple[float, float] | None = None,
) -> Path:  # fmt: skip
    """Write a photograph.

    Args:
        path: The file; its suffix says the format.
        at: Metres east and north of the corner of parcel `a`.
        local: Clock of the camera, as EXIF writes it; noon of 15 June 2024 unless given or "".
        offset: Offset of that clock.
        fix: UTC of the satellites, `2024:06:15 04:00:00`.
        error_m: The camera's word on its place.
        seed: Another picture by number.
        orientation: EXIF orientation.
        degrees: Place in degrees instead of `at`.
    """
    exif = Image.Exif()
    camera: dict[int, Any] = {}
    gps: dict[int, Any] = {}
    if local != "":
        camera[0x9003] = local or "2024:06:15 12:00:00"
    if offset:
        camera[0x9011] = offset
    if at is not None:
        lon, lat = degrees or lonlat(*at)
        gps |= {1: "N" if lat >= 0 else "S", 2: sexagesimal(lat)}
        gps |= {3: "E" if lon >= 0 else "W", 4: sexagesimal(lon)}
    if fix:
        day, hours = fix.split(" ")
        gps |= {29: day, 7: tuple(float(part) for part in hours.split(":"))}
    if error_m is not None:
        gps[31] = error_m
    if orientation:
        exif[0x0112] = orientation
    for tag, ifd in ((0x8769, camera), (0x8825, gps)):
        if ifd:
            exif[tag] = ifd
    picture(seed).save(path, exif=exif)
    return path


def sexagesimal(degrees: float) -> tuple[float, float, float]:
    """Degrees, minutes and seconds without sign."""
    whole, rest = divmod(abs(degrees), 1)
    minutes, rest = divmod(rest * 60, 1)
    return whole, minutes, rest * 60


def checked(
    folder: Path, rows: list[dict[str, Any]], *, outlines: bool = True, **settings: float
) -> list[Finding]:
    """Write the table beside its photographs and check it."""
    columns = ["parcel_id", "file", "taken_on", "lon", "lat"]
    pd.DataFrame(rows).reindex(columns=columns).to_csv(folder / "photos.csv", index=False)
    found = parcels(folder / "parcels.parquet") if outlines else None
    check = PhotoCheck(SEASON, PhotoSettings(**settings), found)
    return check_photos(read_input(folder / "photos.csv", PHOTOS), check)


def numbers(finding: Finding) -> dict[str, str]:
    """Numbers behind a finding by name."""
    return dict(part.split("=", 1) for part in finding.detail.split())
