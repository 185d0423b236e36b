"""Presto's encoder: a season told in 128 numbers by what the world's unlabelled pixels taught.

Owns its arithmetic, written from the paper, and the reading of its public weights; what a crop
model makes of the numbers is the recogniser's. The one idea: weights are numbers that a table of
ours knows by their hash, so nothing else is ever opened, and none of them ships.

Source: Tseng et al. (2023) Lightweight, pre-trained transformers for remote sensing timeseries; the
names, groups and order of its channels are those of its public weights (MIT).
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.networks.folder import Weights
from fieldline.crops.networks.machine import Machine, in_batches, need_networks
from fieldline.crops.series import Floats
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

TABLE = "pretrained_encoders.csv"
"""Known weights: hash of the file as it was published, hash of its arrays, licence and origin."""
WIDTH, MOST_MONTHS = 128, 24
"""Numbers of a series, and months that a series may have."""
NDVI = "NDVI"
_BLOCKS, _HEADS, _WIDER, _MARK = 2, 8, 4, 32
_TOKENS = {
    "S2_RGB": (1, ("B02", "B03", "B04")), "S2_Red_Edge": (2, ("B05", "B06", "B07")),
    "S2_NIR_10m": (3, ("B08",)), "S2_NIR_20m": (4, ("B8A",)), "S2_SWIR": (5, ("B11", "B12")),
    NDVI: (8, (NDVI,)),
}  # fmt: skip
"""Channels that make a token of a month, with the number of their learnt mark. Radar, weather,
terrain, land cover and the place are not shown: the encoder was trained to do without any but the
last, and without the place it told no less (docs/model-cards.md)."""
_GROUPS = 10
_PREFIX = "encoder."
_BATCH = 512


@dataclass(frozen=True)
class Encoder:
    """Known weights."""

    name: str
    version: str
    licence: str
    sha256: str
    """Of the file as it was published."""
    weights: Weights
    """Arrays by name, those that answer alone."""

    @property
    def origin(self) -> dict[str, str]:
        """What a card and a model folder tell of it."""
        return {"name": self.name, "version": self.version, "licence": self.licence,
                "sha256": self.sha256}  # fmt: skip


def read_encoder(path: Path) -> Encoder:
    """Read weights that `data/pretrained_encoders.csv` knows.

    Args:
        path: The file as it was published, which torch reads as numbers alone; or the same arrays
            as safetensors.

    Raises:
        UserError: torch is not installed, or the file is absent, unknown or damaged.
    """
    need_networks(f"Reading {path}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})", _remedy()) from error
    safe = path.suffix == ".safetensors"
    told = hashlib.sha256(content).hexdigest()
    row = next((row for row in table_rows(TABLE) if row["sha256"] == told), None)
    if row is None and not safe:
        raise _unknown(path, f"its SHA-256 {told[:12]}...")
    weights = _kept(_read_safe(path, content) if safe else _read_torch(path, content), path)
    if safe:
        told = arrays_hash(weights)
        row = next((row for row in table_rows(TABLE) if row["arrays_sha256"] == told), None)
    if row is None:
        raise _unknown(path, f"the SHA-256 {told[:12]}... of its arrays")
    return Encoder(row["name"], row["version"], row["licence"], row["sha256"], weights)


def arrays_hash(weights: Weights) -> str:
    """Return the SHA-256 of arrays by name, the same whatever file holds them."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        values = np.ascontiguousarray(weights[name], dtype="<f4")
        digest.update(f"{name} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _remedy() -> str:
    known = " or ".join(f"{row['name']} {row['version']} ({row['source']})"
                        for row in table_rows(TABLE))  # fmt: skip
    return f"give the weights of {known}, or leave crops.classify.presto empty"


def _unknown(path: Path, what: str) -> UserError:
    return UserError(f"{path} holds no weights that data/{TABLE} knows: {what} is none of them",
                     _remedy())  # fmt: skip


def _read_safe(path: Path, content: bytes) -> Mapping[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no safetensors file", _remedy()) from error


def _read_torch(path: Path, content: bytes) -> Mapping[str, NDArray[Any]]:
    """Read a file of torch as numbers: whatever would run code is refused."""
    import torch

    try:
        stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return {str(name): tensor.numpy() for name, tensor in stored.items()}
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, TypeError) as error:
        raise UserError(f"{path} holds no plain numbers", _remedy()) from error


def _kept(stored: Mapping[str, NDArray[Any]], path: Path) -> Weights:
    """Return the arrays that answer, of the shapes that they must have."""
    found = {}
    for name, shape in _shapes().items():
        values = stored.get(_PREFIX + name)
        if name == "pos_embed" and values is not None and values.ndim == len(shape):
            values = values[:, :MOST_MONTHS]
        if values is None or values.shape != shape or not np.isfinite(values).all():
            raise UserError(
                f"{path} is no encoder of Presto: {_PREFIX}{name} is "
                f"{'absent' if values is None else 'of another shape or not finite'}", _remedy()
            )  # fmt: skip
        found[name] = np.ascontiguousarray(values, dtype=np.float32)
    return found


def _shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of each array by name."""
    shapes: dict[str, tuple[int, ...]] = {
        "pos_embed": (1, MOST_MONTHS, WIDTH - 2 * _MARK), "month_embed.weight": (12, _MARK),
        "channel_embed.weight": (_GROUPS, _MARK), "norm.weight": (WIDTH,), "norm.bias": (WIDTH,),
    }  # fmt: skip
    linear = {f"eo_patch_embed.{group}": (WIDTH, len(channels))
              for group, (_, channels) in _TOKENS.items()}  # fmt: skip
    for block in (f"blocks.{number}" for number in range(_BLOCKS)):
        linear |= {
            f"{block}.attn.qkv": (3 * WIDTH, WIDTH), f"{block}.attn.proj": (WIDTH, WIDTH),
            f"{block}.mlp.fc1": (_WIDER * WIDTH, WIDTH),
            f"{block}.mlp.fc2": (WIDTH, _WIDER * WIDTH),
        }  # fmt: skip
        for norm in ("norm1", "norm2"):
            shapes |= {f"{block}.{norm}.{part}": (WIDTH,) for part in ("weight", "bias")}
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def embedded(
    weights: Weights, shown: Mapping[str, Floats], months: Sequence[int], machine: Machine
) -> Floats:
    """Return the encoder's numbers of series, (series, `WIDTH`).

    Args:
        weights: Arrays by name.
        shown: (series, months) reflectance by band, and NDVI; of a group of bands all or none.
        months: Calendar month of each column, 1..12; `MOST_MONTHS` at most.
        machine: Where to work.
    """
    import torch

    held = {name: torch.from_numpy(values).to(machine.device) for name, values in weights.items()}
    at = torch.as_tensor([month - 1 for month in months], device=machine.device)
    place = held["pos_embed"][0, : len(months)]
    month = held["month_embed.weight"][at]
    groups = {group: (number, channels) for group, (number, channels) in _TOKENS.items()
              if all(name in shown for name in channels)}  # fmt: skip
    count = len(next(iter(shown.values())))

    def answer(part: range) -> Floats:
        rows, tokens = slice(part.start, part.stop), []
        for group, (number, channels) in groups.items():
            values = np.stack([shown[name][rows] for name in channels], axis=-1, dtype=np.float32)
            mark = held["channel_embed.weight"][number].expand(len(months), -1)
            told = _linear(held, f"eo_patch_embed.{group}",
                           torch.from_numpy(values).to(machine.device))  # fmt: skip
            tokens.append(told + torch.cat([month, mark, place], dim=1))
        with torch.inference_mode():
            x = torch.cat(tokens, dim=1)
            for block in range(_BLOCKS):
                x = _block(held, f"blocks.{block}", x)
            return np.asarray(_norm(held, "norm", x.mean(dim=1)).cpu().numpy(), dtype=np.float64)

    found = np.zeros((count, WIDTH))
    for part, numbers in in_batches(count, _BATCH, answer):
        found[part.start : part.stop] = numbers
    return found


def _block(held: Mapping[str, Any], block: str, x: Any) -> Any:
    """Return the tokens after they looked at one another and each was turned by itself."""
    import torch

    told = _linear(held, f"{block}.attn.qkv", _norm(held, f"{block}.norm1", x))
    parts = told.unflatten(2, (3, _HEADS, WIDTH // _HEADS)).permute(2, 0, 3, 1, 4)
    mixed = torch.nn.functional.scaled_dot_product_attention(*parts)
    x = x + _linear(held, f"{block}.attn.proj", mixed.transpose(1, 2).flatten(2))
    inner = _linear(held, f"{block}.mlp.fc1", _norm(held, f"{block}.norm2", x))
    return x + _linear(held, f"{block}.mlp.fc2", torch.nn.functional.gelu(inner))


def _linear(held: Mapping[str, Any], name: str, values: Any) -> Any:
    import torch

    return torch.nn.functional.linear(values, held[f"{name}.weight"], held[f"{name}.bias"])


def _norm(held: Mapping[str, Any], name: str, values: Any) -> Any:
    import torch

    return torch.nn.functional.layer_norm(
        values, (WIDTH,), held[f"{name}.weight"], held[f"{name}.bias"]
    )
