"""A document of someone else read field by field: each value checked, each error with its field.

Owns what counts as a number, a text, a time or a yes in a STAC document; knows no STAC field by
name. A null is an absent field everywhere, because exports write one for the other.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fieldline.pipeline.records.errors import ProviderError

_SHOWN = 40  # characters of a wrong value that are told
#: Control characters, and halves of surrogate pairs, which no file can hold as text.
_UNREADABLE = re.compile("[\x00-\x1f\ud800-\udfff]")
_YEARS = range(1970, 2101)  # no image and no processing lies outside; calendars overflow far out


class FieldError(ProviderError):
    """A field of a document that does not hold what it must.

    Args:
        field: Place in the document, such as `assets.B04.raster:bands.0.scale`.
        value: What stands there, or None where nothing does.
        reason: What it should be, as one word such as `not_a_number`.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        self.field, self.value, self.reason = field, shown(value), reason
        super().__init__(f"{field} is {self.value}: {reason}")


def shown(value: object) -> str:
    """Return a short text of any value without blanks, fit for an outcome's detail."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = "_".join(text.split()).encode("utf-8", "replace").decode("utf-8")
    return f"{text[:_SHOWN]}..." if len(text) > _SHOWN else text or "empty"


class Fields:
    """A mapping of a document and its place in it (`path`, empty for the document itself)."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self.values = values
        self.path = path

    @classmethod
    def of(cls, value: object, path: str = "") -> Fields:
        """Return the fields of a value that must be a mapping.

        Raises:
            FieldError: It is not.
        """
        if not isinstance(value, dict | Mapping):  # the plain type first: it is asked fast
            raise FieldError(path or "document", value, "not_an_object")
        return cls(value, path)

    def names(self) -> list[str]:
        """Return the names of all fields."""
        return list(self.values)

    def raw(self, name: str) -> Any:
        """Return whatever stands in a field; None where absent."""
        return self.values.get(name)

    def error(self, name: str, reason: str) -> FieldError:
        """Return the error of a field, to be raised."""
        return FieldError(self.place(name), self.raw(name), reason)

    def text(self, name: str) -> str | None:
        """Return a text that is not blank."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.error(name, "not_a_text")
        if not value.strip() or _UNREADABLE.search(value):
            raise self.error(name, "not_a_readable_text")
        return value

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """Return a finite number from `low` to `high`."""
        value = self.raw(name)
        if value is None:
            return None
        number = _finite(value)
        if number is None:
            raise self.error(name, "not_a_number")
        if not low <= number <= high:
            raise self.error(name, f"not_in_{low:g}..{high:g}")
        return number

    def numbers(self, name: str, *lengths: int) -> tuple[float, ...] | None:
        """Return a list of finite numbers that has one of the given lengths."""
        value = self.raw(name)
        if value is None:
            return None
        if not _is_list(value):
            raise self.error(name, "not_a_list")
        numbers = [_finite(element) for element in value]
        if len(numbers) not in lengths:
            raise self.error(name, f"not_{'_or_'.join(map(str, lengths))}_numbers")
        found = tuple(number for number in numbers if number is not None)
        if len(found) < len(numbers):
            raise self.error(name, "not_numbers")
        return found

    def flag(self, name: str) -> bool | None:
        """Return a true or false."""
        value = self.raw(name)
        if value is not None and not isinstance(value, bool):
            raise self.error(name, "not_true_or_false")
        return value

    def moment(self, name: str) -> dt.datetime | None:
        """Return a time in UTC; one without a zone is taken as UTC, as STAC requires."""
        value = self.raw(name)
        if value is None:
            return None
        moment = value if isinstance(value, dt.datetime) else _parsed(value)
        if moment is None or moment.year not in _YEARS:
            raise self.error(name, "not_a_datetime")
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)

    def fields(self, name: str) -> Fields:
        """Return a mapping that must be there."""
        if self.raw(name) is None:
            raise self.error(name, "missing")
        return Fields.of(self.raw(name), self.place(name))

    def records(self, name: str) -> list[Fields]:
        """Return a list of mappings; empty where the field is absent."""
        value = self.raw(name)
        if value is None:
            return []
        if not _is_list(value):
            raise self.error(name, "not_a_list")
        place = self.place(name)
        return [Fields.of(element, f"{place}.{index}") for index, element in enumerate(value)]

    def place(self, name: str) -> str:
        """Return a field's place in the whole document."""
        return f"{self.path}.{name}" if self.path else name


def _is_list(value: object) -> bool:
    return isinstance(value, list) or (
        isinstance(value, Sequence) and not isinstance(value, str | bytes)
    )


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _parsed(value: object) -> dt.datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return dt.datetime.fromisoformat(value.strip())
    except ValueError:
        return None
