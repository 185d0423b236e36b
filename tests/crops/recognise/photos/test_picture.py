"""Files that are no photographs, or hostile ones: a code each, no memory, never a traceback."""

from __future__ import annotations

import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fieldline.crops.recognise.photos.picture import (
    EDGE,
    FieldPhoto,
    Refused,
    photo_path,
    read_photo,
)
from fieldline.crops.settings import PhotoSettings
from tests.crops.recognise.photos.drawn import photograph, picture


def png_of_zeros(width: int, height: int) -> bytes:
    """A PNG whose header promises more pixels than its data has."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def refused(path: Path, content: bytes, **limits: float) -> Refused:
    path.write_bytes(content)
    found = read_photo(path, PhotoSettings(**limits))
    assert isinstance(found, Refused)
    return found


@pytest.mark.parametrize(
    ("width", "height"), [(12_000, 10_000), (20_000, 20_000), (60_000, 60_000)]
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    width: int, height: int, tmp_path: Path
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(tmp_path / "bomb.png", png_of_zeros(width, height)).code == "photo_too_large"
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 50_000  # the smallest of them decoded takes 360 MB


def test_limits_are_those_of_the_settings(tmp_path: Path) -> None:
    content = photograph(tmp_path / "p.jpg").read_bytes()
    many = refused(tmp_path / "q.jpg", content, most_megapixels=0.006)
    assert many == Refused("photo_too_large", "megapixels=0.006144 most_megapixels=0.006")
    heavy = refused(tmp_path / "q.jpg", content, most_mb=len(content) / 1e6 - 1e-6)
    assert heavy.code == "photo_too_large"
    assert isinstance(
        read_photo(tmp_path / "p.jpg", PhotoSettings(most_megapixels=0.0062, most_mb=1)), FieldPhoto
    )


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GIF89a" + b"\0" * 40, b"<svg/>", b"\xff\xd8\xff\xe0 cut short",
        b"\0\0\0\x18ftypheic" + b"\0" * 60, png_of_zeros(50, 50),
    ],
    ids=["empty", "gif", "svg", "cut", "heic", "too little data"],
)  # fmt: skip
def test_what_is_no_photograph_is_unreadable(content: bytes, tmp_path: Path) -> None:
    assert refused(tmp_path / "p.jpg", content).code == "photo_unreadable"


def test_a_photograph_that_ends_early_is_unreadable(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(tmp_path / "p.jpg")
    content = (tmp_path / "p.jpg").read_bytes()
    assert refused(tmp_path / "p.jpg", content[: len(content) // 2]).code == "photo_unreadable"


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_altered_bytes_end_in_a_photograph_or_a_code(suffix: str, tmp_path: Path) -> None:
    """Every hundredth outcome of chance would be a traceback of some decoder without its guard."""
    source = photograph(tmp_path / f"p{suffix}", fix="2024:06:15 04:00:00", offset="+08:00")
    content, rng = source.read_bytes(), np.random.default_rng(1)
    seen = set()
    for _ in range(400):
        altered = bytearray(content)
        for at in rng.integers(0, min(len(content), 900), rng.integers(1, 12)):
            altered[at] = rng.integers(0, 256)
        (tmp_path / "altered").write_bytes(altered)
        found = read_photo(tmp_path / "altered", PhotoSettings())
        seen.add(found.code if isinstance(found, Refused) else "ok")
    assert {"ok", "photo_unreadable"} <= seen <= {"ok", "photo_unreadable", "photo_too_large"}


def test_a_photograph_is_upright_whatever_its_camera_wrote(tmp_path: Path) -> None:
    """Orientation 6 is a quarter turn clockwise: what the file holds at its left edge is on top."""
    wide = np.zeros((40, 80, 3), dtype=np.uint8)
    wide[:, :40, 0] = 255  # red on the left
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(wide).save(tmp_path / "p.png", exif=exif)
    photo = read_photo(tmp_path / "p.png", PhotoSettings())
    assert isinstance(photo, FieldPhoto)
    assert photo.pixels.shape == (80, 40, 3)
    assert photo.pixels[0, :, 0].tolist() == [255] * 40
    assert photo.pixels[-1, :, 0].tolist() == [0] * 40


def test_a_large_photograph_is_handed_on_small(tmp_path: Path) -> None:
    picture(size=(3000, 2000)).save(tmp_path / "p.jpg")
    photo = read_photo(tmp_path / "p.jpg", PhotoSettings())
    assert isinstance(photo, FieldPhoto)
    assert max(photo.pixels.shape) == EDGE
    assert photo.pixels.shape[1] / photo.pixels.shape[0] == pytest.approx(1.5, abs=0.01)


def test_a_name_that_leads_out_of_the_tables_folder_names_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "county"
    (folder / "june").mkdir(parents=True)
    outside = photograph(tmp_path / "secret.jpg")
    inside = photograph(folder / "june" / "p.jpg")
    (folder / "link.jpg").symlink_to(outside)
    table = folder / "photos.csv"
    for name in ("june/p.jpg", "june\\p.jpg", "./june/p.jpg", str(inside)):
        assert photo_path(table, name) == inside.resolve()
    for name in ("../secret.jpg", str(outside), "link.jpg", "june", "no.jpg", "a\0b", "x" * 5000):
        assert photo_path(table, name) is None
