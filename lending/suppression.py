"""Statistical disclosure control of counts of people: what a table of groups must not show.

Owns which groups of a one-way table stay hidden so that none below a least count can be read from
it, nor reckoned from what is shown and the total. Source: Hundepohl et al. (2012), Statistical
Disclosure Control, chapter 4 (primary and secondary cell suppression).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def hidden_groups(counts: Mapping[str, int], least: int) -> frozenset[str]:
    """Return the groups that must stay hidden where the total over all groups is known.

    A group below the least is hidden; as long as the hidden ones are a single group, whose count is
    the total less the rest, or are too few people together, the next smallest joins them.

    Args:
        counts: People by group.
        least: Fewest people of whom a figure may be shown.
    """
    by_size = sorted(
        (name for name in counts if counts[name]), key=lambda name: (counts[name], name)
    )
    hidden = [name for name in by_size if counts[name] < least]
    rest = by_size[len(hidden) :]
    while hidden and rest and (len(hidden) < 2 or _people(counts, hidden) < least):
        hidden.append(rest.pop(0))
    return frozenset(hidden)


def part_may_be_told(
    counts: Mapping[str, int], part: Iterable[str], hidden: frozenset[str], least: int
) -> bool:
    """Return whether the sum over some groups can be told beside the table and its total.

    It cuts the table in two, so each side must hide what it hides by itself.

    Args:
        counts: People by group.
        part: Groups of the sum.
        hidden: Groups that the table hides.
        least: Fewest people of whom a figure may be shown.
    """
    one = {name for name in part if counts.get(name)}
    sides = (one, {name for name in counts if counts[name]} - one)
    return all(_closed(counts, side, hidden, least) for side in sides)


def _closed(counts: Mapping[str, int], side: set[str], hidden: frozenset[str], least: int) -> bool:
    if 0 < _people(counts, side) < least:
        return False
    own = side & hidden
    return not own or (len(own) > 1 and _people(counts, own) >= least)


def _people(counts: Mapping[str, int], names: Iterable[str]) -> int:
    return sum(counts[name] for name in names)
