import numpy as np
import pytest

from fieldline.crops.recognise.early import by_date, until
from fieldline.crops.recognise.evaluate import Protocol
from fieldline.crops.recognise.points import read_points
from fieldline.crops.settings import ClassifySettings
from tests.crops.recognise.point_files import arrays, write

FAST = ClassifySettings(trees=30, rounds=12, folds=3, augment=0, shares_from=50, network="never")


@pytest.mark.parametrize("step", [4, 11, 24])
def test_series_cut_at_a_date_are_those_of_a_file_that_ends_there(tmp_path, step: int) -> None:
    """Cutting after reading equals cutting the file: nothing of a later date is left in a gap."""
    held = arrays()
    whole = until(read_points(write(tmp_path / "w.npz")), step)
    part = read_points(write(tmp_path / "p.npz", X=held["X"][:, :step]))
    assert np.allclose(whole.cube.values, part.cube.values)
    assert np.array_equal(whole.cube.seen, part.cube.seen)
    assert np.array_equal(whole.cube.clear_dates, part.cube.clear_dates)
    assert np.array_equal(whole.labels, part.labels)


def test_what_is_known_early_is_told_less_and_in_wider_sets(tmp_path) -> None:
    """Wheat peaks at date 5, maize at 12 and soybean at 18: the last two look alike before."""
    points = read_points(write(tmp_path / "p.npz"))
    found = by_date(points, Protocol.of("per-class:20"), FAST, seeds=1, dates=6)
    assert [row["steps"] for row in found] == [4, 8, 12, 16, 20, 24]
    early, late = found[0], found[-1]
    assert 0.5 < early["accuracy"]["value"] < 0.9 < late["accuracy"]["value"]
    assert early["set_size"] > late["set_size"] + 0.3
    assert early["told"] < late["told"]
