import numpy as np
import pytest

from fieldline.crops.recognise.sets import (
    BANDS,
    area_band,
    coverage_report,
    fit_sets,
    held_out_members,
)


def drawn(count, random, sharp=6.0):
    """A common and a rare class, the rare one seen less surely; chances are not calibrated."""
    truth = (random.random(count) < 0.1).astype(int)
    score = np.where(truth == 1, 0.2, -1.0) * sharp / 2 + random.normal(0, 1.5, count)
    chance = 1 / (1 + np.exp(-score))
    return np.stack([1 - chance, chance], axis=1), truth


def test_area_bands_by_hand():
    # 1 mu is 666.67 m2: 600 m2 lie under it, 700 and 1,999 m2 in 1-3, 6,000 in 3-10, 7,000 over
    band = area_band(np.array([600.0, 700.0, 1999.0, 6000.0, 7000.0, np.nan]))
    assert [BANDS[b] for b in band] == [
        "under 1 mu", "1-3 mu", "1-3 mu", "3-10 mu", "over 10 mu", "area unknown",
    ]  # fmt: skip


def test_a_class_is_in_the_set_where_a_tenth_of_its_own_labels_had_less():
    truth = np.zeros(39, dtype=int)
    own = np.linspace(0.6, 0.98, 39)
    chances = np.stack([own, 1 - own], axis=1)
    sets = fit_sets(chances, truth, np.zeros(39, dtype=int), 0.9)
    # plausibility of p: (1 + labels with no more than p) / 40, wanted above .1: 4 labels at least
    assert sets.plausible(np.array([[0.625, 0.375]]))[0, 0] == pytest.approx(4 / 40)
    inside = sets.members(np.array([[0.625, 0.8], [0.631, 0.8]]), np.zeros(2, dtype=int))
    assert inside[:, 0].tolist() == [False, True]


def test_the_rare_class_is_covered_as_often_as_the_common_one():
    random = np.random.default_rng(4)
    chances, truth = drawn(8000, random)
    fresh, there = drawn(8000, random)
    none = np.zeros(8000, dtype=int)
    inside = fit_sets(chances, truth, none, 0.9).members(fresh, none)
    hit = inside[np.arange(8000), there]
    assert hit[there == 0].mean() >= 0.885
    assert hit[there == 1].mean() == pytest.approx(0.9, abs=0.03)


def test_an_area_band_that_is_seen_worse_gets_wider_sets_until_it_is_covered():
    random = np.random.default_rng(5)
    clear, truth_clear = drawn(3000, random, sharp=8.0)
    blurred, truth_blurred = drawn(600, random, sharp=1.0)
    chances = np.concatenate([clear, blurred])
    truth = np.concatenate([truth_clear, truth_blurred])
    band = np.repeat([3, 0], [3000, 600])
    fold = random.integers(0, 5, 3600)
    inside = held_out_members(chances, truth, band, fold, 0.9)
    report = coverage_report(inside, truth, band, ["common", "rare"])
    assert report["by_area"]["under 1 mu"]["coverage"] >= 0.87
    without = held_out_members(chances, truth, np.zeros_like(band), fold, 0.9)
    hit = without[np.arange(3600), truth]
    assert hit[band == 0].mean() < 0.85


def test_a_band_of_nine_labels_has_a_level_and_one_of_eight_has_none():
    """Of nine labels and one to come each is the worst with one chance in ten; of eight, more."""
    own = np.linspace(0.5, 0.99, 100)
    for few, has in ((9, True), (8, False)):
        said = np.concatenate([own, np.linspace(0.02, 0.3, few)])
        chances = np.stack([said, 1 - said], axis=1)
        band = np.repeat([3, 0], [100, few])
        sets = fit_sets(chances, np.zeros(len(said), dtype=int), band, 0.9)
        assert (0 in sets.of_band) is has
        inside = sets.members(np.array([[0.07, 0.93]]), np.array([0]))
        # .07 lies above the least of the few: only a level of their own lets it in
        assert inside[0].tolist() == [has, True]


def test_tied_labels_of_a_band_are_never_missed_together():
    """Nine labels of which three have nothing: one may be missed, so none of the three is."""
    own = np.concatenate([np.linspace(0.02, 0.99, 100), [0.0, 0.0, 0.0], np.linspace(0.3, 0.9, 6)])
    chances = np.stack([own, 1 - own], axis=1)
    band = np.repeat([3, 0], [100, 9])
    sets = fit_sets(chances, np.zeros(109, dtype=int), band, 0.9)
    assert sets.members(chances, band)[100:, 0].all()
    # The worst alone is missed, and of two that are tied above it with two to miss it is one.
    for worst, count, missed in (([0.0], 9, [True]), ([0.0, 0.01, 0.01], 19, [True, False, False])):
        said = np.concatenate([own[:100], worst, np.linspace(0.3, 0.9, count - len(worst))])
        chances, band = np.stack([said, 1 - said], axis=1), np.repeat([3, 0], [100, count])
        sets = fit_sets(chances, np.zeros(len(said), dtype=int), band, 0.9)
        inside = sets.members(chances, band)[100:, 0]
        assert (~inside[: len(worst)]).tolist() == missed
        assert inside[len(worst) :].all()


def test_levels_of_a_fold_come_from_the_other_folds_alone():
    """Fold 1 holds labels that the model gave nothing: fold 0 must not have been warned of them."""
    own = np.concatenate([np.full(40, 0.9), np.full(40, 0.01)])
    chances = np.stack([own, 1 - own], axis=1)
    truth, fold = np.zeros(80, dtype=int), np.repeat([0, 1], 40)
    inside = held_out_members(chances, truth, np.zeros(80, dtype=int), fold, 0.9)
    assert inside[:40, 0].all()
    assert not inside[40:, 0].any()
