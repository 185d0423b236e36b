"""A file that counts only beside its record: what was asked for, its size and its checksum.

Owns the record and its checks, for everything that a pull leaves on disk; fetches nothing. Both
are renamed into place, the record last, so that a killed pull leaves no half file that counts.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from fieldline.pipeline.records.tables import atomic_path


def is_verified(path: Path, asked: str) -> bool:
    """Whether a file is what was asked for, to the last byte."""
    try:
        record = json.loads(_record(path).read_text(encoding="utf-8"))
        if record["asked"] != asked or record["size"] != path.stat().st_size:
            return False
        return bool(record["sha256"] == _checksum(path))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def write_record(path: Path, asked: str, written: Path | None = None) -> None:
    """Leave the record of a file beside it.

    Args:
        path: The file.
        asked: What was asked for, as one word.
        written: Where it lies for now, before it is renamed to `path`.
    """
    place = written or path
    record = {"asked": asked, "size": place.stat().st_size, "sha256": _checksum(place)}
    with atomic_path(_record(path)) as temporary:
        temporary.write_text(json.dumps(record), encoding="utf-8")


def clear(path: Path) -> None:
    """Remove a file that is not what is asked for, which nobody may read, and a killed pull's."""
    for old in (path, _record(path)):
        old.unlink(missing_ok=True)
        for half in old.parent.glob(f".{old.name}.*.tmp"):
            half.unlink(missing_ok=True)


def _record(path: Path) -> Path:
    return path.with_suffix(".json")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
