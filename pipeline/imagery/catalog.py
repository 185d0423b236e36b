"""A static STAC archive walked: its catalogs, its collections and where their items stand.

Owns links, and every form in which items are handed over: a catalog, a collection, an item
collection (what a search saves) or a single item. Each document is read once, and a link that leads
nowhere costs what lies behind it and is told, never the archive. What an item says: `archive`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldline.pipeline.imagery.addresses import DocumentError, read_json, resolve
from fieldline.pipeline.imagery.fields import FieldError, Fields
from fieldline.pipeline.records.errors import UserError

_REMEDY = "point inputs.catalog to the catalog.json of a static STAC archive"
_FOLDERS = ("Catalog", "Collection")
_OFFERED = 20  # names that a sentence may list


@dataclass(frozen=True)
class ItemSource:
    """Where one item stands."""

    name: str
    """Its document, relative to the archive; `items.json#3` inside an item collection."""
    address: str
    """Path or URL of that document."""
    document: Any = None
    """The item, where the document has been read already."""

    @property
    def folder(self) -> str:
        """Folder that the item's relative addresses start from."""
        return posixpath.dirname(self.address)

    def read(self) -> Any:
        """Return the item as JSON.

        Raises:
            DocumentError: The document is absent or is not JSON.
        """
        return read_json(self.address) if self.document is None else self.document


@dataclass(frozen=True)
class BrokenLink:
    """A linked catalog or collection, or a whole product, that cannot be read."""

    name: str
    """Its document, relative to the archive."""
    reason: str
    code: str = "scene_broken_link"
    """Its outcome."""
    file: str = ""
    """The file that it is about, where that is another one."""


@dataclass(frozen=True)
class FoundItems:
    """The items of a collection, in catalog order, and what could not be looked into."""

    sources: list[ItemSource]
    broken: list[BrokenLink]


@dataclass(frozen=True)
class _Folder:
    """One catalog, collection or item collection."""

    ids: tuple[str, ...]
    """Its own id after those of the folders above it."""
    sources: tuple[ItemSource, ...]


def collection_ids(catalog: Path) -> list[str]:
    """Return the ids of the folders of a catalog that hold items, in catalog order.

    Raises:
        UserError: The catalog cannot be read.
    """
    folders = _Walk(catalog).folders()
    return list(dict.fromkeys(folder.ids[-1] for folder in folders if folder.sources))


def find_items(catalog: Path, collection: str) -> FoundItems:
    """Return the items of a collection in catalog order, nested catalogs included.

    Raises:
        UserError: The catalog cannot be read or holds no such collection.
    """
    walk = _Walk(catalog)
    folders = list(walk.folders())
    inside = [folder for folder in folders if collection in folder.ids]
    if not inside:
        lost = f" ({walk.broken[0].name} cannot be read)" if walk.broken else ""
        raise UserError(
            f"{catalog} holds no collection {collection!r}{lost}",
            f"set scenes.collection to one of {_offered(folders)}",
        )
    return FoundItems([source for folder in inside for source in folder.sources], walk.broken)


def _offered(folders: Sequence[_Folder]) -> list[str]:
    """Return the ids that a person would choose from: those right below the root, else its own."""
    below = {folder.ids[1] for folder in folders if len(folder.ids) > 1}
    loose = {folder.ids[0] for folder in folders if len(folder.ids) == 1 and folder.sources}
    return sorted(below | loose or {folder.ids[0] for folder in folders})[:_OFFERED]


class _Walk:
    """One walk through an archive; every address is visited once, so a circle ends."""

    def __init__(self, catalog: Path) -> None:
        self._catalog = catalog
        self._root = posixpath.dirname(str(catalog.resolve()))
        self._seen: set[str] = set()
        self.broken: list[BrokenLink] = []

    def folders(self) -> Iterator[_Folder]:
        """Yield the archive's folders depth first, each with its own items.

        Raises:
            UserError: The root document is absent or is nothing of STAC.
        """
        address = str(self._catalog.resolve())
        try:
            document = read_json(address)
        except DocumentError as error:
            if error.reason == "absent":
                raise UserError(
                    f"{self._catalog} does not exist", "point inputs.catalog to catalog.json"
                ) from error
            raise UserError(
                f"{self._catalog} is not a STAC catalog ({error.reason})", _REMEDY
            ) from error
        self._seen.add(address)
        if _is_folder(document):
            yield from self._inside(document, address)
        elif _holds_items(document):
            yield from self._loose(document, address)
        else:
            raise UserError(f"{self._catalog} is not a STAC catalog", _REMEDY)

    def _inside(self, root: Mapping[str, Any], address: str) -> Iterator[_Folder]:
        """Walk without recursion: nobody limits how deep an archive is nested."""
        waiting: list[tuple[Mapping[str, Any], str, tuple[str, ...]]] = [(root, address, ())]
        while waiting:
            document, place, above = waiting.pop()
            ids = (*above, str(document.get("id") or self._name(place)))
            linked = self._links(document, place, "item")
            items = [ItemSource(self._name(href), href) for href in linked]
            below = []
            for href in self._links(document, place, "child"):
                child = self._child(href)
                if child is None:
                    continue
                if _is_folder(child):
                    below.append((child, href, ids))
                else:
                    items += self._members(child, href)
            waiting += reversed(below)
            yield _Folder(ids, tuple(items))

    def _loose(self, document: Mapping[str, Any], address: str) -> Iterator[_Folder]:
        """Yield one folder for each collection that the items of one document name."""
        groups: dict[str, list[ItemSource]] = {}
        sources = self._members(document, address)
        stated = [_collection_of(source.document) for source in sources]
        unstated = next((name for name in stated if name), self._catalog.stem)
        for source, name in zip(sources, stated, strict=True):
            groups.setdefault(name or unstated, []).append(source)
        for name, members in groups.items():
            yield _Folder((name,), tuple(members))

    def _links(self, document: Mapping[str, Any], place: str, relation: str) -> Iterator[str]:
        """Yield the addresses of links that were not visited before."""
        links = document.get("links")
        for link in links if isinstance(links, list) else []:
            if not isinstance(link, Mapping) or link.get("rel") != relation:
                continue
            try:
                href = Fields(link, "links").text("href")
            except FieldError as error:
                self.broken.append(BrokenLink(self._name(place), f"link_{error.reason}"))
                continue
            if href is None:
                self.broken.append(BrokenLink(self._name(place), "link_without_href"))
                continue
            address = resolve(href, posixpath.dirname(place))
            if address not in self._seen:
                self._seen.add(address)
                yield address

    def _child(self, address: str) -> Mapping[str, Any] | None:
        try:
            document = read_json(address)
        except DocumentError as error:
            self.broken.append(BrokenLink(self._name(address), error.reason))
            return None
        if _is_folder(document) or _holds_items(document):
            return dict(document)
        self.broken.append(BrokenLink(self._name(address), "not_a_catalog"))
        return None

    def _members(self, document: Mapping[str, Any], address: str) -> list[ItemSource]:
        """Return the items that a document holds itself."""
        name = self._name(address)
        if document["type"] == "Feature":
            return [ItemSource(name, address, document)]
        return [
            ItemSource(f"{name}#{number}", address, {} if member is None else member)
            for number, member in enumerate(document["features"], 1)
        ]

    def _name(self, address: str) -> str:
        return address.removeprefix(f"{self._root}/")


def _is_folder(document: object) -> bool:
    if not isinstance(document, Mapping):
        return False
    # Before STAC 1.0 a catalog stated no type.
    untyped = "type" not in document and "stac_version" in document
    return document.get("type") in _FOLDERS or untyped


def _holds_items(document: object) -> bool:
    """Whether a document is a STAC item or an item collection, not just any GeoJSON."""
    if not isinstance(document, Mapping):
        return False
    if document.get("type") == "Feature":
        return "assets" in document or "stac_version" in document
    members = document.get("features")
    return (
        document.get("type") == "FeatureCollection"
        and isinstance(members, list)
        and any(isinstance(m, Mapping) and ("assets" in m or "stac_version" in m) for m in members)
    )


def _collection_of(item: object) -> str | None:
    name = item.get("collection") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) and name else None
