"""Villages, households, farmers and what they plant.

Owns who farms which field, orchard or greenhouse, how well, and which crop stands each season.
Names and numbers of persons are plainly invented: no telephone prefix and no identity checksum is
real.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from fieldline.workflows.simulate.cultivars import Cultivar
from fieldline.workflows.simulate.land import VILLAGE, Land
from fieldline.workflows.simulate.settings import HouseholdSettings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_RELATED = 0.15
_FAVOURITES = 4
_FAVOUR = 0.6


@dataclass(frozen=True)
class People:
    """Farmers of one tile and their fields."""

    farmers: pd.DataFrame
    """One row per farmer: farmer_id, household_id, household_size, village, skill, guarantor_id."""
    owner: Ints
    """Row of the farmer of each field, shape (fields,)."""
    grower: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Row of the farmer of each permanent ground of the land, in its order; empty where nobody
    claims any."""


def _farms(count: int, chances: tuple[float, ...], rng: np.random.Generator) -> Ints:
    """Return the farm of each of `count` neighbouring grounds: runs by the chances of 1, 2, ..."""
    sizes = rng.choice(len(chances), size=count, p=chances) + 1
    return np.repeat(np.arange(count), sizes)[:count]


def settle(
    land: Land, first: int, rng: np.random.Generator,
    homes: HouseholdSettings | None = None, *, growing: bool = False,
) -> People:  # fmt: skip
    """Give every field of a tile to a farmer of the nearest village.

    Args:
        land: The tile's land.
        first: Number of farmers in earlier tiles; ids go on from there.
        rng: Generator of this tile.
        homes: Sizes of farms and households; None takes the default.
        growing: Whether its orchards, greenhouses and tea gardens are claimed too.
    """
    homes = homes or HouseholdSettings()
    fields = land.polygons[land.fields]
    centres = shapely.get_coordinates(shapely.centroid(fields))
    hamlets = shapely.get_coordinates(shapely.centroid(land.polygons[land.kind == VILLAGE]))
    village = _nearest(centres, hamlets)
    order = np.lexsort((centres[:, 1], centres[:, 0], land.block[land.fields], village))
    farm = np.empty(len(fields), dtype=np.int64)
    farm[order] = _farms(len(fields), homes.plots, rng)
    grower = _growers(land, farm, centres, homes, rng) if growing else np.zeros(0, dtype=np.int64)
    count = int(max(farm.max(), grower.max(initial=0))) + 1
    home = np.zeros(count, dtype=np.int64)
    if growing:
        grounds = shapely.get_coordinates(shapely.centroid(land.polygons[land.permanent]))
        home[grower] = _nearest(grounds, hamlets)
    home[farm] = village
    numbers = np.arange(first + 1, first + count + 1)
    joins = (rng.random(count) < _RELATED) & (np.arange(count) > 0) & (home == np.roll(home, 1))
    household = np.where(joins, np.roll(numbers, 1), numbers)
    heads = rng.choice(len(homes.heads), size=count, p=homes.heads) + 1
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
    return People(farmers, farm, grower)


def _nearest(places: Floats, targets: Floats) -> Ints:
    """Return the position of the nearest target of each place."""
    apart = np.hypot(*(places[:, None, :] - targets[None, :, :]).transpose(2, 0, 1))
    return np.asarray(apart.argmin(axis=1))


def _growers(
    land: Land, farm: Ints, centres: Floats, homes: HouseholdSettings, rng: np.random.Generator
) -> Ints:
    """Return who works each permanent ground: neighbouring ones go to one farm, which tills the
    nearest field too or grows nothing else."""
    grounds = land.permanent
    runs = _farms(len(grounds), homes.plots, rng)
    _, starts = np.unique(runs, return_index=True)
    places = shapely.get_coordinates(shapely.centroid(land.polygons[grounds[starts]]))
    tilling = farm[_nearest(places, centres)] if len(starts) else starts
    alone = rng.random(len(starts)) < homes.growers_alone
    owner = np.where(alone, farm.max() + np.cumsum(alone), tilling)
    return np.asarray(owner[runs], dtype=np.int64)


def plant(
    land: Land, cultivars: tuple[Cultivar, ...], seasons: int, rng: np.random.Generator,
    weights: Mapping[str, float] = MappingProxyType({}),
) -> Ints:  # fmt: skip
    """Choose the crop of every field and season, shape (seasons, fields).

    A block has favourites (its soil, its channel, its neighbours' machines), so that crops cluster;
    a field changes its crop between seasons by the same draw. `weights` stand for the shares of
    the crops that they name.
    """
    shares = np.array([weights.get(c.code, c.share) for c in cultivars])
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
