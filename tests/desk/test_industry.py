"""What is withheld from outsiders: no few farmers, and nothing that subtraction gives back."""

from __future__ import annotations

import numpy as np
import pytest

from fieldline.desk.app.industry import ALL, Cell, bridges, withheld


def with_totals(cells: dict[Cell, set[str]]) -> dict[Cell, set[str]]:
    full = dict(cells)
    for (village, crop), people in cells.items():
        for total in ((village, ALL), (ALL, crop), (ALL, ALL)):
            full[total] = full.get(total, set()) | people
    return full


def followed(hidden: set[Cell], cells: dict[Cell, set[str]]) -> set[Cell]:
    """Hidden cells that linear algebra gives back from the sums of rows and columns."""
    order = sorted(hidden)
    lines = []
    for axis in (0, 1):
        for name in {cell[axis] for cell in cells}:
            line = [0.0] * len(order)
            for number, cell in enumerate(order):
                if cell[axis] == name:
                    line[number] = -1.0 if cell[1 - axis] == ALL else 1.0
            lines.append(line)
    equations = np.array(lines)
    rank = np.linalg.matrix_rank(equations) if order else 0
    found = set()
    for number, cell in enumerate(order):
        one = np.zeros((1, len(order)))
        one[0, number] = 1.0
        if np.linalg.matrix_rank(np.vstack([equations, one])) == rank:
            found.add(cell)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_no_withheld_cell_follows_from_the_published_ones(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.integers(1, 6, 2)
    cells: dict[Cell, set[str]] = {}
    for row in range(rows):
        for column in range(columns):
            count = int(random.choice([0, 1, 3, 6, 20], p=[0.2, 0.15, 0.15, 0.2, 0.3]))
            if count:
                people = {f"{row}-{column}-{n}" for n in range(count)}
                cells[(f"v{row}", f"c{column}")] = people
    if not cells:
        return
    full = with_totals(cells)
    hidden = set(withheld(full, {cell: float(len(p)) for cell, p in full.items()}, 5))
    assert all(cell in hidden for cell, people in full.items() if len(people) < 5)
    if len(hidden) < len(full):
        assert followed(hidden, full) == set()


@pytest.mark.parametrize("seed", range(40))
def test_bridges_are_what_linear_algebra_gives_back(seed: int) -> None:
    random = np.random.default_rng(1000 + seed)
    names = [*(f"{n}" for n in range(4)), ALL]
    cells = {(row, column): {"f"} for row in names for column in names}
    hidden = {cell for cell in cells if random.random() < 0.4}
    assert bridges(hidden) == followed(hidden, cells)


def test_a_table_of_enough_farmers_is_told_whole() -> None:
    many = {(v, c): {f"{v}{c}{n}" for n in range(5)} for v in "ab" for c in "xy"}
    full = with_totals(many)
    assert withheld(full, dict.fromkeys(full, 1.0), 5) == frozenset()


def test_one_small_cell_takes_a_neighbour_in_row_and_column_with_it() -> None:
    sizes = {("a", "x"): 2, ("a", "y"): 8, ("a", "z"): 30, ("b", "x"): 9, ("b", "y"): 12,
             ("b", "z"): 40}  # fmt: skip
    cells = {cell: {f"{cell}{n}" for n in range(count)} for cell, count in sizes.items()}
    full = with_totals(cells)
    hidden = withheld(full, {cell: float(len(p)) for cell, p in full.items()}, 5)
    assert hidden == {("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")}
