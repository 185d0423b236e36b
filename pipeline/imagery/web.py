"""HTTP as every scene provider is asked: bounded attempts with jitter, and every fault by name.

Owns one session's retries, waits and the completeness of each answer; knows no STAC and no raster.
The one idea: an answer is whole or it is a fault, so that nothing behind this module sees half a
body, a page of HTML in place of pixels, or a service's bad moment as missing data.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError

from fieldline.pipeline.imagery.limits import Guard, OutOfTimeError, run_guard
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.records.errors import ProviderError

_log = logging.getLogger(__name__)
#: Answers that a later request may not get; every other one is final.
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Bytes that a server may send in answer to a range: it does not know ranges and sends the file.
_WHOLE_FILE = 32 * 2**20
_PIECE = 2**20
#: Bytes of a document at most; a page of 200 items with all their assets takes about 10 MB.
_LARGEST_DOCUMENT = 64 * 2**20
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class WebError(ProviderError):
    """A request that got no usable answer.

    Args:
        address: What was asked; its query, which may hold a signature, is left out.
        reason: One word such as `http_503`, `truncated_answer` or `html_answer`.
        attempts: Requests that were made.
    """

    def __init__(self, address: str, reason: str, attempts: int = 1) -> None:
        self.address, self.reason, self.attempts = bare(address), reason, attempts
        super().__init__(f"{self.address}: {reason} ({attempts} attempts)")


def bare(address: str) -> str:
    """Return an address without its query, user and password."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def patient_session(
    settings: PullSettings,
    guard: Guard | None = None,
    retry_after_per_s: float = 1.0,
    largest: int | None = None,
) -> requests.Session:
    """Return a session whose every answer is whole and whose every request is retried.

    Args:
        settings: Attempts and waits.
        guard: Rates, budget and deadline that its requests count against.
        retry_after_per_s: What the server's `Retry-After` counts in a second.
        largest: Bytes of an answer at most.
    """
    session = requests.Session()
    adapter = _PatientAdapter(settings, guard, retry_after_per_s, largest)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def document_session(settings: PullSettings, retry_after_per_s: float = 1.0) -> requests.Session:
    """Return a session for what is asked beside pixels: searches, signed addresses and tokens.

    No budget counts it; it ends with the run's time, and an answer of any size is not read.
    """
    guard = run_guard(settings)
    return patient_session(settings, guard, retry_after_per_s, _LARGEST_DOCUMENT)


def ask(session: requests.Session, address: str, **how: Any) -> requests.Response:
    """Return the answer of one GET, whatever its status.

    Raises:
        WebError: There is none, or the address is none that can be asked (`s3://`).
    """
    try:
        return session.get(address, **how)
    except requests.RequestException as error:
        raise WebError(address, type(error).__name__) from error


class _PatientAdapter(HTTPAdapter):
    """Sends one request until it is answered, refused for good or given up."""

    def __init__(
        self,
        settings: PullSettings,
        guard: Guard | None,
        retry_after_per_s: float,
        largest: int | None,
    ) -> None:
        super().__init__()
        self._settings, self._guard, self._per_s = settings, guard, retry_after_per_s
        self._largest = largest
        self.expected = 0
        """Bytes of an answer to a request that states no range."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return a whole answer.

        Raises:
            WebError: None after the configured attempts or the deadline, or the server asks for a
                longer wait, or the answer is larger than it may be.
            BudgetError: A request would exceed the budget.
        """
        limit = self._settings.attempts
        address = str(request.url)
        for attempt in range(1, limit + 1):
            answer: requests.Response | None = None
            try:
                pause = timeout or self._settings.timeout_s
                with _counted(request, self._guard, self._largest, self.expected) as counted:
                    answer = super().send(request, True, pause, verify, cert, proxies)
                    reason = _fault(request, answer, counted)
            except requests.RequestException as error:
                reason = _reason(error)
            except (OutOfTimeError, _TooLargeError) as error:
                raise WebError(address, error.reason, attempt) from error
            if reason is None and answer is not None:
                return answer
            asked = None if answer is None else retry_after(answer.headers, self._per_s)
            wait = self._wait(attempt) if asked is None else asked
            if attempt == limit or (asked or 0.0) > self._settings.longest_wait_s:
                raise WebError(address, str(reason), attempt)
            if self._guard is not None and wait >= self._guard.left():
                raise WebError(address, f"{reason}_until_deadline", attempt)
            _log.info("%s: %s, attempt %d of %d", bare(address), reason, attempt, limit)
            time.sleep(wait)
        raise AssertionError("attempts is at least 1")

    def _wait(self, attempt: int) -> float:
        longest = self._settings.first_wait_s * 2.0 ** (attempt - 1)
        return min(longest, self._settings.longest_wait_s) * random.uniform(0.5, 1.0)


class _TooLargeError(ProviderError):
    """An answer that is larger than it may be; it is not read to its end."""

    reason = "answer_too_large"


class _Counted:
    """Counts the bytes of one answer and looks at the clock between them."""

    def __init__(self, guard: Guard | None, largest: int | None) -> None:
        self._guard, self._largest = guard, largest
        self.bytes = 0

    def take(self, size: int) -> None:
        self.bytes += size
        if self._largest is not None and self.bytes > self._largest:
            raise _TooLargeError(_TooLargeError.reason)
        if self._guard is not None:
            self._guard.check_time()


@contextmanager
def expecting(session: requests.Session, size: int) -> Iterator[None]:
    """Say how many bytes the answers to requests of a block bring at most.

    A range says it by itself; what a service renders must be said, or the budget would be found
    exceeded only when the bytes are there.

    Args:
        session: Of `patient_session`, used by one thread; any other is left as it is.
        size: Bytes of one answer.
    """
    adapters = [one for one in session.adapters.values() if isinstance(one, _PatientAdapter)]
    for adapter in adapters:
        adapter.expected = size
    try:
        yield
    finally:
        for adapter in adapters:
            adapter.expected = 0


@contextmanager
def _counted(
    request: requests.PreparedRequest, guard: Guard | None, largest: int | None, stated: int
) -> Iterator[_Counted]:
    """Ask the guard for one request, and tell it what came."""
    counted = _Counted(guard, largest)
    if guard is None:
        yield counted
        return
    wanted = _RANGE.fullmatch(str(request.headers.get("Range", "")))
    expected = int(wanted[2]) - int(wanted[1]) + 1 if wanted else stated
    guard.ask(expected)
    try:
        yield counted
    finally:
        guard.settle(expected, counted.bytes)


def retry_after(headers: Mapping[str, str], per_s: float = 1.0) -> float | None:
    """Return the seconds that an answer asks to wait, stated as a number or as a date.

    Args:
        headers: Of the answer.
        per_s: What the number counts in a second; Sentinel Hub states milliseconds.
    """
    stated = headers.get("Retry-After", "").strip()
    if stated.isdigit():
        return float(stated) / per_s
    try:
        moment = parsedate_to_datetime(stated)
    except (TypeError, ValueError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max(0.0, (aware - _servers_now(headers)).total_seconds())


def _servers_now(headers: Mapping[str, str]) -> dt.datetime:
    """Return the time by the clock that an answer's dates are told by, ours where it tells none."""
    try:
        moment = parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return dt.datetime.now(dt.UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _fault(
    request: requests.PreparedRequest, answer: requests.Response, counted: _Counted
) -> str | None:
    """Read an answer to its end; return why it is of no use, None where it is."""
    if "Range" in request.headers and answer.status_code == requests.codes.ok:
        size = answer.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > _WHOLE_FILE:
            answer.close()
            return "no_range_reads"
    _read_whole(answer, counted)
    if answer.status_code in _TRANSIENT:
        return f"http_{answer.status_code}"
    kind = answer.headers.get("Content-Type", "").lower()
    return "html_answer" if answer.ok and kind.startswith("text/html") else None


def _read_whole(answer: requests.Response, counted: _Counted) -> None:
    """Read a body piece by piece as it comes, so that a drip is seen by the clock.

    Raises:
        RequestException: It ends before the length that was stated, or stops coming.
    """
    pieces = []
    try:
        while piece := answer.raw.read1(_PIECE, decode_content=True):
            pieces.append(piece)
            counted.take(len(piece))
    except (OutOfTimeError, _TooLargeError):
        answer.close()  # a connection with half a body on it serves nobody else
        raise
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except (ProtocolError, OSError) as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    vars(answer).update(_content=b"".join(pieces), _content_consumed=True)
    answer.raw.release_conn()


def _reason(error: requests.RequestException) -> str:
    """Return one word for a request that got no answer, or half of one."""
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "truncated_answer"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "undecodable_answer"
    if isinstance(error, requests.exceptions.SSLError):
        return "certificate_refused"
    if isinstance(error, requests.Timeout):
        return "timeout"
    words = str(error)
    if "NameResolutionError" in words:
        return "name_not_resolved"
    return "connection_refused" if "refused" in words else "connection_lost"
