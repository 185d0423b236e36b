"""Assignment: which reviewer each waiting farmer belongs to.

Owns the two rules. Both keep neighbours with one person, who then travels little: by village, or by
the cells of a grid along a path that never jumps. Each farmer gets exactly one owner, and the most
that two loads differ is what one village, or one cell, holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from fieldline.pipeline.records.errors import UserError

Rule = Literal["village", "grid"]
CELL_M = 2000.0
"""Edge of a cell of the grid: an hour's walk there and back."""
MOST_REVIEWERS = 200


def by_village(
    villages: Mapping[str, str], reviewers: Sequence[str], held: Mapping[str, str]
) -> dict[str, str]:
    """Return the owner of each farmer, villages whole, the fullest village first.

    Args:
        villages: Village by farmer; farmers without one are a group of their own each.
        reviewers: Names.
        held: Owners so far: a village that one of the reviewers holds alone stays with him.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for farmer, village in villages.items():
        groups[village or f"\0{farmer}"].append(farmer)
    loads = dict.fromkeys(reviewers, 0)
    owners: dict[str, str] = {}
    order = sorted(groups, key=lambda name: (-len(groups[name]), name))
    kept = {name: _holder(groups[name], held, reviewers) for name in order}
    for name in sorted(order, key=lambda name: not kept[name]):
        owner = kept[name] or min(reviewers, key=lambda person: loads[person])
        loads[owner] += len(groups[name])
        owners.update(dict.fromkeys(groups[name], owner))
    return owners


def _holder(farmers: Sequence[str], held: Mapping[str, str], reviewers: Sequence[str]) -> str:
    """Return who holds all of these that anybody holds; empty where it is not one reviewer."""
    people = {held[farmer] for farmer in farmers if farmer in held}
    (person,) = people if len(people) == 1 else ("",)
    return person if person in reviewers else ""


def by_grid(
    places: Mapping[str, tuple[float, float]], reviewers: Sequence[str], cell_m: float = CELL_M
) -> dict[str, str]:
    """Return the owner of each farmer: cells along a path to and fro, cut into equal parts.

    Args:
        places: Metres east and north by farmer.
        reviewers: Names, in the order in which they get the parts.
        cell_m: Edge of a cell.
    """
    cells: dict[tuple[int, int], list[str]] = defaultdict(list)
    for farmer, (east, north) in sorted(places.items()):
        cells[int(north // cell_m), int(east // cell_m)].append(farmer)
    path = sorted(cells, key=lambda cell: (cell[0], cell[1] if cell[0] % 2 == 0 else -cell[1]))
    owners: dict[str, str] = {}
    before = 0
    for cell in path:
        # The middle of a cell's farmers says in which person's part it lies.
        part = (before + len(cells[cell]) / 2) / len(places) * len(reviewers)
        owners.update(dict.fromkeys(cells[cell], reviewers[int(part)]))
        before += len(cells[cell])
    return owners


def names_of(text: str) -> tuple[str, ...]:
    """Return the reviewers named one a line.

    Raises:
        UserError: None is named, one twice, or too many.
    """
    names = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not names:
        raise UserError("no reviewer is named", "name one a line")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"reviewer {twice!r} is named twice", "name each once")
    if len(names) > MOST_REVIEWERS or max(map(len, names)) > 100:
        raise UserError(
            f"{len(names)} reviewers are named, or one with more than 100 letters",
            f"name {MOST_REVIEWERS} at most",
        )
    return tuple(names)
