"""Basins and merging, against a relief read by hand and a merging done naively."""

from __future__ import annotations

import numpy as np

from fieldline.crops.segment.pairs import OFFSETS, shifted
from fieldline.crops.segment.regions import basins, border_map, merged


def test_two_valleys_are_two_basins_and_the_ridge_falls_to_one_of_them() -> None:
    height = np.array([[1.0, 2.0, 5.0, 3.0, 0.5]] * 3, dtype=np.float32)
    found = basins(height)
    assert len(np.unique(found)) == 2
    assert len(np.unique(found[:, :2])) == 1
    assert len(np.unique(found[:, 3:])) == 1
    assert found[0, 0] != found[0, 4]


def test_level_ground_is_one_basin() -> None:
    assert basins(np.zeros((4, 5), np.float32)).max() == 1


def _naive(labels: np.ndarray, probability: np.ndarray, stop: float) -> np.ndarray:
    """Merge by looking at every pair of every two regions again after each merge."""
    labels = labels.copy()
    while True:
        best, pair = stop, None
        for one in np.unique(labels):
            for other in np.unique(labels[labels > one]):
                values, touch = [], False
                for at, offset in enumerate(OFFSETS):
                    first, second = shifted(labels.shape, offset)
                    a, b = labels[first], labels[second]
                    across = ((a == one) & (b == other)) | ((a == other) & (b == one))
                    values += probability[at][first][across].tolist()
                    touch |= bool(across.any()) and max(map(abs, offset)) == 1
                if touch and np.mean(values) > best:
                    best, pair = np.mean(values), (one, other)
        if pair is None:
            return labels
        labels[labels == pair[1]] = pair[0]


def test_merging_equals_average_linkage_done_naively() -> None:
    random = np.random.default_rng(3)
    for _ in range(3):
        labels = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((3, 3))).astype(np.int32)
        probability = random.random((len(OFFSETS), *labels.shape)).astype(np.float32)
        found, wanted = merged(labels, probability, 0.52), _naive(labels, probability, 0.52)
        assert 1 < len(np.unique(wanted)) < 12
        pairs = {*zip(found.ravel().tolist(), wanted.ravel().tolist(), strict=True)}
        assert len(pairs) == len(np.unique(found)) == len(np.unique(wanted))
        assert found.max() == len(np.unique(found))


def test_land_without_a_region_stays_without() -> None:
    labels = np.array([[1, 1, 0, 2, 2]], dtype=np.int32)
    found = merged(labels, np.ones((len(OFFSETS), 1, 5), np.float32))
    assert found.tolist() == [[1, 1, 0, 2, 2]]


def test_a_border_stands_where_pairs_across_it_differ() -> None:
    probability = np.ones((len(OFFSETS), 12, 12), np.float32)
    for at, (_rows, columns) in enumerate(OFFSETS):
        for column in range(12):
            if column < 6 <= column + columns or column + columns < 6 <= column:
                probability[at][:, column] = 0.0
    border = border_map(probability, smooth=0.0)
    assert border[6].argmax() in (5, 6)
    assert border[:, :3].max() == border[:, 9:].max() == 0.0
