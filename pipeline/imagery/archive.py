"""One STAC item of a scene archive, as far as Fieldline needs it.

Owns everything that knows how a STAC item spells things (0.9, 1.0 and 1.1); knows no season and no
parcel. Every field is read by itself and an error names it, so that one bad value costs one scene;
a field that nothing needs is not looked at.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.acquisitions import acquisition_of
from fieldline.pipeline.imagery.addresses import resolve
from fieldline.pipeline.imagery.bands import contradicts, spellings
from fieldline.pipeline.imagery.fields import FieldError, Fields
from fieldline.pipeline.imagery.missions import mission_of
from fieldline.pipeline.imagery.radiometry import (
    Radiometry,
    baseline_of,
    baseline_order,
    offset_applied,
    radiometry_of,
)

_NAME_KEYS = ("name", "common_name", "eo:common_name")
_UNKNOWN = Radiometry(None, None, None)
#: What shapely raises on mappings that only look like a geometry.
_NOT_A_GEOMETRY = (
    ArithmeticError, AttributeError, LookupError, TypeError, ValueError, ShapelyError,
)  # fmt: skip
_DEGREES = 1e-6  # rounding of coordinates at the poles and the antimeridian
_EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Asset:
    """One file of an item."""

    key: str
    href: str
    """Path or URL that GDAL opens."""
    names: frozenset[str]
    """Band names and common names stated for the asset."""
    radiometry: Radiometry
    size: int | None = None
    """`file:size`, bytes, where it is stated."""
    fault: FieldError | None = None
    """What is wrong with the asset's document; an asset that nobody asks for may stay wrong."""


@dataclass(frozen=True)
class Versions:
    """What tells two items of the same id apart: the pixels' age first, the document's last."""

    processed: dt.datetime = _EARLIEST
    """`processing:datetime` or `s2:generation_time`."""
    baseline: tuple[int, ...] = ()
    documented: dt.datetime = _EARLIEST
    """`updated`, `created` or `published`."""

    @property
    def order(self) -> tuple[dt.datetime, tuple[int, ...], dt.datetime]:
        """A key that sorts the newest last."""
        return self.processed, self.baseline, self.documented


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
    known_since: dt.datetime = _EARLIEST
    """When it could be known: its last acquisition (`end_datetime`) or its publication. A monthly
    composite holds pixels up to its end; before that day nobody could have it."""
    versions: Versions = field(default_factory=Versions)
    """When it was made and told."""
    simulated: bool = False
    """Whether it says of itself that it is simulated."""
    mission: str | None = None
    """Mission that its pixels are from (`missions`), where it says so."""
    offset_applied: bool | None = None
    """Its flag that the offset is in the numbers already."""
    orbit: str | None = None
    """Orbit direction of a radar item; scenes of two directions are never one day."""
    orbit_state: str | None = None
    """`sat:orbit_state` as it is stated."""
    acquisition: str | None = None
    """Satellite, start of the datatake and tile: the same for every product of the image."""

    def find(self, band: str) -> Asset | None:
        """Return the asset of a band by key, other key, then a stated name that is unique."""
        known = spellings(band, self.mission)
        exact = self.assets.get(band) if band.lower() in known else None
        if exact is not None:
            return exact
        for spelling in known:
            asset = self._by_key.get(spelling)
            if asset is not None and not contradicts(band, asset.names):
                return asset
        for spelling in known:
            named = self._by_name.get(spelling, ())
            if len(named) == 1 and not contradicts(band, named[0].names):
                return named[0]
        return None

    @cached_property
    def _by_key(self) -> dict[str, Asset]:
        return {key.lower(): asset for key, asset in reversed([*self.assets.items()])}

    @cached_property
    def _by_name(self) -> dict[str, list[Asset]]:
        named: dict[str, list[Asset]] = {}
        for asset in self.assets.values():
            for name in {name.lower() for name in asset.names}:
                named.setdefault(name, []).append(asset)
        return named


def parse_item(
    document: object, folder: Path | str | None = None, wanted: Sequence[str] | None = None
) -> SceneItem:
    """Return a scene item from a STAC document.

    Args:
        document: The item as JSON.
        folder: Folder that relative asset addresses start from; None leaves them as they are.
        wanted: Bands and mask to read; of the other assets only names are known. None: all.

    Raises:
        FieldError: A field that is needed does not hold what it must.
    """
    item = Fields.of(document)
    if item.raw("type") not in (None, "Feature"):
        raise item.error("type", "not_an_item")
    properties = item.fields("properties")
    baseline = baseline_of(properties)
    moment, known = _times(properties)
    footprint = _footprint(item)
    named = SceneItem(
        id=item_id(document),
        datetime=moment,
        footprint=footprint,
        cloud_cover=properties.number("eo:cloud_cover", 0, 100),
        baseline=baseline,
        assets=_named_assets(item, properties),
        origin=_origin(properties),
        known_since=known,
        versions=_versions(properties, baseline),
        simulated=properties.values.get("fieldline:simulated") is True,
        mission=mission_of(item_id(document), item.raw("collection"), properties.values),
        offset_applied=offset_applied(properties),
        orbit=properties.text("fieldline:orbit"),
        orbit_state=properties.text("sat:orbit_state"),
        acquisition=acquisition_of(item_id(document), properties.values),
    )
    return _with_assets(named, item, None if folder is None else str(folder), wanted)


def _with_assets(
    named: SceneItem, item: Fields, folder: str | None, wanted: Sequence[str] | None
) -> SceneItem:
    found = None if wanted is None else [named.find(name) for name in wanted]
    chosen = named.assets.values() if found is None else [asset for asset in found if asset]
    read = {asset.key: _read_asset(asset, item, folder, named) for asset in chosen}
    return replace(named, assets={**named.assets, **read})


def item_id(document: object) -> str:
    """Return the id of an item, which may otherwise be wrong throughout.

    Raises:
        FieldError: No id that could stand in a table.
    """
    item = Fields.of(document)
    value = item.raw("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = item.text("id")
    if text is None:
        raise item.error("id", "missing")
    return text.strip()


def _times(properties: Fields) -> tuple[dt.datetime, dt.datetime]:
    """Return when an item was taken and since when it is known."""
    stated = properties.moment("datetime")
    start, end = properties.moment("start_datetime"), properties.moment("end_datetime")
    moment = stated or start
    if moment is None:
        raise properties.error("datetime", "missing")
    if start is not None and end is not None and start > end:
        raise properties.error("end_datetime", "before_start_datetime")
    later = (end, properties.moment("published"))
    return moment, max([moment, *(time for time in later if time is not None)])


def _versions(properties: Fields, baseline: str | None) -> Versions:
    # Every one is read, so that a malformed one is named and not stepped over.
    pixels = [properties.moment(key) for key in ("processing:datetime", "s2:generation_time")]
    papers = [properties.moment(key) for key in ("updated", "created", "published")]
    return Versions(
        next((time for time in pixels if time), _EARLIEST),
        baseline_order(baseline),
        next((time for time in papers if time), _EARLIEST),
    )


def _footprint(item: Fields) -> BaseGeometry:
    """Return the footprint as valid polygons; a small self-crossing of a swath's edge is mended."""
    if item.raw("geometry") is None:
        raise item.error("geometry", "missing")
    try:
        with np.errstate(invalid="ignore"):  # of coordinates that are not numbers: refused below
            footprint = shapely.force_2d(shape(item.raw("geometry")))
    except _NOT_A_GEOMETRY as error:
        raise item.error("geometry", "not_a_geometry") from error
    if not footprint.is_empty and footprint.geom_type not in ("Polygon", "MultiPolygon"):
        raise item.error("geometry", "not_a_polygon")
    places = shapely.get_coordinates(footprint)
    if not np.isfinite(places).all():
        raise item.error("geometry", "not_numbers")
    if (np.abs(places) > (360 + _DEGREES, 90 + _DEGREES)).any():
        raise item.error("geometry", "not_in_degrees")
    if not footprint.is_valid:
        parts = shapely.get_parts(shapely.make_valid(footprint))
        footprint = shapely.union_all([part for part in parts if part.area > 0])
    if not footprint.area > 0:
        raise item.error("geometry", "no_area")
    _check_box(item, footprint)
    return footprint


def _check_box(item: Fields, footprint: BaseGeometry) -> None:
    """Refuse a bbox that its own footprint contradicts: one of them is another scene's."""
    found = item.numbers("bbox", 4, 6)
    if found is None:
        return
    half = len(found) // 2
    (west, south), (east, north) = found[:2], found[half : half + 2]
    if west > east and max(np.abs(footprint.bounds[::2])) > 180 - 1:
        return  # over the antimeridian: west of 180 is the greater number
    if west > east or south > north:
        raise item.error("bbox", "reversed")
    if not box(west, south, east, north).intersects(box(*footprint.bounds)):
        raise item.error("bbox", "beside_the_geometry")


def _origin(properties: Fields) -> tuple[float, float] | None:
    """Return the corner stated; the rest is only checked, for the file knows its own place."""
    code, number = properties.text("proj:code"), properties.number("proj:epsg", 0)
    if code is not None and number is not None and code.upper() != f"EPSG:{number:.0f}":
        raise properties.error("proj:code", f"contradicts_proj:epsg_{number:.0f}")
    size = properties.numbers("proj:shape", 2)
    if size is not None and min(size) <= 0:
        raise properties.error("proj:shape", "not_positive")
    transform = properties.numbers("proj:transform", 6, 9)
    return None if transform is None else (transform[2], transform[5])


def _named_assets(item: Fields, properties: Fields) -> dict[str, Asset]:
    """Return the assets with nothing but their names: enough to find the bands by."""
    documents = item.fields("assets")
    assets = {}
    for key in sorted(documents.names()):
        if documents.raw(key) is None:
            continue
        try:
            assets[key] = Asset(key, "", _names(documents.fields(key), properties), _UNKNOWN)
        except FieldError as fault:
            assets[key] = Asset(key, "", frozenset(), _UNKNOWN, fault=fault)
    return assets


def _read_asset(named: Asset, item: Fields, folder: str | None, scene: SceneItem) -> Asset:
    if named.fault is not None:
        return named
    asset = item.fields("assets").fields(named.key)
    try:
        _one_band(asset, "raster:bands")
        radiometry = radiometry_of(
            asset, scene.offset_applied, scene.baseline, item.fields("properties")
        )
        href, size = _href(asset, folder), _size(asset)
        return Asset(named.key, href, named.names, radiometry, size)
    except FieldError as fault:
        return replace(named, fault=fault)


def _href(asset: Fields, folder: str | None) -> str:
    href = asset.text("href")
    if href is None:
        raise asset.error("href", "missing")
    return href if folder is None else resolve(href, folder)


def _size(asset: Fields) -> int | None:
    """Return `file:size`; a wrong one only makes a plan less exact."""
    stated = asset.raw("file:size")
    return stated if isinstance(stated, int) and stated > 0 else None


def _names(asset: Fields, properties: Fields) -> frozenset[str]:
    """Return the names of an asset's one band; a list of several names none of them.

    Which band of such a file is meant is not settled by the list, and the first would be read.
    """
    listed = _eo_bands(asset, properties)
    named = asset
    if listed is not asset.raw("eo:bands"):
        named = Fields({**asset.values, "eo:bands": listed}, asset.path)
    bands = [*_one_band(named, "eo:bands"), *_one_band(named, "bands")]
    return frozenset(name for band in bands for key in _NAME_KEYS if (name := band.text(key)))


def _one_band(asset: Fields, kind: str) -> list[Fields]:
    bands = asset.records(kind)
    if len(bands) > 1:
        raise FieldError(asset.place(kind), f"{len(bands)}_bands", "not_one_band")
    return bands


def _eo_bands(asset: Fields, properties: Fields) -> Any:
    """Return `eo:bands`; before STAC 0.9 it held places in the list of the item's properties."""
    stated, listed = asset.raw("eo:bands"), properties.raw("eo:bands")
    if not (isinstance(stated, list) and isinstance(listed, list)):
        return stated
    numbered = all(type(place) is int and 0 <= place < len(listed) for place in stated)
    return [listed[place] for place in stated] if numbered else stated
