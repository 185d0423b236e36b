"""The queue page: which cases it shows, how many there are, and the links from page to page.

Owns the choice between two ways. Of a county, of an owner, of somebody's farmers or of few, every
case is known and filtered by all that the desk knows. Of more, the database counts by county and
state and gives one page of them: no answer holds or draws the queue of a province.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fieldline.desk.app.pages import Call
from fieldline.desk.app.places import Place
from fieldline.desk.app.reviewing import Item
from fieldline.lending.store.queue import STATES, Counts, Entry, counts_of

PAGE = 100
"""Most cases that a page shows."""
_COUNTED = STATES[:3]
"""States whose numbers stand beside a county."""

Shelf = tuple[str, str]
"""County and season."""


@dataclass(frozen=True)
class Chosen:
    """What the page is narrowed to; empty for all."""

    county: str = ""
    season: str = ""
    village: str = ""
    state: str = ""
    owner: str = ""


@dataclass(frozen=True)
class _Found:
    """Cases as far as they are known, and the page of them."""

    counted: Counts
    """All that the asker may see of the county or of all, by county and season."""
    listed: list[Entry] | None
    """All of them, or of the owner; None where they are too many to be read for a page."""
    number: int
    """How many are left by the filter."""
    page: int
    entries: list[Entry]
    """The page's."""


class _Beside:
    """What is said of farmers beside their offers, read once a page and where it is asked for."""

    def __init__(self, call: Call) -> None:
        self._call = call
        places = call.scope.places(call.desk.shelf)
        self.places: dict[Shelf, Place] = {(place.county, place.season): place for place in places}
        self._kept: dict[tuple[str, Shelf], Mapping[str, str]] = {}
        self._simulated: dict[Shelf, bool] = {}

    def village(self, entry: Entry) -> str:
        return self._of("village", entry, self._villages).get(entry.farmer_id, "")

    def owner(self, entry: Entry) -> str:
        book = self._call.desk.store.book
        return self._of("owner", entry, lambda s: book.owners(*s)).get(entry.farmer_id, "")

    def visit(self, entry: Entry) -> str:
        book = self._call.desk.store.book
        return self._of("visit", entry, lambda s: book.visits(*s)).get(entry.farmer_id, "")

    def simulated(self, entry: Entry) -> bool:
        shelf = (entry.county, entry.season)
        if shelf not in self._simulated:
            place = self.places.get(shelf)
            self._simulated[shelf] = place is not None and place.simulated
        return self._simulated[shelf]

    def _villages(self, shelf: Shelf) -> Mapping[str, str]:
        place = self.places.get(shelf)
        return {} if place is None else self._call.desk.villages(place)

    def _of(
        self, what: str, entry: Entry, read: Callable[[Shelf], Mapping[str, str]]
    ) -> Mapping[str, str]:
        shelf = (entry.county, entry.season)
        if (what, shelf) not in self._kept:
            self._kept[what, shelf] = read(shelf)
        return self._kept[what, shelf]


def queue_page(call: Call, chosen: Chosen, page: int) -> dict[str, Any]:
    """Return what the page shows.

    Args:
        call: The request.
        chosen: What it is narrowed to.
        page: Which page, from 1; the last one where there are fewer.
    """
    beside = _Beside(call)
    found = _found(call, chosen, page, beside)
    pages = max(1, -(-found.number // PAGE))
    items = call.desk.store.items(found.entries)
    rows = [
        _row(call, entry, item, beside) for entry, item in zip(found.entries, items, strict=True)
    ]
    first = (found.page - 1) * PAGE
    return {
        "rows": rows, "chosen": vars(chosen), "simulated": any(row["simulated"] for row in rows),
        "options": _options(call, chosen, found, beside),
        "village_needs_county": found.listed is None, "counted": _numbers(found.counted),
        "total": sum(sum(of.values()) for of in found.counted.values()), "found": found.number,
        "first": first + 1, "last": first + len(rows), "page": found.page, "pages": pages,
        "shelves": sorted(found.counted),
    }  # fmt: skip


def _found(call: Call, chosen: Chosen, page: int, beside: _Beside) -> _Found:
    store, scope = call.desk.store, call.scope
    listed: list[Entry] | None = None
    if chosen.county or scope.farmers is not None:
        listed = store.cases(scope, chosen.county, chosen.season)
        counted = counts_of(listed)
    else:
        counted = store.counts(scope, chosen.season)
        if sum(sum(of.values()) for of in counted.values()) <= PAGE:
            listed = store.stretch(counted, 0, PAGE)
        elif chosen.owner:
            owned = store.book.owned(chosen.owner)
            farmers = frozenset[str]().union(*owned.values())
            listed = store.cases(scope, season=chosen.season, farmers=farmers)
    if listed is None:
        states = [chosen.state] if chosen.state else STATES
        number = sum(of.get(state, 0) for of in counted.values() for state in states)
        page = _within(page, number)
        entries = store.stretch(counted, (page - 1) * PAGE, PAGE, chosen.state)
        return _Found(counted, None, number, page, entries)
    kept = [entry for entry in listed if _fits(entry, chosen, beside)]
    page = _within(page, len(kept))
    return _Found(counted, listed, len(kept), page, kept[(page - 1) * PAGE : page * PAGE])


def _within(page: int, number: int) -> int:
    return min(max(page, 1), max(1, -(-number // PAGE)))


def _fits(entry: Entry, chosen: Chosen, beside: _Beside) -> bool:
    return (
        (not chosen.state or entry.said == chosen.state)
        and (not chosen.owner or beside.owner(entry) == chosen.owner)
        and (not chosen.village or beside.village(entry) == chosen.village)
    )


def _options(call: Call, chosen: Chosen, found: _Found, beside: _Beside) -> dict[str, list[str]]:
    shelves: Iterable[Shelf] = {*found.counted, *(beside.places if chosen.county else ())}
    states = {state for of in found.counted.values() for state in of}
    options = {
        "county": {county for county, _ in shelves},
        "season": {season for _, season in shelves},
        "village": {beside.village(entry) for entry in found.listed or ()},
        "owner": {beside.owner(entry) for entry in found.listed or ()},
    }
    if found.listed is None or (chosen.owner and not chosen.county and call.scope.farmers is None):
        every = call.desk.store.book.every_owner()
        options["owner"] |= {name for shelf in found.counted for name in every.get(shelf, ())}
    told = {name: sorted(values - {""}) for name, values in options.items()}
    return {**told, "state": [state for state in STATES if state in states]}


def _numbers(counted: Counts) -> list[dict[str, Any]]:
    return [
        {"county": county, "season": season,
         "numbers": [(state, of.get(state, 0)) for state in _COUNTED]}
        for (county, season), of in sorted(counted.items())
    ]  # fmt: skip


def _row(call: Call, entry: Entry, item: Item, beside: _Beside) -> dict[str, Any]:
    told = item.offer["reasons_zh" if call.words.language == "zh" else "reasons"]
    return {
        "offer": item.offer, "county": entry.county, "season": entry.season,
        "village": beside.village(entry), "owner": beside.owner(entry),
        "visit": beside.visit(entry), "state": entry.said, "officer": entry.officer,
        "reasons": [part for part in told.split(" | ") if part],
        "simulated": beside.simulated(entry),
    }  # fmt: skip
