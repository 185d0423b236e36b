"""What became of each document of an archive, and which of several products of one image counts.

Owns versions of the same image: documents of one id, and reprocessed products of one acquisition,
which carry ids of their own. Judges no document by itself. The newest usable one wins; pieces of an
acquisition that complete each other (a tile cut by the end of a datastrip) are all kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Protocol

from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.catalog import BrokenLink
from fieldline.pipeline.records.outcomes import OK, detail

#: Share of a product that a newer one of its acquisition must show to stand for it. Reprocessed
#: footprints differ by some pixels along the edge of the swath.
_COVERED = 0.98


class MissingFile(Protocol):
    """Why a file of an item is not on disk."""

    asset: str
    reason: str
    attempts: int


@dataclass(frozen=True)
class Choice:
    """One document of the archive, judged."""

    name: str
    code: str = OK
    detail: str = ""
    item: SceneItem | None = None
    """The item, where the document could be read."""
    kept: dict[str, Any] | None = None
    """What is written of a chosen item."""

    def without(self, fault: MissingFile | None, code: str) -> Choice:
        """Return a usable item named as one of which a file did not come; it stays what is written,
        so that its date counts as lost."""
        if fault is None or self.code != OK:
            return self
        words = detail(asset=as_word(fault.asset), reason=fault.reason, attempts=fault.attempts)
        return replace(self, code=code, detail=words)


def lost_link(link: BrokenLink) -> Choice:
    """Return what became of a document that leads nowhere."""
    about = {"file": as_word(link.file)} if link.file else {}
    return Choice(as_word(link.name), link.code, detail(reason=link.reason, **about))


def as_word(name: str) -> str:
    """Return a name as one word, as an outcome's detail holds them."""
    return "_".join(name.split())


def distinct(choices: Sequence[Choice]) -> list[Choice]:
    """Call all but the newest usable product of an image duplicates, the first of equals not."""
    return _of_one_acquisition(_of_one_id(choices))


def _of_one_id(choices: Sequence[Choice]) -> list[Choice]:
    newest: dict[str, Choice] = {}
    for choice in choices:
        if choice.code == OK:
            best = newest.setdefault(choice.name, choice)
            if _order(choice) > _order(best):
                newest[choice.name] = choice
    return [
        choice
        if choice.code != OK or newest[choice.name] is choice
        else _duplicate(choice, choice.name)
        for choice in choices
    ]


def _of_one_acquisition(choices: Sequence[Choice]) -> list[Choice]:
    groups: dict[str, list[Choice]] = {}
    for choice in choices:
        if choice.code == OK and choice.item is not None and choice.item.acquisition:
            groups.setdefault(choice.item.acquisition, []).append(choice)
    return [_replaced(choice, groups) for choice in choices]


def _replaced(choice: Choice, groups: dict[str, list[Choice]]) -> Choice:
    item = choice.item
    if choice.code != OK or item is None or item.acquisition is None:
        return choice
    for other in groups[item.acquisition]:
        if other.item is None or _order(other) <= _order(choice):
            continue
        shown = item.footprint.intersection(other.item.footprint).area
        if shown >= _COVERED * item.footprint.area:
            return _duplicate(choice, other.name)
    return choice


def _duplicate(choice: Choice, of: str) -> Choice:
    return replace(choice, code="scene_duplicate", detail=detail(id=of), kept=None)


def _order(choice: Choice) -> Any:
    assert choice.item is not None, choice.name
    return choice.item.versions.order


def named(choices: Sequence[Choice]) -> list[Choice]:
    """Number names that stand several times: a usable item keeps its own, else the first does."""
    groups: dict[str, list[int]] = {}
    for place, choice in enumerate(choices):
        groups.setdefault(choice.name, []).append(place)
    result = list(choices)
    for name, places in groups.items():
        keeper = next((place for place in places if choices[place].code == OK), places[0])
        free = (label for n in count(2) if (label := f"{name}#{n}") not in groups)
        for place in places:
            if place != keeper:
                result[place] = replace(choices[place], name=next(free))
    return result
