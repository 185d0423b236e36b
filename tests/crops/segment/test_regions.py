"""Basins and merging, against a relief read by hand and a merging done naively."""

from __future__ import annotations

import numpy as np

from fieldline.crops.segment.pairs import OFFSETS, shifted
from fieldline.crops.segment.regions import (
    basins,
    border_map,
    largest_pieces,
    likeliest,
    merged,
)


def test_two_valleys_are_two_basins_and_the_ridge_falls_to_one_of_them() -> None:
    height = np.array([[1.0, 2.0, 5.0, 3.0, 0.5]] * 3, dtype=np.float32)
    found = basins(height)
    assert len(np.unique(found)) == 2
    assert len(np.unique(found[:, :2])) == 1
    assert len(np.unique(found[:, 3:])) == 1
    assert found[0, 0] != found[0, 4]


def test_level_ground_is_one_basin() -> None:
    assert basins(np.zeros((4, 5), np.float32)).max() == 1


def _naive(basin: np.ndarray, probability: np.ndarray, stop: float) -> np.ndarray:
    """Merge by looking at every pair of pixels again after each merge.

    Pairs count whose basins touch: those that reach over a third basin tell of no border.
    """
    pairs, touching = [], set()
    for at, offset in enumerate(OFFSETS):
        first, second = shifted(basin.shape, offset)
        ends = zip(basin[first].ravel(), basin[second].ravel(), strict=True)
        for (one, other), value in zip(ends, probability[at][first].ravel(), strict=True):
            if one != other:
                pairs.append((frozenset((one, other)), float(value)))
                if max(map(abs, offset)) == 1:
                    touching.add(frozenset((one, other)))
    region = {number: number for number in np.unique(basin)}
    while True:
        across: dict[frozenset, list[float]] = {}
        for basins_, value in pairs:
            if basins_ in touching:
                ends = frozenset(region[number] for number in basins_)
                if len(ends) == 2:
                    across.setdefault(ends, []).append(value)
        best = max(across, key=lambda ends: np.mean(across[ends]), default=None)
        if best is None or np.mean(across[best]) <= stop:
            return np.vectorize(region.get)(basin)
        kept, gone = sorted(best)
        region = {number: kept if r == gone else r for number, r in region.items()}


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


def test_a_pixel_takes_the_likeliest_of_its_pairs_at_either_end() -> None:
    probability = np.zeros((1, 1, 6), np.float32)
    # Pairs two apart: the one from column 1 to column 3 is likely, that from 3 to 5 is not.
    probability[0, 0] = [0.1, 0.9, 0.0, 0.4, 0.0, 0.0]
    found = likeliest(probability, (0,), ((0, 2),))
    assert np.allclose(found[0], [0.1, 0.9, 0.1, 0.9, 0.0, 0.4])


def test_a_region_in_pieces_keeps_the_largest_and_others_are_as_they_were() -> None:
    labels = np.array([[1, 0, 1, 1, 2], [0, 0, 1, 2, 2], [3, 0, 0, 0, 0]], np.int32)
    kept = [[0, 0, 1, 1, 2], [0, 0, 1, 2, 2], [3, 0, 0, 0, 0]]
    assert largest_pieces(labels).tolist() == kept
