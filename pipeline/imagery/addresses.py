"""What an address in a STAC document means on this machine, and the reading of what lies there.

Owns relative and absolute addresses, URLs, `file://`, percent signs and blanks, and JSON documents
in the encodings that people save them in; knows nothing of what a document says.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin
from urllib.request import urlopen

from fieldline.pipeline.records.encodings import decode_whole
from fieldline.pipeline.records.errors import ProviderError

_TIMEOUT_S = 30
VSIZIP = "/vsizip/"
"""Begins the address of a file inside a zip, as GDAL reads it; the zip's path follows."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class DocumentError(ProviderError):
    """A document that is absent or is not JSON; `reason` says which."""

    def __init__(self, address: str, reason: str) -> None:
        self.address, self.reason = address, reason
        super().__init__(f"{address}: {reason}")


def is_remote(address: str) -> bool:
    """Whether an address is a URL or a virtual file of GDAL rather than a path."""
    return "://" in address or address.startswith("/vsi")


def resolve(href: str, folder: str) -> str:
    """Return the path or URL that an address in a document of `folder` means.

    A path is taken as it is written where such a file exists. Otherwise it is tried as the URI that
    STAC says it is (`%20` for a blank), then without blanks around it, then with the backslashes of
    Windows turned; where nothing exists it stays as written, and reading it will fail by name.
    """
    if href.lower().startswith("file:"):
        path = re.sub(r"^file:(//[^/]*)?(?=/)", "", href, flags=re.IGNORECASE)
        return _existing([unquote(path), path], "/")
    if href.startswith(VSIZIP) and "://" not in folder:
        return f"{VSIZIP}{os.path.normpath(os.path.join(folder, href.removeprefix(VSIZIP)))}"  # noqa: PTH118
    if is_remote(href):
        return href
    if "://" in folder:
        return urljoin(f"{folder}/", href)
    bare = href.strip()
    return _existing([href, unquote(href), bare, unquote(bare), bare.replace("\\", "/")], folder)


def relative_href(href: str, folder: Path) -> str:
    """Return a local address relative to `folder`, itself absolute (URLs unchanged).

    Artifacts then hold the same bytes wherever the work folder lies.
    """
    if href.startswith(VSIZIP):
        return f"{VSIZIP}{relative_href(href.removeprefix(VSIZIP), folder)}"
    if is_remote(href):
        return href
    return Path(os.path.relpath(href, folder)).as_posix()


def read_json(address: str) -> Any:
    """Read a JSON document: UTF-8 with or without a mark, UTF-16 with one, or GB 18030.

    Raises:
        DocumentError: Absent, unreadable, empty or not JSON.
    """
    data = _bytes(address)
    if not data.strip():
        raise DocumentError(address, "empty")
    try:
        text = data.decode("utf-16") if data[:2] in _UTF16 else decode_whole(data).text
        return json.loads(text.strip("\x00"))
    except (ValueError, RecursionError) as error:
        raise DocumentError(address, "not_json") from error


def _bytes(address: str) -> bytes:
    try:
        if "://" in address:
            with urlopen(address, timeout=_TIMEOUT_S) as answer:
                return bytes(answer.read())
        return Path(address).read_bytes()
    except FileNotFoundError as error:
        raise DocumentError(address, "absent") from error
    except (OSError, ValueError) as error:  # ValueError: a scheme or a name that cannot be
        raise DocumentError(address, "unreadable") from error


def _existing(spellings: list[str], folder: str) -> str:
    for path in dict.fromkeys(spellings):
        place = os.path.normpath(os.path.join(folder, path))  # noqa: PTH118
        if os.path.exists(place):  # noqa: PTH110
            return place
    return os.path.normpath(os.path.join(folder, spellings[0]))  # noqa: PTH118
