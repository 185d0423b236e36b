"""An S3 endpoint on loopback: signed GETs of whole files and ranges, four connections and no more.

The signature is reckoned again from what arrived, by the text of AWS' specification, so that a
client that signs something else than it sends is refused as the real store refuses it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tests.services.loopback import Request, Response, Service, ranged

ACCESS_KEY = "AK7ACCESS1234567890"
SECRET_KEY = "sk/very-secret-of-store"
BUCKET = "eodata"
_SHAPE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request,"
    r"\s*SignedHeaders=(?P<signed>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW = dt.timedelta(minutes=15)


@dataclass
class S3Store(Service):
    """Files of a folder as the bucket `eodata`."""

    folder: Path
    limit: int = 4
    """Requests that may be open at once; one more is answered with 503 SlowDown."""
    ahead: dt.timedelta = dt.timedelta()
    """How far the store's clock is ahead of ours."""
    refused: int = 0
    """Requests beyond the limit."""

    def respond(self, asked: Request) -> Response:
        """Answer one request."""
        if self.open_now > self.limit:
            self.refused += 1
            return _error("SlowDown", 503)
        fault = self._refusal(asked)
        if fault is not None:
            return _error(fault, 403)
        name = unquote(asked.path).removeprefix(f"/{BUCKET}/")
        path = self.folder / name
        if not asked.path.startswith(f"/{BUCKET}/") or not path.is_file():
            return _error("NoSuchKey", 404)
        whole = path.read_bytes()
        kind = "image/jp2" if path.suffix == ".jp2" else "image/tiff"
        return ranged(asked, whole, f"{len(whole)}-{path.stat().st_mtime_ns}", kind)

    def _refusal(self, asked: Request) -> str | None:
        found = _SHAPE.fullmatch(asked.headers.get("Authorization", ""))
        if found is None:
            return "AccessDenied"
        if found["key"] != ACCESS_KEY:
            return "InvalidAccessKeyId"
        stamp = asked.headers.get("x-amz-date", "")
        moment = dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        if abs(dt.datetime.now(dt.UTC) + self.ahead - moment) > _SKEW:
            return "RequestTimeTooSkewed"
        return None if self._signature(asked, found) == found["signature"] else (
            "SignatureDoesNotMatch"
        )  # fmt: skip

    def _signature(self, asked: Request, found: re.Match[str]) -> str:
        names = found["signed"].split(";")
        lines = [f"{name}:{asked.headers.get(name, '').strip()}" for name in names]
        payload = asked.headers.get("x-amz-content-sha256", "")
        canonical = "\n".join([asked.method, asked.path, "", *lines, "", found["signed"], payload])
        scope = f"{found['day']}/{found['region']}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        words = f"AWS4-HMAC-SHA256\n{asked.headers['x-amz-date']}\n{scope}\n{digest}"
        key = b"AWS4" + SECRET_KEY.encode()
        for part in (found["day"], found["region"], "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, words.encode(), hashlib.sha256).hexdigest()


def _error(code: str, status: int) -> Response:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return Response(body.encode(), "application/xml", status)
