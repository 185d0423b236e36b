"""From digital numbers to surface reflectance, by the item's own metadata.

Owns the reading of scale, offset, nodata and processing baseline from a STAC document, in the
spellings in use (raster extension 1.x, STAC 1.1 `bands`). Never decides an offset by date: a
reprocessed archive breaks that rule, and a wrong 0.1 of reflectance looks like a healthy crop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BASELINE_KEYS = ("s2:processing_baseline", "processing:version")
_UNOFFICIAL = (99, 99)


@dataclass(frozen=True)
class Radiometry:
    """How one asset's digital numbers become reflectance; None where the item does not say."""

    scale: float | None
    """Reflectance per digital number."""
    offset: float | None
    """Reflectance at digital number 0."""
    nodata: float | None
    """Digital number that means missing, beside the one in the file itself."""

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


def radiometry_of(asset: Mapping[str, Any]) -> Radiometry:
    """Read the radiometry of the first band of a STAC asset document."""
    band: Mapping[str, Any] = next(iter(asset.get("raster:bands") or asset.get("bands") or []), {})

    def stated(name: str) -> float | None:
        for place in (band, asset):
            for key in (name, f"raster:{name}"):
                if place.get(key) is not None:
                    return float(place[key])
        return None

    return Radiometry(stated("scale"), stated("offset"), stated("nodata"))


def baseline_of(properties: Mapping[str, Any]) -> str | None:
    """Return the processing baseline of an item, such as `05.09`; None where it does not say."""
    for key in _BASELINE_KEYS:
        if properties.get(key):
            return str(properties[key])
    return None


def baseline_order(baseline: str | None) -> tuple[int, ...]:
    """Return a key that sorts baselines by age: unknown first, then 02.14, 04.00, 05.10.

    Sen2Cor run outside ESA's ground segment writes 99.99: that is no age, so it counts as unknown.
    """
    digits = (baseline or "").lstrip("vVN").split(".")
    if not all(part.isdigit() for part in digits):
        return ()
    order = tuple(int(part) for part in digits)
    return () if order == _UNOFFICIAL else order
