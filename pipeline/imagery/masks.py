"""Which pixels are clear: scene classes, a named mask asset, or nodata alone.

Owns the reading of a mask raster as clear or not clear; never touches reflectance. The mask's own
nodata is never clear, whatever list of clear values is configured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.pipeline.imagery.settings import MaskSettings


def mask_asset(settings: MaskSettings) -> str | None:
    """Return the asset that holds the mask, or None where nodata alone decides."""
    return None if settings.kind == "none" else settings.asset


def clear_pixels(
    values: NDArray[Any], present: NDArray[np.bool_], settings: MaskSettings
) -> NDArray[np.bool_]:
    """Return where a pixel is clear.

    Args:
        values: Mask values, (rows, columns).
        present: Where the mask raster has data, same shape.
        settings: Values that count as clear.
    """
    return present & np.isin(values, settings.clear)
