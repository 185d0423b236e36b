"""Rasters of a whole grid that lie in a file instead of in memory.

Owns their making. The one idea: the file's room is taken at once, since a page of a memory map that
finds the disk full later ends the process (SIGBUS) before it can say why.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def raster_on_disk(
    path: Path, dtype: DTypeLike, size: tuple[int, ...]
) -> np.memmap[Any, np.dtype[Any]]:
    """Return a raster of zeros that lies in a file.

    Args:
        path: The file, which is replaced.
        dtype: Of a pixel.
        size: Layers, rows and columns.

    Raises:
        OSError: The disk has no room for it.
    """
    raster = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), size)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return raster
