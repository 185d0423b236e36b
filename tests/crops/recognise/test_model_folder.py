import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.networks.machine import choose_machine
from fieldline.crops.recognise import model_folder
from fieldline.crops.recognise.calibration import Mix
from fieldline.crops.recognise.evaluate import training_of
from fieldline.crops.recognise.features import features
from fieldline.crops.recognise.model_folder import (
    approve_crop_model,
    approved_crop_model,
    read_crop_model,
    write_crop_model,
)
from fieldline.crops.recognise.novelty import SECOND_LOOK, LabelledRows, fit_novelty
from fieldline.crops.recognise.points import read_points
from fieldline.crops.recognise.protocols import Protocol, splits
from fieldline.crops.recognise.recogniser import fit_recogniser
from fieldline.crops.recognise.second_look import Lesson, SecondLook, fit_half, part_of
from fieldline.crops.recognise.series_member import train_on_folds
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.records.errors import UserError
from tests.crops.recognise.point_files import write

FAST = ClassifySettings(trees=20, rounds=10, folds=2, augment=0, shares_from=50, network="never")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory):
    points = read_points(write(tmp_path_factory.mktemp("points") / "p.npz"))
    (split,) = splits(points, Protocol.of("per-class:20"), 1, 3)
    others = points.of(split.test)
    training = training_of(points, split.train, FAST)
    return fit_recogniser(training, others, FAST).model, training, others


def test_a_stored_model_answers_bit_by_bit_as_the_one_that_was_fitted(fitted, tmp_path) -> None:
    model, _, others = fitted
    version = write_crop_model(tmp_path / "m", model, {"steps": 24}, {"trained_on": {}})
    found = read_crop_model(tmp_path / "m", FAST)
    again, grid, card = found.model, found.grid, found.card
    assert (grid, found.version, found.steps) == ({"steps": 24}, version, 24)
    one, two = model.predict(others), again.predict(others)
    assert np.array_equal(one.probabilities, two.probabilities)
    assert np.array_equal(one.strangeness, two.strangeness)
    band = np.zeros(len(one.probabilities), dtype=np.int64)
    assert np.array_equal(
        model.sets.members(one.probabilities, band), again.sets.members(two.probabilities, band)
    )
    assert write_crop_model(tmp_path / "n", again, grid, card) == version


def test_networks_are_stored_with_it(fitted, tmp_path) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra networks)")
    _, training, others = fitted
    more = FAST.model_copy(update={"network": "always", "network_steps": 8})
    machine = choose_machine("cpu")
    fold = np.arange(len(training.labels)) % 2
    folds = train_on_folds(training.cube, "full", training.labels, 3, fold, more, machine)
    weights = {"boosting": 1.0, "extra_trees": 1.0, "series_network": 2.0}
    mix = Mix(fitted[0].mix.temperatures | {"series_network": 0.8}, weights, 1.1)
    rows, plain = features(training.cube, "full"), fitted[0].held.plain
    novelty = fit_novelty(LabelledRows(rows, training.labels, fold, plain, folds.embedded), None,
                          refuse_known=0.05, seed=1, threads=1)  # fmt: skip
    model = replace(fitted[0], networks=folds.networks, mix=mix, novelty=novelty)
    write_crop_model(tmp_path / "m", model, {"steps": 24}, {})
    again = read_crop_model(tmp_path / "m", FAST).model
    one, two = model.predict(others), again.predict(others)
    assert np.array_equal(one.probabilities, two.probabilities)
    assert len(again.novelty.embeddings) == 2
    assert np.array_equal(one.strangeness, two.strangeness)

    strange = (training.labels == 0).astype(np.int64)
    lesson = Lesson(rows, strange, part_of(rows, 2), plain, folds.embedded[0], rows,
                    training.labels)  # fmt: skip
    halves = [fit_half(lesson, half, seed=1, threads=1) for half in range(2)]
    look = SecondLook(**{name: tuple(half[name] for half in halves) for name in halves[0]})
    base = novelty.known | {SECOND_LOOK: np.linspace(0, 1, 50)}
    model = replace(model, novelty=replace(novelty, second=look, known=base))
    write_crop_model(tmp_path / "s", model, {"steps": 24}, {})
    after = read_crop_model(tmp_path / "s", FAST).model
    assert after.novelty.second is not None
    assert {n: len(found) for n, found in after.novelty.second.forests().items()} == dict.fromkeys(
        ("features", "wide", "kinds"), 2
    )
    three, four = model.predict(others), after.predict(others)
    assert np.array_equal(three.strangeness, four.strangeness)
    assert not np.array_equal(three.strangeness, one.strangeness)


def test_a_folder_sealed_when_a_second_look_saw_features_alone_answers_still(
    fitted, tmp_path
) -> None:
    model, training, others = fitted
    rows = features(training.cube, "full")
    strange = (training.labels == 0).astype(np.int64)
    lesson = Lesson(rows, strange, part_of(rows, 2), model.held.plain, None, rows, training.labels)
    halves = tuple(fit_half(lesson, half, seed=1, threads=1)["features"] for half in range(2))
    base = {SECOND_LOOK: np.linspace(0, 1, 50)}
    novelty = replace(model.novelty, domains=(), second=SecondLook(halves), known=base)
    now = replace(model, novelty=novelty)
    write_crop_model(tmp_path / "n", now, {"steps": 24}, {})
    config = json.loads((tmp_path / "n" / "model.json").read_text())
    del config["second_look"]
    groups = {f"second_features{n}": f"domain{n}" for n in range(2)}
    with np.load(tmp_path / "n" / "arrays.npz") as archive:
        arrays = {
            "/".join([groups.get(name.split("/")[0], name.split("/")[0]), *name.split("/")[1:]]):
            archive[name] for name in archive.files
        }  # fmt: skip
    before = model_folder._model(config | {"domains": 2}, arrays, now.members.boosting, None)
    assert before.novelty.domains == ()
    assert np.array_equal(before.predict(others).strangeness, now.predict(others).strangeness)


@pytest.mark.parametrize("name", ["model.json", "arrays.npz", "boosting.ubj", "card.json"])
def test_a_changed_byte_of_any_file_is_seen(fitted, tmp_path: Path, name: str) -> None:
    write_crop_model(tmp_path / "m", fitted[0], {"steps": 24}, {})
    content = bytearray((tmp_path / "m" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "m" / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} is damaged"):
        read_crop_model(tmp_path / "m", FAST)


def test_only_an_approved_version_serves(fitted, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    version = write_crop_model(folder, fitted[0], {"steps": 24}, {})
    with pytest.raises(UserError, match="is not approved"):
        approved_crop_model(folder, FAST)
    approve_crop_model(folder, version, by="committee", figures={"macro_f1": 0.9})
    assert approved_crop_model(folder, FAST).version == version
    told = json.loads((folder / "approval.json").read_text())
    (folder / "approval.json").write_text(json.dumps(told | {"version": "0" * 12}))
    with pytest.raises(UserError, match="is not approved"):
        approved_crop_model(folder, FAST)
