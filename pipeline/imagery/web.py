"""HTTP as every scene provider is asked: bounded attempts with jitter, and every fault by name.

Owns one session's retries, waits and the completeness of each answer; knows no STAC and no raster.
The one idea: an answer is whole or it is a fault, so that nothing behind this module sees half a
body, a page of HTML in place of pixels, or a service's bad moment as missing data.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.records.errors import ProviderError

_log = logging.getLogger(__name__)
#: Answers that a later request may not get; every other one is final.
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Bytes that a server may send in answer to a range: it does not know ranges and sends the file.
_WHOLE_FILE = 32 * 2**20


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


def patient_session(settings: PullSettings, retry_after_per_s: float = 1.0) -> requests.Session:
    """Return a session whose every answer is whole and whose every request is retried.

    Args:
        settings: Attempts, waits and silence.
        retry_after_per_s: What the server's `Retry-After` counts in a second.
    """
    session = requests.Session()
    adapter = _PatientAdapter(settings, retry_after_per_s)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


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

    def __init__(self, settings: PullSettings, retry_after_per_s: float) -> None:
        super().__init__()
        self._settings, self._per_s = settings, retry_after_per_s

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
            WebError: None after the configured attempts, or the server asks for a longer wait.
        """
        limit = self._settings.attempts
        address = str(request.url)
        for attempt in range(1, limit + 1):
            answer: requests.Response | None = None
            try:
                answer = super().send(
                    request, True, timeout or self._settings.timeout_s, verify, cert, proxies
                )
                reason = _fault(request, answer)
            except requests.RequestException as error:
                reason = _reason(error)
            if reason is None and answer is not None:
                return answer
            asked = None if answer is None else retry_after(answer.headers, self._per_s)
            if attempt == limit or (asked or 0.0) > self._settings.longest_wait_s:
                raise WebError(address, str(reason), attempt)
            _log.info("%s: %s, attempt %d of %d", bare(address), reason, attempt, limit)
            time.sleep(self._wait(attempt) if asked is None else asked)
        raise AssertionError("attempts is at least 1")

    def _wait(self, attempt: int) -> float:
        longest = self._settings.first_wait_s * 2.0 ** (attempt - 1)
        return min(longest, self._settings.longest_wait_s) * random.uniform(0.5, 1.0)


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
    now = dt.datetime.now(dt.UTC)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max(0.0, (aware - now).total_seconds())


def _fault(request: requests.PreparedRequest, answer: requests.Response) -> str | None:
    """Read an answer to its end; return why it is of no use, None where it is."""
    if "Range" in request.headers and answer.status_code == requests.codes.ok:
        size = answer.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > _WHOLE_FILE:
            answer.close()
            return "no_range_reads"
    _ = answer.content  # raises where the body ends before the length that was stated
    if answer.status_code in _TRANSIENT:
        return f"http_{answer.status_code}"
    kind = answer.headers.get("Content-Type", "").lower()
    return "html_answer" if answer.ok and kind.startswith("text/html") else None


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
