"""A photograph of a field as it is handed in: opened without trust, upright, with what it states.

Owns what counts as a photograph and the limits that keep a hostile file from costing memory; knows
no parcel. Nothing of it is kept: the pixels are handed on and the file stays where it lies.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fieldline.crops.recognise.photos.exif import Clock, Place, read_exif
from fieldline.crops.settings import PhotoSettings
from fieldline.pipeline.records.outcomes import detail

KINDS = ("JPEG", "PNG")
#: Longest edge that is handed on, pixels; a JPEG is decoded at a fraction of its own size.
EDGE = 512

Pixels = NDArray[np.uint8]
"""(rows, columns, 3): red, green, blue of an upright photograph."""


@dataclass(frozen=True)
class FieldPhoto:
    """A photograph that could be read."""

    pixels: Pixels
    digest: str
    """Hash of the pixels: EXIF that somebody rewrites does not make another photograph of it."""
    place: Place | None
    clock: Clock


@dataclass(frozen=True)
class Refused:
    """A file that is none."""

    code: str
    """Code of `data/outcome_codes.csv`."""
    detail: str = ""


def photo_path(table: Path, name: str) -> Path | None:
    """Return the file that a table names; None where none lies in the table's folder or below.

    A name that leads out of the folder, by `..`, a link or a root, names nothing.
    """
    folder = table.resolve().parent
    try:
        path = (folder / name.replace("\\", "/")).resolve()
        inside = path.is_relative_to(folder) and path.is_file()
    except (OSError, ValueError):  # too long for a name, or a zero byte in it
        return None
    return path if inside else None


def read_photo(path: Path, settings: PhotoSettings) -> FieldPhoto | Refused:
    """Read a photograph.

    Args:
        path: The file.
        settings: Limits of bytes and pixels, looked at before anything is decoded.
    """
    try:
        size = path.stat().st_size / 1e6
        if size > settings.most_mb:
            return Refused("photo_too_large", detail(mb=size, most_mb=settings.most_mb))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF; of sizes that the limit below judges
            with Image.open(path, formats=KINDS) as picture:
                return _read(picture, settings)
    except Image.DecompressionBombError:
        return Refused("photo_too_large", detail(most_megapixels=settings.most_megapixels))
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
    ) as error:
        return Refused("photo_unreadable", detail(kind=type(error).__name__))


def _read(picture: Image.Image, settings: PhotoSettings) -> FieldPhoto | Refused:
    millions = picture.width * picture.height / 1e6
    if millions > settings.most_megapixels:
        limit = settings.most_megapixels
        return Refused("photo_too_large", detail(megapixels=millions, most_megapixels=limit))
    place, clock = read_exif(picture)
    picture.draft("RGB", (EDGE, EDGE))
    picture.thumbnail((EDGE, EDGE))  # first: no copy of the whole is ever made
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    pixels = np.asarray(upright, dtype=np.uint8)
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    return FieldPhoto(pixels, digest, place, clock)
