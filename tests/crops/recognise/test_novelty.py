from dataclasses import replace

import numpy as np
import pytest

from fieldline.crops.recognise.novelty import (
    LabelledRows,
    Population,
    _fit_domains,
    _limits,
    domain_scores,
    fit_novelty,
    joint_rank,
)
from fieldline.crops.recognise.second_look import (
    Lesson,
    SecondLook,
    fit_half,
    part_of,
    scores_by,
    wide_view,
)
from fieldline.crops.recognise.space import fit_space
from fieldline.crops.recognise.unseen_classes import auroc


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
    for population in (None, evenly(np.concatenate([fresh, strange]))):
        novelty = fit_novelty(known, population, refuse_known=0.05, seed=1, threads=1)
        refused = novelty.ranks(strange, sure[:200]) > novelty.limit
        lost = novelty.ranks(fresh, sure) > novelty.limit
        assert refused.mean() > 0.95
        assert lost.mean() < 0.12


def evenly(rows: np.ndarray) -> Population:
    return Population(rows, np.ones(len(rows)), np.tile([0.96, 0.02, 0.02], (len(rows), 1)))


def test_a_crop_far_commoner_than_among_the_labels_is_no_other_land(known) -> None:
    """Of 1,060 known parcels 1,000 are of class 0; weights make the three classes alike common."""
    random = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], [1000, 30, 30])
    crops = (random.normal(0, 1, (1060, 12)) + 6 * np.eye(3, 12)[labels]).astype(np.float32)
    strange = others(120)
    weights = np.concatenate([np.asarray([1 / 1000, 1 / 30, 1 / 30])[labels], np.full(120, 0.01)])
    weighted = replace(evenly(np.concatenate([crops, strange])), weights=weights / weights.mean())
    fresh = (random.normal(0, 1, (300, 12)) + 6 * np.eye(3, 12)[0]).astype(np.float32)
    sure = np.tile([0.96, 0.02, 0.02], (300, 1))
    told = {}
    for name, population in (("weighted", weighted), ("as it is", evenly(weighted.rows))):
        novelty = fit_novelty(known, population, refuse_known=0.05, seed=1, threads=1)
        assert (novelty.ranks(strange, sure[:120]) > novelty.limit).mean() > 0.95
        judges = _fit_domains(known, population, 1, 1)
        told[name] = float(domain_scores(judges, fresh).mean())
    assert told["weighted"] < told["as it is"] - 0.1


@pytest.mark.parametrize("count", [1, 25])
def test_a_handful_of_unlabelled_rows_is_not_held_against_the_labels(known, count: int) -> None:
    novelty = fit_novelty(known, evenly(others(count)), refuse_known=0.05, seed=1, threads=1)
    assert novelty.domains == ()
    alike = evenly(np.repeat(others(1), 500, axis=0))
    assert fit_novelty(known, alike, refuse_known=0.05, seed=1, threads=1).domains == ()


def test_a_survey_that_chose_unlike_the_county_refuses_no_whole_county(known) -> None:
    """All unlabelled land lies a little aside in a direction that tells no crop."""
    random = np.random.default_rng(6)
    labels = np.repeat([0, 1, 2], 200)
    aside = random.normal(0, 1, (600, 12)) + 6 * np.eye(3, 12)[labels] + 2.5 * np.eye(12)[11]
    population = evenly(aside.astype(np.float32))
    novelty = fit_novelty(known, population, refuse_known=0.05, seed=1, threads=1)
    assert novelty.domains == ()
    sure = np.tile([0.96, 0.02, 0.02], (600, 1))
    assert (novelty.ranks(population.rows, sure) > novelty.limit).mean() < 0.6


def test_a_level_of_nought_refuses_no_labelled_row(known) -> None:
    novelty = fit_novelty(known, None, refuse_known=0.0, seed=1, threads=1)
    assert (novelty.ranks(known.rows, known.probabilities) <= novelty.limit).all()


def test_a_network_that_sees_what_features_do_not_tells_other_land_by_its_embedding(known) -> None:
    """By features the strange rows are the known of class 0; in each network's embedding they lie
    far off, and the networks' spaces differ by a turn and a scale that must not matter.
    """
    random = np.random.default_rng(7)
    labels = np.repeat([0, 1, 2], 100)
    rows = (random.normal(0, 1, (300, 12)) + 6 * np.eye(3, 12)[labels]).astype(np.float32)
    turns = [np.linalg.qr(random.normal(0, 1, (12, 12)))[0] * 3.0**n for n in range(5)]
    seen = LabelledRows(known.rows, known.labels, known.fold, known.probabilities,
                        np.stack([known.rows @ turn for turn in turns]))  # fmt: skip
    novelty = fit_novelty(seen, None, refuse_known=0.05, seed=1, threads=1)
    assert sorted(novelty.known) == ["doubt", "embedded_neighbours"]
    sure = np.tile([0.96, 0.02, 0.02], (300, 1))
    like = np.stack([rows @ turn for turn in turns])
    unlike = np.stack([others(300) @ turn for turn in turns])
    assert (novelty.ranks(rows, sure, like) > novelty.limit).mean() < 0.15
    assert (novelty.ranks(rows, sure, unlike) > novelty.limit).mean() > 0.95


def test_the_joint_rank_by_hand() -> None:
    base = {"doubt": np.array([1.0, 2.0, 3.0, 4.0]), "domain": np.array([0.0, 0.0, 0.0, 8.0])}
    # doubt 2.5 lies above 2 of 4; domain 0 counts with its equals, 3 of 4
    rank = joint_rank({"doubt": np.array([2.5]), "domain": np.array([0.0])}, base)
    assert rank == pytest.approx([1.1 - np.sqrt((1.1 - 0.5) * (1.1 - 0.75))])
    beyond = joint_rank({"doubt": np.array([5.0, 9.0]), "domain": np.array([8.0, 8.0])}, base)
    assert 1.0 < beyond[0] < beyond[1] < 1.1
    # The two distances are one part: 1 of 4 and 3 of 4 make one half.
    base |= {"class_distance": base["doubt"], "neighbours": base["doubt"]}
    apart = {"class_distance": np.array([1.5]), "neighbours": np.array([3.5])}
    joined = joint_rank({"doubt": np.array([4.0])} | apart, base)
    assert joined == pytest.approx([1.1 - np.sqrt((1.1 - 1.0) * (1.1 - 0.5))])


def test_one_extreme_score_outweighs_two_that_are_a_little_high() -> None:
    base = {name: np.arange(1.0, 101.0) for name in ("doubt", "domain")}
    scores = {"doubt": np.array([100.0, 85.0]), "domain": np.array([60.0, 85.0])}
    extreme, both = joint_rank(scores, base)
    assert extreme > both


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


def test_a_second_look_finds_the_rest_of_a_kind_of_land_and_keeps_the_known() -> None:
    """Of 1,600 unlabelled parcels 400 are of a crop that nobody labelled, near class 0: the first
    look, by doubt and distance, sees a part of them.
    """
    random = np.random.default_rng(11)

    def crops(labels: np.ndarray, aside: float = 0.0) -> np.ndarray:
        rows = random.normal(0, 1, (len(labels), 12)) + 5 * np.eye(3, 12)[labels]
        return np.asarray(rows + aside * np.eye(12)[10], dtype=np.float32)

    labels = np.tile(np.repeat([0, 1, 2], 20), 5)
    rows = crops(labels)
    chances = np.full((300, 3), 0.02) + 0.94 * np.eye(3)[labels]
    known = LabelledRows(rows, labels, np.arange(300) // 60, chances)
    classes = np.repeat([0, 1, 2], 400)
    county = np.concatenate([crops(classes), crops(np.zeros(400, np.int64), 4.0)])
    told = (
        np.full((1600, 3), 0.02) + 0.94 * np.eye(3)[np.concatenate([classes, np.zeros(400, int)])]
    )
    population = Population(county, np.ones(1600), told)
    second = fit_novelty(known, population, refuse_known=0.05, seed=1, threads=1)
    assert sorted(second.known) == ["class_distance", "doubt", "neighbours", "second_look"]
    fresh = np.concatenate([crops(classes), crops(np.zeros(400, np.int64), 4.0)])
    found = {}
    for name, novelty in (("first", second.away()), ("second", second)):
        refused = novelty.ranks(fresh, told) > novelty.limit
        found[name] = (refused[1200:].mean(), refused[:1200].mean())
    assert found["second"][0] > found["first"][0] + 0.2
    assert found["second"][1] < 0.1
    assert "second_look" not in second.away().known
    few = Population(county[::10], np.ones(160), told[::10])
    assert "second_look" not in fit_novelty(known, few, refuse_known=0.05, seed=1, threads=1).known


def test_what_the_members_made_of_rows_tells_land_that_features_do_not() -> None:
    """The strange half of the unlabelled has the features of class 0; its embedding lies off."""
    random = np.random.default_rng(5)
    rows = random.normal(0, 1, (400, 12)).astype(np.float32)
    strange = np.arange(400) % 2
    embedded = random.normal(0, 1, (1, 400, 6)) + 4.0 * strange[:, None] * np.eye(6)[2]
    chances = np.tile([0.9, 0.1], (400, 1))
    half = part_of(rows, 2)
    labelled, labels = rows[:60] + 0.01, np.arange(60) % 2
    lesson = Lesson(rows, strange, half, chances, embedded[0], labelled, labels)
    found = [fit_half(lesson, part, seed=1, threads=1) for part in range(2)]
    looks = SecondLook(**{name: tuple(one[name] for one in found) for name in found[0]})
    assert looks.kinds[0].chance.shape[1] == 3, "two crops and the strange as one kind more"
    blind = SecondLook(looks.features).scores(rows, chances, embedded, half)
    seeing = looks.scores(rows, chances, embedded, half)
    kinds = scores_by(looks.kinds, rows, half)
    wide = 3 * seeing - blind - kinds
    assert auroc(blind, strange == 1) < 0.6
    assert auroc(wide, strange == 1) > 0.95
    alone = fit_half(replace(lesson, embedded=None), 0, seed=1, threads=1)
    assert set(alone) == {"features"}


def test_a_view_beside_the_features_by_hand() -> None:
    view = wide_view(np.array([[1.0, 2.0]], np.float32), np.array([[1.0, 0.0]]), np.array([[7.0]]))
    assert view.shape == (1, 2 + 1 + 20)
    assert view[0, :3].tolist() == [1.0, 2.0, 7.0]
    assert view[0, 3:] == pytest.approx([0.0] * 10 + [np.log(1e-4)] * 10)
