from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import box

from fieldline.lending.evidence.claims import counted_twice, disputed, disputed_area, rivals
from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.parcels.overlaps import Pairs, overlapping_pairs

RULES = EvidenceSettings()


def squares(*corners: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([box(*corner) for corner in corners], dtype=object)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param((0, 0, 45, 45), (42, 0, 87, 45), False, id="3 m along a common edge"),
        pytest.param((0, 0, 10, 200), (7, 0, 17, 200), False, id="3 m of a 10 m strip is 30 %"),
        pytest.param((0, 0, 4, 200), (0, 0, 4, 200), True, id="a narrow strip claimed whole"),
        pytest.param((0, 0, 100, 100), (70, 70, 170, 170), False, id="a corner under both limits"),
        pytest.param((0, 0, 100, 100), (40, 40, 60, 60), True, id="a small parcel inside"),
        pytest.param((0, 0, 100, 100), (88, 0, 188, 100), True, id="12 m deep: IoU .064"),
    ],
)
def test_disputed(first: tuple[float, ...], second: tuple[float, ...], expected: bool) -> None:
    pairs = overlapping_pairs(squares(first, second))  # type: ignore[arg-type]
    assert disputed(pairs, RULES).tolist() == [expected]


def test_own_parcels_are_counted_twice_but_are_no_rivals() -> None:
    pairs = overlapping_pairs(squares((0, 0, 100, 100), (50, 0, 150, 100), (50, 0, 150, 100)))
    assert counted_twice(pairs, ["ann", "ann", "bob"], RULES) == {1: 5000}
    assert disputed_area(pairs, ["ann", "ann", "bob"], RULES) == {0: 5000, 1: 10_000, 2: 15_000}
    assert rivals(pairs, ["ann", "ann", "bob"], RULES) == {0: [2], 1: [2], 2: [0, 1]}


@pytest.mark.parametrize(
    ("iou", "share", "width", "expected"),
    [
        pytest.param(0.05, 0.0, 9.0, True, id="the IoU from which ground is claimed"),
        pytest.param(0.0, 0.2, 9.0, True, id="the share from which ground is claimed"),
        pytest.param(0.0499, 0.1999, 9.0, False, id="neither"),
        pytest.param(0.05, 0.2, 5.0, True, id="as thick as a phone errs"),
        pytest.param(0.05, 0.2, 4.999, False, id="thinner than a phone errs"),
        pytest.param(0.05, 0.5, 1.0, True, id="thin, and half of the smaller parcel"),
        pytest.param(0.05, 0.4999, 1.0, False, id="thin, and less than half of it"),
    ],
)
def test_every_threshold_counts_itself(
    iou: float, share: float, width: float, expected: bool
) -> None:
    known = {"smaller_share": share, "iou": iou, "width": width, "area": 100.0}
    one = {name: np.array([value]) for name, value in known.items()}
    pair = Pairs(first=np.array([0]), second=np.array([1]), **one)
    assert disputed(pair, RULES).tolist() == [expected]


def test_an_edge_drawn_twice_is_disputed_by_nobody() -> None:
    edge = overlapping_pairs(squares((0, 0, 45, 45), (42, 0, 87, 45)))
    assert disputed_area(edge, ["ann", "bob"], RULES) == {}
    assert counted_twice(edge, ["ann", "ann"], RULES) == {}
