"""No network is judged on what it, or one before it, has learnt."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fieldline.crops.networks.folder import StoredNetwork
from fieldline.crops.segment.lineage import ancestors, need_unlearnt
from fieldline.pipeline.records.errors import UserError


def _network(version: str, learnt: bytes, start: StoredNetwork | None = None) -> StoredNetwork:
    data = {"polygons": [hashlib.sha256(learnt).hexdigest()]}
    card = {"data": data, "lineage": ancestors(start)}
    return StoredNetwork(version, {"bands": ["B02"]}, {}, card)


def test_a_descendants_card_names_every_network_before_it_the_youngest_first() -> None:
    first = _network("one", b"a")
    second = _network("two", b"b", first)
    assert [one["version"] for one in ancestors(_network("three", b"c", second))] == [
        "three", "two", "one",
    ]  # fmt: skip
    assert ancestors(None) == []


def test_fields_that_the_first_of_three_networks_learnt_judge_none_of_them(tmp_path: Path) -> None:
    held, learnt = tmp_path / "held.geojson", tmp_path / "learnt.geojson"
    held.write_bytes(b"held"), learnt.write_bytes(b"a")
    last = _network("three", b"c", _network("two", b"b", _network("one", b"a")))
    need_unlearnt(held, last)
    with pytest.raises(UserError, match=r"network one has learnt from .*learnt\.geojson"):
        need_unlearnt(learnt, last)


def test_a_file_is_not_learnt_and_held_back_at_once(tmp_path: Path) -> None:
    one, same = tmp_path / "one.geojson", tmp_path / "same.geojson"
    one.write_bytes(b"fields"), same.write_bytes(b"fields")
    with pytest.raises(UserError, match="hold back fields that lie apart"):
        need_unlearnt(one, None, [same])
