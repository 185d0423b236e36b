"""Pages of a search put together: each item once, in an order that the server cannot change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def new_items(pages: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield each item once; pages that bring nothing new end a search that runs in a circle."""
    seen: set[str] = set()
    for page in pages:
        features = page.get("features")
        members = features if isinstance(features, list) else []
        fresh = {repr(member): member for member in members if repr(member) not in seen}
        if members and not fresh:
            return
        seen.update(fresh)
        yield from fresh.values()


def item_order(document: Any) -> tuple[str, str]:
    """Return a key that sorts documents by time and id, whatever they are."""
    if not isinstance(document, Mapping):
        return "", repr(document)
    properties = document.get("properties")
    moment = properties.get("datetime") if isinstance(properties, Mapping) else None
    return str(moment), str(document.get("id"))
