"""Disks for results to lie on: one of their own, filled to the last byte, and taken off again.

Needs root: it mounts.
"""

from __future__ import annotations

import errno
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MB = 1 << 20


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """Put the content of a folder onto a disk of its own, in memory, where the folder was."""
    aside = folder.with_name(folder.name + "-before")
    folder.rename(aside)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(aside)
        yield folder
    finally:
        if folder.is_mount():
            subprocess.run(["umount", str(folder)], check=True)


def kept(place: Path) -> None:
    """Take a folder off its disk, so that it can be held against others and removed."""
    aside = place.with_name(place.name + "-aside")
    shutil.copytree(place, aside, symlinks=True)
    subprocess.run(["umount", str(place)], check=True)
    place.rmdir()
    aside.rename(place)


def fill(file: Path, left: int = 0) -> None:
    """Fill the disk of a file with it, but for so many bytes."""
    size = _MB
    with file.open("wb", buffering=0) as handle:
        while size >= 1:
            try:
                # Less than asked for is written where the disk ends within it.
                size = size if handle.write(bytes(size)) == size else size // 2
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2
        handle.truncate(max(handle.tell() - left, 0))
