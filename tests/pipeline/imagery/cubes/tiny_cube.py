"""Zarr stores of a few pixels, written by xarray from the scenes of a tiny archive.

The numbers are packed as in the archive's files; what differs is only how they are stored.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import xarray as xr

from tests.pipeline.imagery.tiny_archive import CRS, TinyScene

PACKING = {"scale": "scale_factor", "offset": "add_offset", "nodata": "_FillValue"}


def tiny_cube(scenes: Sequence[TinyScene], masks: Sequence[str] = ("SCL",)) -> xr.Dataset:
    """Return scenes of one grid as a dataset (time, y, x), one packed variable for each band."""
    first = scenes[0]
    high, wide = np.asarray(next(iter(first.bands.values()))).shape
    step, (left, top) = first.resolution, first.corner
    variables = {}
    for band in first.bands:
        kind = "uint8" if band in masks else "uint16"
        stack = np.stack([np.asarray(scene.bands[band]) for scene in scenes])
        stated = {} if band in masks else (first.radiometry or {})
        words = {PACKING[name]: value for name, value in stated.items()}
        if stack.dtype.kind != "f":
            stack = stack.astype(kind)
            words |= {"_FillValue": stack.dtype.type(0)}
        variables[band] = (("time", "y", "x"), stack, {**words, "grid_mapping": "spatial_ref"})
    times = [np.datetime64(f"{scene.day}T{scene.hour:02d}:00", "ns") for scene in scenes]
    return xr.Dataset(
        variables,
        {
            "time": times,
            "y": top - step * (np.arange(high) + 0.5),
            "x": left + step * (np.arange(wide) + 0.5),
            "scene_id": ("time", np.array([scene.name for scene in scenes], dtype=object)),
            "spatial_ref": ((), 0, {"crs_wkt": pyproj.CRS.from_user_input(CRS).to_wkt()}),
        },
    )


def as_bands(cube: xr.Dataset) -> xr.Dataset:
    """Return a cube with all bands in one variable along `band`, last as in none of the others."""
    bands = [str(name) for name in cube.data_vars]
    stack = np.stack([cube[name].values for name in bands], axis=-1).astype("uint16")
    words = {**cube[bands[0]].attrs, "_FillValue": np.uint16(0)}
    data = {"image": (("time", "y", "x", "band"), stack, words)}
    return xr.Dataset(data, {**cube.coords, "band": bands})


def store(
    cube: xr.Dataset, path: Path, version: int = 3, encoding: Mapping[str, Any] | None = None
) -> Path:
    """Write a cube as a Zarr store of a format version."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        warnings.filterwarnings("ignore", message="The data type")
        cube.to_zarr(path, zarr_format=version, encoding=encoding)  # type: ignore[call-overload]
    return path
