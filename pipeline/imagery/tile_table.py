"""The tile table of a TIFF: where each tile or strip of its first image lies, and how long it is.

Owns the few words of the TIFF and BigTIFF layout that say so; decodes no pixel. The one idea: the
table stands in the file's first kilobytes, so what a window costs is known, and can be asked for in
whole ranges, before a byte of it is fetched.

Source: TIFF 6.0 (Adobe 1992), sections 2 and 15; BigTIFF as libtiff writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Read = Callable[[int, int], bytes]
"""Bytes of a file from a place on; fewer at its end."""
_WIDTH, _HEIGHT, _BITS, _COMPRESSION = 256, 257, 258, 259
_STRIP_OFFSETS, _STRIP_HEIGHT, _STRIP_COUNTS = 273, 278, 279
_SAMPLES, _PLANES, _PREDICTOR = 277, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS = 322, 323, 324, 325
#: struct codes of the whole numbers that a tag may hold, by TIFF type.
_WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MOST_TILES = 4_000_000  # a scene of Sentinel-2 has some hundreds
_MOST_TAGS = 4096
_MOST_HEAD = 2**26  # bytes; a table of the most tiles has half of it
#: Bytes of one value, by TIFF type.
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8,
          17: 8, 18: 8}  # fmt: skip


@dataclass(frozen=True)
class TileTable:
    """The tiles of one image, row by row."""

    height: int
    """Rows of the image, pixels."""
    width: int
    tile: tuple[int, int]
    """Rows and columns of a tile, pixels; a strip is as wide as the image."""
    tiled: bool
    """Whether it is made of tiles, not of strips."""
    offsets: NDArray[np.int64]
    """Place of each tile in the file, (tile rows, tile columns); 0 where it is not stored."""
    sizes: NDArray[np.int64]
    """Bytes of each tile."""
    compression: int
    """TIFF's number of the compression."""
    predictor: int
    samples: int
    bits: int
    """Bits of a sample."""
    order: str
    """Byte order, `<` or `>`."""
    arrays: tuple[tuple[int, str], tuple[int, str]]
    """Where the arrays of offsets and of sizes begin in the file, with the struct code of each."""
    head: tuple[tuple[int, int], ...]
    """Byte ranges (first, after the last) of all that is said of the image beside its pixels. What
    a COG says of its own order is not among them: who reads parts of it must not rely on it."""


def read_tile_table(read: Read) -> TileTable | None:
    """Return the table of a file's first image.

    Args:
        read: Reads bytes of the file.

    Returns:
        None where the file is no TIFF, keeps its bands apart or has a table that cannot be right.
    """
    try:
        return _table(_Directory(read))
    except (struct.error, LookupError, ValueError):
        return None


class _Directory:
    """The tags of a file's first directory, their values read when asked for."""

    def __init__(self, read: Read) -> None:
        self._read = read
        head = read(0, 16)
        self.order = {b"II": "<", b"MM": ">"}[head[:2]]
        version = self.unpack("H", head[2:4])[0]
        self.big = {42: False, 43: True}[version]
        self._entry, self._inline = (20, 8) if self.big else (12, 4)
        start = self.unpack("Q", head[8:16])[0] if self.big else self.unpack("I", head[4:8])[0]
        code, size = ("Q", 8) if self.big else ("H", 2)
        count = self.unpack(code, read(start, size))[0]
        if count > _MOST_TAGS:
            raise ValueError("more tags than an image has")
        self._tags: dict[int, tuple[int, int, int]] = {}
        body = read(start + size, count * self._entry)
        end = start + size + len(body)
        # ... and the place of the next image, an overview or a mask.
        self._own = (0, 16 if self.big else 8), (start, end + (8 if self.big else 4))
        for place in range(0, count * self._entry, self._entry):
            tag, kind = self.unpack("HH", body[place : place + 4])
            length = self.unpack(
                "Q" if self.big else "I", body[place + 4 : place + 4 + self._inline]
            )
            self._tags[tag] = (kind, length[0], start + size + place + 4 + self._inline)

    def unpack(self, code: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self.order + code, data)

    def array(self, tag: int) -> tuple[NDArray[np.int64], int, str]:
        """Return a tag's numbers, where they begin and the struct code of one."""
        kind, count, place = self._tags[tag]
        code = _WHOLE[kind]
        if count > _MOST_TILES:
            raise ValueError("more tiles than an image has")
        size = count * struct.calcsize(code)
        if size > self._inline:
            place = self.unpack("Q" if self.big else "I", self._read(place, self._inline))[0]
        data = self._read(place, size)
        if len(data) != size:
            raise ValueError("the table ends before its last tile")
        numbers = np.frombuffer(data, dtype=np.dtype(f"{self.order}u{struct.calcsize(code)}"))
        return numbers.astype(np.int64), place, code

    def head(self) -> tuple[tuple[int, int], ...]:
        """Return the byte ranges of the directory and of the values that lie outside it."""
        found = [*self._own]
        for kind, count, place in self._tags.values():
            size = count * _BYTES.get(kind, 0)
            if size > self._inline:
                start = self.unpack("Q" if self.big else "I", self._read(place, self._inline))[0]
                found.append((start, start + size))
        if sum(end - start for start, end in found) > _MOST_HEAD:
            raise ValueError("more is said of it than of any image")
        return tuple(found)

    def has(self, tag: int) -> bool:
        return tag in self._tags

    def number(self, tag: int, default: int | None = None) -> int:
        if tag not in self._tags and default is not None:
            return default
        values, _, _ = self.array(tag)
        return int(values[0])


def _table(tags: _Directory) -> TileTable:
    height, width = tags.number(_HEIGHT), tags.number(_WIDTH)
    tiled = tags.has(_TILE_WIDTH)
    if tiled:
        tile = tags.number(_TILE_HEIGHT), tags.number(_TILE_WIDTH)
    else:
        tile = min(height, tags.number(_STRIP_HEIGHT, height)), width
    apart = tags.number(_PLANES, 1) != 1 and tags.number(_SAMPLES, 1) != 1
    if min(height, width, *tile) <= 0 or apart:
        raise ValueError("no pixels, or bands kept apart")
    offsets, offsets_at, offset_code = tags.array(_OFFSETS if tiled else _STRIP_OFFSETS)
    sizes, sizes_at, size_code = tags.array(_COUNTS if tiled else _STRIP_COUNTS)
    shape = -(-height // tile[0]), -(-width // tile[1])
    return TileTable(
        height, width, tile, tiled, offsets.reshape(shape), sizes.reshape(shape),
        tags.number(_COMPRESSION, 1), tags.number(_PREDICTOR, 1),
        tags.number(_SAMPLES, 1), tags.number(_BITS, 1),
        tags.order, ((offsets_at, offset_code), (sizes_at, size_code)), tags.head(),
    )  # fmt: skip
