"""Rasters of a whole grid that lie in a file instead of in memory.

Owns their making and their pages. The file's room is taken at once, since a page of a memory map
that finds the disk full later ends the process (SIGBUS) before it can say why; and pages that were
looked at count as the process's own until it gives them back.
"""

from __future__ import annotations

import mmap
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


def let_go(raster: Any) -> None:
    """Give back the memory that a raster's pages take; what was written stays in its file.

    Args:
        raster: Of `raster_on_disk`; an array in memory keeps all of its own.
    """
    pages = getattr(raster, "_mmap", None)
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)
