import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fieldline.crops.recognise.points import read_points
from fieldline.crops.recognise.protocols import Protocol
from fieldline.crops.recognise.unseen_classes import auroc, leave_classes_out
from fieldline.crops.settings import ClassifySettings
from tests.crops.recognise.point_files import write

SETTINGS = ClassifySettings(
    trees=40, rounds=15, folds=3, augment=0, shares_from=50, network="never"
)


def test_a_crop_that_nobody_labelled_is_known_for_other_land(tmp_path) -> None:
    points = read_points(write(tmp_path / "p.npz"))
    found = leave_classes_out(points, Protocol.of("per-class:20"), SETTINGS, seeds=1)
    wheat = found["by_class"]["winter_wheat"]
    assert wheat["auroc"] > 0.95
    assert wheat["told_surely"] < wheat["told_surely_without_refusal"] or wheat["refused"] > 0.9
    assert found["mean"]["known_refused"] < 0.15


def test_auroc_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    score, positive = random.integers(0, 20, 300).astype(float), random.random(300) < 0.3
    assert auroc(score, positive) == pytest.approx(roc_auc_score(positive, score))
