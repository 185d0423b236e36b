"""A remote file: byte ranges of one address, whole and unchanged.

Owns ranges and their checks; where they are kept is `range_store`'s, retries are `web`'s and pixels
are GDAL's, which reads what was fetched (`stand_in`). A range that does not come raises, so that it
never passes for nodata.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import requests

from fieldline.pipeline.imagery.range_store import RangeStore
from fieldline.pipeline.imagery.web import WebError, ask

BLOCK = 16 * 1024
"""Bytes read at least; the header of most COGs fits in the first."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_REFUSED = (requests.codes.unauthorized, requests.codes.forbidden)
#: First bytes of what a band may be: TIFF and BigTIFF of either byte order, JPEG 2000.
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")


class RemoteFile:
    """Reads one address; each byte is asked for once.

    Args:
        session: Answers are whole (`web.patient_session`).
        address: Returns the file's address, in case signed for now; asked again where a signed one
            is refused later on.
        store: Keeps the ranges; those that it holds are not asked for.

    Raises:
        WebError: The first block does not come, or is no image's.
        OSError: It cannot be kept.
    """

    def __init__(
        self, session: requests.Session, address: Callable[[], str], store: RangeStore
    ) -> None:
        self._session, self._renew, self._store = session, address, store
        self._address: str | None = None
        self._confirmed = False
        self.step = BLOCK
        """Bytes that a read is rounded to where it finds nothing fetched."""
        # A run that was killed, or met a full disk, may have left the identity and no range.
        if store.size is None or store.missing(0, min(BLOCK, store.size)):
            self._fetch(0, BLOCK)
        head = store.get(0, min(BLOCK, self.size))
        if not head.startswith(_MAGIC):
            store.clear()
            raise WebError(self._now(), "not_an_image")

    @property
    def size(self) -> int:
        """Bytes of the file."""
        assert self._store.size is not None
        return self._store.size

    def beside(self, suffix: str) -> Path:
        """Return the path of another file about this one, by its suffix; nobody else has it."""
        return self._store.path.with_suffix(suffix)

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch what is not there yet of some ranges, each in one request.

        Raises:
            WebError: One does not come.
            BudgetError: It would exceed the budget.
        """
        for start, end in ranges:
            for first, last in self._store.missing(start, min(end, self.size)):
                self._fetch(first, last)

    def read(self, start: int, count: int) -> bytes:
        """Return bytes of the file; fewer at its end.

        Raises:
            WebError: They do not come.
            BudgetError: They would exceed the budget.
            OSError: They cannot be kept.
        """
        end = min(start + count, self.size)
        if end <= start:
            return b""
        if self._store.missing(start, end):
            self.fetch([(start // self.step * self.step, -(-end // self.step) * self.step)])
        return self._store.get(start, end)

    def _now(self) -> str:
        if self._address is None:
            self._address = self._renew()
        return self._address

    def _fetch(self, start: int, end: int) -> None:
        """Ask for a range and keep it."""
        answer = self._ask(start, end)
        if answer.status_code == requests.codes.ok:  # the server knows no ranges
            self._identify(answer, len(answer.content))
            self._store.put(0, answer.content)
            return
        if answer.status_code != requests.codes.partial_content:
            raise WebError(self._now(), f"http_{answer.status_code}")
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
        if found is None:
            raise WebError(self._now(), "no_content_range")
        first, last, size = map(int, found.groups())
        whole = first == start and last == min(end, size) - 1
        if not whole or len(answer.content) != last - first + 1:
            raise WebError(self._now(), "another_range")
        self._identify(answer, size)
        self._store.put(start, answer.content)

    def _ask(self, start: int, end: int) -> requests.Response:
        wanted = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        address = self._now()
        answer = ask(self._session, address, headers=wanted)
        if answer.status_code in _REFUSED:
            self._address = None  # a signature may have run out
            if self._now() != address:
                answer = ask(self._session, self._now(), headers=wanted)
        return answer

    def _identify(self, answer: requests.Response, size: int) -> None:
        """Hold an answer's version against that of the ranges there are."""
        tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if self._store.size is not None and (tag, size) != (self._store.tag, self._store.size):
            self._store.clear()
            raise WebError(self._now(), "changed_while_read" if self._confirmed else "changed")
        self._store.identify(tag, size)
        self._confirmed = True
