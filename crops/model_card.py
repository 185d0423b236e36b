"""Model cards: what a crop or yield model was made of and how well it did, as plain JSON.

Owns the scores with their bootstrap intervals and the deterministic JSON form; it judges nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.series import Floats
from fieldline.pipeline.records.tables import write_text

Labels = NDArray[np.int64]
_DIGITS = 6
_DRAWS = 500
_INTERVAL = (2.5, 97.5)
_BINS = 10


def write_card(card: Mapping[str, Any], path: Path) -> None:
    """Write a card as sorted JSON with rounded numbers: equal runs give equal bytes."""
    write_text(path, json.dumps(rounded(card), ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def rounded(value: Any) -> Any:
    """Return JSON values with rounded numbers; what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), _DIGITS) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def content_hash(*parts: bytes) -> str:
    """Return twelve hex digits that change with any byte of the parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:12]


def f1_scores(truth: Labels, guess: Labels, classes: int) -> tuple[Floats, Floats, Floats]:
    """Return precision, recall and F1 per class; NaN where a class was neither true nor guessed."""
    hit = np.bincount(truth[truth == guess], minlength=classes).astype(float)
    said = np.bincount(guess, minlength=classes)
    true = np.bincount(truth, minlength=classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return hit / said, hit / true, 2 * hit / (said + true)


def macro_f1(truth: Labels, guess: Labels, classes: int) -> float:
    """Mean F1 over the classes that occur in the truth."""
    f1 = f1_scores(truth, guess, classes)[2]
    present = np.bincount(truth, minlength=classes) > 0
    return float(np.nan_to_num(f1[present]).mean())


def class_report(
    truth: Labels, guess: Labels, names: Sequence[str], seed: int
) -> dict[str, dict[str, Any]]:
    """Return precision and recall per class with 95 % bootstrap intervals."""
    classes = len(names)
    precision, recall, f1 = f1_scores(truth, guess, classes)
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(truth), (_DRAWS, len(truth)))
    resampled = [f1_scores(truth[row], guess[row], classes)[:2] for row in draws]
    report = {}
    for at, name in enumerate(names):
        report[name] = {
            "labels": int((truth == at).sum()),
            "precision": float(precision[at]),
            "precision_interval": _interval([draw[0][at] for draw in resampled]),
            "recall": float(recall[at]),
            "recall_interval": _interval([draw[1][at] for draw in resampled]),
            "f1": float(f1[at]),
        }
    return report


def bootstrap_interval(
    score: Callable[[NDArray[np.int64]], float], rows: int, seed: int
) -> list[float] | None:
    """Return the 95 % bootstrap interval of a score of rows drawn with replacement."""
    draws = np.random.default_rng(seed).integers(0, rows, (_DRAWS, rows))
    return _interval([score(draw) for draw in draws])


def _interval(values: Sequence[float]) -> list[float] | None:
    finite = np.asarray([value for value in values if np.isfinite(value)])
    return [float(v) for v in np.percentile(finite, _INTERVAL)] if len(finite) else None


def calibration_error(probabilities: Floats, truth: Labels) -> float:
    """Expected calibration error of the top class over ten equal bins (Naeini et al. 2015)."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((top * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(float(top[bins == b].mean()) - float(right[bins == b].mean()))
        * float((bins == b).mean())
        for b in np.unique(bins)
    ]
    return float(sum(gaps))
