"""Real fields drawn as they are, ten metres aside and 30 % too large: who is found too large.

    FIELDLINE_REAL_DATA=... python -m tests.benchmarks.rings MAG OUT.json [NETWORK]

Each ring is judged by its pixels alone, as it was before, and by two kinds of evidence, pixels and
the outlines of seen fields (no registry is at hand). A ring that is swept to one side holds its
field's share by construction; where the land beside is the same crop nothing can tell.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.affinity import translate

from fieldline.crops.networks.folder import StoredNetwork, read_network
from fieldline.crops.networks.machine import choose_machine
from fieldline.crops.recognise.pixels import ring_curves
from fieldline.crops.recognise.planted import Planted, planted
from fieldline.crops.segment.cover import NO_FIELD
from fieldline.crops.segment.delineate import delineate, field_polygons
from fieldline.crops.segment.learn import module_of
from fieldline.crops.segment.pairs import KIND
from fieldline.crops.segment.rings import ring_evidence
from fieldline.crops.segment.shipped import shipped_network
from fieldline.crops.segment.stack import Scenes, days_of_catalog, mask_of, spread_days
from fieldline.crops.segment.stage import tiles_of
from fieldline.crops.settings import SegmentSettings
from fieldline.lending.evidence.areas import PLANTED, Areas, areas_of
from fieldline.lending.evidence.facts import ParcelFacts, SeenGround
from fieldline.lending.evidence.gather import looked
from fieldline.pipeline.imagery.grid import Grid, grid_around
from fieldline.pipeline.imagery.scene_days import SceneDay
from fieldline.pipeline.imagery.settings import GridSettings, MaskSettings
from fieldline.workflows.config.load import load_config

ROOT = Path(__file__).resolve().parents[2]
COUNTIES = {"BAV": "bavaria_2018", "MAG": "magdeburg_2021", "COA": "coast_2021"}
ASIDE_M, TOO_LARGE, SEED, STEPS = 10.0, 1.3, 5, 24
ALIKE = 0.15
"""Where pixels see this much of a ring too much as its own, the land beside carries the same."""


def swept(field: shapely.Polygon, angle: float) -> shapely.Polygon:
    """Return a field swept to one side until it is 30 % larger."""
    along = np.cos(angle), np.sin(angle)
    low, high = 0.0, 2 * np.sqrt(field.area)
    for _ in range(18):
        middle = (low + high) / 2
        larger = _sweep(field, along, middle).area >= TOO_LARGE * field.area
        low, high = (low, middle) if larger else (middle, high)
    return max(getattr(_sweep(field, along, high), "geoms", [_sweep(field, along, high)]),
               key=lambda part: part.area)  # fmt: skip


def _sweep(field: shapely.Polygon, along: tuple[float, float], metres: float) -> Any:
    moved = [translate(field, along[0] * metres * k / STEPS, along[1] * metres * k / STEPS)
             for k in range(STEPS + 1)]  # fmt: skip
    return shapely.union_all(moved)


def drawn(paths: list[Path], crs: str) -> gpd.GeoDataFrame:
    """Return the three rings of each field: `parcel_id`, `kind` and `truth`, the field's share."""
    random = np.random.default_rng(SEED)
    fields = pd.concat([gpd.read_file(path).to_crs(crs) for path in paths], ignore_index=True)
    rows = []
    for number, shape in enumerate(fields.geometry):
        field = max(getattr(shape, "geoms", [shape]), key=lambda part: part.area)
        angle = random.uniform(0, 2 * np.pi)
        aside = translate(field, ASIDE_M * np.cos(angle), ASIDE_M * np.sin(angle))
        large = swept(field, angle)
        for kind, ring, truth in (("honest", field, 1.0), ("aside", aside, 1.0),
                                  ("large", large, field.area / large.area)):  # fmt: skip
            rows.append({"parcel_id": f"{number} {kind}", "kind": kind, "truth": truth,
                         "geometry": ring})  # fmt: skip
    return gpd.GeoDataFrame(rows, crs=crs)


def judged(county: str, network: Path | None) -> pd.DataFrame:
    """Return, of each ring, what pixels alone and two kinds of evidence say."""
    config = load_config([ROOT / f"workflows/config/{COUNTIES[county]}.yaml"], {})
    own = config.county[county]
    season, (name,) = next(iter(own.seasons.values())), own.seasons
    (catalog,) = config.input_paths(county, name, "catalog")
    rings = drawn(config.input_paths(county, name, "parcels"), str(own.grid.crs))
    grid = grid_around(tuple(rings.total_bounds), str(own.grid.crs), GridSettings())
    days = days_of_catalog(catalog, own.scenes.bands)
    settings = config.crops.fields
    shares = {
        ring.parcel_id: (planted(ring, settings, over=True), float(ring.coverage.sum()))
        for ring in ring_curves(rings, grid, days, own.scenes, settings, season)
    }
    stored = network_of(network)
    read = days_of_catalog(catalog, stored.bands), grid, mask_of(days, own.scenes.mask)
    seen = seen_fields(stored, read, config.crops.segment, rings=rings)
    # Each kind of ring on its own: the three of a field are no neighbours.
    grounds = pd.concat(
        ring_evidence(group.reset_index(drop=True), seen, NO_FIELD)
        for _, group in rings.groupby("kind")
    ).set_index("parcel_id")
    found = [
        areas_of(facts_of(row, shares[row.parcel_id], grounds.loc[row.parcel_id]),
                 config.lending.evidence, registry_stale=False)
        for row in rings.itertuples()
    ]  # fmt: skip
    return rings.assign(
        pixels=[PLANTED in areas.against for areas in found],
        both=[areas.overdrawn for areas in found],
        pixel_share=[_share(areas, areas.planted) for areas in found],
        fields_share=[_share(areas, areas.fields) for areas in found],
        share=[_share(areas, areas.seen) for areas in found],
    )


def _share(areas: Areas, area: float | None) -> float:
    return 1.0 if area is None else area / areas.claimed


def network_of(folder: Path | None) -> StoredNetwork:
    """Return the network of a folder, or the one that ships."""
    return shipped_network() if folder is None else read_network(folder, KIND)


def seen_fields(
    network: StoredNetwork, read: tuple[list[SceneDay], Grid, MaskSettings],
    settings: SegmentSettings, *, rings: gpd.GeoDataFrame | None = None, over: bool = True,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Return the seen fields of a grid from days and a mask, or of its tiles near some rings."""
    days, grid, mask = read
    machine = choose_machine(settings.device, threads=settings.threads)
    wanted = None if rings is None else tiles_of(rings, grid, settings)
    with Scenes(spread_days(days, settings.dates), grid, network.bands, mask) as scenes:
        found = delineate(module_of(network), scenes, machine, settings, wanted, over=over)
    return field_polygons(found, grid, settings)


def facts_of(
    ring: Any, seen: tuple[Planted, float], ground: Any, *, crop: str | None = None
) -> ParcelFacts:
    """Return the facts of a ring: what is planted, pixels, and its row of `RING_FIELDS` if any."""
    share, pixels = seen[0].share, seen[1]
    area = ring.geometry.area
    seen_ground = None if ground is None else looked(SeenGround(
        ground.own_area_m2, ground.foreign_area_m2, None, None, ground.open_area_m2,
        ground.open_cover, np.nan_to_num(ground.field_share), np.nan_to_num(ground.undrawn),
    ), area)  # fmt: skip
    return ParcelFacts(
        parcel_id=ring.parcel_id, farmer_id="", ring_area_m2=area, declared_area_m2=None,
        declared_crop=crop, seen_area_m2=None if share is None else share * area,
        planted_fraction=share, pixels=pixels, green_throughout=seen[0].method == "green",
        cycle_seen=seen[0].method == "unmixed",
        perimeter_m=ring.geometry.length, ground=seen_ground,
    )  # fmt: skip


def figures(rings: pd.DataFrame) -> dict[str, Any]:
    """Return counts and mean absolute errors by kind of ring."""
    told: dict[str, Any] = {}
    for kind, group in rings.groupby("kind"):
        apart = group["pixel_share"] - group["truth"]
        alike = apart > ALIKE
        told[str(kind)] = {
            "rings": len(group), "found_by_pixels": int(group["pixels"].sum()),
            "found_by_two": int(group["both"].sum()),
            "pixel_share_error": float(apart.abs().mean()),
            "pixel_share_error_median": float(apart.abs().median()),
            "beside_alike": int(alike.sum()),
            "pixel_share_error_of_others": float(apart[~alike].abs().mean()),
            "share_error": float((group["share"] - group["truth"]).abs().mean()),
        }  # fmt: skip
    aside = rings[rings["kind"] == "aside"]["both"].to_numpy()
    honest = rings[rings["kind"] == "honest"]["both"].to_numpy()
    told["aside"]["newly_found_by_two"] = int((aside & ~honest).sum())
    return told


def main(county: str, out: Path, network: Path | None = None) -> None:
    """Write the figures of a county."""
    told = figures(judged(county, network))
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
