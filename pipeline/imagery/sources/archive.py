"""Scenes of a static STAC catalog on disk: all of its items, for their own words are soon read."""

from __future__ import annotations

from pathlib import Path

from fieldline.pipeline.imagery.catalog import FoundItems, find_items
from fieldline.pipeline.imagery.grid import Bounds
from fieldline.pipeline.records.settings import Season


class ArchiveSource:
    """One collection of a catalog on disk (`sources.source.SceneSource`)."""

    def __init__(self, catalog: Path, collection: str) -> None:
        self._catalog, self._collection = catalog, collection

    def search(self, area: Bounds, season: Season) -> FoundItems:  # noqa: ARG002
        """Return every item of the collection, so that each one gets its outcome.

        Raises:
            UserError: The catalog cannot be read or holds no such collection.
        """
        return find_items(self._catalog, self._collection)

    def address_for_reading(self, href: str) -> str:
        """Return the address as it is."""
        return href
