"""Anchors: heads of the audit chain, written where whoever can change the database cannot.

Owns the file of anchors, one JSON line each, and what a chain must still hold of them. A chain
whose tail was cut off or that was made anew follows by its own hashes; an anchor shows both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from fieldline.lending.store.database import AUDIT, reading
from fieldline.lending.store.signer import Signer, signer
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError


@dataclass(frozen=True)
class Anchor:
    """The chain as it stood at a time."""

    entries: int
    head: str
    """Hash of the last entry."""
    at: str
    """When the anchor was made."""
    by: str
    seal: str | None = None
    """Seal of the rest under the audit key; None without one."""

    def signed(self, by: Signer) -> Anchor:
        """Return the anchor with its seal."""
        return Anchor(self.entries, self.head, self.at, self.by, by.seal(self._text()))

    def is_sealed(self, by: Signer) -> bool:
        """Whether its seal is that of this key."""
        return by.holds(self._text(), self.seal)

    def _text(self) -> str:
        return canonical({"anchor": [self.entries, self.head, self.at, self.by]})


def take_anchor(engine: sa.Engine, by: Signer | None = None) -> Anchor:
    """Return an anchor of the chain's head.

    Raises:
        UserError: The chain has no entry yet.
    """
    by = by or signer()
    with reading(engine) as connection:
        last = connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(1)).first()
    if last is None:
        raise UserError("the audit chain has no entry yet", "run the chain first")
    return Anchor(last.seq, last.hash, by.time(None), by.actor).signed(by)


def add_anchor(file: Path, anchor: Anchor) -> None:
    """Add an anchor to a file; one that its last line holds already is not written twice.

    Raises:
        UserError: The file cannot be written, or is no file of anchors.
    """
    held = read_anchors(file) if file.exists() else []
    if held and (held[-1].entries, held[-1].head) == (anchor.entries, anchor.head):
        return
    if held and held[-1].entries > anchor.entries:
        raise UserError(
            f"the audit chain has {anchor.entries} entries, and anchor file {file} knew "
            f"{held[-1].entries}",
            "entries were cut off or the store is another one: verify it against this file",
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(asdict(anchor)) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise UserError(
            f"anchor file {file} cannot be written ({error.strerror})",
            "name a file in a folder that can be written to",
        ) from error


def read_anchors(file: Path) -> list[Anchor]:
    """Read a file of anchors.

    Raises:
        UserError: It is absent, empty, or a line of it is no anchor.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"anchor file {file} cannot be read ({error})", "name another") from error
    found = [_anchor(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise UserError(
            f"anchor file {file} holds no anchor", "make one with `fieldline audit anchor`"
        )
    return found


def _anchor(file: Path, number: int, line: str) -> Anchor:
    try:
        found = Anchor(**json.loads(line))
        if isinstance(found.entries, int) and all(
            isinstance(text, str) for text in (found.head, found.at, found.by)
        ):
            return found
    except (ValueError, TypeError):
        pass
    raise UserError(
        f"anchor file {file}, line {number} is no anchor: {line[:40]!r}",
        "restore the file from a copy, or remove that line",
    )


def anchor_problems(
    anchors: Sequence[Anchor], entries: int, hashes: Mapping[int, str], by: Signer
) -> Iterator[str]:
    """Yield what a chain no longer holds of its anchors.

    Args:
        anchors: Anchors.
        entries: Entries of the chain.
        hashes: Hash by entry, at least of those that anchors name.
        by: Whose key seals anchors; without a key their seals are not looked at.
    """
    for anchor in anchors:
        if by.key is not None and not anchor.is_sealed(by):
            yield f"the anchor of {anchor.at} is not sealed by this key"
        elif anchor.entries > entries:
            yield (
                f"the chain ends at entry {entries}, and the anchor of {anchor.at} knew "
                f"{anchor.entries}: entries were cut off"
            )
        elif hashes.get(anchor.entries) != anchor.head:
            yield f"entry {anchor.entries} is not the one that the anchor of {anchor.at} knew"
