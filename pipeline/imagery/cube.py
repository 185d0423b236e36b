"""A county's season as a lazily opened cube: the pixels that the observe stage sums, kept apart.

Owns chunks, coordinates and the CRS in the conventions of xarray and rioxarray; pixels come from
`mosaic`, so the cube holds what was observed, pixel for pixel. Nothing is read before it is asked
for; a chunk is one call on one worker that opens its files itself, so that a scheduler may lose the
worker and call again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.windows import Window

from fieldline.pipeline.imagery.grid import Grid, lattice
from fieldline.pipeline.imagery.mosaic import read_day
from fieldline.pipeline.imagery.observe import tile_corner
from fieldline.pipeline.imagery.scene_days import SceneDay
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

CHUNKS: Mapping[str, int] = {"time": 1, "y": 512, "x": 512}
"""Dates and pixels of a chunk; the blocks of space lie along the tiles of the files."""
CLEAR = "clear"
"""Variable that says where a pixel was clear and every band measured."""
_CRS = "spatial_ref"
_EXTRA = "pip install 'fieldline[cube]'"


def scene_cube(
    days: Sequence[SceneDay],
    grid: Grid,
    bands: Sequence[str],
    mask: MaskSettings,
    chunks: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Return scene days on a county's grid as a dataset of dask arrays.

    Args:
        days: Days in order of time.
        grid: The county's grid.
        bands: Sentinel-2 bands; a pixel that lacks one of them has none.
        mask: How clear pixels are told.
        chunks: Dates and pixels of a chunk, by `time`, `y` and `x`; what is left out is `CHUNKS`.

    Returns:
        One variable for each band, (time, y, x) float32 reflectance, NaN where not clear; `clear`,
        (time, y, x); coordinates `time` (UTC), `y` and `x` (pixel centres, m), `spatial_ref`, and
        by time `scene_id` and `baseline`.

    Raises:
        UserError: xarray or dask is not installed, or a chunk has no size.
    """
    try:
        import dask.array as da
        import xarray as xr
    except ImportError as error:
        missing = f"a cube needs xarray and dask, and {error.name} is not installed"
        raise UserError(missing, _EXTRA) from error
    steps = _steps(chunks or {})
    block = _stack(da, days, grid, tuple(bands), mask, steps)
    dimensions = ("time", "y", "x")
    variables = {
        band: xr.Variable(dimensions, block[:, number], {"units": "1", "long_name": band})
        for number, band in enumerate(bands)
    }
    variables[CLEAR] = xr.Variable(dimensions, ~da.isnan(block[:, 0]))
    for variable in variables.values():
        variable.encoding["grid_mapping"] = _CRS
    return xr.Dataset(variables, _coordinates(xr, days, grid))


def _steps(chunks: Mapping[str, int]) -> dict[str, int]:
    unknown = set(chunks) - set(CHUNKS)
    steps = {**CHUNKS, **chunks}
    if unknown or any(type(step) is not int or step < 1 for step in steps.values()):
        raise UserError(
            f"chunks {dict(chunks)} are not sizes of time, y and x",
            f"give whole numbers from 1 on, such as {dict(CHUNKS)}",
        )
    return steps


def _stack(
    da: Any, days: Sequence[SceneDay], grid: Grid, bands: tuple[str, ...], mask: MaskSettings,
    steps: Mapping[str, int],
) -> Any:  # fmt: skip
    """Return a dask array (time, band, y, x); every chunk is one call of `read_chunk`."""
    from dask.delayed import delayed

    row, column = tile_corner(days, grid)
    rows = list(lattice(grid.height, steps["y"], row))
    columns = list(lattice(grid.width, steps["x"], column))
    read = delayed(read_chunk, pure=False)
    parts = []
    for first in range(0, len(days), steps["time"]):
        part = tuple(days[first : first + steps["time"]])
        across = [
            [
                da.from_delayed(
                    read(part, grid, (top, left, high, wide), bands, mask),
                    (len(part), len(bands), high, wide), np.float32,
                )
                for left, wide in columns
            ]
            for top, high in rows
        ]  # fmt: skip
        parts.append(da.block(across))
    if parts:
        return da.concatenate(parts)
    edges = [tuple(size for _, size in steps) for steps in (rows, columns)]
    shape = (0, len(bands), grid.height, grid.width)
    return da.zeros(shape, dtype=np.float32, chunks=((0,), (len(bands),), *edges))


def read_chunk(
    days: Sequence[SceneDay],
    grid: Grid,
    place: tuple[int, int, int, int],
    bands: tuple[str, ...],
    mask: MaskSettings,
) -> NDArray[np.float32]:
    """Read one chunk: (days, bands, rows, columns) float32.

    Args:
        days: Days of the chunk.
        grid: The county's grid.
        place: First row, first column, rows and columns on it.
        bands: Sentinel-2 bands.
        mask: How clear pixels are told.

    Raises:
        SceneReadError: A file cannot be read.
    """
    top, left, high, wide = place
    window = Window(left, top, wide, high)
    return np.stack([read_day(day, grid, window, bands, mask) for day in days])


def _coordinates(xr: Any, days: Sequence[SceneDay], grid: Grid) -> dict[str, Any]:
    left, top, step = grid.transform.c, grid.transform.f, grid.resolution
    moments = [np.datetime64(day.datetime.replace(tzinfo=None), "ns") for day in days]
    baselines = [
        "+".join(dict.fromkeys(item.baseline for item in day.items if item.baseline))
        for day in days
    ]
    words = CRS.from_user_input(grid.crs)
    corner = f"{left} {step} 0.0 {top} 0.0 {-step}"
    stated = {**words.to_cf(), _CRS: words.to_wkt(), "GeoTransform": corner}
    horizontal = {"standard_name": "projection_x_coordinate", "units": "m", "axis": "X"}
    vertical = {"standard_name": "projection_y_coordinate", "units": "m", "axis": "Y"}
    x = left + step * (np.arange(grid.width) + 0.5)
    y = top - step * (np.arange(grid.height) + 0.5)
    return {
        "time": ("time", np.array(moments, "datetime64[ns]"), {"standard_name": "time"}),
        "y": ("y", y, vertical),
        "x": ("x", x, horizontal),
        "scene_id": ("time", np.array([day.scene_id for day in days], dtype=object)),
        "baseline": ("time", np.array(baselines, dtype=object)),
        _CRS: xr.Variable((), 0, stated),
    }
