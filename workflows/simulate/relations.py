"""Contacts and guarantees of a simulated county: what honest people share, and planted frauds.

Owns who gives which phone, account and address, who vouches for whom beyond neighbours, and the
truth of the frauds. It draws from a generator of its own: no field, crop or amount moves by it.
Shares are assumptions, for no register of such frauds is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.workflows.simulate.settings import RelationShares

Ints = npt.NDArray[np.int64]

RINGS = ("straw_phone", "straw_account", "evading", "guarantor_ring", "same_person")
"""Kinds of planted fraud among contacts and guarantees."""

_RING = (4, 8)
"""Members of a planted ring, both ends included."""
_ONE_VILLAGE = 0.33
"""Share of the rings whose members are all of one village."""
_CLERK = (4, 9)
"""Elderly of one village who give the number of its office."""
_GROUP = (3, 5)
"""Members of an honest group who apply together and vouch for one another."""


@dataclass
class Ties:
    """What the people of a county give and sign; one row per farmer in `given`."""

    given: pd.DataFrame
    """Columns `farmer_id, household_id, village, phone, bank_account, address, id_number`."""
    guarantees: list[tuple[str, str]] = field(default_factory=list)
    """For whom and by whom, beyond what neighbours sign."""
    joint: list[tuple[str, ...]] = field(default_factory=list)
    """Groups who apply together."""
    frauds: dict[str, str] = field(default_factory=dict)
    """Kind of planted fraud by farmer."""


def draw_ties(
    farmers: pd.DataFrame, contacts: pd.DataFrame, shares: RelationShares,
    rng: np.random.Generator,
) -> Ties:  # fmt: skip
    """Draw contacts, guarantees and frauds.

    Args:
        farmers: Columns `farmer_id`, `household_id`, `village`.
        contacts: Each farmer's own `phone`, `bank_account`, `address` and `id_number`.
        shares: How many share what, and how many cheat.
        rng: Generator.
    """
    given = farmers[["farmer_id", "household_id", "village"]].reset_index(drop=True)
    draft = _Draft.of(given, contacts, Ties(given))
    _families(draft, shares, rng)
    _village_offices(draft, shares, rng)
    free = _honest_groups(draft, shares, rng)
    _plant(draft, shares, free, rng)
    draft.ties.given = given.assign(**draft.texts)
    return draft.ties


@dataclass(frozen=True)
class _Draft:
    """A county while it is drawn: arrays by farmer, for a table copies a column at each change."""

    ties: Ties
    names: npt.NDArray[np.object_]
    homes: npt.NDArray[np.object_]
    villages: npt.NDArray[np.object_]
    texts: dict[str, npt.NDArray[np.object_]]
    """What each farmer gives, by column of `given`."""
    neighbours: list[Ints]
    """Farmers by village."""

    @classmethod
    def of(cls, given: pd.DataFrame, contacts: pd.DataFrame, ties: Ties) -> _Draft:
        return cls(
            ties,
            names=given["farmer_id"].to_numpy(dtype=object),
            homes=given["household_id"].to_numpy(dtype=object),
            villages=given["village"].to_numpy(dtype=object),
            texts={str(n): contacts[n].to_numpy(dtype=object, copy=True) for n in contacts},
            neighbours=[np.asarray(at) for at in given.groupby("village").indices.values()],
        )

    def share(self, members: Ints, column: str, like: int) -> None:
        """Have members give what one of them gives."""
        self.texts[column][members] = self.texts[column][like]


def _families(draft: _Draft, shares: RelationShares, rng: np.random.Generator) -> None:
    """A household that has divided: two of a village who share a phone, or an account too."""
    for village in draft.neighbours:
        count = int(rng.binomial(len(village) // 2, shares.family))
        chosen = rng.permutation(village)[: 2 * count].reshape(-1, 2)
        for pair in chosen:
            for column in ("phone", "bank_account", "address"):
                if column == "phone" or rng.random() < 0.5:
                    draft.share(pair, column, pair[0])


def _village_offices(draft: _Draft, shares: RelationShares, rng: np.random.Generator) -> None:
    """In some villages the elderly give the number of the village office, and its address."""
    for village in draft.neighbours:
        if rng.random() < shares.village_office and len(village) > _CLERK[1]:
            elderly = rng.permutation(village)[: rng.integers(_CLERK[0], _CLERK[1] + 1)]
            draft.share(elderly, "phone", int(elderly[0]))
            draft.share(elderly, "address", int(elderly[0]))


def _honest_groups(draft: _Draft, shares: RelationShares, rng: np.random.Generator) -> Ints:
    """Neighbours vouch for each other in pairs, or as a group that applies together."""
    ties, names, taken = draft.ties, draft.names, set[int]()
    for village in draft.neighbours:
        order = rng.permutation(village)
        while len(order) >= _GROUP[1] and rng.random() < shares.vouching * len(order):
            size = 2 if rng.random() < 0.5 else int(rng.integers(_GROUP[0], _GROUP[1] + 1))
            group, order = order[:size], order[size:]
            for whom in group:
                ties.guarantees += [(names[whom], names[by]) for by in group if by != whom]
            if size > 2:
                ties.joint.append(tuple(names[group]))
            taken.update(group.tolist())
            if len(taken) > shares.vouching * len(names) * 2:
                break
    return np.array([i for i in range(len(names)) if i not in taken], dtype=np.int64)


def _plant(draft: _Draft, shares: RelationShares, free: Ints, rng: np.random.Generator) -> None:
    names = draft.names
    left = rng.permutation(free)
    wanted = round(shares.fraud * len(names))
    while wanted > 0 and len(left) >= _RING[1]:
        kind = RINGS[int(rng.integers(len(RINGS)))]
        size = 2 if kind == "same_person" else int(rng.integers(_RING[0], _RING[1] + 1))
        ring, left = _recruited(draft, left, size, rng)
        for farmer in ring:
            draft.ties.frauds[str(names[farmer])] = kind
        _commit(draft, kind, ring)
        wanted -= len(ring)


def _recruited(
    draft: _Draft, left: Ints, size: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:  # fmt: skip
    """Take the members of a ring: some rings come from one village alone."""
    villages, homes = draft.villages, draft.homes
    one_village = rng.random() < _ONE_VILLAGE
    places = (
        np.flatnonzero(villages[left] == villages[left[0]]) if one_village else range(len(left))
    )
    taken: dict[Any, int] = {}
    for place in places:  # the first of each household, and no further than the ring is full
        taken.setdefault(homes[left[place]], int(place))
        if len(taken) == size:
            break
    chosen = np.array(list(taken.values()), dtype=np.int64)
    return left[chosen], np.delete(left, chosen)


def _commit(draft: _Draft, kind: str, ring: Ints) -> None:
    if kind == "straw_phone":
        draft.share(ring, "phone", int(ring[0]))
    elif kind == "straw_account":
        draft.share(ring, "bank_account", int(ring[0]))
    elif kind == "same_person":
        draft.share(ring, "id_number", int(ring[0]))
    elif kind == "evading":
        for column, pair in _chain(ring):
            draft.share(pair, column, int(pair[0]))
    else:
        ring_on = np.roll(ring, -1)
        pairs = zip(draft.names[ring], draft.names[ring_on], strict=True)
        draft.ties.guarantees += list(pairs)


def _chain(ring: Ints) -> Iterator[tuple[str, Ints]]:
    """Tie members in pairs, by phone and account in turn, so that nothing is shared by three."""
    for place in range(len(ring) - 1):
        yield ("phone", "bank_account")[place % 2], ring[place : place + 2]
