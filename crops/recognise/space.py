"""Where labelled parcels lie: features or an embedding turned so that classes spread alike.

Owns the space and the distances in it: to the nearest class and to the nearest labelled parcels.
What distance is strange is `novelty`'s.

Source: Lee et al. (2018) A simple unified framework for detecting out-of-distribution samples;
Sun et al. (2022) Out-of-distribution detection with deep nearest neighbors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.covariance import ledoit_wolf

from fieldline.crops.recognise.forest import Labels, Matrix
from fieldline.crops.series import Floats

_DIMENSIONS = 24
_NEIGHBOURS = 5
_TINY = 1e-6
CLASS_DISTANCE, NEIGHBOURS = "class_distance", "neighbours"


@dataclass(frozen=True)
class Space:
    """Features turned so that labelled parcels of one class spread alike in every direction."""

    mean: Floats
    turn: Floats
    """(features, dimensions)."""
    centres: Floats
    """(classes, dimensions) of the labelled rows."""
    labelled: Floats
    """(labelled rows, dimensions)."""

    def placed(self, rows: Matrix) -> Floats:
        """Return where rows lie, (rows, dimensions)."""
        return np.asarray((rows - self.mean) @ self.turn)

    def scores(self, rows: Matrix) -> dict[str, Floats]:
        """Return the distance to the nearest class centre and to the nearest labelled rows."""
        placed = self.placed(rows)
        apart = ((placed[:, None, :] - self.centres[None]) ** 2).sum(axis=2).min(axis=1)
        near = min(_NEIGHBOURS, len(self.labelled))
        distance, _ = cKDTree(self.labelled).query(placed, k=[near])
        return {CLASS_DISTANCE: np.sqrt(apart), NEIGHBOURS: distance[:, 0]}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def fit_space(rows: Matrix, labels: Labels) -> Space:
    """Fit the space on labelled rows: leading directions, whitened within classes."""
    mean, spread = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64) + _TINY
    scaled = (rows - mean) / spread
    present = np.unique(labels)
    kept = min(_DIMENSIONS, len(rows) - len(present), rows.shape[1])
    _, _, leading = np.linalg.svd(scaled, full_matrices=False)
    placed = scaled @ leading[: max(kept, 1)].T
    centres = np.stack([placed[labels == c].mean(axis=0) for c in present])
    within = placed - centres[np.searchsorted(present, labels)]
    values, vectors = np.linalg.eigh(ledoit_wolf(within)[0])
    white = vectors / np.sqrt(np.maximum(values, _TINY))
    turn = (leading[: max(kept, 1)].T / spread[:, None]) @ white
    return Space(mean, turn, centres @ white, placed @ white)
