import numpy as np
import pytest

from fieldline.crops.recognise.novelty import (
    LabelledRows,
    _limits,
    fit_novelty,
    fit_space,
    mean_rank,
    part_of,
)


@pytest.fixture
def known() -> LabelledRows:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    rows = random.normal(0, 1, (180, 12)) + 6 * np.eye(3, 12)[labels]
    chances = np.full((180, 3), 0.02)
    chances[np.arange(180), labels] = 0.96
    order = random.permutation(180)
    return LabelledRows(rows[order].astype(np.float32), labels[order], np.arange(180) % 5,
                        chances[order])  # fmt: skip


def others(count: int, seed: int = 1) -> np.ndarray:
    """Land far off in a direction that no labelled row takes."""
    random = np.random.default_rng(seed)
    return (random.normal(0, 1, (count, 12)) + 8 * np.eye(12)[10]).astype(np.float32)


def test_distances_are_mahalanobis_in_the_labelled_classes_own_spread() -> None:
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1], 400)
    spread = np.array([[4.0, 1.0], [1.0, 1.0]])
    rows = random.multivariate_normal([0, 0], spread, 800) + np.where(labels[:, None], 10.0, 0.0)
    space = fit_space(rows.astype(np.float32), labels)
    at = np.array([[3.0, -2.0], [9.0, 9.0]], dtype=np.float32)
    within = np.concatenate([rows[labels == c] - rows[labels == c].mean(axis=0) for c in (0, 1)])
    inverse = np.linalg.inv(np.cov(within.T))
    expected = []
    for row in at:
        apart = [row - rows[labels == c].mean(axis=0) for c in (0, 1)]
        expected.append(min(np.sqrt(d @ inverse @ d) for d in apart))
    assert space.scores(at)["class_distance"] == pytest.approx(expected, rel=0.05)


def test_other_land_is_refused_and_few_of_the_known_are(known) -> None:
    random = np.random.default_rng(9)
    labels = np.repeat([0, 1, 2], 200)
    fresh = (random.normal(0, 1, (600, 12)) + 6 * np.eye(3, 12)[labels]).astype(np.float32)
    strange = others(200)
    sure = np.tile([0.96, 0.02, 0.02], (600, 1))
    for population in (None, np.concatenate([fresh, strange])):
        novelty = fit_novelty(known, population, refuse_known=0.05, seed=1, threads=1)
        refused = novelty.ranks(strange, sure[:200]) > novelty.limit
        lost = novelty.ranks(fresh, sure) > novelty.limit
        assert refused.mean() > 0.95
        assert lost.mean() < 0.12


def test_a_level_of_nought_refuses_no_labelled_row(known) -> None:
    novelty = fit_novelty(known, None, refuse_known=0.0, seed=1, threads=1)
    assert (novelty.ranks(known.rows, known.probabilities) <= novelty.limit).all()


def test_the_mean_rank_by_hand() -> None:
    base = {"a": np.array([1.0, 2.0, 3.0, 4.0]), "b": np.array([0.0, 0.0, 0.0, 8.0])}
    # a: 2.5 lies above 2 of 4; b: 0 counts with its equals, 3 of 4
    rank = mean_rank({"a": np.array([2.5]), "b": np.array([0.0])}, base)
    assert rank == pytest.approx([(0.5 + 0.75) / 2])
    beyond = mean_rank({"a": np.array([5.0, 9.0]), "b": np.array([8.0, 8.0])}, base)
    assert 1.0 < beyond[0] < beyond[1] < 1.1


def test_a_row_keeps_its_part_in_any_batch_and_parts_are_even() -> None:
    rows = np.random.default_rng(2).normal(0, 1, (2000, 8)).astype(np.float32)
    whole = part_of(rows, 5)
    assert np.array_equal(whole[700:900], part_of(rows[700:900], 5))
    assert np.bincount(whole, minlength=5).min() > 300


def test_each_class_loses_its_own_share_of_labelled_rows() -> None:
    """Class 1 lies strange as a whole: at one level for all it alone would be refused."""
    ranks = np.concatenate([np.linspace(0.0, 0.5, 100), np.linspace(0.4, 0.9, 100)])
    chances = np.repeat(np.array([[0.9, 0.1], [0.1, 0.9]]), 100, axis=0)
    limit, offset = _limits(ranks, chances, 0.05)
    refused = ranks - offset[chances.argmax(axis=1)] > limit
    assert refused[:100].sum() == refused[100:].sum() == 4
    few, none = _limits(ranks[75:125], chances[75:125], 0.05)
    assert none.tolist() == [0.0, 0.0]
    assert few == np.sort(ranks[75:125])[47]
