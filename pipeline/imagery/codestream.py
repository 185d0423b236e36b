"""The tile-parts of a JPEG 2000 file: which tile each belongs to, and which bytes it takes.

Owns the few words of the layout that say so; decodes no pixel. The one idea: every tile-part states
its length, so the file is walked from head to head, and what lies between the heads of tiles that
nobody needs is never fetched.

Source: ISO/IEC 15444-1, annexes A (codestream syntax) and I (JP2 boxes).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fieldline.pipeline.imagery.tile_table import Read

HEAD = 12
"""Bytes of the marker segment that opens a tile-part."""
_SOC, _SIZ, _SOT, _EOC = 0xFF4F, 0xFF51, 0xFF90, 0xFFD9
_MOST_TILES = 65_535  # the layout's own bound


@dataclass(frozen=True)
class TilePart:
    """A run of bytes of one tile."""

    tile: int
    """Number of the tile, row by row."""
    start: int
    """Place of its head in the file."""
    size: int
    """Bytes, its head among them."""


@dataclass(frozen=True)
class Codestream:
    """Where the pixels of a file lie."""

    tile: tuple[int, int]
    """Rows and columns of a tile, pixels."""
    grid: tuple[int, int]
    """Rows and columns of tiles."""
    first: int
    """Place of the first tile-part."""
    end: int
    """Place after the last byte of the codestream; boxes may follow."""


def read_codestream(read: Read, size: int) -> Codestream | None:
    """Return where a file's pixels lie.

    Args:
        read: Reads bytes of the file.
        size: Bytes of the file.

    Returns:
        None where the file is no JPEG 2000, has tiles that do not begin at its corner, or a head
        that cannot be right.
    """
    try:
        return _codestream(read, *_contiguous(read, size))
    except (struct.error, ValueError):
        return None


def tile_parts(read: Read, stream: Codestream) -> list[TilePart] | None:
    """Walk a file's tile-parts.

    Returns:
        All of them, in their order; None where one cannot be right.
    """
    found: list[TilePart] = []
    place = stream.first
    most = 255 * stream.grid[0] * stream.grid[1]  # parts of a tile are counted in one byte
    try:
        while place < stream.end and _number(read, place) != _EOC:
            part = _part(read, place, stream)
            if part is None or len(found) == most:
                return None
            found.append(part)
            place += part.size
    except struct.error:
        return None
    return found


def _part(read: Read, place: int, stream: Codestream) -> TilePart | None:
    marker, length, tile, size, _, _ = struct.unpack(">HHHIBB", read(place, HEAD))
    size = size or stream.end - place - 2  # the last one may leave it to the end of the codestream
    known = marker == _SOT and length == HEAD - 2 and tile < stream.grid[0] * stream.grid[1]
    return TilePart(tile, place, size) if known and HEAD <= size <= stream.end - place else None


def _contiguous(read: Read, size: int) -> tuple[int, int]:
    """Return where the codestream begins and ends in its box, or in a file that is nothing else."""
    if _number(read, 0) == _SOC:
        return 0, size
    place = 0
    while place < size:
        length, kind = struct.unpack(">I4s", read(place, 8))
        head = 8
        if length == 1:
            (length,), head = struct.unpack(">Q", read(place + 8, 8)), 16
        length = length or size - place
        if length < head:
            raise ValueError("a box shorter than its own head")
        if kind == b"jp2c":
            return place + head, min(place + length, size)
        place += length
    raise ValueError("no codestream")


def _codestream(read: Read, place: int, end: int) -> Codestream:
    if _number(read, place) != _SOC or _number(read, place + 2) != _SIZ:
        raise ValueError("no head of a codestream")
    sides = struct.unpack(">8I", read(place + 8, 32))
    width, height, left, top, wide, high, tile_left, tile_top = sides
    if left or top or tile_left or tile_top or not (wide and high and width and height):
        raise ValueError("tiles that do not begin at the corner")
    grid = -(-height // high), -(-width // wide)
    if grid[0] * grid[1] > _MOST_TILES:
        raise ValueError("more tiles than there may be")
    place += 2
    while _number(read, place) != _SOT:
        place += 2 + _number(read, place + 2)
        if place >= end:
            raise ValueError("no tile-part")
    return Codestream((high, wide), grid, place, end)


def _number(read: Read, place: int) -> int:
    return int(struct.unpack(">H", read(place, 2))[0])
