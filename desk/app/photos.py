"""Photographs that reviewers attach: checked, stripped of what their camera wrote, kept by content.

Owns what counts as a photograph and where it is kept (`review_photos/` in the results, named by its
hash, which the act in the audit chain names). The day that the camera states is told beside it; the
place and everything else of the EXIF is dropped with it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from fieldline.desk.app.places import NotHereError
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import atomic_path

FOLDER = "review_photos"
MOST_BYTES = 10 * 1024 * 1024
MOST_PIXELS = 60_000_000
_KINDS = ("JPEG", "PNG")
_EDGE = 2400
_TAKEN = 36867  # DateTimeOriginal
_EXIF = 0x8769
_REMEDY = "attach a JPEG or PNG of at most 10 MB"


@dataclass(frozen=True)
class Photo:
    """One photograph, ready to be kept."""

    name: str
    """`{hash}.jpg`."""
    content: bytes
    taken: dt.date | None
    """Day that the camera states."""

    @property
    def label(self) -> str:
        """Words by which an act names it."""
        return f"photo {self.name}" + (f" taken {self.taken}" if self.taken else "")


def read_photo(content: bytes, name: str) -> Photo:
    """Check a photograph and drop what its camera wrote.

    Args:
        content: The file.
        name: What it was called, for the sentence.

    Raises:
        UserError: It is no photograph, or too large in bytes or pixels.
    """
    if len(content) > MOST_BYTES:
        raise UserError(f"{name!r} has {len(content) / 2**20:.0f} MB", _REMEDY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_KINDS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise UserError(f"{name!r} has too many pixels", _REMEDY)
                taken = _taken(picture)
                upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError,
            ValueError, Image.DecompressionBombWarning) as error:  # fmt: skip
        raise UserError(f"{name!r} is no photograph that can be read", _REMEDY) from error
    upright.thumbnail((_EDGE, _EDGE))
    clean = Image.new("RGB", upright.size)
    clean.paste(upright)  # pixels alone: no EXIF, no comment, no profile
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=88)
    digest = hashlib.sha256(out.getvalue()).hexdigest()[:32]
    return Photo(f"{digest}.jpg", out.getvalue(), taken)


def _taken(picture: Image.Image) -> dt.date | None:
    text = picture.getexif().get_ifd(_EXIF).get(_TAKEN)
    try:
        return dt.datetime.strptime(str(text)[:10], "%Y:%m:%d").date()
    except ValueError:
        return None


def keep(photo: Photo, results: Path) -> None:
    """Keep a photograph in the results.

    Raises:
        UserError: The results cannot be written to.
    """
    path = results / FOLDER / photo.name
    if path.is_file():
        return
    try:
        with atomic_path(path) as draft:
            draft.write_bytes(photo.content)
    except OSError as error:
        raise UserError(
            f"the photograph cannot be kept in {path.parent} ({error.strerror})",
            "make the results writable",
        ) from error


def kept(results: Path, name: str) -> Path:
    """Return the file of a photograph.

    Raises:
        NotHereError: There is none of that name.
    """
    known = {path.name: path for path in (results / FOLDER).glob("*.jpg")}
    if name not in known:
        raise NotHereError(f"there is no photograph {name!r}", "go back to the review")
    return known[name]
