"""A file that counts only beside its record: what was asked for, its size and its checksum.

Owns the record and its checks, for everything that a pull leaves on disk; fetches nothing. Both
are renamed into place, the record last, so that a killed pull leaves no half file that counts.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rasterio.errors import RasterioError

from fieldline.pipeline.records.canonical import file_hash
from fieldline.pipeline.records.tables import atomic_path

_ALMOST_FULL = 2**20  # bytes; GDAL loses less than that by the time it says so


def is_verified(path: Path, asked: str) -> bool:
    """Whether a file is what was asked for, to the last byte."""
    try:
        record = json.loads(record_of(path).read_text(encoding="utf-8"))
        if record["asked"] != asked or record["size"] != path.stat().st_size:
            return False
        return bool(record["sha256"] == file_hash(path))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def write_record(path: Path, asked: str) -> None:
    """Leave the record of a file beside it.

    Args:
        path: The file.
        asked: What was asked for, as one word.
    """
    record = {"asked": asked, "size": path.stat().st_size, "sha256": file_hash(path)}
    with atomic_path(record_of(path)) as temporary:
        temporary.write_text(json.dumps(record), encoding="utf-8")


def clear(path: Path) -> None:
    """Remove a file that is not what is asked for, which nobody may read, and a killed pull's."""
    for old in (path, record_of(path)):
        old.unlink(missing_ok=True)
        for half in old.parent.glob(f".{old.name}.*.tmp"):
            half.unlink(missing_ok=True)


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """Turn what GDAL says of a file that it could not write into what the disk would have said.

    Args:
        folder: Folder of the file.

    Raises:
        OSError: The block raised one of GDAL's errors.
    """
    try:
        yield
    except RasterioError as error:
        full = shutil.disk_usage(folder).free < _ALMOST_FULL
        number = errno.ENOSPC if full else errno.EIO
        raise OSError(number, os.strerror(number)) from error


def record_of(path: Path) -> Path:
    """Return the path of a file's record."""
    return path.with_suffix(".json")
