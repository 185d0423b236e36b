"""Each waiting farmer belongs to one reviewer, neighbours together, loads level."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.desk.app.assignment import by_grid, by_village, names_of
from fieldline.pipeline.records.errors import UserError

PEOPLE = st.integers(1, 6).map(lambda count: [f"R{k}" for k in range(count)])
VILLAGES = st.dictionaries(
    st.integers(0, 500).map("F{:03d}".format), st.sampled_from("ABCDEFG"), min_size=1, max_size=60
)
PLACES = st.dictionaries(
    st.integers(0, 500).map("F{:03d}".format),
    st.tuples(st.floats(-9e3, 9e3), st.floats(-9e3, 9e3)), min_size=1, max_size=60,
)  # fmt: skip


@given(VILLAGES, PEOPLE)
def test_by_village_nobody_is_split_from_the_village_and_loads_are_level(
    villages: dict[str, str], people: list[str]
) -> None:
    owners = by_village(villages, people, {})
    assert owners.keys() == villages.keys()
    for village in set(villages.values()):
        assert len({owners[f] for f in villages if villages[f] == village}) == 1
    loads = [list(owners.values()).count(person) for person in people]
    assert max(loads) - min(loads) <= max(Counter(villages.values()).values())


@given(PLACES, PEOPLE)
def test_by_grid_cells_stay_whole_and_parts_are_equal_but_for_a_cell(
    places: dict[str, tuple[float, float]], people: list[str]
) -> None:
    owners = by_grid(places, people)
    assert owners.keys() == places.keys()
    cell = {f: (x // 2000, y // 2000) for f, (x, y) in places.items()}
    for one in set(cell.values()):
        assert len({owners[f] for f in places if cell[f] == one}) == 1
    fair = len(places) / len(people)
    largest = max(Counter(cell.values()).values())
    for person in people:
        assert abs(list(owners.values()).count(person) - fair) <= largest


def test_the_grid_is_walked_to_and_fro() -> None:
    """Two rows of three cells: 1 2 3 above, 6 5 4 below; three people get two neighbours each."""
    middle = (1000, 3000, 5000)
    row = {f"n{k}": (float(east), 3000.0) for k, east in enumerate(middle)}
    places = row | {f"s{k}": (float(east), 1000.0) for k, east in enumerate(middle)}
    owners = by_grid(places, ["A", "B", "C"])
    assert owners == {"s0": "A", "s1": "A", "s2": "B", "n2": "B", "n1": "C", "n0": "C"}


def test_who_holds_a_village_keeps_it_and_new_ones_go_to_who_has_least() -> None:
    villages = {"a1": "A", "a2": "A", "a3": "A", "b1": "B", "c1": "C", "x": ""}
    held = {"a1": "Bo", "b1": "Gone"}
    owners = by_village(villages, ["Ann", "Bo"], held)
    assert [owners[f] for f in ("a1", "a2", "a3")] == ["Bo"] * 3
    assert {owners[f] for f in ("b1", "c1", "x")} == {"Ann"}


@pytest.mark.parametrize("text", ["", " \n ", "Ann\nann b\nAnn", "x" * 101])
def test_names_that_are_none_are_told(text: str) -> None:
    with pytest.raises(UserError):
        names_of(text)


def test_names_are_read_one_a_line() -> None:
    assert names_of(" Ann  Li \n\nBo\n") == ("Ann Li", "Bo")
