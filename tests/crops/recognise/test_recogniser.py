import numpy as np
import pytest

from fieldline.crops.recognise import series_member
from fieldline.crops.recognise.crop_card import model_story
from fieldline.crops.recognise.evaluate import training_of
from fieldline.crops.recognise.folds import Training, fold_numbers
from fieldline.crops.recognise.points import read_points
from fieldline.crops.recognise.protocols import Protocol, splits
from fieldline.crops.recognise.recogniser import fit_recogniser
from fieldline.crops.settings import ClassifySettings
from tests.crops.recognise.point_files import write

FAST = ClassifySettings(trees=30, rounds=12, folds=3, augment=0, shares_from=50, network="never")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory):
    """Training rows and all other series."""
    points = read_points(write(tmp_path_factory.mktemp("points") / "p.npz"))
    (split,) = splits(points, Protocol.of("per-class:20"), 1, 3)
    return training_of(points, split.train, FAST), points.of(split.test)


def test_places_stay_together_and_one_place_is_held_out_row_by_row() -> None:
    labels = np.arange(60) % 3
    groups = [f"g{i // 5}" for i in range(60)]
    fold = fold_numbers(labels, groups, FAST)
    assert all(len(set(fold[np.asarray(groups) == g])) == 1 for g in set(groups))
    assert set(fold) == {0, 1, 2}
    alone = fold_numbers(labels, ["one"] * 60, FAST)
    assert np.bincount(alone).tolist() == [20, 20, 20]


def test_few_unlabelled_parcels_leave_the_labels_shares(learnt) -> None:
    training, others = learnt
    few = FAST.model_copy(update={"shares_from": 500})
    model = fit_recogniser(training, others, few).model
    assert model.counted == 0
    assert np.array_equal(model.shares, model.learnt)
    assert fit_recogniser(training, others, FAST).model.counted > 100
    assert fit_recogniser(training, None, FAST).model.counted == 0


def test_a_network_joins_where_torch_is_and_folds_choose_its_weight(learnt) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra networks)")
    training, others = learnt
    settings = FAST.model_copy(update={"network": "always", "network_steps": 30, "folds": 2})
    fitted = fit_recogniser(training, others, settings)
    assert "series_network" in fitted.unseen.members
    said = model_story(training, fitted, settings)["members"]["series_network"]
    weighted = fitted.model.mix.weights.get("series_network", 0.0) > 0
    assert said == ("2 networks, one per fold" if weighted else
                    "trained and given no weight by the folds")  # fmt: skip
    found = fitted.model.predict(others).probabilities
    assert found.sum(axis=1) == pytest.approx(np.ones(len(found)))


def test_without_torch_the_trees_answer_alone_and_the_card_says_so(
    learnt: tuple[Training, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    training, _ = learnt
    monkeypatch.setattr(series_member, "networks_installed", lambda: False)
    settings = FAST.model_copy(update={"network": "auto"})
    fitted = fit_recogniser(training, None, settings)
    assert fitted.model.networks is None
    story = model_story(training, fitted, settings)
    assert story["members"]["series_network"] == "torch is not installed"
    assert set(story["members"]["weights"]) == {"boosting", "extra_trees"}
