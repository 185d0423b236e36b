"""Folder: a default model as files that anyone can read and nobody can change unseen.

Owns writing and reading a model folder: the served document, the trees in xgboost's own JSON, the
scorecard as a table, the card, and a manifest that holds the hash of each. What is read is verified
first; no file holds code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldline.lending.risk.default_model import content_version
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import write_text

MANIFEST, MODEL, TREES, SCORECARD, CARD, APPROVAL = (
    "manifest.json", "model.json", "trees.json", "scorecard.csv", "card.json", "approval.json",
)  # fmt: skip
FILES = (MODEL, TREES, SCORECARD, CARD)
"""What a folder holds beside its manifest."""


def write_model(folder: Path, document: dict[str, Any] | None, card: dict[str, Any]) -> None:
    """Write a model folder; one without a model holds a card that says why.

    Args:
        folder: Folder of the model.
        document: What `lending.risk.serve` reads; None where nothing could be learnt.
        card: How it did and on what terms.
    """
    texts = {
        MODEL: canonical(document) + "\n",
        TREES: (document or {}).get("trees", "{}") + "\n",
        SCORECARD: "\n".join(_points(document)) + "\n",
        CARD: canonical(card) + "\n",
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    manifest = {
        "version": None if document is None else document["version"],
        "files": {name: _hash(text.encode("utf-8")) for name, text in texts.items()},
    }
    write_text(folder / MANIFEST, canonical(manifest) + "\n")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _points(document: dict[str, Any] | None) -> Iterator[str]:
    """Yield the scorecard as rows of a table: what a value adds to the log-odds of default."""
    yield "feature,from,below,log_odds"
    challenger = (document or {}).get("challenger")
    if challenger is None:
        return
    yield f"(intercept),,,{challenger['intercept']!r}"
    for row in challenger["features"]:
        name = '"' + row["name"].replace('"', '""') + '"'
        ends = ["", *(repr(edge) for edge in row["edges"]), ""]
        parts = [repr(row["coefficient"] * weight) for weight in row["woe"]]
        for low, high, part in zip(ends[:-1], ends[1:], parts[:-1], strict=True):
            yield f"{name},{low},{high},{part}"
        for value, weight in row.get("special", ()):
            yield f"{name},={value!r},,{row['coefficient'] * weight!r}"
        yield f"{name},missing,,{parts[-1]}"


def read_model(manifest: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Read and verify a model folder.

    Args:
        manifest: Its `manifest.json`.

    Returns:
        The served document (None where nothing could be learnt) and the card.

    Raises:
        UserError: A file is absent or is not what the manifest and the version say.
    """
    folder = manifest.parent
    told = _json(manifest, _bytes(manifest))
    hashes = told.get("files") if isinstance(told, dict) else None
    if not isinstance(hashes, dict) or set(hashes) != set(FILES):
        raise _damaged(manifest, "it names other files than a model folder has")
    texts = {name: _bytes(folder / name) for name in FILES}
    for name, content in texts.items():
        if _hash(content) != hashes[name]:
            raise _damaged(folder / name, "its content is not what manifest.json says")
    document = _json(folder / MODEL, texts[MODEL])
    card = _json(folder / CARD, texts[CARD])
    if document is not None and not document["version"] == told["version"] == content_version(
        document
    ):
        raise _damaged(folder / MODEL, "its version is not the hash of what it serves")
    return document, card


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror})", "name the manifest.json of a model folder"
        ) from error


def _json(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise _damaged(path, "it is no JSON") from error


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"{path} is damaged: {why}", "take the model folder whole, as it was made")
