"""Labels of pixel pairs and their loss, worked by hand."""

from __future__ import annotations

import math

import pytest

from fieldline.crops.segment.pairs import NO_FIELD, pair_labels, pair_loss

torch = pytest.importorskip("torch")


def test_a_pair_is_known_where_one_end_is_drawn() -> None:
    ids = torch.tensor([[[1, 1, 2, 0, 0]]])
    same, apart, barren = pair_labels(ids, [(0, 1)])
    assert same[0, 0, 0].tolist() == [True, False, False, False, False]
    assert apart[0, 0, 0].tolist() == [False, True, True, False, False]
    assert not barren.any()


def test_a_pair_that_leaves_the_raster_is_not_known() -> None:
    ids = torch.ones((1, 3, 3), dtype=torch.long)
    same, apart, _ = pair_labels(ids, [(2, -2)])
    assert same[0, 0].tolist() == [[False, False, True], [False] * 3, [False] * 3]
    assert not apart.any()


def test_where_every_field_is_drawn_land_outside_them_lies_in_no_field_together() -> None:
    ids = torch.tensor([[[1, NO_FIELD, NO_FIELD, 0, 0]]])
    same, apart, barren = pair_labels(ids, [(0, 1)])
    assert not same.any()
    assert apart[0, 0, 0].tolist() == [True, False, False, False, False]
    assert barren[0, 0, 0].tolist() == [False, True, True, False, False]


def test_land_without_fields_counts_as_much_as_fields_and_borders() -> None:
    ids = torch.tensor([[[1, 1, NO_FIELD, NO_FIELD, NO_FIELD]]])
    logits = torch.full((1, 1, 1, 5), 2.0)
    same, different = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    loss = float(pair_loss(logits, ids, [(0, 1)]))
    assert loss == pytest.approx((same + 2 * different) / 3)


def test_same_and_different_count_alike_however_rare() -> None:
    ids = torch.tensor([[[1, 1, 1, 1, 2]]])
    logits = torch.full((1, 1, 1, 5), 2.0)
    same, different = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    loss = float(pair_loss(logits, ids, [(0, 1)]))
    assert loss == pytest.approx((same + different) / 2)


def test_land_where_nobody_drew_teaches_nothing() -> None:
    logits = torch.randn((1, 1, 4, 4), requires_grad=True)
    loss = pair_loss(logits, torch.zeros((1, 4, 4), dtype=torch.long), [(0, 1)])
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert float(logits.grad.abs().sum()) == 0.0
