"""Planted frauds found and honest people asked, over simulated counties; and how fast that is.

    python -m tests.benchmarks.relations --seeds 5 --farmers 20000
    python -m tests.benchmarks.relations --speed --farmers 1000000
    python -m tests.benchmarks.relations --overlaps 100000

The first draws people, contacts, guarantees and land of villages, plants frauds in a share of the
farmers and prints, per kind and in all, how many of them are asked about anything, and which share
of the honest is. Whether nothing is seen to grow on a parcel is drawn by the rates that the images
of the simulated county gave: of 15 rings on forest, village and greenhouse 13 were idle in both
seasons, of 516 honest ones none (one in one season); half a percent is taken for the honest here.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from fieldline.lending.relations.judge import Known, relations_of
from fieldline.lending.relations.people import People
from fieldline.lending.relations.settings import RelationSettings
from fieldline.pipeline.parcels.overlaps import overlapping_pairs
from fieldline.workflows.simulate.relations import Ties, draw_ties
from fieldline.workflows.simulate.settings import RelationShares

FRAUD = 0.04
"""Share of the farmers in planted rings; a fourth as many farm nothing on several parcels."""
SEEN_IDLE, IDLE_BY_MISTAKE = 13 / 15, 0.005
VILLAGE_KM, VILLAGE_FARMERS = 3.0, 60
_CONTACTS = ("phone", "bank_account", "address", "id_number")


@dataclass(frozen=True)
class World:
    """A simulated county and the truth of it."""

    people: People
    known: Known
    frauds: dict[str, str]
    """Kind of fraud by farmer."""


def world(count: int, seed: int, fraud: float = FRAUD) -> World:
    """Draw a county of villages."""
    rng = np.random.default_rng([seed, 15])
    village = np.arange(count) // VILLAGE_FARMERS
    across = int(np.ceil(np.sqrt(village[-1] + 1)))
    related = (rng.random(count) < 0.15) & (np.arange(count) % VILLAGE_FARMERS > 0)
    home = np.cumsum(~related) - 1
    names = np.array([f"F{i:07d}" for i in range(count)], dtype=object)
    people = People(
        names, home.astype(np.int64),
        village % across * VILLAGE_KM + rng.normal(0, 0.35, count),
        village // across * VILLAGE_KM + rng.normal(0, 0.35, count),
    )  # fmt: skip
    farmers = pd.DataFrame({"farmer_id": names, "household_id": home, "village": village})
    own = pd.DataFrame({
        kind: home if kind == "address" else np.arange(count) for kind in _CONTACTS
    }).astype(str)  # fmt: skip
    ties = draw_ties(farmers, own, RelationShares(fraud=fraud), rng)
    frauds = dict(ties.frauds)
    idle, claimed = _land(names, village, frauds, fraud / 4, rng)
    return World(people, Known(
        contacts=_contacts(ties), guarantees=_guarantees(ties, names, rng),
        together=tuple(frozenset(group) for group in ties.joint), idle=idle,
        claimed_m2=claimed, villages=pd.Series(village.astype(str), index=names),
    ), frauds)  # fmt: skip


def _contacts(ties: Ties) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"farmer_id": ties.given["farmer_id"], "kind": kind, "mark": ties.given[kind]})
        for kind in _CONTACTS
    ]
    return pd.concat(parts, ignore_index=True)


def _guarantees(
    ties: Ties, names: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:  # fmt: skip
    """Neighbours sign for one farmer in seventeen, as in the simulated county; rings besides."""
    signs = np.flatnonzero(rng.random(len(names) - 1) < 0.06)
    honest = list(zip(names[signs], names[signs + 1], strict=True))
    return pd.DataFrame([*honest, *ties.guarantees], columns=["farmer_id", "guarantor_id"])


def _land(
    names: np.ndarray, village: np.ndarray, frauds: dict[str, str], share: float,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.Series]:  # fmt: skip
    """Draw one to six parcels a farmer; who farms nothing has three to five, two alone are land."""
    parcels = rng.choice(6, size=len(names), p=(0.30, 0.27, 0.18, 0.12, 0.08, 0.05)) + 1
    idle_chance = np.full((len(names), 6), IDLE_BY_MISTAKE)
    honest = np.array([i for i, name in enumerate(names) if name not in frauds])
    for place in rng.permutation(honest)[: round(share * len(names))]:
        frauds[str(names[place])] = "fake_farming"
        parcels[place] = rng.integers(3, 6)
        idle_chance[place, : parcels[place] - rng.integers(0, 2)] = SEEN_IDLE
    seen = (rng.random((len(names), 6)) < idle_chance) & (np.arange(6) < parcels[:, None])
    farmer, number = np.nonzero(seen)
    idle = pd.DataFrame({
        "farmer_id": names[farmer],
        "parcel_id": [f"{n}-{p}" for n, p in zip(names[farmer], number, strict=True)],
        "area_m2": 2000.0, "seasons": 2,
    })  # fmt: skip
    return idle, pd.Series(2000.0 * parcels, index=names)


def scores(seeds: int, count: int) -> Iterator[dict[str, object]]:
    """Yield what was found and who was accused, seed by seed."""
    for seed in range(seeds):
        made = world(count, seed)
        asked = set(relations_of(made.people, made.known, RelationSettings())["farmer_id"])
        planted, found = Counter(made.frauds.values()), Counter(
            kind for farmer, kind in made.frauds.items() if farmer in asked
        )  # fmt: skip
        honest = set(made.people.farmer_id) - set(made.frauds)
        yield {
            "seed": seed,
            "planted": sum(planted.values()),
            "recall": round(sum(found.values()) / sum(planted.values()), 4),
            "honest_asked": round(len(asked & honest) / len(honest), 5),
            "recall_by_kind": {k: round(found[k] / n, 3) for k, n in sorted(planted.items())},
        }


def speed(count: int) -> dict[str, object]:
    """Return how long the relations of so many farmers take, s, and the greatest memory, GB."""
    made = world(count, 0)
    began = time.perf_counter()
    rows = relations_of(made.people, made.known, RelationSettings())
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"farmers": count, "relations": len(rows), "seconds": round(took, 1),
            "peak_gb_with_the_drawing": round(peak, 2)}  # fmt: skip


def overlaps(count: int) -> dict[str, object]:
    """Return how long the overlapping pairs of so many wall-to-wall outlines take, s."""
    rng = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(count)))
    x, y = np.divmod(np.arange(count), side)
    corners = np.stack([x, y, x + 1, y + 1]).T * 50.0 + rng.normal(0, 1.0, (count, 4))
    shapes = shapely.segmentize(shapely.box(*corners.T), 12.0)
    began = time.perf_counter()
    pairs = overlapping_pairs(shapes)
    return {
        "outlines": count,
        "pairs": len(pairs),
        "seconds": round(time.perf_counter() - began, 2),
    }


def main() -> None:
    """Print one line of JSON per seed, or the speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--farmers", type=int, default=20_000)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--overlaps", type=int, default=0)
    given = parser.parse_args()
    if given.overlaps:
        print(json.dumps(overlaps(given.overlaps)))
    elif given.speed:
        print(json.dumps(speed(given.farmers)))
    else:
        for row in scores(given.seeds, given.farmers):
            print(json.dumps(row))


if __name__ == "__main__":
    main()
