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
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()[:length]
