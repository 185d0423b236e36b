"""Gate: whether a model may take the place of the one that serves.

Owns the questions that an approval answers, each with its numbers, and the approval itself, which
names the version that it holds for. A damaged folder is refused before any question.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldline.lending.risk.features import FEATURES
from fieldline.lending.risk.folder import APPROVAL, read_model
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import write_text

MOST_ECE = 0.02
"""Calibration error that is allowed beside what chance alone would show; assumption."""
MOST_LOSS = 0.01
"""AUC that a new model may lose against the approved one: less is noise of one history;
assumption."""


def objections(card: dict[str, Any], document: dict[str, Any] | None,
               against: dict[str, Any] | None = None) -> Iterator[str]:  # fmt: skip
    """Yield why a model may not serve.

    Args:
        card: Card of the candidate.
        document: What it serves.
        against: Card of the model that serves today, if any.
    """
    if document is None or not card.get("trained"):
        yield f"it is no trained model ({card.get('problem', 'no card')})"
        return
    names = [feature["name"] for feature in document["features"]]
    if names != [feature.name for feature in FEATURES]:
        yield f"it learnt other features than profiles have ({', '.join(names[:4])}, ...)"
    if [f["sign"] for f in document["features"]] != [feature.sign for feature in FEATURES]:
        yield "it does not hold the known signs"
    ours = card["boosting"]
    if not card["has_skill"]:
        yield f"it ranks no better than chance (AUC {ours['auc']:.3f})"
    allowed = MOST_ECE + ours["ece_by_chance"]
    if ours["ece"] > allowed:
        yield f"its probabilities are off by {ours['ece']:.3f}, more than {allowed:.3f}"
    if against is not None and ours["auc"] < against["boosting"]["auc"] - MOST_LOSS:
        yield f"its AUC {ours['auc']:.3f} is below {against['boosting']['auc']:.3f} of today's"


def gate(manifest: Path, against: Path | None = None, *, by: str = "") -> list[str]:
    """Approve a model folder, or say why not.

    Args:
        manifest: `manifest.json` of the candidate.
        against: `manifest.json` of the model that serves today.
        by: Who approves.

    Returns:
        The objections; without any, `approval.json` is written beside the manifest.

    Raises:
        UserError: One of the folders is damaged.
    """
    document, card = read_model(manifest)
    other = None if against is None else read_model(against)[1]
    found = list(objections(card, document, other))
    if not found and document is not None:
        approval = {
            "version": document["version"], "by": by,
            "auc": card["boosting"]["auc"], "ece": card["boosting"]["ece"],
            "against": None if other is None else other["version"],
        }  # fmt: skip
        write_text(manifest.parent / APPROVAL, canonical(approval) + "\n")
    return found


def approved(manifest: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the document and card of an approved model folder.

    Raises:
        UserError: It is damaged, or its approval is absent or of another version.
    """
    document, card = read_model(manifest)
    path = manifest.parent / APPROVAL
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if document is None or told.get("version") != document["version"]:
        raise UserError(
            f"the model of {manifest.parent} is not approved",
            f"run `fieldline risk gate {manifest.parent}`, or name another in lending.risk.model",
        )
    return document, card
