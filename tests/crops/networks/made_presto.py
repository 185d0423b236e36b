"""Weights of Presto's shapes that teach nothing, and a table that knows them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.networks import presto


def made_weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Return random arrays by name, small enough that no unit saturates."""
    random = np.random.default_rng(seed)
    return {name: random.normal(0, 0.2, shape).astype(np.float32)
            for name, shape in presto._shapes().items()}  # fmt: skip


def write_torch(path: Path, weights: dict[str, np.ndarray]) -> Path:
    """Write them as the published file is: with its prefix, beside a decoder."""
    import torch

    stored = {f"encoder.{name}": torch.from_numpy(values) for name, values in weights.items()}
    torch.save(stored | {"decoder.norm.bias": torch.zeros(3)}, path)
    return path


def known(
    monkeypatch: pytest.MonkeyPatch, file: Path, weights: dict[str, np.ndarray] | None = None
) -> Path:
    """Let the table know a file and its arrays, and no other."""
    row = {
        "name": "made", "version": "1", "licence": "none", "source": "a test",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "arrays_sha256": presto.arrays_hash(weights or {}),
    }  # fmt: skip
    monkeypatch.setattr(presto, "table_rows", lambda _: [row])
    return file
