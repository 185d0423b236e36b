"""Wall-to-wall fields of Denmark from one date and three visible bands, halves held apart.

    FIELDLINE_REAL_DATA=... python -m tests.benchmarks.denmark OUT.json [SEEDS] [STEPS]

The chip is cut in a western and an eastern half, each an archive of its own with the official
fields cut along the same line. A network learns on one half and is judged on the other, both ways;
beside it a plain watershed, which stops where it matches the half that was learnt from best. All
fields of a half are drawn, so the network, which begins from the one that ships,
learns what is none (`Recipe.complete`) and every seen
polygon counts: woods and villages cut into polygons are invented fields (`complete`). Beside it
stands what counts only polygons that meet a drawn field (`sparse`). The polygons of each run are
written beside the figures as GeoParquet, to be looked at.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
from shapely.geometry import box

from fieldline.crops.networks.machine import choose_machine
from fieldline.crops.segment.delineate import Delineated, field_polygons
from fieldline.crops.segment.learn import (
    Ground,
    Recipe,
    ground_of,
    learn,
    seen_by_network,
    seen_by_watershed,
)
from fieldline.crops.segment.pseudo import plain_fields
from fieldline.crops.segment.scores import score_fields
from fieldline.crops.segment.shipped import shipped_network
from fieldline.crops.settings import SegmentSettings
from tests.crops.segment.farmland import write_archive

BANDS = ("B02", "B03", "B04")
"""The chip's bands in the order they lie: its minima say that blue comes first."""
FOLDER = "denmark_lpis_s2_2016"
PIXEL = 10.0
LEAST_M2 = 200.0
"""Smaller pieces are what the cut left of a field."""


def halves(source: Path, out: Path) -> list[tuple[Path, gpd.GeoSeries]]:
    """Write both halves as archives; return each with its fields."""
    with rasterio.open(source / "RGB_small.tif") as file:
        image, left, top = file.read(), file.transform.c, file.transform.f
        crs = file.crs
    fields = gpd.read_file(source / "fields.gpkg").to_crs("EPSG:32632")
    assert crs.to_epsg() in (None, 32632)
    middle, (rows, columns) = image.shape[2] // 2, image.shape[1:]
    found = []
    for name, first, last in (("west", 0, middle), ("east", middle, columns)):
        corner = (left + PIXEL * first, top)
        here = box(corner[0], top - PIXEL * rows, left + PIXEL * last, top)
        catalog = write_archive(
            out / name, image[None, :, :, first:last] * 1e-4, bands=BANDS, corner=corner
        )
        parts = fields.geometry.make_valid().intersection(here).explode(ignore_index=True)
        parts = parts[(parts.geom_type == "Polygon") & (parts.area >= LEAST_M2)]
        found.append((catalog, parts.reset_index(drop=True)))
    return found


def judged(
    here: tuple[Path, gpd.GeoSeries], there: tuple[Path, gpd.GeoSeries],
    asked: tuple[int, int], out: Path,
) -> dict[str, Any]:  # fmt: skip
    """Return the figures of what was learnt here and is judged there; `asked`: seeds and steps."""
    seeds, steps = asked
    settings = SegmentSettings(device="cpu", threads=1)
    machine = choose_machine("cpu", threads=1)
    ground = ground_of(here[0], BANDS, settings)
    told: dict[str, Any] = {"train_fields": len(here[1]), "fields": len(there[1]), "network": []}
    _, stop = seen_by_watershed(ground, here[1], settings)
    told["watershed"] = {"stop": stop, **_scores(there[1], _plain(there[0], stop, settings))}
    for seed in range(1, seeds + 1):
        recipe = Recipe(bands=BANDS, pseudo_steps=0, steps=steps, complete=True, seed=seed)
        module = learn([(ground, here[1])], recipe, machine, shipped_network())
        seen, _, _ = seen_by_network(module, there[0], BANDS, settings, machine)
        seen.to_parquet(out.with_name(f"{out.stem}_{here[0].parent.name}_{seed}.parquet"))
        told["network"].append({"seed": seed, "steps": steps, **_scores(there[1], seen.geometry)})
    return told


def _plain(catalog: Path, stop: float, settings: SegmentSettings) -> gpd.GeoSeries:
    ground: Ground = ground_of(catalog, BANDS, settings)
    (labels,) = plain_fields(ground.stack, (stop,))
    certain = np.ones(int(labels.max()) + 1)
    return field_polygons(Delineated(labels, certain), ground.grid, settings).geometry


def _scores(drawn: gpd.GeoSeries, seen: gpd.GeoSeries) -> dict[str, Any]:
    return {
        name: score_fields(drawn, seen, complete=name == "complete")
        for name in ("complete", "sparse")
    }


def _line(run: dict[str, Any]) -> str:
    half = {name: run[name]["objects"]["by_iou"]["0.50"]["f1"] for name in ("complete", "sparse")}
    return (f"IoU {run['complete']['iou']['value']:.3f}  F1 at .5 {half['complete']:.3f} "
            f"(sparse {half['sparse']:.3f})")  # fmt: skip


def main(out: Path, seeds: int = 2, steps: int = 1200) -> None:
    """Write the figures of both ways."""
    source = Path(os.environ["FIELDLINE_REAL_DATA"]) / FOLDER
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        west, east = halves(source, Path(folder))
        for way, here, there in (("west to east", west, east), ("east to west", east, west)):
            run = judged(here, there, (seeds, steps), out)
            told[way] = run
            # Written as soon as it is known: the other way takes as long again.
            out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
            print(way, "| watershed", _line(run["watershed"]), flush=True)
            for one in run["network"]:
                print(way, "| network, seed", one["seed"], _line(one), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(text) for text in sys.argv[2:4]))
