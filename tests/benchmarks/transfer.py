"""From one area's network to another area: with no label of it, and with its twenty.

    FIELDLINE_REAL_DATA=... python -m tests.benchmarks.transfer NETWORK MAG|COA OUT.json [SEEDS]

NETWORK is a folder of `fieldline fields train` that learnt elsewhere; that it has not learnt the
polygons it is judged on is checked by the lineage of its card. The hand-drawn fields of the area
are split as their publishers split them: 20 to learn from (`train10`, `train20`), 30 to be held
against. Only tiles near the thirty are predicted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd

from fieldline.crops.networks.folder import StoredNetwork, read_network
from fieldline.crops.networks.machine import choose_machine
from fieldline.crops.segment.delineate import delineate, field_polygons
from fieldline.crops.segment.learn import Recipe, ground_in, learn, module_of, open_catalog
from fieldline.crops.segment.lineage import ancestors, need_unlearnt
from fieldline.crops.segment.outlines import read_outlines
from fieldline.crops.segment.pairs import KIND
from fieldline.crops.segment.scores import score_fields
from fieldline.crops.segment.stage import tiles_of
from fieldline.crops.settings import SegmentSettings
from fieldline.workflows.config.load import load_config
from tests.benchmarks.rings import COUNTIES, ROOT

STEPS = 250


def split(drawn: Path, folder: Path) -> tuple[Path, Path]:
    """Write the fields to learn from and those to be held against; return both files."""
    fields = gpd.read_file(drawn)
    held = fields["set"] == "validation"
    paths = folder / "train.geojson", folder / "validation.geojson"
    for path, part in zip(paths, (fields[~held], fields[held]), strict=True):
        part[["parcel_id", "geometry"]].to_file(path)
    return paths


def transferred(start: StoredNetwork, county: str, seeds: int) -> dict[str, Any]:
    """Return the figures without and with labels of the area."""
    config = load_config([ROOT / f"workflows/config/{COUNTIES[county]}.yaml"], {})
    (name, *_) = config.county[county].seasons
    (catalog,) = config.input_paths(county, name, "catalog")
    # The hand-drawn fields alone say which set they belong to.
    drawn = next(path for path in config.input_paths(county, name, "parcels")
                 if "set" in gpd.read_file(path, rows=1).columns)  # fmt: skip
    settings, machine = SegmentSettings(device="cpu", threads=1), choose_machine("cpu", threads=1)
    told: dict[str, Any] = {"lineage": ancestors(start), "runs": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        open_catalog(catalog, start.bands, settings) as scenes,
    ):
        train, validation = split(drawn, Path(folder))
        for file in (drawn, validation):
            need_unlearnt(file, start, [train])
        ground = ground_in(scenes)
        labels, truth = (read_outlines(path, scenes.grid) for path in (train, validation))
        wanted = tiles_of(gpd.GeoDataFrame(geometry=truth), scenes.grid, settings)
        for seed in range(seeds + 1):
            module = module_of(start)
            if seed:
                recipe = Recipe(bands=start.bands, pseudo_steps=0, steps=STEPS, seed=seed)
                module = learn([(ground, labels)], recipe, machine, start)
            found = delineate(module, scenes, machine, settings, wanted)
            seen = field_polygons(found, scenes.grid, settings)
            run = {"labels": len(labels) if seed else 0, "seed": seed}
            run |= score_fields(truth, seen.geometry)
            told["runs"].append(run)
            print(county, run["labels"], "labels, seed", seed, run["iou"], flush=True)
    return told


def main(network: Path, county: str, out: Path, seeds: int = 1) -> None:
    """Write the figures of one network on one area."""
    told = transferred(read_network(network, KIND), county, seeds)
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *(int(s) for s in sys.argv[4:5]))
