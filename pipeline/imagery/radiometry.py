"""From digital numbers to surface reflectance, by the item's own metadata.

Owns the reading of scale, offset, nodata and processing baseline from a STAC document, in the
spellings in use (raster extension 1.x, STAC 1.1 `bands`). Never decides an offset by date: a
reprocessed archive breaks that rule, and a wrong 0.1 of reflectance looks like a healthy crop. What
holds where a document is silent: `missions`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.pipeline.imagery.fields import Fields

_BASELINE_KEYS = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
#: Whether 1000 was taken off the digital numbers already; the first two are Earth Search's, v1, v0.
_APPLIED_KEYS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_UNOFFICIAL = (99, 99)
SHIFTED_SINCE = (4, 0)
"""Baseline from which ESA's digital numbers hold 1000 more than reflectance x 10000."""
_PRODUCT_BASELINE = re.compile(r"(\d{2})(\d{2})")
_LEAST_SCALE = 1e-9
_NOT_FINITE = frozenset({"nan", "inf", "-inf", "+inf", "infinity", "-infinity"})


@dataclass(frozen=True)
class Radiometry:
    """How one asset's digital numbers become reflectance; None where the item does not say."""

    scale: float | None
    """Reflectance per digital number."""
    offset: float | None
    """Reflectance at digital number 0."""
    nodata: float | None
    """Digital number that means missing, beside the one in the file itself."""
    stated_offset: float | None = None
    """The offset that the item states where its own flag says that it is in the numbers already."""
    decibels: bool = False
    """Whether the number after scale and offset is a power in decibels; it is read as the power."""
    unit: str | None = None
    """Unit that the item states."""
    doubtful: bool = False
    """Whether offset, flag and baseline of the item do not go together: its pixels must decide."""

    @property
    def complete(self) -> bool:
        """Whether both scale and offset are known."""
        return self.scale is not None and self.offset is not None

    def reflectance(
        self, numbers: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return `numbers * scale + offset` as float32; values outside 0..1 are kept.

        Clipping would bias the mean of dark water and of bright snow.

        Args:
            numbers: Digital numbers of any type and shape.
            out: Array of the same shape to write into.
        """
        if self.scale is None or self.offset is None:
            raise ValueError("radiometry is incomplete: the scene stage refuses such items")
        values: NDArray[np.float32] = np.multiply(
            numbers, np.float32(self.scale), out=out, dtype=np.float32, casting="same_kind"
        )
        if self.offset:
            values += np.float32(self.offset)
        if self.decibels:
            np.power(np.float32(10), values / np.float32(10), out=values)
        return values

    def present(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where neither the item's nodata value nor a non-finite number stands."""
        if np.issubdtype(numbers.dtype, np.floating):
            finite: NDArray[np.bool_] = np.isfinite(numbers)
            return finite if self.nodata is None else finite & (numbers != self.nodata)
        if self.nodata is None or not self.nodata.is_integer():
            return np.ones(numbers.shape, dtype=bool)
        # Against a float, NumPy would turn the whole array into floats first.
        return np.asarray(numbers != int(self.nodata))


def radiometry_of(
    asset: Fields, applied: bool | None = None, baseline: str | None = None,
    item: Fields | None = None,
) -> Radiometry:  # fmt: skip
    """Read the radiometry of a STAC asset of one band.

    | offset applied already | stated offset | taken | doubtful |
    |---|---|---|---|
    | true | none or 0 | 0 | |
    | true | not 0 | 0 | yes: the pixels must not show an offset |
    | false, baseline from 04.00 on | 0 | 0 | yes: they must not show one either |
    | false or not stated | any other | as stated | |

    A negative offset is tried on the pixels in any case (`offsets`).

    Args:
        asset: The asset.
        applied: The item's flag that the offset is in the digital numbers already.
        baseline: The item's processing baseline.
        item: Its properties, where some catalogs state once what holds for all bands; asked for
            what the asset leaves open.

    Raises:
        FieldError: A value that is no number, impossible, or stated twice and differently.
    """
    places = [*asset.records("raster:bands"), *asset.records("bands"), asset]
    whole = [] if item is None else [Fields(_prefixed(item), item.path)]
    scale = _stated([places, whole], "scale", _LEAST_SCALE, 1.0)
    offset = _stated([places, whole], "offset", -1.0, 1.0)
    nodata = _nodata([*places, *whole])
    unit = next((text for p in places if isinstance(text := p.raw("unit"), str)), None)
    if applied:
        return Radiometry(scale, 0.0, nodata, offset or None, unit=unit, doubtful=bool(offset))
    shifted = baseline_order(baseline) >= SHIFTED_SINCE
    doubtful = applied is False and offset == 0 and shifted
    return Radiometry(
        scale, offset, nodata, unit=unit, decibels=(unit or "").lower() == "db", doubtful=doubtful
    )


def offset_applied(properties: Fields) -> bool | None:
    """Return whether an item says that its offset is in the digital numbers already.

    Raises:
        FieldError: Neither true nor false.
    """
    stated = (properties.flag(key) for key in _APPLIED_KEYS)
    return next((flag for flag in stated if flag is not None), None)


def baseline_of(properties: Fields) -> str | None:
    """Return the processing baseline of an item, such as `05.09`; None where it does not say.

    A number has lost its zeros (5.1 was `05.10`); `N0510` is how product names write it.

    Raises:
        FieldError: Neither a text nor a number.
    """
    for key in _BASELINE_KEYS:
        value = properties.raw(key)
        if value is None or value == "":
            continue
        if isinstance(value, int | float):
            return f"{properties.number(key, 0, 99.99):05.2f}"
        text = str(properties.text(key)).strip()
        digits = _PRODUCT_BASELINE.fullmatch(text.lstrip("vVN"))
        return f"{digits[1]}.{digits[2]}" if digits else text
    return None


@cache
def baseline_order(baseline: str | None) -> tuple[int, ...]:
    """Return a key that sorts baselines by age: unknown first, then 02.14, 04.00, 05.10.

    Sen2Cor run outside ESA's ground segment writes 99.99: that is no age, so it counts as unknown.
    """
    digits = (baseline or "").lstrip("vVN").split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 5 for part in digits):
        return ()
    order = tuple(int(part) for part in digits)
    return () if order == _UNOFFICIAL else order


def _name(place: Fields, name: str) -> str | None:
    """Return how a field is spelled in a place: plain or with the extension's prefix."""
    if place.raw(name) is not None:
        return name
    prefixed = f"raster:{name}"
    return prefixed if place.raw(prefixed) is not None else None


def _prefixed(item: Fields) -> dict[str, Any]:
    """Return an item's radiometry: `scale` without a prefix may be that of a map there."""
    return {name: value for name, value in item.values.items() if name.startswith("raster:")}


def _stated(levels: Sequence[Sequence[Fields]], name: str, low: float, high: float) -> float | None:
    """Return what the first level says that says anything; within a level all must agree."""
    found = (_agreed(places, name, low, high) for places in levels)
    return next((value for value in found if value is not None), None)


def _agreed(places: Sequence[Fields], name: str, low: float, high: float) -> float | None:
    found: float | None = None
    for place in places:
        key = _name(place, name)
        if key is None:
            continue
        value = place.number(key, low, high)
        if found is not None and value != found:
            raise place.error(key, f"contradicts_{found:g}")
        found = value
    return found


def _nodata(places: Sequence[Fields]) -> float | None:
    """Return the first nodata value; one that is not finite is missing in any case."""
    for place in places:
        key = _name(place, "nodata")
        if key is None:
            continue
        value = place.raw(key)
        if isinstance(value, str) and value.strip().lower() in _NOT_FINITE:
            return None
        if isinstance(value, float) and not np.isfinite(value):
            return None
        return place.number(key)
    return None
