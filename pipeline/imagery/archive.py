"""A static STAC archive of COGs: walking the catalog, reading items, finding a band's file.

Owns everything that knows how a STAC document spells things; knows no season and no parcel. Items
are read one by one, so that a single broken document costs one scene and never the catalog.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pystac
from shapely.errors import GEOSException
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.radiometry import Radiometry, baseline_of, radiometry_of
from fieldline.pipeline.records.errors import ProviderError, UserError

#: Other names of Sentinel-2's bands: asset keys of Earth Search and common names of the STAC eo
#: extension v1.1 (which calls B05, B06 and B07 all `rededge`, so that name says nothing here).
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "B01": ("coastal",),
    "B02": ("blue",),
    "B03": ("green",),
    "B04": ("red",),
    "B05": ("rededge1", "rededge071"),
    "B06": ("rededge2", "rededge075"),
    "B07": ("rededge3", "rededge078"),
    "B08": ("nir",),
    "B8A": ("nir08",),
    "B09": ("nir09",),
    "B11": ("swir16",),
    "B12": ("swir22",),
    "SCL": ("scl",),
}

#: What pystac raises on files that are absent, are not JSON, or are JSON of another shape.
_NOT_STAC = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    pystac.STACError,
    pystac.STACTypeError,
)


@dataclass(frozen=True)
class Asset:
    """One file of an item."""

    key: str
    href: str
    """Path or URL that GDAL opens."""
    names: frozenset[str]
    """Band names and common names stated for the asset."""
    radiometry: Radiometry


@dataclass(frozen=True)
class SceneItem:
    """One STAC item: an acquisition and its files."""

    id: str
    datetime: dt.datetime
    """Acquisition (or nominal centre of a composite), UTC."""
    footprint: BaseGeometry
    """EPSG:4326."""
    cloud_cover: float | None
    """`eo:cloud_cover`, percent."""
    baseline: str | None
    """Processing baseline such as `05.09`."""
    assets: Mapping[str, Asset]
    origin: tuple[float, float] | None
    """Upper left corner in the item's own CRS, where the item states `proj:transform`."""

    def find(self, band: str) -> Asset | None:
        """Return the asset of a band by key, other key, then a stated name that is unique."""
        wanted = (band, *_ALIASES.get(band, ()), band.lower())
        for key in wanted:
            if key in self.assets:
                return self.assets[key]
        for name in wanted:
            named = [asset for asset in self.assets.values() if name in asset.names]
            if len(named) == 1:
                return named[0]
        return None


def collection_ids(catalog: Path) -> list[str]:
    """Return the ids of the folders of a catalog that hold items, in catalog order.

    Raises:
        UserError: The catalog cannot be read.
    """
    walked = _open_catalog(catalog).walk()
    return [folder.id for folder, _, _ in walked if any(folder.get_item_links())]


def item_hrefs(catalog: Path, collection: str) -> Iterator[str]:
    """Yield the addresses of a collection's items in catalog order, nested catalogs included.

    Raises:
        UserError: The catalog cannot be read or holds no such collection.
    """
    root = _open_catalog(catalog)
    found = _find_collection(root, collection)
    if found is None:
        known = sorted({child.id for child in root.get_children()})
        raise UserError(
            f"{catalog} holds no collection {collection!r}",
            f"set scenes.collection to one of {known}",
        )
    for folder, _, _ in found.walk():
        for link in folder.get_item_links():
            href = link.absolute_href
            if href is not None:
                yield href


def read_document(href: str) -> dict[str, Any]:
    """Read one item document, its asset addresses made absolute.

    Raises:
        ProviderError: The document is absent, is not JSON or is not a STAC item.
    """
    try:
        item = pystac.Item.from_file(href)
        item.make_asset_hrefs_absolute()
        return item.to_dict(include_self_link=True, transform_hrefs=False)
    except _NOT_STAC as error:
        raise ProviderError(f"{href}: not a STAC item ({type(error).__name__})") from error


def parse_item(document: Mapping[str, Any], folder: Path | None = None) -> SceneItem:
    """Return a scene item from a STAC document.

    Args:
        document: The item as a dictionary.
        folder: Folder that relative asset addresses start from.

    Raises:
        ProviderError: No usable datetime or footprint.
    """
    properties = document["properties"]
    try:
        footprint = shape(document["geometry"])
        moment = _moment(properties.get("datetime") or properties["start_datetime"])
    except (KeyError, TypeError, ValueError, AttributeError, GEOSException) as error:
        raise ProviderError(f"{document['id']}: no datetime or geometry") from error
    if footprint.is_empty:
        raise ProviderError(f"{document['id']}: empty geometry")
    cloud = properties.get("eo:cloud_cover")
    return SceneItem(
        id=str(document["id"]),
        datetime=moment,
        footprint=footprint,
        cloud_cover=None if cloud is None else float(cloud),
        baseline=baseline_of(properties),
        assets=_assets(document["assets"], folder),
        origin=_origin(properties.get("proj:transform")),
    )


def known_since(document: Mapping[str, Any]) -> dt.datetime:
    """Return when an item could be known: its last acquisition or its publication.

    A monthly composite holds pixels up to `end_datetime`; before that day nobody could have it.
    """
    properties = document["properties"]
    stated = (properties.get(key) for key in ("datetime", "end_datetime", "published"))
    return max(_moment(text) for text in stated if text)


def relative_href(href: str, folder: Path) -> str:
    """Return a local address relative to `folder` (URLs unchanged).

    Artifacts then hold the same bytes wherever the work folder lies.
    """
    if "://" in href or href.startswith("/vsi"):
        return href
    return Path(os.path.relpath(href, folder.resolve())).as_posix()


def _open_catalog(path: Path) -> pystac.Catalog:
    try:
        return pystac.Catalog.from_file(str(path.resolve()))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "point inputs.catalog to catalog.json") from error
    except _NOT_STAC as error:
        raise UserError(
            f"{path} is not a STAC catalog ({type(error).__name__})",
            "point inputs.catalog to the catalog.json of a static STAC archive",
        ) from error


def _find_collection(catalog: pystac.Catalog, collection: str) -> pystac.Catalog | None:
    for folder, _, _ in catalog.walk():
        if folder.id == collection:
            return folder
    return None


def _moment(text: Any) -> dt.datetime:
    moment = text if isinstance(text, dt.datetime) else dt.datetime.fromisoformat(str(text))
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _assets(documents: Mapping[str, Any], folder: Path | None) -> dict[str, Asset]:
    return {
        key: Asset(
            key, _resolve(document["href"], folder), _names(document), radiometry_of(document)
        )
        for key, document in sorted(documents.items())
        if document
    }


def _resolve(href: str, folder: Path | None) -> str:
    if folder is None or "://" in href or href.startswith("/"):
        return href
    return os.path.normpath(folder / href)


def _names(asset: Mapping[str, Any]) -> frozenset[str]:
    bands = [*(asset.get("eo:bands") or []), *(asset.get("bands") or [])]
    keys = ("name", "common_name", "eo:common_name")
    return frozenset(band[key] for band in bands for key in keys if band.get(key))


def _origin(transform: Any) -> tuple[float, float] | None:
    return None if transform is None else (float(transform[2]), float(transform[5]))
