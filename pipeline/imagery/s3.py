"""Files at `s3://` addresses, read with the keys of an account from the provider's own endpoint.

Owns the address and the signature of one GET (AWS Signature Version 4 in headers); ranges, retries
and pixels are `remote_file`'s and `web`'s. Written here and not taken from botocore, whose own
retries and connections would stand beside ours.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase

from fieldline.pipeline.imagery.accounts import Account, AccountError, missing
from fieldline.pipeline.imagery.sources.providers import Provider

SCHEME = "s3://"
_REGION = "default"
"""Region of Copernicus' store; stores outside AWS know none and take any."""
_EMPTY = hashlib.sha256(b"").hexdigest()
_SIGNED = "host;range;x-amz-content-sha256;x-amz-date"
_CODE = re.compile(rb"<Code>([A-Za-z]+)</Code>")
#: What a store answers to keys that are wrong, whatever file is asked for.
_WRONG_KEYS = frozenset(
    {b"InvalidAccessKeyId", b"SignatureDoesNotMatch", b"InvalidToken", b"ExpiredToken"}
)


def https_address(href: str, endpoint: str) -> str:
    """Return the address of `s3://bucket/key` at an endpoint, path style."""
    return f"{endpoint.rstrip('/')}/{quote(href.removeprefix(SCHEME), safe='/-_.~')}"


class S3Auth(AuthBase):
    """Signs requests to one endpoint with an account's keys.

    Raises:
        AccountError: The account has no keys.
    """

    def __init__(self, provider: Provider, account: Account, region: str = _REGION) -> None:
        if not (account.s3_access_key and account.s3_secret_key):
            raise missing(provider, ("s3_access_key", "s3_secret_key"))
        self._host, self._region = urlsplit(provider.s3).netloc, region
        self._account = account

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request; one to any other host goes without."""
        if urlsplit(str(request.url)).netloc == self._host:
            sign(request, self._account, dt.datetime.now(dt.UTC), self._region)
            request.hooks["response"].append(self._refused)
        return request

    def _refused(self, answer: requests.Response, **_: Any) -> requests.Response:
        """Tell wrong keys and a wrong clock from a file that may not be read.

        Raises:
            AccountError: No file will be given to these keys.
        """
        found = (
            _CODE.search(answer.content) if answer.status_code == requests.codes.forbidden else None
        )
        if found is not None and found[1] == b"RequestTimeTooSkewed":
            raise AccountError(
                f"{self._host} refuses this machine's clock (there: {answer.headers.get('Date')})",
                "set the clock",
            )
        if found is not None and found[1] in _WRONG_KEYS:
            raise AccountError(
                f"the S3 keys of account {self._account.name!r} are refused by {self._host} "
                f"({found[1].decode()})",
                "check them: they may be mistyped, expired or of another provider",
            )
        return answer


def sign(
    request: requests.PreparedRequest, account: Account, moment: dt.datetime, region: str
) -> None:
    """Put the headers of a signed GET without a body on a request.

    Source: AWS, "Authenticating Requests: Using the Authorization Header (Signature Version 4)".
    """
    parts = urlsplit(str(request.url))
    stamp = f"{moment:%Y%m%dT%H%M%SZ}"
    request.headers.setdefault("Range", "bytes=0-")
    request.headers["x-amz-date"] = stamp
    request.headers["x-amz-content-sha256"] = _EMPTY
    values = {"host": parts.netloc, **{name.lower(): v for name, v in request.headers.items()}}
    named = "".join(f"{name}:{values[name]}\n" for name in _SIGNED.split(";"))
    asked = "\n".join([str(request.method), parts.path, parts.query, named, _SIGNED, _EMPTY])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    told = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(asked.encode()).hexdigest()])
    key = f"AWS4{account.s3_secret_key}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, told.encode(), "sha256").hex()
    request.headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={account.s3_access_key}/{scope},"
        f"SignedHeaders={_SIGNED},Signature={signature}"
    )
