"""Canonical JSON and content hashes: one value has one text, one text one hash.

Owns the bytes that identify a decision, a policy and a model. Decimals become plain strings, dates
ISO text and floats their shortest repr, so that a trace read back gives the same numbers.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from fieldline.pipeline.records.errors import SchemaError


def jsonable(value: Any) -> Any:
    """Return a value as plain JSON types.

    Raises:
        SchemaError: NaN, infinity or a type that has no canonical text.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SchemaError(f"{value} has no canonical JSON")
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    raise SchemaError(f"{type(value).__name__} has no canonical JSON")


def canonical(value: Any) -> str:
    """Return sorted-key, no-space JSON text of a value."""
    return json.dumps(
        jsonable(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )


def content_hash(value: Any, length: int = 32) -> str:
    """Return the first `length` hex digits of the SHA-256 of the canonical text."""
    return text_hash(canonical(value), length)


def text_hash(text: str, length: int = 32) -> str:
    """Return what `content_hash` returns of the value whose canonical text is given."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:length]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal | dt.date):
        return jsonable(value)
    raise SchemaError(f"{type(value).__name__} has no canonical JSON")


_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain
)


def canonical_document(value: Any) -> str:
    """Return what `canonical` returns, several times as fast, of a value whose keys are all text.

    Raises:
        SchemaError: As `jsonable`.
    """
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return canonical(value)  # names the value that has no text


def joined(parts: dict[str, str]) -> str:
    """Return the canonical text of an object from the canonical texts of its parts."""
    return f"{{{','.join([f'{_quoted(name)}:{parts[name]}' for name in sorted(parts)])}}}"


@lru_cache(maxsize=1024)
def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
