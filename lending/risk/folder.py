"""Folder: a default model as files that anyone can read and nobody can change unseen.

Owns writing and reading a model folder: the served document, the trees in xgboost's own JSON, the
scorecard as a table and the card, sealed by a manifest (`pipeline.records.sealed_folder`); no file
holds code.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldline.lending.risk.default_model import content_version
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.sealed_folder import MANIFEST, damaged, parse_json, seal, unseal

__all__ = [
    "APPROVAL", "CARD", "FILES", "MANIFEST", "MODEL", "SCORECARD", "TREES", "read_model",
    "write_model",
]  # fmt: skip

MODEL, TREES, SCORECARD, CARD, APPROVAL = (
    "model.json", "trees.json", "scorecard.csv", "card.json", "approval.json",
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
    contents = {name: text.encode("utf-8") for name, text in texts.items()}
    seal(folder, contents, None if document is None else document["version"])


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
    version, contents = unseal(manifest, FILES)
    document = parse_json(folder / MODEL, contents[MODEL])
    card = parse_json(folder / CARD, contents[CARD])
    if document is not None and not document["version"] == version == content_version(document):
        raise damaged(folder / MODEL, "its version is not the hash of what it serves")
    return document, card
