import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from fieldline.crops.recognise.evaluate import evaluate, run_split, scores
from fieldline.crops.recognise.places import blocks
from fieldline.crops.recognise.points import Points, read_points
from fieldline.crops.recognise.protocols import Protocol, splits, with_rare_joined
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.records.errors import UserError
from tests.crops.recognise.point_files import write

SETTINGS = ClassifySettings(
    trees=40, rounds=15, folds=3, augment=0, shares_from=50, network="never"
)


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Points:
    return read_points(write(tmp_path_factory.mktemp("points") / "p.npz"))


def test_a_draw_learns_so_many_of_each_class_and_tests_on_all_others(points: Points) -> None:
    (one, two) = splits(points, Protocol.of("per-class:20"), 2, 5)
    assert np.bincount(points.labels[one.train]).tolist() == [20, 20, 20]
    assert sorted([*one.train, *one.test]) == list(range(240))
    assert set(one.train) != set(two.train)


def test_a_scarce_class_keeps_half_of_its_series_for_the_test(points: Points) -> None:
    (one,) = splits(points, Protocol.of("per-class:70"), 1, 5)
    assert np.bincount(points.labels[one.train]).tolist() == [40, 40, 40]


def test_a_zone_is_tested_on_labels_of_the_other_alone(points: Points) -> None:
    parts = list(splits(points, Protocol.of("per-class:10", "zone"), 1, 5))
    assert [part.name for part in parts] == ["zone 0", "zone 1"]
    assert points.zone is not None
    for part in parts:
        held = part.name[-1]
        assert set(points.zone[part.test]) == {held}
        assert held not in set(points.zone[part.train])


def test_blocks_are_never_on_both_sides_and_every_series_is_tested_once(points: Points) -> None:
    parts = list(splits(points, Protocol.of("blocks:20000"), 1, 4))
    assert sorted(np.concatenate([part.test for part in parts])) == list(range(240))
    east = points.lonlat[:, 0] * np.cos(np.deg2rad(points.lonlat[:, 1].mean())) * 111_320
    cell = np.stack([east // 20_000, points.lonlat[:, 1] * 111_320 // 20_000], axis=1)
    for part in parts:
        assert not set(map(tuple, cell[part.train])) & set(map(tuple, cell[part.test]))


def test_a_further_draw_parts_what_lay_in_one_block(points: Points) -> None:
    """Whole blocks are held out, so only blocks that lie elsewhere can part those of the first."""
    cell = np.asarray(blocks(points.lonlat, 20_000.0))
    for seed, parted in ((0, False), (1, True), (2, True)):
        parts = [p for p in splits(points, Protocol.of("blocks:20000"), 3, 4) if p.seed == seed]
        assert sorted(np.concatenate([part.test for part in parts])) == list(range(240))
        both = [set(cell[part.train]) & set(cell[part.test]) for part in parts]
        assert any(both) is parted


def test_rare_classes_are_taken_together_and_said(points: Points) -> None:
    rows = np.flatnonzero((points.labels != 0) | (np.arange(240) < 9))
    few = Points(points.of(rows), points.labels[rows], points.classes, points.lonlat[rows], None,
                 (), points.grid, np.full(len(rows), np.nan))  # fmt: skip
    joined = with_rare_joined(few, 6)
    assert joined.classes == ("other", "soybean", "winter_wheat")
    assert joined.remarks == ("classes with fewer than 6 series are taken for other: {'maize': 3}",)


def test_figures_are_those_of_an_outside_tool_and_plain_tools_stand_beside(points: Points) -> None:
    found = evaluate(points, Protocol.of("per-class:20"), SETTINGS, seeds=2)
    (split, _) = splits(points, Protocol.of("per-class:20"), 2, 3)
    one = run_split(points, split, SETTINGS, beside=True)
    guess = one.models["fieldline"].argmax(axis=1)
    figures = found["models"]["fieldline"]
    assert figures["accuracy"]["draws"][0] == pytest.approx(accuracy_score(one.truth, guess))
    macro = f1_score(one.truth, guess, average="macro")
    assert figures["macro_f1"]["draws"][0] == pytest.approx(macro)
    assert figures["accuracy"]["low"] <= figures["accuracy"]["value"] <= figures["accuracy"]["high"]
    assert set(found["models"]) == {
        "fieldline", "fieldline_by_label_shares", "majority", "nearest_centroid",
        "random_forest", "gap_filled_ensemble",
    }  # fmt: skip
    assert figures["accuracy"]["value"] > 0.9
    assert found["models"]["majority"]["accuracy"]["value"] == pytest.approx(1 / 3)
    confusion = np.asarray(found["confusion"])
    assert confusion.sum() == pytest.approx(180)
    assert np.trace(confusion) / 180 == pytest.approx(figures["accuracy"]["value"])


def test_intervals_hold_the_binomials(points: Points) -> None:
    """The interval of an accuracy of one draw is about 1.96 standard errors each side."""
    (split,) = splits(points, Protocol.of("per-class:10"), 1, 3)
    one = run_split(points, split, SETTINGS, beside=False)
    truth = one.truth.copy()
    truth[::5] = (truth[::5] + 1) % 3
    draw = type("Draw", (), {"truth": truth, "models": one.models, "inside": one.inside})()
    found = scores([draw], "fieldline")["accuracy"]
    error = np.sqrt(found["value"] * (1 - found["value"]) / len(truth))
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * error, rel=0.25)


@pytest.mark.parametrize(
    ("text", "holdout", "said"),
    [("per-class", "", "protocol"), ("rows:30", "", "protocol"), ("per-class:1", "", "protocol"),
     ("per-class:30", "year", "holdout")],
)  # fmt: skip
def test_protocols_that_are_none_are_refused(text: str, holdout: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Protocol.of(text, holdout)
