from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra networks)")

from fieldline.crops.networks.machine import Machine, choose_machine
from fieldline.crops.networks.series import Series, TrainedNetwork, disturbed, scaled, train


def seasons(count: int, seed: int) -> tuple[Series, np.ndarray]:
    """Two crops alike but for the order of a low and a high hump: no statistic tells them apart."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    step = np.arange(24)[None]
    first = np.exp(-(((step - 6 - random.normal(0, 1, (count, 1))) / 2) ** 2))
    second = np.exp(-(((step - 17 - random.normal(0, 1, (count, 1))) / 2) ** 2))
    low, high = np.where(labels == 0, 0.4, 0.8), np.where(labels == 0, 0.8, 0.4)
    values = low[:, None] * first + high[:, None] * second + random.normal(0, 0.03, (count, 24))
    return Series(values[..., None], random.random((count, 24)) > 0.2), labels


@pytest.fixture(scope="module")
def trained() -> TrainedNetwork:
    series, labels = seasons(80, 0)
    return train(series, labels, 2, steps=40, seed=1, machine=choose_machine("cpu"))


def test_it_learns_the_order_of_the_season(trained: TrainedNetwork) -> None:
    series, labels = seasons(200, 9)
    said = trained.predict(series, choose_machine("cpu"))
    assert said.sum(axis=1) == pytest.approx(np.ones(200))
    assert (said.argmax(axis=1) == labels).mean() > 0.95


def test_the_same_seed_gives_the_same_weights(trained: TrainedNetwork) -> None:
    series, labels = seasons(80, 0)
    again = train(series, labels, 2, steps=40, seed=1, machine=choose_machine("cpu"))
    for name, values in trained.weights.items():
        assert np.array_equal(values, again.weights[name]), name


def test_an_answer_does_not_depend_on_its_batch(trained: TrainedNetwork) -> None:
    series, _ = seasons(50, 3)
    machine = choose_machine("cpu")
    whole = trained.predict(series, machine)
    alone = trained.predict(series.rows(np.array([17])), machine)
    assert alone[0] == pytest.approx(whole[17], abs=1e-5)


def test_sixteen_bits_answer_where_a_channel_hardly_moved_while_learning(
    trained: TrainedNetwork,
) -> None:
    series, _ = seasons(6, 4)
    still = replace(trained, spread=np.full_like(trained.spread, 1e-6))
    said, embedded = still.answers(series, Machine("cpu", 1, True))
    assert np.isfinite(said).all()
    assert np.isfinite(embedded).all()
    assert said.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-3)


def test_sixteen_bits_say_what_the_whole_number_says(trained: TrainedNetwork) -> None:
    series, _ = seasons(60, 6)
    whole = trained.predict(series, choose_machine("cpu"))
    assert trained.predict(series, Machine("cpu", 1, True)) == pytest.approx(whole, abs=5e-3)


def test_inputs_are_scaled_by_channel_and_the_mask_rides_along() -> None:
    values = np.array([[[1.0, 10.0], [3.0, 30.0]]])
    seen = np.array([[True, False]])
    mean, spread = np.array([2.0, 20.0], np.float32), np.array([1.0, 5.0], np.float32)
    assert scaled(Series(values, seen), mean, spread).tolist() == [
        [[-1.0, 1.0], [-2.0, 2.0], [1.0, 0.0]]
    ]


def test_disturbing_keeps_the_course_and_loses_only_dates_that_were_seen() -> None:
    series, _ = seasons(300, 5)
    random = np.random.default_rng(0)
    other = disturbed(series, random)
    assert other.seen.mean() < series.seen.mean()
    assert other.seen.any(axis=1).all()
    close = np.corrcoef(other.values.mean(axis=0)[:, 0], series.values.mean(axis=0)[:, 0])[0, 1]
    assert close > 0.95
    never = Series(series.values, np.zeros_like(series.seen))
    assert np.isfinite(disturbed(never, random).values).all()


def test_weights_count_what_the_design_says(trained: TrainedNetwork) -> None:
    numbers = sum(values.size for values in trained.weights.values())
    assert 60_000 < numbers < 200_000
