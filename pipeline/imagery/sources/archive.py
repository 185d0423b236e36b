"""Scenes on disk: a static STAC catalog, Sentinel-2 products as downloaded, or a Zarr cube.

Owns which of the three a path is. All items of each are handed over, for their own words are soon
read; a product that is broken or of another level becomes one outcome.
"""

from __future__ import annotations

from pathlib import Path

from fieldline.pipeline.imagery.catalog import (
    BrokenLink,
    FoundItems,
    ItemSource,
    collection_ids,
    find_items,
)
from fieldline.pipeline.imagery.cubes.items import cube_items
from fieldline.pipeline.imagery.cubes.store import CubeStore, is_cube
from fieldline.pipeline.imagery.grid import Bounds
from fieldline.pipeline.imagery.safe.files import (
    CATALOG,
    LEVEL_1C,
    METADATA,
    ProductError,
    find_products,
    is_product_place,
)
from fieldline.pipeline.imagery.safe.product import COLLECTION, LevelError, product_items
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season


class ArchiveSource:
    """One collection of an archive on disk (`sources.source.SceneSource`)."""

    def __init__(self, catalog: Path, collection: str) -> None:
        self._catalog, self._collection = catalog, collection

    def search(self, area: Bounds, season: Season) -> FoundItems:  # noqa: ARG002
        """Return every item of the collection, so that each one gets its outcome.

        Raises:
            UserError: The archive cannot be read or holds no such collection.
        """
        return archive_items(self._catalog, self._collection)

    def address_for_reading(self, href: str) -> str:
        """Return the address as it is."""
        return href


def archive_collections(archive: Path) -> list[str]:
    """Return the ids of the collections of an archive that hold items.

    Raises:
        UserError: The archive cannot be read.
    """
    whole = is_cube(archive) or is_product_place(archive)
    return [COLLECTION] if whole else collection_ids(_document(archive))


def archive_items(archive: Path, collection: str) -> FoundItems:
    """Return the items of a collection, in order of the archive.

    Args:
        archive: `catalog.json`; or a folder of `.SAFE` products and zips of them, however deep, one
            such folder or one such zip; or a Zarr store of dates, rows and columns.
        collection: Id of the collection; products count as `sentinel-2-l2a`, a cube as any.

    Raises:
        UserError: The archive cannot be read or holds no such collection.
    """
    if is_cube(archive):
        return cube_items(CubeStore.open(archive.resolve()), collection)
    if not is_product_place(archive):
        return find_items(_document(archive), collection)
    if collection != COLLECTION:
        raise UserError(
            f"{archive} holds Sentinel-2 products and no collection {collection!r}",
            f"set scenes.collection to {COLLECTION}, or inputs.catalog to a catalog.json",
        )
    return _products(archive)


def _document(archive: Path) -> Path:
    return archive / CATALOG if archive.is_dir() else archive


def _products(place: Path) -> FoundItems:
    if not place.exists():
        raise UserError(f"{place} does not exist", "correct inputs.catalog")
    found = FoundItems([], [])
    other_levels = 0
    for files in find_products(place):
        try:
            items = product_items(files)
        except ProductError as error:
            is_level = isinstance(error, LevelError)
            other_levels += is_level
            code = "scene_not_level_2a" if is_level else "scene_broken_product"
            found.broken.append(BrokenLink(files.name, error.reason, code, error.file))
            continue
        address = files.address(METADATA)
        found.sources.extend(ItemSource(files.name, address, item) for item in items)
    if not found.sources and other_levels:
        raise UserError(
            f"{place} holds no Level-2A product of Sentinel-2 ({other_levels} of Level-1C, known "
            f"by {LEVEL_1C}, show the top of the atmosphere)",
            "download the L2A products of the same dates, or run Sen2Cor on these",
        )
    if not found.sources and not found.broken:
        raise UserError(
            f"{place} holds no Sentinel-2 product and no catalog.json",
            "point inputs.catalog to a catalog.json, or to a folder of .SAFE products or zips",
        )
    return found
