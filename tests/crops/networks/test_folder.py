"""A network's folder: what is read is what was written, or a sentence says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.networks import folder as networks
from fieldline.crops.networks.folder import (
    approve,
    approved,
    load_weights,
    need_bands,
    read_network,
    weights_of,
    write_network,
)
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.sealed_folder import seal

torch = pytest.importorskip("torch")
CONFIG = {"kind": "toy", "bands": ["B04", "B08"], "width": 2}


def _module() -> object:
    torch.manual_seed(1)
    return torch.nn.Conv2d(2, 2, 1)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    write_network(tmp_path / "m", CONFIG, weights_of(_module()), {"iou": 0.5})
    return tmp_path / "m"


def test_weights_come_back_bit_for_bit_and_give_the_same_answer(stored: Path) -> None:
    network = read_network(stored, "toy")
    other = torch.nn.Conv2d(2, 2, 1)
    load_weights(other, network.weights, stored)
    here = torch.ones(1, 2, 3, 3)
    assert torch.equal(other(here), _module()(here))
    assert network.bands == ("B04", "B08")
    assert network.card["iou"] == 0.5


def test_two_equal_networks_have_one_version_and_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_network(tmp_path / name, CONFIG, weights_of(_module()), {})
    for file in ("manifest.json", *networks.FILES):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize("name", networks.FILES)
def test_one_changed_byte_anywhere_is_named(stored: Path, name: str) -> None:
    content = bytearray((stored / name).read_bytes())
    content[-2] ^= 1
    (stored / name).write_bytes(bytes(content))
    with pytest.raises(UserError, match=f"{name} is damaged"):
        read_network(stored, "toy")


def test_a_pickle_in_place_of_weights_is_refused_without_running_it(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    bomb = f"cos\nsystem\n(S'touch {mark}'\ntR.".encode()
    files = dict.fromkeys(networks.FILES, b"{}") | {networks.WEIGHTS: bomb}
    files[networks.CONFIG] = json.dumps(CONFIG).encode()
    seal(tmp_path / "m", files, networks._version(CONFIG, bomb))
    with pytest.raises(UserError, match="is no safetensors file"):
        read_network(tmp_path / "m", "toy")
    assert not mark.exists()


def test_a_folder_of_another_kind_or_none_at_all_is_a_sentence(stored: Path) -> None:
    with pytest.raises(UserError, match="of kind 'toy'"):
        read_network(stored, "field_segmentation")
    with pytest.raises(UserError, match="cannot be read"):
        read_network(stored / "nowhere", "toy")


def test_weights_of_another_shape_are_named_with_both_shapes(stored: Path) -> None:
    network = read_network(stored, "toy")
    with pytest.raises(UserError, match=r"weight is \(2, 2, 1, 1\) and should be \(3, 2, 1, 1\)"):
        load_weights(torch.nn.Conv2d(2, 3, 1, bias=False), {"weight": network.weights["weight"]}, 1)


def test_weights_that_are_not_numbers_do_not_serve(stored: Path) -> None:
    weights = dict(read_network(stored, "toy").weights)
    weights["bias"] = np.array([np.nan, 0.0], dtype=np.float32)
    with pytest.raises(UserError, match="bias holds numbers without end"):
        load_weights(torch.nn.Conv2d(2, 2, 1), weights, stored)


def test_a_missing_band_is_named_and_the_order_of_scenes_does_not_matter(stored: Path) -> None:
    network = read_network(stored, "toy")
    need_bands(network, ("B08", "B02", "B04"), "catalog.json")
    with pytest.raises(UserError, match=r"catalog\.json has no B08"):
        need_bands(network, ("B04",), "catalog.json")


def test_an_approval_holds_for_one_version_alone(stored: Path) -> None:
    with pytest.raises(UserError, match="is not approved"):
        approved(stored, "toy", "approve it")
    approve(stored, read_network(stored, "toy"), by="committee", figures={"iou": 0.5})
    assert approved(stored, "toy", "approve it").card["iou"] == 0.5
    write_network(stored, {**CONFIG, "width": 3}, weights_of(_module()), {})
    with pytest.raises(UserError, match="is not approved"):
        approved(stored, "toy", "approve it")
