"""Byte ranges of one remote file, kept on disk until all of it that is wanted is there.

Owns the file of parts and its checks; asks nobody. The one idea: each range is appended with its
place and checksum, so a pull that is killed at any moment finds everything that had arrived whole,
and nothing that had not, and asks for no verified byte again. One process at a time has the file:
two would append at the same end.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import zlib
from bisect import bisect_right, insort
from pathlib import Path
from types import TracebackType
from typing import Self

from fieldline.pipeline.records.errors import UserError

_HEAD = struct.Struct("<QII")  # first byte, length, CRC-32 of the data
_IDENTITY = 2**64 - 1  # stands where a place would: the record says which file the ranges are of
_Held = tuple[int, int, int]  # first byte, the one after the last, place in the file of parts


class RangeStore:
    """The ranges of one file that have arrived; nothing is read before it is asked for.

    Args:
        path: The file of parts; locked until `close`, which leaves none that is empty.

    Raises:
        UserError: Another process has it.
        OSError: It cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        """The file of parts."""
        self._handle: int | None = None
        self._held: list[_Held] = []
        self.tag: str = ""
        self.size: int | None = None
        """Bytes of the whole remote file, once known."""
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def bytes_held(self) -> int:
        """Bytes of the remote file that are there."""
        return sum(end - start for start, end, _ in self._held)

    def identify(self, tag: str, size: int) -> None:
        """Say which version of the file what follows is of; another one's ranges are forgotten.

        A file without a version (an empty tag) may be read on within one run and not by a later.
        """
        if (tag, size) == (self.tag, self.size):
            return
        self.clear()
        self.tag, self.size = tag, size
        self._append(_IDENTITY, json.dumps([tag, size]).encode())

    def put(self, start: int, data: bytes) -> None:
        """Keep a range; what of it is there already is passed over."""
        for first, last in self.missing(start, start + len(data)):
            place = self._append(first, data[first - start : last - start])
            insort(self._held, (first, last, place))

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of a range that are not there, ascending."""
        gaps, place = [], start
        for first, last, _ in self._around(start, end):
            if first > place:
                gaps.append((place, first))
            place = max(place, last)
        return [*gaps, (place, end)] if place < end else gaps

    def get(self, start: int, end: int) -> bytes:
        """Return a range that is there whole.

        Raises:
            KeyError: It is not.
            OSError: The disk does not give what was put.
        """
        if self.missing(start, end) or self._handle is None:
            raise KeyError((start, end))
        pieces = []
        for first, last, place in self._around(start, end):
            low, high = max(first, start), min(last, end)
            pieces.append(os.pread(self._handle, high - low, place + low - first))
        data = b"".join(pieces)
        if len(data) != end - start:
            raise OSError(errno.EIO, f"{os.strerror(errno.EIO)}: ranges were cut short")
        return data

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self._held, self.tag, self.size = [], "", None
        self.path.unlink(missing_ok=True)  # while it is locked: nobody else's is meant
        self.close()

    def close(self) -> None:
        """Let the file go; what is in it stays."""
        if self._handle is not None:
            if os.fstat(self._handle).st_size == 0:
                self.path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def _around(self, start: int, end: int) -> list[_Held]:
        """Return the records that a range meets, ascending; records never overlap."""
        first = max(0, bisect_right(self._held, (start, 2**63, 0)) - 1)
        last = bisect_right(self._held, (end, -1, 0))
        return [held for held in self._held[first:last] if held[1] > start and held[0] < end]

    def _open(self) -> None:
        self._handle = _locked(self.path)
        whole = 0
        while (read := self._record(whole)) is not None:
            start, data, whole = read
            if start == _IDENTITY:
                self.tag, self.size = json.loads(data)
            else:
                insort(self._held, (start, start + len(data), whole - len(data)))
        if whole and self.tag:
            os.ftruncate(self._handle, whole)  # behind it lies what a killed run did not finish
        else:
            os.ftruncate(self._handle, 0)
            self._held, self.tag, self.size = [], "", None

    def _record(self, place: int) -> tuple[int, bytes, int] | None:
        """Return place, data and end of the record at a place; None where there is no whole one."""
        assert self._handle is not None
        head = os.pread(self._handle, _HEAD.size, place)
        if len(head) < _HEAD.size:
            return None
        start, length, checksum = _HEAD.unpack(head)
        data = os.pread(self._handle, length, place + _HEAD.size)
        if len(data) < length or zlib.crc32(data) != checksum:
            return None
        return start, data, place + _HEAD.size + length

    def _append(self, start: int, data: bytes) -> int:
        """Write a record at the end; return where its data begin."""
        if self._handle is None:
            self._handle = _locked(self.path)
        end = os.fstat(self._handle).st_size
        record = _HEAD.pack(start, len(data), zlib.crc32(data)) + data
        written = 0
        while written < len(record):
            written += os.pwrite(self._handle, record[written:], end + written)
        return end + _HEAD.size


def _locked(path: Path) -> int:
    """Open a file for one process alone, made where it is not there.

    Raises:
        UserError: Another process has it.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, path):
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise UserError(
                f"another run is fetching into {path.parent}",
                "wait until it has ended and run again",
            ) from error
        os.close(handle)  # who had it has removed it in the meantime


def _is_at(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), there)
