"""The gate of a network, on cards whose figures are written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from fieldline.crops.networks.folder import StoredNetwork, weights_of
from fieldline.crops.segment.gate import objections

torch = pytest.importorskip("torch")


def _card(iou: float, watershed: float = 0.5, fields: str = "a") -> dict[str, Any]:
    return {"evaluation": {
        "validation": fields, "watershed": {"iou": {"value": watershed}},
        "network": [{"iou": {"value": iou}}],
    }}  # fmt: skip


def _network(card: dict[str, Any], factor: float = 1.0) -> StoredNetwork:
    from fieldline.crops.segment.network import Architecture, PairNetwork

    torch.manual_seed(0)
    weights = weights_of(PairNetwork(Architecture(2, 8)))
    weights["head.weight"] = weights["head.weight"] * factor
    config = {"kind": "field_segmentation", "bands": ["B04", "B08"], "width": 8}
    return StoredNetwork("v", config, weights, card)


def test_a_network_that_beats_the_watershed_and_is_no_worse_than_todays_may_serve() -> None:
    assert list(objections(_network(_card(0.7), 20))) == []
    assert list(objections(_network(_card(0.7), 20), _network(_card(0.71)))) == []


def test_worse_than_the_watershed_or_than_todays_is_refused_with_both_numbers() -> None:
    (below,) = objections(_network(_card(0.4), 20))
    assert "0.400 is below the plain watershed's 0.500" in below
    (worse,) = objections(_network(_card(0.7), 20), _network(_card(0.75)))
    assert "0.700 is below 0.750" in worse


def test_two_networks_that_were_held_against_other_fields_cannot_be_compared() -> None:
    (why,) = objections(_network(_card(0.7), 20), _network(_card(0.6, fields="b")))
    assert "other fields" in why


def test_a_network_that_says_the_same_everywhere_or_was_never_judged_is_refused() -> None:
    (dead,) = objections(_network(_card(0.7), 0.0))
    assert "the same of every pair" in dead
    (unjudged,) = objections(_network({}))
    assert "no evaluation" in unjudged
