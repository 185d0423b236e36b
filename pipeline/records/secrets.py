"""Secret keys of the lender: where they come from and when one is too weak to keep a secret.

Owns reading a key from an environment variable or a file and judging its strength; what a key is
used for is its user's. No message repeats a key or a part of it.
"""

from __future__ import annotations

import hmac
import math
import os
import stat
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fieldline.pipeline.records.errors import UserError

LEAST_LENGTH = 32
_LEAST_BITS = 80.0
"""Below what any random key of 32 hexadecimal digits has (about 115), above what words have."""
_FINGERPRINT_DIGITS = 12


@dataclass(frozen=True)
class KeySource:
    """Where one key is looked for."""

    title: str
    """What it is, for people: `the pseudonym key`."""
    variable: str
    """Environment variable."""
    file: Path | None = None
    """File that holds nothing but the key."""
    keep: str = ""
    """Why it must be kept, as the end of the remedy."""

    @property
    def given(self) -> bool:
        """Whether anything is there, good or bad."""
        return bool(os.environ.get(self.variable)) or self.file is not None


def read_secret(source: KeySource) -> bytes:
    """Return a key, from its environment variable or its file.

    Raises:
        UserError: It is absent, told twice in two ways, too short, easy to guess, or lies in a file
            that others may read.
    """
    told = os.environ.get(source.variable, "").strip()
    if source.file is None:
        _judge(told, f"environment variable {source.variable}", source)
        return told.encode()
    kept = _from_file(source.file, source)
    _judge(kept, str(source.file), source)
    if told and told != kept:
        raise UserError(
            f"environment variable {source.variable} and the file {source.file} hold two different "
            f"keys for {source.title}",
            "keep the one that was used before and remove the other",
        )
    return kept.encode()


def fingerprint(key: bytes) -> str:
    """Return what tells two keys apart and betrays neither: 12 hexadecimal digits.

    Source: HMAC-SHA256, RFC 2104, over a fixed text.
    """
    return hmac.digest(key, b"fieldline: which key is this", "sha256").hex()[:_FINGERPRINT_DIGITS]


def _from_file(path: Path, source: KeySource) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is not text"
        raise UserError(
            f"the file {path} of {source.title} cannot be read ({said})",
            f"make one: `(umask 077; openssl rand -hex 32 > {path})`",
        ) from error
    if mode & stat.S_IRWXO:
        raise UserError(
            f"the file {path} of {source.title} is open to every user of this machine "
            f"(mode {stat.S_IMODE(mode):o})",
            f"run `chmod 600 {path}`, and make a new key if others may have read it",
        )
    return text


def _judge(key: str, where: str, source: KeySource) -> None:
    if not key and source.file is None:
        raise UserError(f"{where} is not set, so {source.title} is missing", _make(source))
    if len(key) < LEAST_LENGTH:
        raise UserError(
            f"{where} holds {len(key)} characters, {source.title} needs {LEAST_LENGTH}",
            _make(source),
        )
    weak = _weakness(key)
    if weak:
        raise UserError(f"{where} holds {weak}, which {source.title} must not be", _make(source))


def _make(source: KeySource) -> str:
    made = (
        f"run `export {source.variable}=$(openssl rand -hex 32)` once"
        if source.file is None
        else f"make one: `(umask 077; openssl rand -hex 32 > {source.file})`"
    )
    return f"{made} and keep that key{source.keep}"


def _weakness(key: str) -> str:
    """Return what makes a key easy to guess; empty where nothing is seen."""
    if _period(key) < LEAST_LENGTH and _period(key) <= len(key) // 2:
        return "a text that repeats itself"
    steps = Counter(ord(b) - ord(a) for a, b in pairwise(key))
    if max(steps.values()) > len(key) // 2:
        return "a row of characters that follow each other"
    counts = Counter(key)
    bits = sum(n * math.log2(len(key) / n) for n in counts.values())
    return "too few different characters" if bits < _LEAST_BITS else ""


def _period(text: str) -> int:
    """Return the length of the shortest beginning that repeated gives the text.

    Source: Knuth, Morris and Pratt (1977), failure function.
    """
    failure = [0] * len(text)
    for place in range(1, len(text)):
        length = failure[place - 1]
        while length and text[place] != text[length]:
            length = failure[length - 1]
        failure[place] = length + (text[place] == text[length])
    return len(text) - failure[-1]
