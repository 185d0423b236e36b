"""The scenes of a season: which items of the archive count, and which fall on the same day.

Owns the choice (season, as-of date, footprint, bands, radiometry, cloud) with one outcome per
item, and the grouping into solar days. Opens no raster: choosing is cheap, and what was chosen is
kept as stac-geoparquet, so that a rerun and a replay read the same scenes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import stac_geoparquet.arrow as sga
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.archive import (
    SceneItem,
    item_hrefs,
    known_since,
    parse_item,
    read_document,
    relative_href,
)
from fieldline.pipeline.imagery.masks import mask_asset
from fieldline.pipeline.imagery.radiometry import Radiometry, baseline_order
from fieldline.pipeline.imagery.settings import SceneSettings
from fieldline.pipeline.records.errors import ProviderError, UserError
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import atomic_path

STAGE = "scenes"
_DEGREES_PER_HOUR = 15.0


@dataclass(frozen=True)
class SceneDay:
    """All items of one solar day, best first."""

    date: dt.date
    """Solar day: the local date by the sun, so a tile edge never splits an overpass."""
    datetime: dt.datetime
    """Acquisition time of the day's first item, UTC."""
    items: tuple[SceneItem, ...]
    """Newest baseline first, then least cloud, then id: the order in which pixels are taken."""

    @property
    def scene_id(self) -> str:
        """Item ids joined by `+`, in the order of `items`."""
        return "+".join(item.id for item in self.items)

    def without(self, item_id: str) -> SceneDay:
        """Return the day without one item."""
        kept = tuple(item for item in self.items if item.id != item_id)
        return SceneDay(self.date, self.datetime, kept)


@dataclass(frozen=True)
class _Choice:
    """One document of the archive, judged."""

    name: str
    document: dict[str, Any] | None
    code: str = OK
    detail: str = ""


def run_scenes(
    *,
    catalog: Path,
    parcels: Path,
    season: Season,
    scenes: SceneSettings,
    out: Path,
    outcomes: Path,
) -> None:
    """Choose the scenes of a season and write them as stac-geoparquet.

    Args:
        catalog: `catalog.json` of a static STAC archive.
        parcels: `parcels.parquet`.
        season: Dates of the season and the as-of date.
        scenes: Collection, bands, mask and cloud limit.
        out: `scenes.parquet`; asset addresses are relative to its folder.
        outcomes: One row per item of the collection, item id in `parcel_id`.

    Raises:
        UserError: The catalog cannot be read or holds no such collection.
    """
    area = _Area(gpd.read_parquet(parcels))
    choices = _distinct(
        [_choose(href, area, season, scenes) for href in item_hrefs(catalog, scenes.collection)]
    )
    kept = [c.document for c in choices if c.code == OK and c.document is not None]
    _write_items([_stored(document, scenes, out.parent) for document in kept], out)
    write_outcomes([Outcome(STAGE, c.name, "", c.code, c.detail) for c in choices], outcomes)


def read_scene_days(scenes_parquet: Path) -> list[SceneDay]:
    """Read chosen scenes, grouped by solar day in order of time.

    One longitude serves the whole county: composites dated midnight UTC would otherwise split into
    two days along a meridian.

    Raises:
        UserError: The file is absent.
    """
    if not scenes_parquet.exists():
        raise UserError(f"{scenes_parquet} does not exist", "run the scenes stage first")
    table = pq.read_table(scenes_parquet)
    if table.num_rows == 0:
        return []
    folder = scenes_parquet.parent.resolve()
    items = [parse_item(document, folder) for document in sga.stac_table_to_items(table)]
    return group_by_solar_day(items)


def group_by_solar_day(items: Sequence[SceneItem]) -> list[SceneDay]:
    """Group items by solar day, best item first within a day."""
    longitudes = [bound for item in items for bound in item.footprint.bounds[::2]]
    longitude = (min(longitudes) + max(longitudes)) / 2 if longitudes else 0.0
    groups: dict[dt.date, list[SceneItem]] = {}
    for item in items:
        groups.setdefault(solar_day(item.datetime, longitude), []).append(item)
    return [
        SceneDay(day, min(i.datetime for i in group), tuple(sorted(group, key=_worst_last)))
        for day, group in sorted(groups.items())
    ]


def solar_day(moment: dt.datetime, longitude: float) -> dt.date:
    """Return the local date by the sun: UTC shifted by one hour per 15 degrees east."""
    return (moment + dt.timedelta(hours=longitude / _DEGREES_PER_HOUR)).date()


def _worst_last(item: SceneItem) -> tuple[tuple[int, ...], float, str]:
    newest_first = tuple(-part for part in baseline_order(item.baseline)) or (1,)
    cloud = 100.0 if item.cloud_cover is None else item.cloud_cover
    return newest_first, cloud, item.id


class _Area:
    """The county's parcels as something to intersect footprints with."""

    def __init__(self, parcels: gpd.GeoDataFrame) -> None:
        self._tree = STRtree(parcels.geometry.to_numpy())
        bounds = parcels.total_bounds if len(parcels) else (0.0, 0.0, 0.0, 0.0)
        self.longitude = float(bounds[0] + bounds[2]) / 2

    def touches(self, footprint: BaseGeometry) -> bool:
        return bool(self._tree.query(footprint, predicate="intersects").size)


def _choose(href: str, area: _Area, season: Season, scenes: SceneSettings) -> _Choice:
    try:
        document = read_document(href)
        item = parse_item(document)
    except ProviderError as error:
        reason = type(error.__cause__).__name__ if error.__cause__ else "empty_geometry"
        return _Choice(Path(href).name, None, "scene_invalid_item", detail(reason=reason))
    code, numbers = _verdict(document, item, area, season, scenes)
    return _Choice(item.id, document, code, numbers)


def _verdict(
    document: Mapping[str, Any],
    item: SceneItem,
    area: _Area,
    season: Season,
    scenes: SceneSettings,
) -> tuple[str, str]:
    day, known = solar_day(item.datetime, area.longitude), known_since(document).date()
    if not season.start <= day <= season.end:
        return "scene_outside_season", detail(date=day)
    if known > season.as_of:
        return "scene_after_as_of", detail(known=known, as_of=season.as_of)
    if not area.touches(item.footprint):
        return "scene_outside_county", ""
    if item.cloud_cover is not None and item.cloud_cover > scenes.max_cloud_percent:
        return "scene_too_cloudy", detail(cloud=item.cloud_cover, limit=scenes.max_cloud_percent)
    return _verdict_on_assets(item, scenes)


def _verdict_on_assets(item: SceneItem, scenes: SceneSettings) -> tuple[str, str]:
    mask = mask_asset(scenes.mask)
    missing = [b for b in (*scenes.bands, *([mask] if mask else [])) if item.find(b) is None]
    if missing:
        return "scene_missing_band", detail(bands=",".join(missing))
    silent = [
        band
        for band in scenes.bands
        if (asset := item.find(band)) and not _with_defaults(asset.radiometry, scenes).complete
    ]
    if silent:
        return "scene_no_radiometry", detail(bands=",".join(silent))
    return OK, detail(cloud=item.cloud_cover, baseline=item.baseline)


def _distinct(choices: Sequence[_Choice]) -> list[_Choice]:
    """Keep the first of items that carry the same id; number the others."""
    seen: dict[str, int] = {}
    result = []
    for choice in choices:
        seen[choice.name] = count = seen.get(choice.name, 0) + 1
        repeated = _Choice(f"{choice.name}#{count}", None, "scene_duplicate", f"id={choice.name}")
        result.append(choice if count == 1 else repeated)
    return result


def _stored(document: dict[str, Any], scenes: SceneSettings, folder: Path) -> dict[str, Any]:
    """Return the document as it is kept: addresses relative, radiometry of the bands explicit."""
    item = parse_item(document)
    for asset in document["assets"].values():
        asset["href"] = relative_href(asset["href"], folder)
    for band in scenes.bands:
        asset = item.find(band)
        if asset is not None:
            _state_radiometry(
                document["assets"][asset.key], _with_defaults(asset.radiometry, scenes)
            )
    itself = [link for link in document["links"] if link["rel"] == "self"]
    document["links"] = [{**link, "href": relative_href(link["href"], folder)} for link in itself]
    return document


def _with_defaults(stated: Radiometry, scenes: SceneSettings) -> Radiometry:
    return replace(
        stated,
        scale=scenes.default_scale if stated.scale is None else stated.scale,
        offset=scenes.default_offset if stated.offset is None else stated.offset,
    )


def _state_radiometry(asset: dict[str, Any], known: Radiometry) -> None:
    band = dict(next(iter(asset.get("raster:bands") or []), {}))
    stated = {"scale": known.scale, "offset": known.offset, "nodata": known.nodata}
    asset["raster:bands"] = [{**band, **{k: v for k, v in stated.items() if v is not None}}]


def _write_items(documents: list[dict[str, Any]], out: Path) -> None:
    documents = sorted(documents, key=lambda d: (d["properties"].get("datetime") or "", d["id"]))
    with atomic_path(out) as temporary:
        if documents:
            sga.to_parquet(sga.parse_stac_items_to_arrow(documents), temporary)
        else:
            pq.write_table(pa.table({"id": pa.array([], pa.string())}), temporary)
