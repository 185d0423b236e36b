"""Gate: whether a segmentation network may take the place of the one that serves.

Owns the questions, each with its numbers. A damaged folder, one of another kind or one with broken
weights is refused before any question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fieldline.crops.networks.folder import StoredNetwork, approve, read_network
from fieldline.crops.segment.learn import module_of
from fieldline.crops.segment.pairs import KIND

MOST_LOSS = 0.02
"""Mean IoU that a new network may lose against the one that serves on the same fields: less is
noise of a few dozen fields; assumption."""
_EDGE = 32


def objections(network: StoredNetwork, against: StoredNetwork | None = None) -> Iterator[str]:
    """Yield why a network may not serve.

    Args:
        network: The candidate.
        against: The one that serves today.
    """
    ours = network.card.get("evaluation")
    if not isinstance(ours, dict) or not ours.get("network"):
        yield "its card holds no evaluation on fields that it has not learnt"
        return
    iou, plain = _iou(ours), float(ours["watershed"]["iou"]["value"])
    if iou < plain:
        yield f"its mean IoU {iou:.3f} is below the plain watershed's {plain:.3f}"
    if not _answers(network):
        yield "it says the same of every pair of pixels"
    theirs = None if against is None else against.card.get("evaluation")
    if not isinstance(theirs, dict) or not theirs.get("network"):
        return
    if theirs["validation"] != ours["validation"]:
        yield "it was held against other fields than the one that serves: evaluate both on the same"
    elif iou < _iou(theirs) - MOST_LOSS:
        yield f"its mean IoU {iou:.3f} is below {_iou(theirs):.3f} of the one that serves"


def _iou(evaluation: Mapping[str, Any]) -> float:
    return float(np.mean([run["iou"]["value"] for run in evaluation["network"]]))


def _answers(network: StoredNetwork) -> bool:
    """Whether two halves that differ and two that are alike get different answers."""
    import torch

    stack = np.zeros((1, 2, len(network.bands), _EDGE, _EDGE), np.float32)
    stack[..., _EDGE // 2 :] = 1.0
    with torch.inference_mode():
        answer = torch.sigmoid(module_of(network)(torch.from_numpy(stack)))[0, 0].numpy()
    return bool(np.isfinite(answer).all() and np.ptp(answer) > 0.1)


def gate(folder: Path, against: Path | None = None, *, by: str = "") -> list[str]:
    """Approve a network's folder, or say why not.

    Args:
        folder: Folder of the candidate.
        against: Folder of the network that serves today.
        by: Who approves.

    Returns:
        The objections; without any, `approval.json` is written into the folder.

    Raises:
        UserError: One of the folders is damaged or holds another kind.
    """
    network = read_network(folder, KIND)
    module_of(network)
    other = None if against is None else read_network(against, KIND)
    found = list(objections(network, other))
    if not found:
        approve(folder, network, by=by, figures={"iou": _iou(network.card["evaluation"])})
    return found
