"""Learning and evaluating on one area: what `fieldline fields train` and `evaluate` do.

Owns the recipe from a catalog and polygon files to a model folder with its card, and to figures
beside those of a plain watershed in the same run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from rasterio.windows import Window

from fieldline.crops.networks.folder import StoredNetwork, load_weights, need_bands
from fieldline.crops.networks.machine import Machine, choose_machine, need_networks
from fieldline.crops.segment.augment import Area
from fieldline.crops.segment.cover import FEWEST_OVER
from fieldline.crops.segment.delineate import Delineated, delineate, field_polygons
from fieldline.crops.segment.lineage import need_unlearnt
from fieldline.crops.segment.outlines import burnt, read_outlines
from fieldline.crops.segment.pairs import KIND
from fieldline.crops.segment.polygons import write_fields
from fieldline.crops.segment.pseudo import plain_fields, pseudo_fields
from fieldline.crops.segment.scores import best_overlaps, pooled, score_fields
from fieldline.crops.segment.stack import (
    Block,
    Scenes,
    days_of_catalog,
    grid_of,
    items_hash,
    mask_of,
    spread_days,
)
from fieldline.crops.segment.training import Phase, Progress, Training, train
from fieldline.crops.segment.truth import Drawn, drawn_apart
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.canonical import file_hash
from fieldline.pipeline.records.errors import UserError

BANDS = ("B02", "B03", "B04", "B08")
"""10 m bands: what a network takes unless it is told otherwise."""


@dataclass(frozen=True)
class Recipe:
    """How a network is made."""

    bands: tuple[str, ...] = BANDS
    width: int = 16
    """Channels at full resolution."""
    pseudo_steps: int = 300
    """Steps on the area's own pseudo-fields."""
    steps: int = 300
    """Steps on drawn polygons."""
    complete: bool = False
    """Whether every field within the hull of an area's polygons is among them."""
    seed: int = 1
    training: Training = field(default_factory=Training)


@dataclass(frozen=True)
class Ground:
    """An area in memory."""

    grid: Grid
    stack: Block
    """(dates, bands, rows, columns), scaled."""
    data: str
    """Hash of the scenes that were taken."""
    dates: list[str]
    hectares: float


def ground_of(catalog: Path, bands: Sequence[str], settings: SegmentSettings) -> Ground:
    """Read an area whole.

    Raises:
        UserError: The catalog cannot be read, lacks a band, or shows nothing clear.
    """
    with open_catalog(catalog, bands, settings) as scenes:
        return ground_in(scenes)


def ground_in(scenes: Scenes) -> Ground:
    """Read all of open scenes.

    Raises:
        UserError: Nothing is clear, or the scenes hold no reflectances.
    """
    grid = scenes.grid
    stack = scenes.scaling().apply(scenes.read(Window(0, 0, grid.width, grid.height)))
    seen = np.isfinite(stack).all(axis=1).any(axis=0)
    return Ground(
        grid, stack, items_hash(scenes.days), [day.date.isoformat() for day in scenes.days],
        float(seen.sum()) * grid.resolution**2 / 1e4,
    )  # fmt: skip


def open_catalog(catalog: Path, bands: Sequence[str], settings: SegmentSettings) -> Scenes:
    """Return the scenes of a catalog, not yet open, at most `settings.dates` of them."""
    days = days_of_catalog(catalog, bands)
    mask = mask_of(days, MaskSettings())
    return Scenes(spread_days(days, settings.dates), grid_of(days), bands, mask)


def learn(
    grounds: Sequence[tuple[Ground, gpd.GeoSeries | None]], recipe: Recipe, machine: Machine,
    start: StoredNetwork | None = None, told: Progress | None = None,
    held: gpd.GeoSeries | None = None,
) -> Any:  # fmt: skip
    """Return a trained module.

    Args:
        grounds: Areas with their drawn polygons, or None where only pseudo-fields are known.
        recipe: Bands, width, steps and seed.
        machine: Where it runs.
        start: Network to begin from; its width is taken, and of its bands those of the recipe.
        told: Told of every step.
        held: Drawn fields that it is judged by: never learnt as land without fields.
    """
    need_networks("Learning field borders")
    import torch

    from fieldline.crops.segment.network import Architecture, PairNetwork

    torch.manual_seed(recipe.seed)
    module = PairNetwork(Architecture(len(recipe.bands), recipe.width))
    if start is not None:
        module = module_of(narrowed(start, recipe.bands))
    module.complete = recipe.complete
    pseudo = _pseudo(grounds) if recipe.pseudo_steps else []
    whole = recipe.complete
    drawn = [
        Area(g.stack, burnt(p, g.grid, complete=whole, held=held), whole)
        for g, p in grounds
        if p is not None
    ]
    # Pseudo-fields know no land without fields: rehearsing them would take back what it learns.
    phases = [
        Phase("pseudo-fields", pseudo, recipe.pseudo_steps),
        Phase("drawn fields", drawn, recipe.steps, () if whole else pseudo),
    ]
    train(module, phases, recipe.training, machine, recipe.seed, told)
    return module


def _pseudo(grounds: Sequence[tuple[Ground, gpd.GeoSeries | None]]) -> list[Area]:
    areas = [Area(g.stack, ids) for g, _ in grounds for ids in pseudo_fields(g.stack)]
    return [area for area in areas if area.ids.any()]


def module_of(network: StoredNetwork) -> Any:
    """Return the module of a stored network, ready to predict."""
    from fieldline.crops.segment.network import Architecture, PairNetwork

    told = network.config
    module = PairNetwork(
        Architecture(len(network.bands), int(told["width"]), bool(told.get("complete", False)))
    )
    load_weights(module, network.weights, f"network {network.version}")
    return module.eval()


_FIRST = "fine.0.weight"
"""Kernels of the first layer, (channels, bands and whether a date was seen, 3, 3)."""


def narrowed(network: StoredNetwork, bands: Sequence[str]) -> StoredNetwork:
    """Return a network that takes fewer bands, to learn on from: what it saw in the others is lost.

    Raises:
        UserError: It never took one of the bands.
    """
    if tuple(bands) == network.bands:
        return network
    lacking = [band for band in bands if band not in network.bands]
    if lacking:
        raise UserError(
            f"network {network.version} takes {', '.join(network.bands)} and never saw "
            f"{', '.join(lacking)}",
            "begin from nothing (--fresh), or learn on bands that it takes",
        )
    kept = [*(network.bands.index(band) for band in bands), len(network.bands)]
    weights = {**network.weights, _FIRST: network.weights[_FIRST][:, kept]}
    return replace(network, config={**network.config, "bands": list(bands)}, weights=weights)


def config_of(recipe: Recipe) -> dict[str, Any]:
    """Return what a folder's configuration says of a network."""
    told = {"kind": KIND, "bands": list(recipe.bands), "width": recipe.width}
    return {**told, "complete": True} if recipe.complete else told


def seen_by_network(
    module: Any, catalog: Path, bands: Sequence[str], settings: SegmentSettings, machine: Machine
) -> tuple[gpd.GeoDataFrame, Scenes, float]:
    """Return the field polygons of a whole catalog, its scenes and the seconds it took."""
    began = time.perf_counter()
    with open_catalog(catalog, bands, settings) as scenes:
        over = len(scenes.days) >= FEWEST_OVER
        found = delineate(module, scenes, machine, settings, over=over)
    fields = field_polygons(found, scenes.grid, settings)
    return fields, scenes, time.perf_counter() - began


STOPS = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
"""Likenesses at which the plain watershed may stop."""


def seen_by_watershed(
    ground: Ground, drawn: gpd.GeoSeries | None, settings: SegmentSettings
) -> tuple[gpd.GeoDataFrame, float]:
    """Return the polygons of the plain watershed of an area, and where it stopped.

    It stops where drawn polygons are matched best, at one half where there are none: the watershed
    has no other way to learn, and so the network is held against the best that it can do.
    """
    stops = STOPS if drawn is not None else (0.5,)
    found = []
    for stop, labels in zip(stops, plain_fields(ground.stack, stops), strict=True):
        certain = np.ones(int(labels.max()) + 1)
        fields = field_polygons(Delineated(labels, certain), ground.grid, settings)
        score = 0.0 if drawn is None else float(best_overlaps(drawn, fields.geometry).mean())
        found.append((score, stop, fields))
    best = max(found, key=lambda one: (one[0], one[1]))
    return best[2], best[1]


@dataclass(frozen=True)
class Question:
    """What `fieldline fields evaluate` is asked."""

    catalog: Path
    validation: Path
    train: Path | None = None
    model: StoredNetwork | None = None
    """Network to judge, or to begin from where `train` is given."""
    complete: bool = False
    """Whether every field of the area is in the validation."""
    seeds: int = 1


def evaluate(
    question: Question, recipe: Recipe, settings: SegmentSettings, told: Progress | None = None
) -> dict[str, Any]:
    """Return the figures of a network and of a plain watershed on one area.

    With polygons to learn from, a network is trained for each seed; without, the model is judged.

    Raises:
        UserError: A file cannot be read, does not meet the scenes or was learnt from, or torch is
            missing.
    """
    machine = choose_machine(settings.device, threads=settings.threads)
    train = () if question.train is None else (question.train,)
    need_unlearnt(question.validation, question.model, train)
    if question.model is not None and question.train is None:
        need_bands(question.model, recipe.bands, question.catalog)
    ground = ground_of(question.catalog, recipe.bands, settings)
    given = _drawn(question, ground)
    truth, drawn = given.truth, given.learnt
    found = _beside_watershed(question, ground, given, recipe, settings)
    seeds = range(recipe.seed, recipe.seed + (question.seeds if drawn is not None else 1))
    for seed in seeds:
        began = time.perf_counter()
        if drawn is None and question.model is not None:
            module = module_of(question.model)
        else:
            one = replace(recipe, seed=seed)
            module = learn([(ground, drawn)], one, machine, question.model, told, truth)
        learnt = time.perf_counter() - began
        run = _judged(question, module, (ground, truth), recipe, settings, machine)
        found["network"].append({"seed": seed, "train_seconds": learnt, **run})
    found["pooled"] = pooled(found["network"])
    return found


def _drawn(question: Question, ground: Ground) -> Drawn:
    truth = read_outlines(question.validation, ground.grid)
    learnt = None if question.train is None else read_outlines(question.train, ground.grid)
    return drawn_apart(truth, learnt, ground.grid)


def evaluate_module(
    question: Question, module: Any, recipe: Recipe, settings: SegmentSettings, machine: Machine
) -> dict[str, Any]:
    """Return the figures of a trained module, as `evaluate` does, for its card."""
    ground = ground_of(question.catalog, recipe.bands, settings)
    given = _drawn(question, ground)
    found = _beside_watershed(question, ground, given, recipe, settings)
    run = _judged(question, module, (ground, given.truth), recipe, settings, machine)
    found["network"].append({"seed": recipe.seed, **run})
    return found


def _beside_watershed(
    question: Question, ground: Ground, given: Drawn, recipe: Recipe, settings: SegmentSettings
) -> dict[str, Any]:
    """Return what an evaluation says besides the network: the data and the plain watershed."""
    return {
        "catalog": question.catalog.name,
        "start": None if question.model is None else question.model.version,
        "validation": file_hash(question.validation),
        "notes": list(given.notes),
        **_watershed_on(
            ground, (given.truth, given.learnt), recipe, settings, complete=question.complete
        ),
        "network": [],
    }


def _watershed_on(
    ground: Ground, polygons: tuple[gpd.GeoSeries, gpd.GeoSeries | None], recipe: Recipe,
    settings: SegmentSettings, *, complete: bool,
) -> dict[str, Any]:  # fmt: skip
    truth, drawn = polygons
    plain, stop = seen_by_watershed(ground, drawn, settings)
    return {
        "scenes": ground.data, "dates": ground.dates,
        "bands": list(recipe.bands), "hectares": ground.hectares,
        "train_fields": 0 if drawn is None else len(drawn),
        "watershed": {"stop": stop, **score_fields(truth, plain.geometry, complete=complete)},
    }  # fmt: skip


def evaluate_scenes(
    module: Any, scenes: Scenes, ground: Ground, polygons: tuple[gpd.GeoSeries, gpd.GeoSeries],
    recipe: Recipe, settings: SegmentSettings, machine: Machine,
) -> dict[str, Any]:  # fmt: skip
    """Return the figures of a trained module on outlines that were held back, for its card.

    Args:
        module: What was trained.
        scenes: The dates, open.
        ground: The same, in memory.
        polygons: Outlines held back, and those learnt from.
        recipe: How it was trained.
        settings: Tiles and thresholds.
        machine: Where it runs.
    """
    began = time.perf_counter()
    fields = field_polygons(delineate(module, scenes, machine, settings), scenes.grid, settings)
    seconds = time.perf_counter() - began
    truth = polygons[0]
    marks = hashlib.sha256(b"".join(shapely.to_wkb(np.asarray(truth)))).hexdigest()
    run = {
        "seed": recipe.seed, "device": machine.device, "predict_seconds": seconds,
        "hectares_per_second": ground.hectares / seconds,
        **score_fields(truth, fields.geometry, complete=False),
    }  # fmt: skip
    return {
        "validation": marks, "network": [run],
        **_watershed_on(ground, polygons, recipe, settings, complete=False),
    }  # fmt: skip


def _judged(
    question: Question, module: Any, here: tuple[Ground, gpd.GeoSeries], recipe: Recipe,
    settings: SegmentSettings, machine: Machine,
) -> dict[str, Any]:  # fmt: skip
    ground, truth = here
    fields, _, seconds = seen_by_network(module, question.catalog, recipe.bands, settings, machine)
    return {
        "device": machine.device, "predict_seconds": seconds,
        "hectares_per_second": ground.hectares / seconds,
        **score_fields(truth, fields.geometry, complete=question.complete),
    }  # fmt: skip


def predict_catalog(
    network: StoredNetwork, catalog: Path, out: Path, settings: SegmentSettings
) -> tuple[int, float, float]:
    """Write the field polygons of an archive; return their number, the seconds and the hectares.

    Raises:
        UserError: The catalog cannot be read, lacks a band, or shows nothing clear.
    """
    machine = choose_machine(settings.device, threads=settings.threads)
    module = module_of(network)
    fields, scenes, seconds = seen_by_network(module, catalog, network.bands, settings, machine)
    fields["seen_on"] = scenes.days[-1].datetime
    fields["details"] = f"Fieldline field segmentation, network {network.version}"
    write_fields(fields, catalog.parent.name or "fields", out)
    pixel = scenes.grid.resolution
    return len(fields), seconds, scenes.grid.width * scenes.grid.height * pixel**2 / 1e4
