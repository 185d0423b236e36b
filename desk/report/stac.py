"""A county's products as a STAC collection: one item for each table, with where its rows come from.

Owns the documents alone: the tables stay where they are and no figure is computed. Items say their
columns (table extension), the software (processing extension), bands, mask and grid, and link to
the items of the archive or provider that they were derived from; no wall clock enters them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
from shapely.geometry import box, mapping

from fieldline.pipeline.imagery.addresses import is_remote
from fieldline.pipeline.imagery.lineage import Lineage, read_lineage
from fieldline.pipeline.imagery.masks import mask_classes
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table, write_text

FOLDER = "stac"
"""Folder beside a county's tables."""
_TABLE = "https://stac-extensions.github.io/table/v1.2.0/schema.json"
_PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
_VERSION = "1.1.0"
_COLLECTION = "collection.json"
_PARQUET = "application/vnd.apache.parquet"
#: Products that are listed where they are there, and what each is. Tables of persons, money and
#: decisions are no products of the earth and stay out.
_PRODUCTS = {
    "parcels": "Accepted parcel outlines",
    "scenes": "Chosen scenes as stac-geoparquet",
    "observations": "Reflectance by parcel, date and band",
    "weather": "Daily weather by cell",
    "fields": "Planted area by parcel",
    "crops": "Crop by parcel with its probability",
    "growth": "Growth curve and phenology by parcel",
    "hazards": "Hazard indices by parcel",
    "yields": "Yield by parcel",
}
_SEEN = ("observations", "fields", "crops", "growth", "yields")
"""Products that hold what was seen on scenes, which they then link to."""
_CREDIT = "Contains modified Copernicus Sentinel data where the scenes are of Sentinel."


def write_stac(folder: Path) -> Path:
    """Write the collection of a county's season and its items.

    Args:
        folder: `results/{season}/{county}`.

    Returns:
        `collection.json` in `folder / stac`.

    Raises:
        UserError: The county's scenes have not been chosen yet, or none was.
    """
    scenes = folder / "scenes.parquet"
    season = _Season(folder, read_lineage(scenes), *_sources(scenes))
    if not season.times:
        raise UserError(f"{scenes} holds no scene", "see outcomes/scenes.parquet for the reasons")
    names = [name for name in _PRODUCTS if (folder / f"{name}.parquet").is_file()]
    for name in names:
        _write(season.item(name), folder / FOLDER / f"{name}.json")
    return _write(season.collection(names), folder / FOLDER / _COLLECTION)


def _sources(scenes: Path) -> tuple[list[str], list[str], bool]:
    """Return times and documents of the chosen scenes, and whether they are simulated."""
    names = set(pq.read_schema(scenes).names)
    if "datetime" not in names:
        return [], [], False
    wanted = {"datetime", "links", "fieldline:simulated"} & names
    table = read_table(scenes, sorted(wanted))
    links = [link for row in table["links"] for link in row if link["rel"] == "self"]
    simulated = "fieldline:simulated" in table and bool(table["fieldline:simulated"].any())
    times = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in table["datetime"].sort_values()]
    return times, sorted({str(link["href"]) for link in links}), simulated


@dataclass(frozen=True)
class _Season:
    """What all documents of a county's season share."""

    folder: Path
    lineage: Lineage
    times: Sequence[str]
    """Of its scenes, ascending."""
    sources: Sequence[str]
    """Documents of its scenes, relative to the folder where they are on disk."""
    simulated: bool

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the parcels."""
        found = gpd.read_parquet(self.folder / "parcels.parquet").total_bounds
        west, south, east, north = map(float, found)
        return west, south, east, north

    @property
    def name(self) -> str:
        """Id of the collection."""
        return f"fieldline-{self.folder.name}-{self.folder.parent.name}"

    def collection(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the collection of the products of these names."""
        county, season = self.folder.name, self.folder.parent.name
        kind = "Simulated: these fields do not exist. " if self.simulated else ""
        return {
            "type": "Collection",
            "stac_version": _VERSION,
            "id": self.name,
            "title": f"Fieldline, county {county}, season {season}",
            "description": f"{kind}Parcels, observations and crops of county {county}, season "
            f"{season}, from scenes of {self.lineage.collection}. {_CREDIT}",
            "license": "other",
            "keywords": ["agriculture", "crops", "parcels"],
            "extent": {
                "spatial": {"bbox": [self.bounds]},
                "temporal": {"interval": [[self.times[0], self.times[-1]]]},
            },
            "fieldline:simulated": self.simulated,
            "links": [
                _link("root", f"./{_COLLECTION}"),
                *(_link("item", f"./{name}.json") for name in names),
            ],
        }

    def item(self, name: str) -> dict[str, Any]:
        """Return the item of one product."""
        path = self.folder / f"{name}.parquet"
        seen = name in _SEEN
        title = {"title": _PRODUCTS[name]}
        above = [_link(rel, f"./{_COLLECTION}") for rel in ("root", "parent", "collection")]
        return {
            "type": "Feature",
            "stac_version": _VERSION,
            "stac_extensions": [_TABLE, _PROCESSING],
            "id": f"{self.name}-{name}",
            "collection": self.name,
            "geometry": mapping(box(*self.bounds)),
            "bbox": self.bounds,
            "properties": {
                **title,
                "datetime": None,
                "start_datetime": self.times[0],
                "end_datetime": self.times[-1],
                "fieldline:simulated": self.simulated,
                "processing:software": _software(self.lineage),
                "table:row_count": pq.read_metadata(path).num_rows,
                "table:columns": [_column(field) for field in pq.read_schema(path)],
                **(_made_by(self.lineage) if seen else {}),
            },
            "assets": {
                "data": {"href": f"../{path.name}", **title, "type": _PARQUET, "roles": ["data"]}
            },
            "links": [*above, *(self._derived_from(href) for href in self.sources if seen)],
        }

    def _derived_from(self, href: str) -> dict[str, str]:
        if not is_remote(href):
            there = (self.folder / FOLDER).resolve()
            href = Path(os.path.relpath((self.folder / href).resolve(), there)).as_posix()
        return _link("derived_from", href)


def _link(relation: str, href: str) -> dict[str, str]:
    kind = "application/json" if href.endswith(_COLLECTION) else "application/geo+json"
    return {"rel": relation, "href": href, "type": kind}


def _made_by(lineage: Lineage) -> dict[str, Any]:
    mask = lineage.mask
    clear = sorted(mask_classes(mask).clear)
    how = "nodata alone" if mask.kind == "none" else f"{mask.asset} in {clear}"
    lines = (
        f"Bands {', '.join(lineage.bands)}; clear where {how} ({mask.kind}); coverage-weighted on "
        f"a grid of {lineage.grid.resolution_m:g} m. Rows of observations name item, baseline and "
        "offset; scenes.parquet holds each item's scale, offset and document."
    )
    return {
        "processing:lineage": lines,
        "fieldline:bands": list(lineage.bands),
        "fieldline:mask": mask.model_dump(mode="json"),
        "fieldline:grid": lineage.grid.model_dump(mode="json"),
    }


def _software(lineage: Lineage) -> dict[str, str]:
    name, _, release = lineage.software.partition(" ")
    return {name: release}


def _column(field: pa.Field) -> dict[str, str]:
    told = field.metadata or {}
    words = told.get(b"description", b"").decode()
    unit = told.get(b"unit", b"").decode()
    stated = {"name": field.name, "type": str(field.type)}
    return {**stated, "description": f"{words} [{unit}]" if unit else words} if words else stated


def _write(document: dict[str, Any], path: Path) -> Path:
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path
