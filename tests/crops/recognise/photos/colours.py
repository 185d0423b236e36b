"""A photo model for tests alone: the mean colour of photographs that the tests draw themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.recognise.photos.picture import Pixels

Floats = NDArray[np.float64]


def field(colour: Sequence[int], rng: np.random.Generator, spread: float = 25.0) -> Pixels:
    """Draw a field of one colour, lit in its own way, each pixel with noise."""
    light = rng.normal(0.0, spread, 3)
    pixels = np.asarray(colour) + light + rng.normal(0.0, 20.0, (24, 32, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class ColourModel:
    """Gaussian mean colours of equal spread, each class as likely as the other."""

    colours: Mapping[str, Sequence[float]]
    spread: float = 25.0

    @property
    def classes(self) -> Sequence[str]:
        return tuple(self.colours)

    @property
    def shares(self) -> Sequence[float]:
        return (1 / len(self.colours),) * len(self.colours)

    def predict(self, photos: Sequence[Pixels]) -> Floats:
        means = np.array([photo.reshape(-1, 3).mean(axis=0) for photo in photos])
        centres = np.array(list(self.colours.values()), dtype=float)
        squares = ((means[:, None] - centres[None]) ** 2).sum(axis=2)
        logs = -squares / (2 * self.spread**2)
        odds = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))
