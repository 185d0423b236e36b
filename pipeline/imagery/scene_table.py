"""`scenes.parquet`: the chosen scenes of a season as stac-geoparquet.

Owns what is kept of an item: what later stages read, in one form and type for all items. The one
idea: archives differ in every field that nobody needs, and a table cannot hold two types, so what
is not needed is left where it was (`links` says where).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import stac_geoparquet.arrow as sga
from shapely.geometry import mapping

from fieldline.pipeline.imagery.acquisitions import ACQUISITION
from fieldline.pipeline.imagery.addresses import relative_href
from fieldline.pipeline.imagery.archive import SceneItem, parse_item
from fieldline.pipeline.imagery.masks import mask_asset
from fieldline.pipeline.imagery.missions import MissionRule, nodata_of, rule_of
from fieldline.pipeline.imagery.radiometry import Radiometry, baseline_order
from fieldline.pipeline.imagery.settings import SceneSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import atomic_path

_EXTENSIONS = [
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
]
#: Pixel of the transform kept, m. Only its corner is read, to lay blocks along the file's tiles.
_PIXEL = 10.0


def wanted_assets(scenes: SceneSettings) -> tuple[str, ...]:
    """Return the bands and the mask that a scene must have."""
    mask = mask_asset(scenes.mask)
    return (*scenes.bands, *([mask] if mask else []))


def with_defaults(item: SceneItem, scenes: SceneSettings) -> SceneItem:
    """Return the item with scale, offset and nodata where its bands state none.

    The configured defaults come first; then what the mission's producer defines for products of the
    item's own baseline (`missions`). Where both are there and differ, the pixels must decide.
    """
    rule = rule_of(item.mission, baseline_order(item.baseline))
    filled = {}
    for band in scenes.bands:
        asset = item.find(band)
        if asset is not None and not _is_stated(asset.radiometry):
            known = _completed(asset.radiometry, item, scenes, rule)
            filled[asset.key] = replace(asset, radiometry=known)
    return replace(item, assets={**item.assets, **filled}) if filled else item


def _is_stated(radiometry: Radiometry) -> bool:
    return radiometry.complete and radiometry.nodata is not None


def _completed(
    stated: Radiometry, item: SceneItem, scenes: SceneSettings, rule: MissionRule | None
) -> Radiometry:
    by_rule = None if rule is None else 0.0 if item.offset_applied else rule.offset
    scale = _first(stated.scale, scenes.default_scale, None if rule is None else rule.scale)
    offset = _first(stated.offset, scenes.default_offset, by_rule)
    nodata = nodata_of(item.mission) if stated.nodata is None else stated.nodata
    configured = stated.offset is None and scenes.default_offset is not None
    doubtful = configured and by_rule is not None and by_rule != offset
    return replace(
        stated, scale=scale, offset=offset, nodata=nodata, doubtful=stated.doubtful or doubtful
    )


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def kept_document(
    item: SceneItem, address: str, scenes: SceneSettings, folder: Path
) -> dict[str, Any]:
    """Return what is kept of an item: addresses relative, radiometry explicit, bands by name.

    Args:
        item: A chosen item, defaults filled in.
        address: Its document.
        scenes: Bands and mask.
        folder: Folder of the table, from which relative addresses start.
    """
    found = {name: item.find(name) for name in wanted_assets(scenes)}
    properties = {
        "datetime": item.datetime.isoformat().replace("+00:00", "Z"),
        "eo:cloud_cover": item.cloud_cover,
        "s2:processing_baseline": item.baseline,
        "fieldline:simulated": item.simulated or None,
        ACQUISITION: item.acquisition,
        "proj:transform": item.origin
        and [_PIXEL, 0.0, item.origin[0], 0.0, -_PIXEL, item.origin[1]],
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": _EXTENSIONS,
        "id": item.id,
        "geometry": mapping(item.footprint),
        "bbox": list(item.footprint.bounds),
        "properties": {name: value for name, value in properties.items() if value is not None},
        "links": [{"rel": "self", "href": relative_href(address, folder)}],
        "assets": {
            name: {"href": relative_href(asset.href, folder), **_raster_bands(asset.radiometry)}
            for name, asset in found.items()
            if asset is not None
        },
        "collection": scenes.collection,
    }


def write_items(
    documents: Sequence[dict[str, Any]], out: Path, notes: Mapping[str, str] | None = None
) -> None:
    """Write kept documents in order of time and id; none gives an empty table.

    Args:
        documents: As `kept_document` returns them.
        out: `scenes.parquet`.
        notes: What else the file says of itself.
    """
    ordered = sorted(documents, key=lambda d: (d["properties"]["datetime"], d["id"]))
    with atomic_path(out) as temporary:
        if ordered:
            sga.to_parquet(sga.parse_stac_items_to_arrow(ordered), temporary)
        else:
            pq.write_table(pa.table({"id": pa.array([], pa.string())}), temporary)
        table = pq.read_table(temporary)
        metadata = {**(table.schema.metadata or {}), **(notes or {})}
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


def read_items(scenes_parquet: Path) -> list[SceneItem]:
    """Read kept items, their addresses made absolute.

    Raises:
        UserError: The file is absent.
    """
    if not scenes_parquet.exists():
        raise UserError(f"{scenes_parquet} does not exist", "run the scenes stage first")
    table = pq.read_table(scenes_parquet)
    if table.num_rows == 0:
        return []
    folder = scenes_parquet.parent.resolve()
    return [parse_item(document, folder) for document in sga.stac_table_to_items(table)]


def _raster_bands(known: Radiometry) -> dict[str, Any]:
    stated = {"scale": known.scale, "offset": known.offset, "nodata": known.nodata}
    band = {name: float(value) for name, value in stated.items() if value is not None}
    return {"raster:bands": [band]} if band else {}
