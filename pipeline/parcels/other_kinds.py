"""Files that people send in place of outlines, and what to do with each.

Owns the sentence about a kind of file that is not read: what it is, and the way from it to one that
is. Opens no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fieldline.pipeline.records.errors import UserError

_QGIS = "open it in a GIS (QGIS) and save its polygons as GeoPackage or GeoJSON"
_WALKED = (
    "walked tracks and points, no outlines",
    "close each track to a polygon in a GIS (QGIS: Lines to polygons), give it parcel_id and "
    "farmer_id and save as GeoPackage",
)
_DRAWING = (
    "a drawing, whose lines carry no parcel_id, no farmer_id and no coordinate system",
    f"{_QGIS}, with these columns and its CRS",
)
_SIDECAR = ("one of the files of a Shapefile", "name its .shp, or send all of them in one .zip")
_PACKED = ("an archive that is not read", "pack it again as .zip")
_PAPER = ("a document or picture, no outlines", "ask for the outlines as GeoJSON, KML or Shapefile")
_PROJECT = ("a map project, which only points to its layers", "save the layer as GeoPackage")
_GIS = ("of a kind that is not read", _QGIS)
_OTHER = {
    (".gpx", ".fit", ".tcx", ".nmea"): _WALKED,
    (".dxf", ".dwg", ".dgn"): _DRAWING,
    (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".qix"): _SIDECAR,
    (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"): _PACKED,
    (".pdf", ".doc", ".docx", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".heic"): _PAPER,
    (".qgs", ".qgz", ".mxd", ".aprx", ".lyr", ".lyrx"): _PROJECT,
    (".gml", ".gdb", ".mdb", ".sqlite", ".db", ".e00", ".feather", ".pmtiles", ".osm"): _GIS,
}
_BY_SUFFIX = {suffix: told for suffixes, told in _OTHER.items() for suffix in suffixes}


def refuse_other_kind(source: Path, known: Sequence[str]) -> None:
    """Refuse a file of a kind that is not read.

    Args:
        source: The file.
        known: Suffixes that are read.

    Raises:
        UserError: Always.
    """
    unknown = (f"of unknown kind {source.suffix!r}", f"use one of {', '.join(sorted(known))}")
    what, remedy = _BY_SUFFIX.get(source.suffix.lower(), unknown)
    raise UserError(f"{source} is {what}", remedy)


def refuse_folder(source: Path, setting: str) -> None:
    """Refuse a folder, a geodatabase among them.

    Raises:
        UserError: Always.
    """
    if source.suffix.lower() == ".gdb":
        raise UserError(f"{source} is a geodatabase, which is not read", _QGIS)
    raise UserError(f"{source} is a folder", f"name the file in it under {setting}")
