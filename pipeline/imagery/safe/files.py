"""The files of a Sentinel-2 product as it is downloaded: a `.SAFE` folder or a zip around one.

Owns finding products under a folder and reading their files by name; a zip stays packed, GDAL
reads its members in place. What a product's metadata say: `product`.
"""

from __future__ import annotations

import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from fieldline.pipeline.imagery.addresses import VSIZIP
from fieldline.pipeline.records.errors import ProviderError

CATALOG = "catalog.json"
METADATA = "MTD_MSIL2A.xml"
LEVEL_1C = "MTD_MSIL1C.xml"
_FOLDER = ".safe"
_ZIP = ".zip"
#: What reading a damaged zip raises, in its list of members or in the data of one.
_DAMAGED = (
    OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error,
    lzma.LZMAError, ValueError,
)  # fmt: skip


class ProductError(ProviderError):
    """A product that cannot be read; `reason` is one word, `file` the file that it is about."""

    def __init__(self, reason: str, file: str = "") -> None:
        self.reason, self.file = reason, file
        super().__init__(f"{file}: {reason}")


@dataclass(frozen=True)
class ProductFiles:
    """One product on disk."""

    path: Path
    """The `.SAFE` folder, or the zip."""
    inside: str = ""
    """Folder of the product inside a zip."""

    @property
    def name(self) -> str:
        """Name of the product without its endings."""
        name = PurePosixPath(self.inside).name or self.path.name
        for ending in (_ZIP, _FOLDER):
            name = name[: -len(ending)] if name.lower().endswith(ending) else name
        return name

    @property
    def packed(self) -> bool:
        """Whether the product is inside a zip."""
        return self.path.suffix.lower() == _ZIP

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of every file by its name inside the product.

        Raises:
            ProductError: A zip that is none, or not all of one.
        """
        return _sizes_in_zip(self.path, self.inside) if self.packed else _sizes_in(self.path)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            ProductError: It is not there or cannot be read.
        """
        try:
            if not self.packed:
                return (self.path / name).read_bytes()
            with zipfile.ZipFile(self.path) as packed:
                return packed.read(_member(self.inside, name))
        except KeyError as error:
            raise ProductError("absent", name) from error
        except FileNotFoundError as error:
            raise ProductError("absent", name) from error
        except _DAMAGED as error:
            raise ProductError("unreadable", name) from error

    def address(self, name: str) -> str:
        """Return the address that GDAL opens a file by."""
        if self.packed:
            return f"{VSIZIP}{self.path.absolute().as_posix()}/{_member(self.inside, name)}"
        return (self.path / name).absolute().as_posix()


def find_products(place: Path) -> Iterator[ProductFiles]:
    """Yield the products in a folder, however deep, or the one that a path itself is.

    A folder is a product by its metadata file or its ending, so that one that was renamed and one
    that lost its metadata are both found. Zips of something else are passed over.

    Args:
        place: A folder, a `.SAFE` folder or a zip.
    """
    if place.is_file():
        yield from _packed(place)
        return
    for folder, below, files in os.walk(place):
        below.sort()
        here = Path(folder)
        if _is_product(here, files):
            below.clear()
            yield ProductFiles(here)
            continue
        for name in sorted(files):
            if name.lower().endswith(_ZIP):
                yield from _packed(here / name)


def is_product_place(place: Path) -> bool:
    """Whether a path is to be searched for products: a folder without a catalog, or a zip."""
    if place.is_dir():
        return not (place / CATALOG).is_file()
    return place.suffix.lower() == _ZIP


def _is_product(folder: Path, files: list[str]) -> bool:
    if METADATA in files or LEVEL_1C in files:
        return True
    # Unpackers make a folder of the zip's name around the folder of the same name.
    nested = any(path.suffix.lower() == _FOLDER for path in folder.iterdir() if path.is_dir())
    return folder.suffix.lower() == _FOLDER and not nested


def _packed(path: Path) -> Iterator[ProductFiles]:
    try:
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
    except _DAMAGED:
        yield ProductFiles(path)  # half a download: its size cannot be told, and that is said
        return
    paths = [PurePosixPath(name) for name in names]
    folders = {path.parent for path in paths if path.name in (METADATA, LEVEL_1C)}
    # A metadata file deeper down is a copy that belongs to the product around it.
    for folder in sorted(folders):
        if not folders & set(folder.parents):
            yield ProductFiles(path, "" if folder == PurePosixPath() else folder.as_posix())
    if not folders and any(part.lower().endswith(_FOLDER) for p in paths for part in p.parts):
        yield ProductFiles(path)


def _sizes_in(folder: Path) -> Mapping[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
    }


def _sizes_in_zip(path: Path, inside: str) -> Mapping[str, int]:
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
    except _DAMAGED as error:
        raise ProductError("not_a_whole_zip", path.name) from error
    start = _member(inside, "")
    return {
        member.filename.removeprefix(start): member.file_size
        for member in members
        if member.filename.startswith(start) and not member.is_dir()
    }


def _member(inside: str, name: str) -> str:
    return f"{inside}/{name}" if inside else name
