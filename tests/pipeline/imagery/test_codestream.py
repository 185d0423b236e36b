from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from fieldline.pipeline.imagery.codestream import Codestream, read_codestream, tile_parts

LAYOUTS: dict[str, dict[str, Any]] = {
    "one tile": {"BLOCKXSIZE": 1024, "BLOCKYSIZE": 1024},
    "tiles": {"BLOCKXSIZE": 64, "BLOCKYSIZE": 128},
    "raw": {"BLOCKXSIZE": 64, "BLOCKYSIZE": 64, "CODEC": "J2K"},
    "lengths told ahead": {"BLOCKXSIZE": 128, "BLOCKYSIZE": 64, "TLM": "YES"},
}


def write(path: Path, layout: dict[str, Any]) -> bytes:
    numbers = np.random.default_rng(1).integers(1, 500, (300, 200)).astype("uint16")
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", height=300, width=200, count=1, dtype="uint16",
        crs="EPSG:32632", transform=Affine(10, 0, 6e5, 0, -10, 5e6),
        QUALITY="100", REVERSIBLE="YES", **layout,
    ) as file:  # fmt: skip
        file.write(numbers, 1)
    return path.read_bytes()


def stream_of(data: bytes) -> Codestream | None:
    return read_codestream(lambda start, count: data[start : start + count], len(data))


def parts_of(data: bytes, stream: Codestream) -> list[tuple[int, int, int]] | None:
    parts = tile_parts(lambda start, count: data[start : start + count], stream)
    return None if parts is None else [(part.tile, part.start, part.size) for part in parts]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_tile_has_its_part_from_head_to_end_without_a_gap(
    tmp_path: Path, layout: str
) -> None:
    path = tmp_path / ("a.j2k" if layout == "raw" else "a.jp2")
    data = write(path, LAYOUTS[layout])
    stream = stream_of(data)
    assert stream is not None
    if layout == "one tile":
        assert (stream.tile, stream.grid) == ((300, 200), (1, 1))
    else:
        with rasterio.open(path) as file:
            high, wide = file.block_shapes[0]
        assert (stream.tile, stream.grid) == ((high, wide), (-(-300 // high), -(-200 // wide)))
    parts = parts_of(data, stream)
    assert parts is not None
    # Each head by its own bytes: SOT, its length, the tile, the bytes; where the head was found.
    for tile, start, size in parts:
        assert data[start : start + 10] == struct.pack(">HHHI", 0xFF90, 10, tile, size)
    assert sorted({tile for tile, _, _ in parts}) == list(range(np.prod(stream.grid)))
    ends = [stream.first, *(start + size for _, start, size in parts)]
    assert [start for _, start, _ in parts] == ends[:-1]
    assert data[ends[-1] : ends[-1] + 2] == b"\xff\xd9"
    assert ends[-1] + 2 == stream.end


def test_the_last_part_may_leave_its_length_to_the_end(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.jp2", LAYOUTS["tiles"]))
    stream = stream_of(bytes(data))
    assert stream is not None
    before = parts_of(bytes(data), stream)
    assert before is not None
    data[before[-1][1] + 6 : before[-1][1] + 10] = bytes(4)
    assert parts_of(bytes(data), stream) == before


def test_what_cannot_be_right_is_no_codestream_or_has_no_parts(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jp2", LAYOUTS["tiles"])
    stream = stream_of(data)
    assert stream is not None
    for wrong in (b"", b"II*\0" * 9, data[:60], data[: stream.first], bytes(4) + data[4:]):
        assert stream_of(wrong) is None
    parts = parts_of(data, stream)
    assert parts is not None
    third = parts[2][1]
    for place, value in ((third, b"\0"), (third + 4, b"\xff"), (third + 6, b"\xff"),
                         (third + 6, struct.pack(">I", 11))):  # fmt: skip
        broken = data[:place] + value + data[place + len(value) :]
        assert parts_of(broken, stream) is None
    assert parts_of(data[: third + 5], stream) is None
