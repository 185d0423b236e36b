from __future__ import annotations

import numpy as np
import pytest

from fieldline.crops.growth.outlook import Outlook, _fitted, _lasting, _rest

SEASON = np.zeros(60, dtype=np.int64)


def made(short: int, seed: int = 4) -> np.ndarray:
    """Return courses of twenty steps, the lower ones among them ending early."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0.6, 0.1, (60, 1))
    shape = np.sin(np.linspace(0.2, 3.0, 20))
    found = level * shape + rng.normal(0, 0.02, (60, 20))
    lowest = np.argsort(level[:, 0])[:short]
    found[lowest, 12:] = np.nan
    return found


def test_each_later_step_is_a_ridge_regression_of_the_courses_that_reach_it() -> None:
    courses, step = made(20), 8
    centre, middle, slopes = _fitted(courses, step)
    for ahead in (0, 6):
        rows = np.isfinite(courses[:, step + 1 + ahead])
        seen = np.column_stack([courses[:, 8], courses[:, :9].mean(axis=1)])
        far, value = (seen - seen.mean(axis=0))[rows], courses[rows, step + 1 + ahead]
        # Ridge by rows added: the penalty counts as so many rows, the constant is free.
        own = far - far.mean(axis=0)
        rows_added = np.sqrt(1e-3 * rows.sum()) * np.eye(2)
        told = np.linalg.lstsq(
            np.vstack([own, rows_added]), np.append(value - value.mean(), [0, 0]), rcond=None
        )[0]
        assert slopes[:, ahead] == pytest.approx(told)
        assert middle[ahead] == pytest.approx(value.mean() - far.mean(axis=0) @ told)
    assert centre == pytest.approx([courses[:, 8].mean(), courses[:, :9].mean()])


def test_courses_that_end_early_stay_and_the_rest_goes_as_far_as_enough_of_them() -> None:
    kept = _lasting(made(45), SEASON, least=8)
    assert kept is not None
    assert kept[0].shape == (60, 20)  # fifteen reach the end
    kept = _lasting(made(55), SEASON, least=8)
    assert kept is not None
    assert kept[0].shape == (60, 12)  # five do: too few to tell
    assert _lasting(made(0)[:7], SEASON[:7], least=8) is None


def test_errors_are_those_of_courses_left_out_and_short_ones_are_among_them() -> None:
    courses = made(25)
    whole, kept = (
        _rest(courses, SEASON, 6),
        _rest(courses[np.isfinite(courses[:, -1])], SEASON[:35], 6),
    )
    assert whole is not None
    assert kept is not None
    assert len(whole.middle) == len(kept.middle) == 13
    assert whole.middle[0] < kept.middle[0]  # the lowest ended early
    assert np.all(whole.low < 0)
    assert np.all(whole.high > 0)


def test_a_crop_of_which_no_course_goes_on_is_not_foretold() -> None:
    outlook = Outlook({"maize": (made(60)[:, :13], SEASON)})
    assert outlook.rest("maize", 10) is not None
    assert outlook.rest("maize", 11) is None
    assert outlook.rest("wheat", 5) is None
