import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra networks)")

from fieldline.crops.networks.machine import choose_machine
from fieldline.crops.networks.pretrain import hidden, pretrain
from fieldline.crops.networks.series import Series, train
from tests.crops.networks.test_series import seasons


def test_two_in_five_seen_steps_are_hidden_in_runs_and_unseen_ones_never() -> None:
    seen = np.random.default_rng(0).random((4000, 36)) > 0.3
    hide = hidden(seen, np.random.default_rng(1))
    assert not (hide & ~seen).any()
    assert 0.25 < hide.sum() / seen.sum() < 0.5
    all_seen = hidden(np.ones((4000, 36), dtype=bool), np.random.default_rng(1))
    alone = all_seen[:, 1:-1] & ~all_seen[:, :-2] & ~all_seen[:, 2:]
    assert alone.sum() / all_seen.sum() < 0.25


def test_few_labels_gain_from_unlabelled_seasons_and_only_the_encoder_is_taken_over() -> None:
    """Ten labels of two crops that differ in the order of two humps, fourteen steps: networks that
    begin with what 200 unlabelled seasons taught are surer of the truth than those from chance.
    """
    machine = choose_machine("cpu")
    unlabelled, _ = seasons(200, 3)
    start = pretrain(unlabelled, steps=80, seed=1, machine=machine)
    assert {name.split(".")[0] for name in start.weights} == {"first", "place", "blocks"}
    assert start.mean == pytest.approx(unlabelled.values.mean(axis=(0, 1)), abs=1e-6)
    few, labels = seasons(10, 0)
    test, truth = seasons(200, 9)
    for seed in range(2):
        chance, taught = (
            train(few, labels, 2, steps=14, seed=seed, machine=machine, start=begun)
            .predict(test, machine)[np.arange(200), truth].mean()
            for begun in (None, start)
        )  # fmt: skip
        assert taught > chance + 0.05


def test_the_same_seed_teaches_the_same() -> None:
    machine = choose_machine("cpu")
    series, _ = seasons(60, 0)
    one, two = (pretrain(series, steps=5, seed=3, machine=machine) for _ in range(2))
    assert all(np.array_equal(values, two.weights[name]) for name, values in one.weights.items())


def test_steps_without_any_value_are_no_numbers_to_learn() -> None:
    series, _ = seasons(40, 0)
    never = Series(series.values, np.zeros_like(series.seen))
    start = pretrain(never, steps=3, seed=1, machine=choose_machine("cpu"))
    assert all(np.isfinite(values).all() for values in start.weights.values())
