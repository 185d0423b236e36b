"""Outline files inside a .zip or .kmz, as people mail them.

Owns which members of an archive are outlines and where they are unpacked for a moment; reads no
outline itself. Every member that is an outline file is read; none vanishes beside another.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.records.errors import UserError

#: What a Mac adds to every archive it makes.
_LITTER = ("__MACOSX", "._")
#: Sidecars that a member cannot be read without.
_SIDECARS = (".shx", ".dbf", ".prj", ".cpg", ".dat", ".map", ".id", ".ind", ".mid")
#: More than any county's outlines; a small archive that unpacks to more is an attack, bytes.
_LARGEST = 8 * 1024**3


def read_archive(
    source: Path, kinds: Collection[str], read: Callable[[Path], Sequence[Layer]]
) -> list[Layer]:
    """Read every outline file of an archive, each as layers named after it.

    Args:
        source: `.zip` or `.kmz`.
        kinds: Suffixes of outline files.
        read: Reads one unpacked file.

    Raises:
        UserError: No archive, encrypted, too large or without an outline file.
    """
    with tempfile.TemporaryDirectory() as folder:
        members = _unpack(source, kinds, Path(folder))
        return [
            replace(layer, name=_name(member.stem, layer.name, len(members)))
            for member in members
            for layer in read(member)
        ]


def _name(member: str, layer: str, members: int) -> str:
    if members == 1:
        return layer
    return member if layer in ("", member) else f"{member}:{layer}"


def _unpack(source: Path, kinds: Collection[str], folder: Path) -> list[Path]:
    try:
        with zipfile.ZipFile(source) as archive:
            names = [name for name in archive.namelist() if not _litter(name)]
            outlines = [name for name in names if _suffix(name) in kinds]
            if not outlines:
                raise UserError(
                    f"{source} holds no outline file (but {', '.join(names[:5]) or 'nothing'})",
                    f"put one of {', '.join(sorted(kinds))} into it",
                )
            wanted = [n for n in names if n in outlines or _suffix(n) in _SIDECARS]
            if sum(archive.getinfo(name).file_size for name in wanted) > _LARGEST:
                raise UserError(f"{source} unpacks to more than 8 GB", "send the outlines alone")
            paths = {name: Path(archive.extract(name, folder)) for name in wanted}
            return [paths[name] for name in outlines]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise UserError(
            f"{source} cannot be unpacked", "pack it again as a plain .zip without a password"
        ) from error


def _litter(name: str) -> bool:
    path = PurePosixPath(name)
    return name.endswith("/") or any(part.startswith(_LITTER) for part in path.parts)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
