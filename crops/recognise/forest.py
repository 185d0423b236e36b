"""A forest of decision trees as plain arrays: fitted by scikit-learn, served and stored without it.

Owns the arrays and the walk through them. The one idea: a stored model must load without running
any code that came with it, and must answer bit by bit as the one that was just fitted, so both
answer from these arrays.

Source: Geurts et al. (2006) Extremely randomized trees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from fieldline.crops.series import Floats

Matrix = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Forest:
    """All trees' nodes one after the other; a child is the number of a node."""

    roots: NDArray[np.int64]
    """First node of each tree."""
    left: NDArray[np.int64]
    """Node where the feature is not above the threshold; -1 at a leaf."""
    right: NDArray[np.int64]
    """Node where it is above; -1 at a leaf."""
    feature: NDArray[np.int64]
    threshold: Floats
    chance: Floats
    """(nodes, classes) class shares of the training rows at the node."""

    def predict(self, rows: Matrix) -> Floats:
        """Return the mean class shares of the leaves that each row falls into, (rows, classes)."""
        total = np.zeros((len(rows), self.chance.shape[1]))
        everyone = np.arange(len(rows))
        for root in self.roots:
            node = np.full(len(rows), root)
            walking = everyone
            while len(walking):
                walking = walking[self.left[node[walking]] >= 0]
                here = node[walking]
                goes_left = rows[walking, self.feature[here]] <= self.threshold[here]
                node[walking] = np.where(goes_left, self.left[here], self.right[here])
            total += self.chance[node]
        return np.asarray(total / len(self.roots))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Forest:
        """Return the forest of its arrays."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def fit_forest(
    rows: Matrix, labels: Labels, *, trees: int, min_leaf: int, threads: int, seed: int,
    balanced: bool = False, weights: Floats | None = None,
) -> Forest:  # fmt: skip
    """Fit extremely randomized trees.

    Args:
        rows: (rows, features).
        labels: Class of each row, every class of 0..n-1 at least once.
        trees: Number of trees.
        min_leaf: Least rows of a leaf.
        threads: Threads; the result does not depend on it.
        seed: Random seed.
        balanced: Whether rows weigh so that classes weigh the same.
        weights: Weight of each row; all the same where None.
    """
    model = ExtraTreesClassifier(
        trees,
        max_features="sqrt",
        min_samples_leaf=min_leaf,
        n_jobs=threads,
        random_state=seed,
        class_weight="balanced" if balanced else None,
    )
    model.fit(rows, labels, sample_weight=weights)
    parts = [tree.tree_ for tree in model.estimators_]
    roots = np.cumsum([0, *(part.node_count for part in parts)])[:-1].astype(np.int64)

    def children(name: str) -> NDArray[np.int64]:
        found = [getattr(part, name).astype(np.int64) for part in parts]
        moved = [np.where(kids < 0, -1, kids + root)
                 for kids, root in zip(found, roots, strict=True)]  # fmt: skip
        return np.concatenate(moved)

    shares = np.concatenate([part.value[:, 0, :] for part in parts]).astype(np.float64)
    return Forest(
        roots,
        children("children_left"),
        children("children_right"),
        np.concatenate([np.maximum(part.feature, 0) for part in parts]).astype(np.int64),
        np.concatenate([part.threshold for part in parts]).astype(np.float64),
        shares / shares.sum(axis=1, keepdims=True),
    )
