import numpy as np
import pytest

from fieldline.crops.recognise.shares import part_way, population_shares, reweighted, share_trust


def two_normals(share: float, count: int, seed: int):
    """Rows of two normals one and a half sd apart each side, and Bayes' chances at half and half"""
    random = np.random.default_rng(seed)
    truth = random.random(count) < share
    value = random.normal(np.where(truth, 0.75, -0.75), 1.0)
    chance = 1 / (1 + np.exp(-1.5 * value))
    return np.stack([1 - chance, chance], axis=1), truth


def likeliest(chances: np.ndarray) -> float:
    """The share of the second class by brute force over a grid of likelihoods."""
    grid = np.linspace(0.001, 0.999, 999)
    odds = chances / 0.5
    likelihood = [np.log((1 - s) * odds[:, 0] + s * odds[:, 1]).sum() for s in grid]
    return float(grid[int(np.argmax(likelihood))])


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_shares_are_the_likeliest_ones_and_near_the_truth(share: float) -> None:
    chances, truth = two_normals(share, 4000, 7)
    found = population_shares(chances, np.array([0.5, 0.5]), 0.0)
    assert found[1] == pytest.approx(likeliest(chances), abs=0.002)
    assert found[1] == pytest.approx(truth.mean(), abs=0.03)


def test_without_rows_the_labels_shares_stand() -> None:
    learnt = np.array([0.2, 0.8])
    assert population_shares(np.zeros((0, 2)), learnt, 20.0) == pytest.approx(learnt)


def test_pseudo_counts_hold_a_class_that_nobody_is_taken_for_above_zero() -> None:
    sure = np.tile([1.0 - 1e-9, 1e-9], (180, 1))
    found = population_shares(sure, np.array([0.5, 0.5]), 20.0)
    # (180 x 0 + 20 x .5) / 200
    assert found[1] == pytest.approx(0.05, abs=1e-4)


def test_reweighting_is_bayes_rule() -> None:
    # chances .6 and .4 at half and half; at shares .2 and .8: .6x.2 to .4x.8 is .12 to .32
    found = reweighted(np.array([[0.6, 0.4]]), np.array([0.2, 0.8]) / 0.5)
    assert found[0] == pytest.approx([0.12 / 0.44, 0.32 / 0.44])
    chances, truth = two_normals(0.1, 6000, 3)
    better = reweighted(chances, np.array([0.9, 0.1]) / 0.5)
    before = ((chances[:, 1] > 0.5) == truth).mean()
    assert ((better[:, 1] > 0.5) == truth).mean() > before + 0.05


def test_a_row_that_counts_thrice_is_three_rows() -> None:
    chances, _ = two_normals(0.3, 50, 5)
    often = np.arange(50) % 4
    learnt = np.array([0.5, 0.5])
    assert population_shares(chances, learnt, 20.0, often.astype(float)) == pytest.approx(
        population_shares(np.repeat(chances, often, axis=0), learnt, 20.0)
    )


def test_part_of_the_way_is_by_ratio() -> None:
    # ratios 4 and 1/4: half of the way 2 and 1/2, so .2 x 2 to .8 / 2 is .4 to .4
    assert part_way(np.array([0.2, 0.8]), np.array([0.8, 0.2]), 0.5) == pytest.approx([0.5, 0.5])


def chances_of(truth: np.ndarray, right: float, random: np.random.Generator) -> np.ndarray:
    """What a classifier of four crops says that is right in so many of ten, and knows it: it gives
    that chance to one crop and shares the rest out; right in a quarter, it only guesses about.
    """
    if right <= 0.25:
        return random.dirichlet(np.full(4, 2.0), len(truth))
    wrong = (truth + random.integers(1, 4, len(truth))) % 4
    told = np.where(random.random(len(truth)) < right, truth, wrong)
    found = np.full((len(truth), 4), (1 - right) / 3)
    found[np.arange(len(truth)), told] = right
    return found


def test_shares_are_followed_where_crops_can_be_told_and_hardly_where_they_are_guessed() -> None:
    """Eight counties of seven in ten of one crop, by labels of 40 of each of four."""
    labels, learnt = np.repeat(np.arange(4), 40), np.full(4, 0.25)
    trusts: dict[float, list[float]] = {0.9: [], 0.25: []}
    for seed in range(8):
        random = np.random.default_rng(seed)
        truth = random.choice(4, 600, p=[0.1, 0.7, 0.1, 0.1])
        for right, found in trusts.items():
            county, held = (chances_of(at, right, random) for at in (truth, labels))
            shares = population_shares(county, learnt, 20.0)
            found.append(share_trust(held, labels, shares, 600, 20.0, 17))
    assert np.mean(trusts[0.9]) > 0.8
    assert np.mean(trusts[0.25]) < 0.5
