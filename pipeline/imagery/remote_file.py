"""A remote file that rasterio reads through: byte ranges of one address, whole and unchanged.

Owns ranges, their checks and a small cache of blocks; retries are `web`'s and pixels are GDAL's.
A fault is kept and not raised inside GDAL's callbacks, which would swallow it: whoever reads asks
for it afterwards (`fault`), so that no failed range ever passes for nodata.
"""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import requests

from fieldline.pipeline.imagery.accounts import AccountError
from fieldline.pipeline.imagery.web import WebError, ask

_BLOCK = 64 * 1024
"""Bytes read at least; the header of a COG fits in the first."""
_BLOCKS_KEPT = 256
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
#: First bytes of what a band may be: TIFF and BigTIFF of either byte order, JPEG 2000.
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")


class RemoteFile:
    """Opens one address any number of times; all readers share its blocks and its fault.

    Args:
        session: Answers are whole (`web.patient_session`).
        address: The file, in case signed for now.
    """

    def __init__(self, session: requests.Session, address: str) -> None:
        self._session, self._address = session, address
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._tag: str | None = None
        self.fault: WebError | None = None
        first, self.size = self._fetch(0, _BLOCK)
        self._keep(0, first)
        if not first.startswith(_MAGIC):
            raise WebError(address, "not_an_image")

    def opener(self) -> Callable[..., Any]:
        """Return what `rasterio.open(..., opener=)` takes."""
        return lambda *_args, **_options: _Reader(self)

    def read(self, start: int, count: int) -> bytes:
        """Return bytes of the file; fewer at its end, and none once a fault is kept."""
        end = min(start + count, self.size)
        if self.fault is not None or end <= start:
            return b""
        try:
            return self._read(start, end)
        except WebError as fault:
            self.fault = fault
        except AccountError:  # told by the next file that is opened, where GDAL cannot swallow it
            self.fault = WebError(self._address, "account_refused")
        return b""

    def _read(self, start: int, end: int) -> bytes:
        numbers = range(start // _BLOCK, (end - 1) // _BLOCK + 1)
        missing = [number for number in numbers if number not in self._blocks]
        if missing:
            first, last = missing[0] * _BLOCK, min((missing[-1] + 1) * _BLOCK, self.size)
            data, _ = self._fetch(first, last)
            held = {n: self._blocks[n] for n in numbers if n in self._blocks}
            for number in range(missing[0], missing[-1] + 1):
                place = number * _BLOCK - first
                held[number] = data[place : place + _BLOCK]
                self._keep(number, held[number])
        else:
            held = {number: self._blocks[number] for number in numbers}
        skipped = start - numbers[0] * _BLOCK
        return b"".join(held[n] for n in numbers)[skipped : skipped + end - start]

    def _keep(self, number: int, block: bytes) -> None:
        self._blocks[number] = block
        while len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)

    def _fetch(self, start: int, end: int) -> tuple[bytes, int]:
        """Return the bytes of a range and the size of the whole file."""
        wanted = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        answer = ask(self._session, self._address, headers=wanted)
        if answer.status_code == requests.codes.ok:  # the server knows no ranges
            return answer.content[start:end], len(answer.content)
        if answer.status_code != requests.codes.partial_content:
            raise WebError(self._address, f"http_{answer.status_code}")
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
        if found is None:
            raise WebError(self._address, "no_content_range")
        first, last, size = map(int, found.groups())
        whole = first == start and last == min(end, size) - 1
        if not whole or len(answer.content) != last - first + 1:
            raise WebError(self._address, "another_range")
        self._check_unchanged(answer.headers.get("ETag"))
        return answer.content, size

    def _check_unchanged(self, tag: str | None) -> None:
        if self._tag is not None and tag != self._tag:
            raise WebError(self._address, "changed_while_read")
        self._tag = tag


class _Reader(io.RawIOBase):
    """One position in a remote file."""

    def __init__(self, file: RemoteFile) -> None:
        super().__init__()
        self._file, self._place = file, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        self._place = start + offset
        return self._place

    def read(self, size: int = -1) -> bytes:
        count = self._file.size - self._place if size < 0 else size
        data = self._file.read(self._place, count)
        self._place += len(data)
        return data
