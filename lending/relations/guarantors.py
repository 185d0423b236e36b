"""Guarantors: rings of people who vouch for one another, and chains of them.

Owns the directed graph of guarantees. A ring is a set of at least three farmers of whom each is
behind every other (a strongly connected component); two neighbours who vouch for each other are
none, nor are people who apply together. A chain is a row of guarantors each of whom has the next
behind him.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from fieldline.lending.relations.people import Flags, Ints, People


@dataclass(frozen=True)
class Standing:
    """Where each farmer stands among guarantees, arrays of shape (farmers,)."""

    ring: Ints
    """Number of the ring; -1 for a farmer in none."""
    ring_size: Ints
    """Farmers of that ring; 0 in none."""
    behind: Ints
    """Guarantors who stand one behind the other behind the farmer, counted up to `most`."""


def standing(
    people: People,
    guarantees: pd.DataFrame,
    together: Iterable[frozenset[str]],
    *,
    least: int,
    most: int,
) -> Standing:
    """Return rings and chains of guarantees.

    Args:
        people: Applicants.
        guarantees: Frame with `farmer_id`, for whom, and `guarantor_id`, by whom (pseudonyms).
        together: Groups of farmers who apply together: what they sign for one another is their
            agreement and no ring.
        least: Fewest farmers of a ring.
        most: How many guarantors behind one another are counted at most.
    """
    count = len(people)
    for_whom, by_whom = people.places(guarantees["farmer_id"]), people.places(
        guarantees["guarantor_id"]
    )  # fmt: skip
    known = (for_whom >= 0) & (by_whom >= 0) & (for_whom != by_whom)
    known &= ~_agreed(guarantees, together)
    graph = _graph(for_whom[known], by_whom[known], count)
    label = connected_components(graph, directed=True, connection="strong")[1].astype(np.int64)
    size = np.bincount(label, minlength=1)
    in_ring = size[label] >= least
    within = np.flatnonzero(in_ring)
    for _, places in pd.Series(within).groupby(label[within]):
        ring = places.to_numpy(dtype=np.int64)
        if len(np.unique(people.household[ring])) < least:
            in_ring[ring] = False
    return Standing(
        np.where(in_ring, label, -1),
        np.where(in_ring, size[label], 0),
        _behind(graph, label, most),
    )


def _agreed(guarantees: pd.DataFrame, together: Iterable[frozenset[str]]) -> Flags:
    """Whether each guarantee is one between two who apply together."""
    groups: dict[str, set[int]] = defaultdict(set)
    for number, group in enumerate(together):
        for farmer in group:
            groups[farmer].add(number)
    pairs = zip(guarantees["farmer_id"], guarantees["guarantor_id"], strict=True)
    nobody = set[int]()
    return np.array(
        [not groups.get(a, nobody).isdisjoint(groups.get(b, nobody)) for a, b in pairs], dtype=bool
    )


def _graph(for_whom: Ints, by_whom: Ints, count: int) -> csr_matrix:
    ones = np.ones(len(for_whom), dtype=bool)
    return coo_matrix((ones, (for_whom, by_whom)), shape=(count, count)).tocsr()


def _behind(graph: csr_matrix, label: Ints, most: int) -> Ints:
    """Return the longest row of guarantors behind each farmer, those of one ring left out."""
    edges = graph.tocoo()
    apart = label[edges.row] != label[edges.col]
    onward = _graph(edges.row[apart], edges.col[apart], graph.shape[0]).astype(np.int64)
    behind = np.zeros(graph.shape[0], dtype=np.int64)
    reached = np.ones(graph.shape[0], dtype=bool)
    for length in range(1, most + 1):
        reached = (onward @ reached.astype(np.int64)) > 0
        behind[reached] = length
    return behind
