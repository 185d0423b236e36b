"""Lineage: what a network and those it began from have learnt, so that none is judged on it.

Owns the part of a card that names ancestors with the hashes of their data, and the refusal of a
validation file that one of them learnt from. Files are told by their SHA-256: the same fields in
another file are not recognised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldline.crops.networks.folder import StoredNetwork
from fieldline.pipeline.records.canonical import file_hash
from fieldline.pipeline.records.errors import UserError

Ancestors = list[dict[str, Any]]
"""`version` and `data` (hashes) of a network and of those it began from, the youngest first."""


def ancestors(network: StoredNetwork | None) -> Ancestors:
    """Return a network and those it began from with their data, as a descendant's card says it."""
    if network is None:
        return []
    data = network.card.get("data")
    mine = {"version": network.version, "data": data if isinstance(data, Mapping) else {}}
    older = network.card.get("lineage")
    return [mine, *(older if isinstance(older, list) else [])]


def need_unlearnt(
    validation: Path, network: StoredNetwork | None, train: Sequence[Path] = ()
) -> None:
    """Refuse to judge a network on polygons that it has learnt.

    Args:
        validation: Polygons to be held against.
        network: The network, or the one that training begins from.
        train: Polygons that it is about to learn.

    Raises:
        UserError: The file is one of those that it, one before it or this training learns from.
    """
    mark = file_hash(validation)
    for path in train:
        if file_hash(path) == mark:
            raise UserError(
                f"{validation} holds the polygons that are learnt from",
                "hold back fields that lie apart from them",
            )
    for one in ancestors(network):
        if mark in one["data"].get("polygons", ()):
            raise UserError(
                f"network {one['version']} has learnt from {validation}",
                "judge it on fields that no network of its lineage has learnt from",
            )
