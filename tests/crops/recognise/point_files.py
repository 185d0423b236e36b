"""Small archives of points whose right answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
PEAKS = {1: 12.0, 5: 18.0, 24: 5.0}
"""Peak of the season, in dates, of maize, soybean and winter wheat by CDL code."""


def arrays(count: int = 240, seed: int = 0, noise: float = 0.03) -> dict[str, Any]:
    """Points of three crops that peak at different times; two zones; a fifth of dates missing."""
    random = np.random.default_rng(seed)
    code = np.asarray(list(PEAKS))[np.arange(count) % 3]
    date = np.arange(24)[None, :]
    peak = np.asarray([PEAKS[c] for c in code])[:, None] + random.normal(0, 0.7, (count, 1))
    green = 0.15 + 0.65 * np.exp(-(((date - peak) / 4) ** 2))
    green = np.clip(green + random.normal(0, noise, green.shape), 0.02, 0.95)
    nir = 0.2 + 0.25 * green
    red = nir * (1 - green) / (1 + green)
    bands = {"B04": red, "B08": nir, "B8A": nir, "B02": 0.6 * red, "B03": 0.8 * red + 0.02,
             "B05": 0.5 * (red + nir), "B06": 0.3 * red + 0.7 * nir, "B07": 0.9 * nir,
             "B11": 0.3 - 0.15 * green, "B12": 0.22 - 0.15 * green}  # fmt: skip
    values = np.stack([bands[name] for name in BANDS], axis=-1) * 1e4
    values[random.random(green.shape) < 0.2] = 0
    lonlat = np.stack([random.uniform(-91, -90, count), random.uniform(34, 36, count)], axis=1)
    return {
        "X": values.round().astype(np.uint16), "cdl_code": code.astype(np.uint8),
        "lonlat": lonlat, "zone": (lonlat[:, 0] > -90.5).astype(np.uint8),
    }  # fmt: skip


def write(path: Path, **changed: Any) -> Path:
    """Write an archive, with some arrays changed or (None) left out."""
    held = {name: array for name, array in (arrays() | changed).items() if array is not None}
    np.savez(path, **held)
    return path
