"""Small files of outlines and a small scene archive, for what `fieldline init` is told."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from shapely.geometry import Polygon, box

from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.init.start import Wishes, init_county

TODAY = dt.date(2025, 6, 30)
#: Squares near 11.3 E, 52.2 N with edges of 1, 2, 3 and 4 hundredths of a degree of latitude / 10:
#: 0.76, 3.04, 6.84 and 12.16 ha within a percent (1 degree is 111.3 km north, 68.4 km east).
EDGES = (0.001, 0.002, 0.003, 0.004)
HECTARES = (0.76, 3.04, 6.84, 12.16)
MU = (11.4, 45.6, 102.6, 182.4)


def squares() -> list[Polygon]:
    return [box(11.3 + i / 100, 52.2, 11.3 + i / 100 + e, 52.2 + e) for i, e in enumerate(EDGES)]


def geojson(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {name: values[i] for name, values in columns.items()},
            "geometry": square.__geo_interface__,
        }
        for i, square in enumerate(squares())
    ]
    document = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def csv(path: Path, columns: Mapping[str, Sequence[Any]], encoding: str = "utf-8") -> Path:
    rows = [";".join(columns)]
    rows += [";".join(str(values[i]) for values in columns.values()) for i in range(len(EDGES))]
    path.write_text("\n".join(rows), encoding=encoding)
    return path


def wkt(scale: float = 1.0) -> list[str]:
    return [
        box(*(value * scale for value in square.bounds)).wkt if scale != 1 else square.wkt
        for square in squares()
    ]


def init(folder: Path, parcels: Path, catalog: str | None = None, **options: Any) -> list[str]:
    wishes = Wishes(options.pop("currency", None), options.pop("season", None))
    force = options.pop("force", False)
    return init_county(folder, parcels, catalog, wishes=wishes, force=force, today=TODAY)


def loaded(folder: Path) -> Config:
    return load_config([folder / "county.yaml"])


def columns_of(folder: Path) -> dict[str, str]:
    document = yaml.safe_load((folder / "county.yaml").read_text(encoding="utf-8"))
    (county,) = document["county"].values()
    return dict(county["inputs"]["parcel_columns"])


PLAIN = {
    "parcel_id": ["A1", "A2", "A3", "A4"],
    "farmer_id": ["F1", "F1", "F2", "F3"],
    "declared_crop": ["maize", "rice", "maize", "maize"],
    "declared_area_ha": HECTARES,
}


def _item(folder: Path, number: int, day: str, assets: dict[str, Any], **properties: Any) -> None:
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"scene{number}",
        "geometry": box(11.2, 52.1, 11.5, 52.4).__geo_interface__,
        "bbox": [11.2, 52.1, 11.5, 52.4],
        "properties": {"datetime": f"{day}T10:00:00Z", **properties},
        "links": [],
        "assets": {key: {"href": f"./{key}.tif", **asset} for key, asset in assets.items()},
    }
    (folder / f"scene{number}.json").write_text(json.dumps(item), encoding="utf-8")


def archive(folder: Path, days: Sequence[str], assets: dict[str, Any], **properties: Any) -> str:
    folder.mkdir()
    for number, day in enumerate(days):
        _item(folder, number, day, assets, **properties)
    links = [{"rel": "item", "href": f"./scene{number}.json"} for number in range(len(days))]
    catalog = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "scenes",
        "description": "a test",
        "links": links,
    }
    (folder / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")
    return str(folder / "catalog.json")


SCALED = {"raster:bands": [{"scale": 0.0001, "offset": 0}]}
DAYS = ["2023-05-10", "2024-03-12", "2024-04-12", "2024-05-12", "2024-06-12", "2024-07-01"]
