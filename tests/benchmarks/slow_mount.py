"""A slow mount: a folder shown at another place, every request to it answered after a while.

What a results folder on a far file server feels like: each look-up, open, read, write, rename and
flush waits. File locks are the kernel's own, so that of a server that keeps none of them this says
nothing. Needs libfuse 2, the package `fusepy` and root.
Run: `python -m tests.benchmarks.slow_mount FOLDER PLACE --ms 20`; it ends when PLACE is unmounted.
"""

from __future__ import annotations

import argparse
import ctypes.util
import errno
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.workflows.conftest import ROOT

_READY_S = 20.0


def is_possible() -> bool:
    """Whether a mount of this kind can be made here."""
    parts = importlib.util.find_spec("fuse"), ctypes.util.find_library("fuse")
    return os.geteuid() == 0 and Path("/dev/fuse").exists() and all(parts)


@contextmanager
def slowed(folder: Path, ms: float) -> Iterator[Path]:
    """Move a folder aside and show it where it was, slowly, until the block ends."""
    behind = folder.with_name(folder.name + "-behind")
    folder.rename(behind)
    folder.mkdir()
    command = [sys.executable, "-m", "tests.benchmarks.slow_mount", str(behind), str(folder)]
    process = subprocess.Popen([*command, "--ms", str(ms)], cwd=ROOT)
    try:
        last = time.monotonic() + _READY_S
        while not folder.is_mount():
            if time.monotonic() > last or process.poll() is not None:
                raise SystemExit("the slow mount did not come up")
            time.sleep(0.05)
        yield folder
    finally:
        if folder.is_mount():
            subprocess.run(["umount", str(folder)], check=True)
        process.wait(timeout=_READY_S)
        folder.rmdir()
        behind.rename(folder)


def serve(folder: Path, place: Path, ms: float) -> None:
    """Answer for a folder at another place until it is unmounted."""
    from fuse import FUSE, FuseOSError, Operations

    class Slow(Operations):  # type: ignore[misc]
        """Hands every request on to the folder after a while."""

        def __call__(self, name: str, *given: Any) -> Any:
            time.sleep(ms / 1000)
            try:
                return getattr(self, name)(*given)
            except FuseOSError:
                raise
            except OSError as error:
                raise FuseOSError(error.errno) from error

        def _at(self, path: str) -> Path:
            return folder / path.lstrip("/")

        def access(self, path: str, mode: int) -> int:
            if not os.access(self._at(path), mode):
                raise FuseOSError(errno.EACCES)
            return 0

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            found = self._at(path).lstat()
            names = ("mode", "nlink", "uid", "gid", "size", "atime", "mtime", "ctime")
            return {f"st_{name}": getattr(found, f"st_{name}") for name in names}

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *(entry.name for entry in self._at(path).iterdir())]

        def readlink(self, path: str) -> str:
            return str(self._at(path).readlink())

        def mkdir(self, path: str, mode: int) -> None:
            self._at(path).mkdir(mode)

        def rmdir(self, path: str) -> None:
            self._at(path).rmdir()

        def unlink(self, path: str) -> None:
            self._at(path).unlink()

        def rename(self, old: str, new: str) -> None:
            self._at(old).replace(self._at(new))

        def symlink(self, target: str, source: str) -> None:
            self._at(target).symlink_to(source)

        def link(self, target: str, source: str) -> None:
            self._at(target).hardlink_to(self._at(source))

        def chmod(self, path: str, mode: int) -> int:
            self._at(path).chmod(mode)
            return 0

        def chown(self, path: str, uid: int, gid: int) -> int:
            os.chown(self._at(path), uid, gid)
            return 0

        def utimens(self, path: str, times: tuple[float, float] | None = None) -> int:
            os.utime(self._at(path), times)
            return 0

        def statfs(self, path: str) -> dict[str, int]:
            found = os.statvfs(self._at(path))
            names = ("bavail", "bfree", "blocks", "bsize", "ffree", "files", "frsize", "namemax")
            return {f"f_{name}": getattr(found, f"f_{name}") for name in names}

        def open(self, path: str, flags: int) -> int:
            return os.open(self._at(path), flags)

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(fh, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            return os.pwrite(fh, data, offset)

        def truncate(self, path: str, length: int, fh: int | None = None) -> None:
            os.truncate(self._at(path), length)

        def flush(self, path: str, fh: int) -> int:
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            os.fsync(fh)
            return 0

        def release(self, path: str, fh: int) -> int:
            os.close(fh)
            return 0

    FUSE(Slow(), str(place), foreground=True, nonempty=True, big_writes=True)


def main() -> None:
    """Serve until unmounted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("place", type=Path)
    parser.add_argument("--ms", type=float, default=20.0)
    asked = parser.parse_args()
    serve(asked.folder.absolute(), asked.place.absolute(), asked.ms)


if __name__ == "__main__":
    main()
