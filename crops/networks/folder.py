"""A network as a folder: weights, what they are for, how they did, and who approved them.

Owns writing, verified reading and approval. Weights are safetensors, which hold numbers and no
code, so a folder of unknown origin can be looked at; a folder that is damaged, of another kind or
of other shapes or bands than asked for is refused in one sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as release
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.networks.machine import need_networks
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.sealed_folder import MANIFEST, damaged, parse_json, seal, unseal
from fieldline.pipeline.records.tables import write_text

WEIGHTS, CONFIG, CARD, APPROVAL = (
    "weights.safetensors", "config.json", "card.json", "approval.json",
)  # fmt: skip
FILES = (WEIGHTS, CONFIG, CARD)
"""What a folder holds beside its manifest."""

Weights = Mapping[str, NDArray[Any]]
"""Arrays by name; several members of an ensemble share a folder under prefixes such as `0.`."""


@dataclass(frozen=True)
class StoredNetwork:
    """A network as it lies on disk."""

    version: str
    """Hash of configuration and weights."""
    config: dict[str, Any]
    """What it takes and how it is built; `kind` says which code reads it."""
    weights: Weights
    card: dict[str, Any]
    """How it was made and how it did."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that it takes, in their order."""
        return tuple(self.config["bands"])


def write_network(
    folder: Path, config: Mapping[str, Any], weights: Weights, card: Mapping[str, Any]
) -> str:
    """Write a network's folder.

    Args:
        folder: Where it goes.
        config: `kind`, `bands` and what builds the module.
        weights: Arrays by name.
        card: Data hashes (`data`: SHA-256 by file), metrics and the command that made it.

    Returns:
        Its version.
    """
    need_networks("Writing a network")
    from safetensors.numpy import save

    told = {**config, "fieldline": release("fieldline")}
    numbers = save({name: np.ascontiguousarray(weights[name]) for name in sorted(weights)})
    version = _version(told, numbers)
    contents = {
        WEIGHTS: numbers,
        CONFIG: (canonical(told) + "\n").encode(),
        CARD: (canonical({**card, "version": version}) + "\n").encode(),
    }
    seal(folder, contents, version)
    return version


def _version(config: Mapping[str, Any], numbers: bytes) -> str:
    digest = hashlib.sha256(canonical(config).encode())
    digest.update(numbers)
    return digest.hexdigest()[:12]


def read_network(folder: Path, kind: str) -> StoredNetwork:
    """Read and verify a network's folder.

    Args:
        folder: A folder that `write_network` wrote.
        kind: Kind of network that is wanted.

    Raises:
        UserError: torch is not installed, the folder is damaged, or it holds another kind.
    """
    version, contents = unseal(folder / MANIFEST, FILES)
    config = parse_json(folder / CONFIG, contents[CONFIG])
    card = parse_json(folder / CARD, contents[CARD])
    if not isinstance(config, dict) or not isinstance(card, dict):
        raise damaged(folder / CONFIG, "it holds no fields by name")
    if config.get("kind") != kind:
        found = config.get("kind")
        raise UserError(f"{folder} holds a network of kind {found!r}", f"name one of kind {kind!r}")
    if version is None or version != _version(config, contents[WEIGHTS]):
        raise damaged(folder / MANIFEST, "its version is not the hash of config and weights")
    return StoredNetwork(version, config, _weights(folder / WEIGHTS, contents[WEIGHTS]), card)


def _weights(path: Path, content: bytes) -> dict[str, NDArray[Any]]:
    need_networks("Reading a network")
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError) as error:
        raise damaged(path, "it is no safetensors file") from error


def need_bands(network: StoredNetwork, bands: Sequence[str], where: object) -> None:
    """Refuse scenes that lack a band which the network takes.

    Raises:
        UserError: A band is missing.
    """
    lacking = [band for band in network.bands if band not in bands]
    if lacking:
        raise UserError(
            f"network {network.version} takes {', '.join(network.bands)} and {where} has no "
            f"{', '.join(lacking)}",
            "train one on the bands at hand, or give scenes with all of them",
        )


def load_weights(module: Any, weights: Weights, where: object, prefix: str = "") -> None:
    """Put stored weights into a module.

    Args:
        module: A `torch.nn.Module`, built from the folder's configuration.
        weights: Arrays by name.
        where: Folder, for the sentence.
        prefix: Names of this module's arrays begin with it.

    Raises:
        UserError: An array is missing, left over or of another shape, or holds no finite numbers.
    """
    import torch

    mine = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    wrong = sorted(
        name for name in {*mine, *wanted}
        if name not in mine or wanted.get(name) != mine[name].shape
    )  # fmt: skip
    if wrong:
        name = wrong[0]
        has = mine[name].shape if name in mine else "none"
        raise UserError(
            f"{where} does not fit its own configuration: {prefix}{name} is {has} and should be "
            f"{wanted.get(name, 'absent')}",
            "take the model folder whole, as it was made",
        )
    lost = [name for name, values in mine.items() if not np.isfinite(values).all()]
    if lost:
        raise damaged(Path(str(where)) / WEIGHTS, f"{prefix}{lost[0]} holds numbers without end")
    module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in mine.items()})


def weights_of(module: Any, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return a module's weights as arrays by name."""
    return {prefix + name: t.detach().cpu().numpy() for name, t in module.state_dict().items()}


def approve(folder: Path, network: StoredNetwork, *, by: str, figures: Mapping[str, Any]) -> None:
    """Write beside a network that it may serve, by whom and on what figures."""
    told = {"version": network.version, "by": by, "figures": dict(figures)}
    write_text(folder / APPROVAL, canonical(told) + "\n")


def approved(folder: Path, kind: str, remedy: str) -> StoredNetwork:
    """Return the network of an approved folder.

    Args:
        folder: Model folder.
        kind: Kind of network that is wanted.
        remedy: What to do where it is not approved.

    Raises:
        UserError: It is damaged, of another kind, or not approved as it is.
    """
    network = read_network(folder, kind)
    path = folder / APPROVAL
    told = parse_json(path, path.read_bytes()) if path.exists() else None
    if not isinstance(told, dict) or told.get("version") != network.version:
        raise UserError(f"the network of {folder} is not approved", remedy)
    return network
