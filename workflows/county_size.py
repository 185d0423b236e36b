"""County size: how many parcels a county and season has, told before any of them is read.

Owns the number by which a job's claim of memory grows. Once intake has run it is that of its table;
before, it is what the outline files say of themselves (GeoPackage, shapefile, GeoParquet), what the
beginning of a text shows, or what files of their size hold at most, so that a claim is rather too
large than too small.
"""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import lru_cache
from math import ceil
from pathlib import Path, PurePath

_LEAST_BYTES = {
    ".geojson": 200, ".json": 200, ".kml": 200, ".csv": 90, ".tsv": 90, ".xls": 90, ".xlsx": 40,
    ".ods": 40,
}  # fmt: skip
"""What a ring of five corners with short attributes takes, for formats that state no number."""
_OTHER_BYTES = 90
_MARKS = {
    ".geojson": b'"geometry"', ".json": b'"geometry"', ".kml": b"<Placemark", ".csv": b"\n",
    ".tsv": b"\n", ".geojsonl": b"\n", ".geojsons": b"\n", ".jsonl": b"\n", ".ndjson": b"\n",
}  # fmt: skip
"""What stands once for each outline in a text, in whatever encoding keeps its letters."""
_BEGINNING = 1 << 20
_ROOM = 1.25
"""How much denser the rest of a text may be than its beginning."""
_SHX_HEAD, _SHX_ROW = 100, 8
"""Bytes of a shapefile's index: of its head, and of each shape (ESRI, 1998)."""
_FEATURES = "SELECT sum(feature_count) FROM gpkg_ogr_contents"


def parcels_of(table: Path, outlines: Sequence[Path]) -> int:
    """Return how many parcels a county and season has, as far as it can be told at once.

    Args:
        table: Its `parcels.parquet`, which counts where it is no older than the outlines.
        outlines: Its outline files; those that are not there hold none.
    """
    stats = [(path, path.stat()) for path in outlines if path.is_file()]
    if table.is_file():
        made = table.stat()
        if all(stat.st_mtime_ns <= made.st_mtime_ns for _, stat in stats):
            return _told(table, made.st_mtime_ns, made.st_size)
    return sum(_told(path, stat.st_mtime_ns, stat.st_size) for path, stat in stats)


@lru_cache(maxsize=4096)
def _told(path: Path, _changed: int, size: int) -> int:
    """Return what a file says of itself, once for each state that it is seen in."""
    suffix = path.suffix.lower()
    try:
        if suffix in _COUNTED:
            return _COUNTED[suffix](path)
        if suffix in _MARKS:
            with path.open("rb") as text:
                return _of_text(path, text.read(_BEGINNING), size)
    except (OSError, ValueError, TypeError, sqlite3.Error, zipfile.BadZipFile):
        pass  # intake says what is wrong with the file; its size still tells something
    return _at_most(path, size)


def _at_most(path: PurePath, size: int) -> int:
    return size // _LEAST_BYTES.get(path.suffix.lower(), _OTHER_BYTES)


def _of_text(path: PurePath, beginning: bytes, size: int) -> int:
    seen = beginning.count(_MARKS[path.suffix.lower()])
    if not seen:
        return _at_most(path, size)
    return seen if len(beginning) >= size else ceil(_ROOM * seen * size / len(beginning))


def _of_parquet(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _of_geopackage(path: Path) -> int:
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as store:
        return int(store.execute(_FEATURES).fetchone()[0])


def _of_shapefile(path: Path) -> int:
    return _of_index(path.with_suffix(".shx").stat().st_size)


def _of_index(size: int) -> int:
    return max(0, size - _SHX_HEAD) // _SHX_ROW


def _of_archive(path: Path) -> int:
    total = 0
    with zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            name = PurePath(one.filename)
            suffix = name.suffix.lower()
            if suffix == ".shx":
                total += _of_index(one.file_size)
            elif suffix in _MARKS:
                with archive.open(one) as text:
                    total += _of_text(name, text.read(_BEGINNING), one.file_size)
            elif suffix in _LEAST_BYTES:
                total += _at_most(name, one.file_size)
    return total


_COUNTED: dict[str, Callable[[Path], int]] = {
    ".parquet": _of_parquet, ".geoparquet": _of_parquet, ".gpkg": _of_geopackage,
    ".shp": _of_shapefile, ".zip": _of_archive, ".kmz": _of_archive,
}  # fmt: skip
