"""Shared contacts and rings of guarantors, held against networkx and counting by hand."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.lending.relations.guarantors import standing
from fieldline.lending.relations.people import People
from fieldline.lending.relations.regions import crowded
from fieldline.lending.relations.sharing import linked_households, shared_contacts


def people(count: int, households: list[int] | None = None) -> People:
    """Return farmers a kilometre apart on a line, a household each unless others are given."""
    names = np.array([f"F{i:03d}" for i in range(count)], dtype=object)
    homes = np.arange(count) if households is None else np.array(households)
    return People(names, homes.astype(np.int64), np.arange(count, dtype=float), np.zeros(count))


def contacts(*rows: tuple[int, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [(f"F{i:03d}", kind, mark) for i, kind, mark in rows],
        columns=["farmer_id", "kind", "mark"], dtype="str",
    )  # fmt: skip


def test_a_contact_counts_households_farmers_and_the_distance_of_their_land() -> None:
    given_by = contacts(
        (0, "phone", "x"), (1, "phone", "x"), (4, "phone", "x"), (9, "phone", "x"),
        (2, "phone", "y"), (3, "bank_account", "x"),
    )  # fmt: skip
    shared = shared_contacts(people(5, [0, 0, 1, 2, 3]), given_by)  # F009 is no applicant
    assert shared.kind.tolist() == ["phone"]
    assert (shared.households.tolist(), shared.farmers.tolist()) == ([2], [3])
    assert shared.extent_km.tolist() == [4.0]
    assert shared.members(0).tolist() == [0, 1, 4]


def test_land_that_nobody_knows_is_far() -> None:
    folk = people(2)
    folk.east[1] = np.nan
    assert shared_contacts(folk, contacts((0, "phone", "x"), (1, "phone", "x"))).extent_km == np.inf


def test_nobody_shares_nothing() -> None:
    assert len(shared_contacts(people(2), contacts()).kind) == 0
    assert len(shared_contacts(people(0, []), contacts((0, "phone", "x"))).kind) == 0


pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=18)


@given(pairs)
def test_components_are_those_of_networkx(ties: list[tuple[int, int]]) -> None:
    rows = [(farmer, "phone", f"m{n}") for n, pair in enumerate(ties) for farmer in set(pair)]
    folk = people(10, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    shared = shared_contacts(folk, contacts(*rows))
    linked = linked_households(folk, shared, shared.households > 1)
    graph = nx.Graph()
    graph.add_nodes_from(range(9))
    graph.add_edges_from((folk.household[a], folk.household[b]) for a, b in ties)
    for part in nx.connected_components(graph):
        for farmer in range(10):
            if folk.household[farmer] in part:
                assert linked.households[linked.component[farmer]] == len(part)


@given(pairs)
def test_rings_and_chains_are_those_of_networkx(ties: list[tuple[int, int]]) -> None:
    folk = people(10)
    frame = pd.DataFrame(
        [(f"F{a:03d}", f"F{b:03d}") for a, b in ties], columns=["farmer_id", "guarantor_id"],
        dtype="str",
    )  # fmt: skip
    found = standing(folk, frame, (), least=3, most=20)
    graph = nx.DiGraph([(a, b) for a, b in ties if a != b])
    graph.add_nodes_from(range(10))
    for ring in nx.strongly_connected_components(graph):
        for farmer in ring:
            assert found.ring_size[farmer] == (len(ring) if len(ring) >= 3 else 0)
    condensed = nx.condensation(graph)
    place = condensed.graph["mapping"]
    apart = nx.DiGraph([(a, b) for a, b in graph.edges if place[a] != place[b]])
    apart.add_nodes_from(range(10))
    for farmer in range(10):
        reached = nx.descendants(apart, farmer) | {farmer}
        assert found.behind[farmer] == nx.dag_longest_path_length(apart.subgraph(reached))


def test_a_ring_of_one_two_neighbours_and_a_joint_application_are_none() -> None:
    rows = [("F000", "F000"), ("F001", "F002"), ("F002", "F001"), ("F003", "F004"),
            ("F004", "F005"), ("F005", "F003")]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["farmer_id", "guarantor_id"])
    alone = standing(people(6), frame, (), least=3, most=4)
    assert alone.ring_size.tolist() == [0, 0, 0, 3, 3, 3]
    agreed = frozenset({"F003", "F004", "F005", "F000"})
    assert standing(people(6), frame, (agreed,), least=3, most=4).ring_size.sum() == 0
    kin = people(6, [0, 1, 2, 3, 3, 4])  # two of the three are one household
    assert standing(kin, frame, (), least=3, most=4).ring_size.sum() == 0


def test_many_of_a_village_by_the_binomial_tail_worked_by_hand() -> None:
    # 4 of 8 here, 0 of 30 there: elsewhere .5 / 31 = .0161; the tail of 4 or more of 8 is
    # 70 x .0161^4 x .9839^4 + ... = 4.5e-6, twice that for two villages.
    region = np.array([0] * 8 + [1] * 30)
    sign = np.zeros(38, dtype=bool)
    sign[:4] = True
    assert crowded(region, sign, least=3, chance=1e-4).tolist() == [4] * 8 + [0] * 30
    assert crowded(region, sign, least=3, chance=8e-6).sum() == 0
    assert crowded(region, sign, least=5, chance=1e-4).sum() == 0


@pytest.mark.parametrize("count", [1, 2])
def test_a_county_of_one_village_has_no_elsewhere(count: int) -> None:
    # all share the only village: elsewhere (0 + .5) / (0 + 1) = .5, and 3 of 4 is no wonder
    sign = np.array([True, True, True, False] * count)
    assert crowded(np.zeros(4 * count, dtype=np.int64), sign, least=3, chance=0.001).sum() == 0
