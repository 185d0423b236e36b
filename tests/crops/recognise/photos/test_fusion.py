"""The late-fusion head against odds worked by hand and witnesses whose worth is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fieldline.crops.recognise.photos.fusion import (
    LEAST_LABELLED,
    Fusion,
    PhotoWord,
    ask,
    fit_fusion,
)
from fieldline.crops.recognise.photos.picture import FieldPhoto, read_photo
from fieldline.crops.settings import PhotoSettings
from fieldline.pipeline.records.errors import UserError
from tests.crops.recognise.photos.colours import ColourModel, field

Floats = NDArray[np.float64]
EVEN = np.array([0.5, 0.5])
BOTH = np.array([0, 1])


def said(*rows: tuple[float, ...], known: list[int] | None = None) -> PhotoWord:
    found = np.array(rows)
    columns = np.arange(found.shape[1]) if known is None else np.array(known)
    return PhotoWord(found, columns, np.full(found.shape[1], 1 / found.shape[1]))


def witnesses(
    labels: NDArray[np.int64], apart: float, rng: np.random.Generator, classes: int = 3
) -> Floats:
    """Exact posteriors, equal shares, of a reading whose class means are `apart` deviations off."""
    reading = rng.normal(size=(len(labels), classes)) + apart * np.eye(classes)[labels]
    odds = np.exp(apart * reading)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def test_odds_multiply_as_by_hand() -> None:
    series = np.array([[0.6, 0.4]])
    assert Fusion(1.0).of(series, said((0.8, 0.2)))[0, 0] == pytest.approx(0.48 / 0.56)
    # odds 1.5 x sqrt(4) = 3
    assert Fusion(0.5).of(series, said((0.8, 0.2)))[0, 0] == pytest.approx(0.75)
    # temperature 2 makes odds of 4 odds of 2: 1.5 x 2 = 3
    assert Fusion(1.0, 2.0).of(series, said((0.8, 0.2)))[0, 0] == pytest.approx(0.75)


def test_a_photo_model_that_repeats_the_shares_it_learnt_from_says_nothing() -> None:
    word = PhotoWord(np.array([[0.8, 0.2]]), BOTH, np.array([0.8, 0.2]))
    series = np.array([[0.6, 0.4]])
    np.testing.assert_allclose(Fusion(1.0).of(series, word), series, atol=1e-12)


def test_without_a_photo_the_answer_of_the_series_stands_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    series = rng.dirichlet([0.3] * 5, 400)
    series[7] = np.nextafter(series[7], 1)  # rows need not add up to 1 exactly
    photos = rng.dirichlet([0.3] * 5, 400)
    missing = rng.random(400) < 0.5
    photos[missing] = np.nan
    word = PhotoWord(photos, np.arange(5), np.full(5, 0.2))
    fused = Fusion(0.7, 1.4).of(series, word)
    assert fused[missing].tobytes() == series[missing].tobytes()
    assert (np.abs(fused[~missing] - series[~missing]).max(axis=1) > 1e-4).mean() > 0.9
    assert Fusion(0.0).of(series, word).tobytes() == series.tobytes()
    none = ask(ColourModel({"a": (0,), "b": (1,)}), [None] * 400, "abcde")
    assert Fusion(1.0).of(series, none).tobytes() == series.tobytes()


def test_classes_that_the_photo_model_does_not_know_keep_what_they_had() -> None:
    series = np.array([[0.3, 0.5, 0.2]])
    fused = Fusion(1.0).of(series, said((0.9, 0.1), known=[2, 0]))
    assert fused[0, 1] == 0.5
    # among the two: .2 x .9 = .18 against .3 x .1 = .03, of the half that was theirs
    np.testing.assert_allclose(fused[0, [0, 2]], [0.5 * 0.03 / 0.21, 0.5 * 0.18 / 0.21])


@dataclass
class Draws:
    """Labelled parcels with a series and an independent photograph, both exactly calibrated."""

    labels: NDArray[np.int64]
    series: Floats
    photo: Floats
    fold: NDArray[np.int64]


@pytest.fixture(scope="module")
def drawn() -> Draws:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 3000)
    return Draws(labels, witnesses(labels, 1.2, rng), witnesses(labels, 1.0, rng),
                 np.arange(3000) % 10)  # fmt: skip


def test_an_independent_honest_witness_is_believed_in_full(drawn: Draws) -> None:
    """The posterior of two independent readings is the product of theirs (equal shares)."""
    word = said(*map(tuple, drawn.photo.tolist()))
    found = fit_fusion(drawn.series, word, drawn.labels, drawn.fold)
    assert found.weight > 0.9
    assert found.temperature == pytest.approx(1.0, abs=0.1)
    exact = drawn.series * drawn.photo
    exact /= exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Fusion(1.0).of(drawn.series, word), exact, atol=1e-5)
    assert np.abs(found.of(drawn.series, word) - exact).max() < 0.05
    own = -np.log(drawn.series[np.arange(3000), drawn.labels]).mean()
    both = -np.log(exact[np.arange(3000), drawn.labels]).mean()
    assert found.gain == pytest.approx(own - both, abs=0.01)


def test_an_overconfident_witness_is_calmed_first(drawn: Draws) -> None:
    loud = drawn.photo**3
    word = said(*map(tuple, (loud / loud.sum(axis=1, keepdims=True)).tolist()))
    found = fit_fusion(drawn.series, word, drawn.labels, drawn.fold)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert found.weight > 0.9


def test_a_witness_that_only_repeats_the_series_or_guesses_is_not_heard(drawn: Draws) -> None:
    rng = np.random.default_rng(4)
    strangers = rng.integers(0, 3, 3000)
    for useless in (drawn.series, witnesses(strangers, 1.0, rng)):
        word = said(*map(tuple, useless.tolist()))
        found = fit_fusion(drawn.series, word, drawn.labels, drawn.fold)
        assert found.weight == 0.0
        assert found.of(drawn.series, word).tobytes() == drawn.series.tobytes()


def test_a_witness_that_shares_the_errors_of_the_series_weighs_less(drawn: Draws) -> None:
    """Half of the photographs merely repeat the series: the best power lies between."""
    mixed = np.where((np.arange(3000) % 4 < 2)[:, None], drawn.series, drawn.photo)
    word = said(*map(tuple, mixed.tolist()))
    found = fit_fusion(drawn.series, word, drawn.labels, drawn.fold)
    assert 0.2 < found.weight < 0.8


def test_few_photos_or_one_place_set_no_weight(drawn: Draws) -> None:
    photo = drawn.photo.copy()
    photo[LEAST_LABELLED - 1 :] = np.nan
    few = fit_fusion(drawn.series, said(*map(tuple, photo.tolist())), drawn.labels, drawn.fold)
    assert (few.weight, few.labelled) == (0.0, LEAST_LABELLED - 1)
    word = said(*map(tuple, drawn.photo.tolist()))
    assert fit_fusion(drawn.series, word, drawn.labels, np.zeros(3000, np.int64)).weight == 0.0


@dataclass
class Broken:
    """Says what it is told to say."""

    classes: tuple[str, ...]
    shares: tuple[float, ...]
    answer: Floats

    def predict(self, photos: object) -> Floats:
        return self.answer


@pytest.mark.parametrize(
    ("classes", "shares", "answer", "words"),
    [
        (("rice", "tulip"), (0.5, 0.5), [[0.5, 0.5]], "tells rice, tulip"),
        (("rice",), (1.0,), [[1.0]], "tells rice"),
        (("rice", "maize"), (0.5, 0.5), [[0.5, np.nan]], "answers that are no probabilities"),
        (("rice", "maize"), (0.5, 0.5), [[1.2, -0.2]], "answers that are no probabilities"),
        (("rice", "maize"), (0.5, 0.5), [[0.5, 0.6]], "answers that are no probabilities"),
        (("rice", "maize"), (0.5, 0.5), [[0.5, 0.5]] * 2, "answers that are no probabilities"),
        (("rice", "maize"), (1.0, 0.0), [[0.5, 0.5]], "assumes shares that are no probabilities"),
    ],
)
def test_a_photo_model_that_says_no_probabilities_is_refused(
    classes: tuple[str, ...], shares: tuple[float, ...], answer: list[list[float]], words: str
) -> None:
    photo = np.zeros((2, 2, 3), dtype=np.uint8)
    with pytest.raises(UserError, match=words):
        ask(Broken(classes, shares, np.array(answer)), [photo], ("maize", "rice", "wheat"))


def test_drawn_fields_pass_from_file_to_answer(tmp_path: Path) -> None:
    """Green and yellow fields, a series that tells nothing, every third parcel without photo."""
    rng = np.random.default_rng(5)
    colours = {"rice": (90.0, 140.0, 60.0), "rapeseed": (150.0, 150.0, 60.0)}
    classes = ("maize", "rapeseed", "rice")
    labels = rng.integers(1, 3, 120)
    photos = []
    for at, label in enumerate(labels):
        Image.fromarray(field(colours[classes[label]], rng)).save(tmp_path / "p.png")
        found = read_photo(tmp_path / "p.png", PhotoSettings())
        assert isinstance(found, FieldPhoto)
        photos.append(None if at % 3 == 0 else found.pixels)
    series = np.tile([0.2, 0.4, 0.4], (120, 1))
    word = ask(ColourModel(colours), photos, classes)
    fusion = fit_fusion(series, word, labels, np.arange(120) % 5)
    fused = fusion.of(series, word)
    told = np.array([photo is not None for photo in photos])
    assert fusion.labelled == told.sum() == 80
    assert (fused.argmax(axis=1) == labels)[told].mean() > 0.75
    assert fused[~told].tobytes() == series[~told].tobytes()
    np.testing.assert_array_equal(fused[:, 0], 0.2)
