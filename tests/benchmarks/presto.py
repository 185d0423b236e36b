"""What a public encoder of pixel series would add where labels are few: Presto's, kept as it is.

    python -m tests.benchmarks.presto presto_default_model.pt arkansas.npz [SERIES]

Presto's encoder answers with 128 numbers a series, a linear classifier learns from those, and its
log probabilities join those of extra-trees on our own features at a quarter of their weight; beside
it the same with a linear classifier on the monthly means that the encoder was shown, for any second
opinion helps a little. Nothing of it serves: this measures whether it should. The weights are read
as tensors alone (`weights_only`), never as code.

Source: Tseng et al. (2023) Lightweight, pre-trained transformers for remote sensing timeseries; the
order of channels, groups and tokens is that of its public weights (MIT).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fieldline.crops.recognise.features import features
from fieldline.crops.recognise.points import BANDS, Points, read_points
from fieldline.crops.recognise.protocols import Protocol, splits

TOKENS = {
    "S2_RGB": (1, ("B02", "B03", "B04")), "S2_Red_Edge": (2, ("B05", "B06", "B07")),
    "S2_NIR_10m": (3, ("B08",)), "S2_NIR_20m": (4, ("B8A",)), "S2_SWIR": (5, ("B11", "B12")),
    "NDVI": (8, ("NDVI",)),
}  # fmt: skip
"""Groups of channels that make a token of a month, with the number of their learnt mark; radar,
weather, terrain and land cover are not shown, as the encoder was trained to do without any."""
MONTHS, WIDE, HEADS = 12, 128, 8
LABELS, SEEDS, WEIGHT, TINY = (10, 30, 100), 3, 0.25, 1e-4
Weights = Mapping[str, Any]


def months_of(points: Points) -> dict[str, np.ndarray]:
    """Return monthly means, (series, months) by channel, of series over a calendar year."""
    count, steps, bands = points.cube.values.shape
    mean = points.cube.values.reshape(count, MONTHS, steps // MONTHS, bands).mean(axis=2)
    shown = {name: mean[..., at] for at, name in enumerate(BANDS)}
    total = np.maximum(shown["B08"] + shown["B04"], 1e-6)
    return shown | {"NDVI": (shown["B08"] - shown["B04"]) / total}


def _linear(weights: Weights, name: str, values: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.linear(values, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _norm(weights: Weights, name: str, values: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(
        values, (WIDE,), weights[f"{name}.weight"], weights[f"{name}.bias"]
    )


def embedded(weights: Weights, months: Mapping[str, np.ndarray], lonlat: np.ndarray) -> np.ndarray:
    """Return the encoder's numbers, (series, 128).

    Args:
        weights: Of the encoder, by name.
        months: (series, months) reflectance and NDVI, January first.
        lonlat: (series, 2) degrees.
    """
    place = weights["pos_embed"][0, :MONTHS]
    month = weights["month_embed.weight"]
    tokens = []
    for group, (number, channels) in TOKENS.items():
        values = np.stack([months[name] for name in channels], axis=-1)
        mark = weights["channel_embed.weight"][number].expand(MONTHS, -1)
        told = _linear(weights, f"eo_patch_embed.{group}", torch.from_numpy(values).float())
        tokens.append(told + torch.cat([month, mark, place], dim=1))
    east, north = torch.deg2rad(torch.from_numpy(lonlat).float()).T
    globe = [north.cos() * east.cos(), north.cos() * east.sin(), north.sin()]
    where = _linear(weights, "latlon_embed", torch.stack(globe, dim=1))
    x = torch.cat([where[:, None], *tokens], dim=1)
    for block in range(2):
        x = x + _attention(weights, f"blocks.{block}", x)
        inner = _linear(
            weights, f"blocks.{block}.mlp.fc1", _norm(weights, f"blocks.{block}.norm2", x)
        )
        x = x + _linear(weights, f"blocks.{block}.mlp.fc2", torch.nn.functional.gelu(inner))
    return _norm(weights, "norm", x.mean(dim=1)).numpy()


def _attention(weights: Weights, block: str, x: torch.Tensor) -> torch.Tensor:
    told = _linear(weights, f"{block}.attn.qkv", _norm(weights, f"{block}.norm1", x))
    parts = told.unflatten(2, (3, HEADS, WIDE // HEADS)).permute(2, 0, 3, 1, 4)
    mixed = torch.nn.functional.scaled_dot_product_attention(*parts)
    return _linear(weights, f"{block}.attn.proj", mixed.transpose(1, 2).flatten(2))


def measured(points: Points, numbers: np.ndarray, shown: np.ndarray, labels: int) -> dict[str, Any]:
    """Return mean accuracies over the draws of a number of labels a class."""
    own, rows = features(points.cube, "full"), []
    for split in splits(points, Protocol.of(f"per-class:{labels}"), SEEDS, 5):
        train, test = split.train, split.test
        right = points.labels[test]
        trees = ExtraTreesClassifier(200, random_state=0).fit(own[train], points.labels[train])
        said = {"trees": np.log(trees.predict_proba(own[test]) + TINY)}
        for name, values in (("presto", numbers), ("months", shown)):
            linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
            linear.fit(values[train], points.labels[train])
            said[name] = np.log(linear.predict_proba(values[test]) + TINY)
        for name in ("presto", "months"):
            said[f"trees and {name}"] = said["trees"] + WEIGHT * said[name]
        rows.append({name: float((v.argmax(axis=1) == right).mean()) for name, v in said.items()})
    return {"labels": labels, "draws": rows} | {
        name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]
    }


def main(weights: Path, file: Path, series: int = 2500) -> None:
    """Print one JSON document per number of labels."""
    torch.set_num_threads(1)
    stored = torch.load(weights, map_location="cpu", weights_only=True)
    encoder = {n.removeprefix("encoder."): v for n, v in stored.items() if n.startswith("encoder.")}
    points = read_points(file)
    rows = np.random.default_rng(0).choice(len(points.labels), series, replace=False)
    points = replace(
        points, cube=points.of(rows), labels=points.labels[rows], lonlat=points.lonlat[rows]
    )
    months = months_of(points)
    with torch.inference_mode():
        numbers = embedded(encoder, months, points.lonlat)
    shown = np.concatenate(list(months.values()), axis=1)
    for labels in LABELS:
        print(json.dumps(measured(points, numbers, shown, labels)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *(int(text) for text in sys.argv[3:4]))
