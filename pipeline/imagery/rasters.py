"""What every read of a raster shares: GDAL's options, and which file is one band on a map."""

from __future__ import annotations

from typing import Any

from rasterio.enums import ColorInterp

#: GDAL options of every read. One decode thread, for the threads are ours; no directory listing
#: at each open; a small block cache, because windows follow the tiles and no tile is read twice.
GDAL_OPTIONS = {
    "GDAL_NUM_THREADS": "1",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_CACHEMAX": 64 * 2**20,
}


def unusable(dataset: Any) -> str | None:
    """Return why the first band of a file is not one band of reflectance on a map."""
    transform = dataset.transform
    if transform.is_degenerate or transform.is_identity:
        return "no_geotransform"  # identity is what GDAL answers where there is none
    if dataset.dtypes[0].startswith("complex"):
        return "complex_numbers"
    if any(meaning != ColorInterp.alpha for meaning in dataset.colorinterp[1:]):
        return "several_bands"
    return None
