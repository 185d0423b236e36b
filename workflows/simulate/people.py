"""Villages, households, farmers and what they plant.

Owns who farms which field, how well, and which crop stands on it each season. Names and numbers of
persons are plainly invented: no telephone prefix and no identity checksum is real.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from fieldline.workflows.simulate.cultivars import Cultivar
from fieldline.workflows.simulate.land import VILLAGE, Land

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FARM_SIZES = (0.30, 0.27, 0.18, 0.12, 0.08, 0.05)
"""Chance of farms of 1 to 6 parcels."""
_RELATED = 0.15
_HEAD_CHANCES = (0.08, 0.22, 0.25, 0.22, 0.14, 0.09)
_FAVOURITES = 4
_FAVOUR = 0.6


@dataclass(frozen=True)
class People:
    """Farmers of one tile and their fields."""

    farmers: pd.DataFrame
    """One row per farmer: farmer_id, household_id, household_size, village, skill, guarantor_id."""
    owner: Ints
    """Row of the farmer of each field, shape (fields,)."""


def _farms(count: int, rng: np.random.Generator) -> Ints:
    """Return the farm of each of `count` neighbouring fields: runs of 1 to 6."""
    sizes = rng.choice(len(_FARM_SIZES), size=count, p=_FARM_SIZES) + 1
    return np.repeat(np.arange(count), sizes)[:count]


def settle(land: Land, first: int, rng: np.random.Generator) -> People:
    """Give every field of a tile to a farmer of the nearest village.

    Args:
        land: The tile's land.
        first: Number of farmers in earlier tiles; ids go on from there.
        rng: Generator of this tile.
    """
    fields = land.polygons[land.fields]
    centres = shapely.get_coordinates(shapely.centroid(fields))
    hamlets = shapely.get_coordinates(shapely.centroid(land.polygons[land.kind == VILLAGE]))
    distance = np.hypot(*(centres[:, None, :] - hamlets[None, :, :]).transpose(2, 0, 1))
    village = distance.argmin(axis=1)
    order = np.lexsort((centres[:, 1], centres[:, 0], land.block[land.fields], village))
    farm = np.empty(len(fields), dtype=np.int64)
    farm[order] = _farms(len(fields), rng)
    count = int(farm.max()) + 1
    home = np.zeros(count, dtype=np.int64)
    home[farm] = village
    numbers = np.arange(first + 1, first + count + 1)
    joins = (rng.random(count) < _RELATED) & (np.arange(count) > 0) & (home == np.roll(home, 1))
    household = np.where(joins, np.roll(numbers, 1), numbers)
    heads = rng.choice(len(_HEAD_CHANCES), size=count, p=_HEAD_CHANCES) + 1
    neighbour = np.where(rng.random(count) < 0.2, np.roll(numbers, -1), 0)
    farmers = pd.DataFrame(
        {
            "farmer_id": [f"F{n:07d}" for n in numbers],
            "household_id": [f"H{n:07d}" for n in household],
            "household_size": np.where(joins, np.roll(heads, 1), heads),
            "village": [f"Village {first // 1000:03d}-{v + 1:02d}" for v in home],
            "skill": np.clip(rng.beta(4.4, 3.6, count), 0.05, 0.98),
            "guarantor_id": [f"F{n:07d}" if n else "" for n in neighbour],
        }
    )
    return People(farmers, farm)


def plant(
    land: Land, cultivars: tuple[Cultivar, ...], seasons: int, rng: np.random.Generator
) -> Ints:
    """Choose the crop of every field and season, shape (seasons, fields).

    A block has favourites (its soil, its channel, its neighbours' machines), so that crops cluster;
    a field changes its crop between seasons by the same draw.
    """
    shares = np.array([c.share for c in cultivars])
    shares = shares / shares.sum()
    blocks, place = np.unique(land.block[land.fields], return_inverse=True)
    count = min(_FAVOURITES, len(cultivars))
    favourites = np.array(
        [rng.choice(len(cultivars), count, replace=False, p=shares) for _ in blocks]
    )
    fields = len(place)
    chosen = []
    for _ in range(seasons):
        general = rng.choice(len(cultivars), size=fields, p=shares)
        local = favourites[place, rng.integers(0, count, fields)]
        chosen.append(np.where(rng.random(fields) < _FAVOUR, local, general))
    return np.array(chosen, dtype=np.int64)


def person(number: int) -> dict[str, str]:
    """Return invented personal data that no real person can have."""
    return {
        "name": f"模拟农户{number:07d}",
        "phone": f"000-{number // 10_000:04d}-{number % 10_000:04d}",
        "id_number": f"SIMULATED-{number:07d}",
    }
