"""What the metadata of a Sentinel-2 L2A product say, as a STAC item.

Owns `MTD_MSIL2A.xml` and `manifest.safe` in the forms since 2016: elements are found by their
names without namespace and without the `L2A_` that early ones carry. Judges no pixel; the item is
then read like any other (`archive.parse_item`).

Source: Sentinel-2 Products Specification Document (PSD) 14.9, S2-PDGS-TAS-DI-PSD, sections on the
Level-2A product metadata and on BOA_ADD_OFFSET (from processing baseline 04.00 on).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as Xml

import shapely
from shapely.geometry import Polygon, mapping
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.radiometry import SHIFTED_SINCE, baseline_order
from fieldline.pipeline.imagery.safe.files import LEVEL_1C, METADATA, ProductError, ProductFiles

COLLECTION = "sentinel-2-l2a"
"""Collection that products count as: the name that catalogs use for them."""
_MANIFEST = "manifest.safe"
_LEVEL = re.compile("level-?2a", re.IGNORECASE)
#: Images of bands lie in IMG_DATA; QI_DATA holds masks named after bands, and once the classes.
_IMAGE = re.compile(
    r"GRANULE/(?P<granule>[^/]+)/(?:IMG_DATA|QI_DATA(?=/.*_SCL(?:_[126]0m)?\.jp2))/(?:[^/]+/)*"
    r"[^/]*_(?P<band>B\d\d|B8A|SCL)(?P<size>_[126]0m)?\.jp2",
    re.IGNORECASE,
)
_TILE = re.compile(r"_T(\d{2}[A-Z]{3})_")
#: Band of each `band_id` of the metadata's lists.
_BAND_IDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
_EARLY = "L2A_"


class LevelError(ProductError):
    """A product of another level than 2A."""


def product_items(files: ProductFiles) -> list[dict[str, Any]]:
    """Return a product as STAC items: one for each of its tiles, which is one since 2016.

    Raises:
        LevelError: The product is not Level-2A.
        ProductError: Its metadata are absent or unreadable, or a file is shorter than they say.
    """
    if METADATA not in files.sizes:
        if LEVEL_1C in files.sizes:
            raise LevelError("level_1c", LEVEL_1C)
        raise ProductError("absent", METADATA)
    metadata = _Metadata(files.read(METADATA))
    if not _LEVEL.search(metadata.text("PROCESSING_LEVEL") or "Level-2A"):
        raise LevelError("not_level_2a", METADATA)
    _check_sizes(files)
    granules: dict[str, dict[str, Any]] = {}
    for name in sorted(files.sizes):
        found = _IMAGE.fullmatch(name)
        if found is not None:
            band, size = found["band"].upper(), (found["size"] or "").lower()
            asset = {
                "href": files.address(name),
                "file:size": files.sizes[name],
                **_raster_bands(metadata, band),
            }
            granules.setdefault(found["granule"], {})[f"{band}{size}"] = asset
    if not granules:
        raise ProductError("no_image", "GRANULE")
    several = len(granules) > 1
    return [
        _item(files, metadata, granule, assets, several=several)
        for granule, assets in granules.items()
    ]


def _item(
    files: ProductFiles, metadata: _Metadata, granule: str, assets: dict[str, Any], *, several: bool
) -> dict[str, Any]:
    tile = _TILE.search(f"_{granule}_") or _TILE.search(f"_{files.name}_")
    name = metadata.text("PRODUCT_URI") or files.name
    name = re.sub(r"\.SAFE$", "", name.strip(), flags=re.IGNORECASE)
    footprint = _footprint(metadata)
    cloud = metadata.text("Cloud_Coverage_Assessment")
    platform = metadata.text("SPACECRAFT_NAME")
    stated = {
        "datetime": metadata.text("PRODUCT_START_TIME"),
        "platform": platform and platform.lower(),
        "constellation": "sentinel-2",
        "eo:cloud_cover": _number(cloud, "Cloud_Coverage_Assessment"),
        "s2:processing_baseline": metadata.text("PROCESSING_BASELINE"),
        "s2:generation_time": metadata.text("GENERATION_TIME"),
        "s2:datatake_id": metadata.attribute("Datatake", "datatakeIdentifier"),
        "s2:mgrs_tile": tile[1] if tile else None,
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"{name}_{tile[1] if tile else granule}" if several else name,
        "collection": COLLECTION,
        "geometry": mapping(footprint),
        "bbox": list(footprint.bounds),
        "properties": {key: value for key, value in stated.items() if value is not None},
        "links": [],
        "assets": assets,
    }


def _raster_bands(metadata: _Metadata, band: str) -> dict[str, Any]:
    """Return scale, offset and nodata of a band; scene classes have none of them."""
    if band not in _BAND_IDS:
        return {}
    quantity = _number(
        metadata.text("BOA_QUANTIFICATION_VALUE") or metadata.text("QUANTIFICATION_VALUE"),
        "BOA_QUANTIFICATION_VALUE",
    )
    if not quantity or quantity < 0:
        raise ProductError("no_quantification_value", METADATA)
    stated: dict[str, float] = {"scale": 1 / quantity, "nodata": _nodata(metadata)}
    offsets = metadata.numbered("BOA_ADD_OFFSET", "band_id")
    shifted = baseline_order(metadata.text("PROCESSING_BASELINE")) >= SHIFTED_SINCE
    if offsets:
        number = _number(offsets.get(str(_BAND_IDS.index(band))), "BOA_ADD_OFFSET")
        if number is not None:
            stated["offset"] = number / quantity
    elif not shifted:
        stated["offset"] = 0.0
    return {"raster:bands": [stated]}


def _nodata(metadata: _Metadata) -> float:
    """Return the digital number of missing pixels; 0 where the list of them is not there."""
    for special in metadata.all("Special_Values"):
        words = {_local(child): (child.text or "").strip() for child in special}
        if words.get("SPECIAL_VALUE_TEXT", "").upper() == "NODATA":
            return _number(words.get("SPECIAL_VALUE_INDEX"), "SPECIAL_VALUE_INDEX") or 0.0
    return 0.0


def _footprint(metadata: _Metadata) -> BaseGeometry:
    """Return the footprint, which the metadata list as latitude, longitude, ...; cut at 180."""
    text = metadata.text("EXT_POS_LIST")
    try:
        numbers = [float(word) for word in (text or "").split()]
    except ValueError as error:
        raise ProductError("no_footprint", METADATA) from error
    places = list(zip(numbers[1::2], numbers[0::2], strict=False))
    if len(places) < 4 or len(numbers) % 2:
        raise ProductError("no_footprint", METADATA)
    if max(x for x, _ in places) - min(x for x, _ in places) <= 180:
        return Polygon(places)
    eastward = Polygon([(x + 360 if x < 0 else x, y) for x, y in places])
    west = eastward.intersection(shapely.box(0, -90, 180, 90))
    east = eastward.intersection(shapely.box(180, -90, 540, 90))
    moved = shapely.transform(east, lambda points: points - (360, 0))
    return shapely.union_all([west, moved])


def _check_sizes(files: ProductFiles) -> None:
    """Refuse a product with a file that is shorter than its manifest says: half a download.

    A file that was not downloaded at all is no fault: many take the bands that they need.
    """
    if _MANIFEST not in files.sizes:
        return
    for stream in _Metadata(files.read(_MANIFEST), _MANIFEST).all("byteStream"):
        location = next((e for e in stream if _local(e) == "fileLocation"), None)
        size, href = stream.get("size", ""), "" if location is None else location.get("href", "")
        name = href.removeprefix("./")
        found = files.sizes.get(name)
        if _IMAGE.fullmatch(name) and size.isdigit() and found is not None and found != int(size):
            raise ProductError(f"{found}_of_{size}_bytes", name.rsplit("/", 1)[-1])


class _Metadata:
    """An XML document asked by the local names of its elements."""

    def __init__(self, data: bytes, name: str = METADATA) -> None:
        try:
            root = Xml.fromstring(data)
        except Xml.ParseError as error:
            raise ProductError("not_xml", name) from error
        self._elements: dict[str, list[Xml.Element]] = {}
        for element in root.iter():
            self._elements.setdefault(_local(element), []).append(element)

    def all(self, name: str) -> Iterable[Xml.Element]:
        """Return the elements of a name, or of the name that early products gave it."""
        return self._elements.get(name) or self._elements.get(f"{_EARLY}{name}", [])

    def text(self, name: str) -> str | None:
        """Return the first text under a name that is not blank."""
        texts = ((element.text or "").strip() for element in self.all(name))
        return next((text for text in texts if text), None)

    def attribute(self, name: str, attribute: str) -> str | None:
        """Return an attribute of the first element of a name that has it."""
        return next((e.get(attribute) for e in self.all(name) if e.get(attribute)), None)

    def numbered(self, name: str, attribute: str) -> Mapping[str, str]:
        """Return the texts of a list's elements by the number that each one carries."""
        return dict(self._numbered(name, attribute))

    def _numbered(self, name: str, attribute: str) -> Iterator[tuple[str, str]]:
        for element in self.all(name):
            number = element.get(attribute)
            if number is not None and element.text:
                yield number.strip(), element.text.strip()


def _local(element: Xml.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _number(text: str | None, name: str) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise ProductError(f"{name}_not_a_number", METADATA) from error
