"""Pages of a search put together: each item once, in an order that the server cannot change.

Owns what every search has in common, its remedy where time ran out among it; asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fieldline.pipeline.imagery.limits import RUN_DEADLINE


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


def remedy(reason: str, otherwise: str) -> str:
    """Return what to do about a search that failed: nothing is wrong where only time ran out."""
    late = reason.endswith(RUN_DEADLINE) or reason.endswith("_until_deadline")
    return (
        "raise pull.run_deadline_s, or run again when the service is faster" if late else otherwise
    )
