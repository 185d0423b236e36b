import numpy as np
import pytest

from fieldline.crops.recognise.early import by_date, certain_from, until
from fieldline.crops.recognise.points import read_points
from fieldline.crops.recognise.protocols import Protocol
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
    certain = certain_from(found)
    assert certain["winter_wheat"] is not None
    assert certain["winter_wheat"] < certain["soybean"]


def test_certain_is_from_when_half_is_told_and_nine_in_ten_of_it_right_to_the_end() -> None:
    def row(steps: int, **told: tuple[float, float | None]) -> dict[str, object]:
        by = {name: {"told": t, "right_when_told": r} for name, (t, r) in told.items()}
        return {"steps": steps, "by_class": by}

    rows = [
        row(4, early=(0.6, 0.95), lost=(0.9, 0.95), few=(0.2, 1.0), never=(0.0, None)),
        row(8, early=(0.5, 0.90), lost=(0.9, 0.80), few=(0.49, 1.0), never=(0.9, 0.89)),
        row(12, early=(0.9, 0.99), lost=(0.9, 0.95), few=(0.5, 1.0), never=(0.9, 0.89)),
    ]
    assert certain_from(rows) == {"early": 4, "lost": 12, "few": 12, "never": None}
