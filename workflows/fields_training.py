"""What `fieldline fields train` does: areas in, a model folder with its card out.

Owns the choice between real and simulated areas and the content of the card.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd

from fieldline.crops.networks.folder import StoredNetwork, weights_of, write_network
from fieldline.crops.networks.machine import choose_machine
from fieldline.crops.segment.learn import (
    Ground,
    Question,
    Recipe,
    config_of,
    evaluate_module,
    ground_of,
    learn,
)
from fieldline.crops.segment.lineage import ancestors, need_unlearnt
from fieldline.crops.segment.outlines import read_outlines
from fieldline.crops.segment.training import Progress
from fieldline.crops.segment.truth import drawn_apart
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.records.canonical import file_hash
from fieldline.pipeline.records.errors import UserError

_SIMULATED_SEED = 500

Areas = list[tuple[Ground, gpd.GeoSeries | None]]


@dataclass(frozen=True)
class Asked:
    """What a network is to learn from."""

    catalogs: tuple[Path, ...]
    train: tuple[Path, ...]
    validation: Path | None
    simulated: tuple[tuple[float, int], ...] = ()
    """Median field size (mu) and number of fields of simulated areas."""


def train_fields(
    asked: Asked, recipe: Recipe, settings: SegmentSettings, start: StoredNetwork | None, out: Path,
    told: Progress | None,
) -> dict[str, Any]:  # fmt: skip
    """Train a network, write its folder and return its card.

    Raises:
        UserError: Catalogs and polygon files do not pair, cannot be read or do not meet.
    """
    if out.exists():
        raise UserError(f"{out} exists", "name a new folder")
    if asked.simulated:
        with tempfile.TemporaryDirectory() as folder:
            return _train(_simulate(asked, Path(folder)), recipe, settings, start, out, told)
    if not asked.catalogs or len(asked.catalogs) != len(asked.train):
        raise UserError(
            f"{len(asked.catalogs)} catalogs and {len(asked.train)} files of polygons",
            "give --catalog and --train the same number of times, or --simulated",
        )
    return _train(asked, recipe, settings, start, out, told)


def _simulate(asked: Asked, folder: Path) -> Asked:
    """Write the simulated areas; the last one is held back for the card."""
    from fieldline.workflows.simulate.fields import (
        CATALOG,
        OUTLINES,
        fields_settings,
        simulate_fields,
    )

    made = []
    for number, (median, parcels) in enumerate((*asked.simulated, asked.simulated[0])):
        place = folder / str(number)
        simulate_fields(fields_settings(median, parcels, _SIMULATED_SEED + number), place)
        made.append((place / CATALOG, place / OUTLINES))
    *learnt, held = made
    return Asked(
        (held[0], *(catalog for catalog, _ in learnt)),
        tuple(outlines for _, outlines in learnt),
        held[1],
        asked.simulated,
    )


def _train(
    asked: Asked, recipe: Recipe, settings: SegmentSettings, start: StoredNetwork | None, out: Path,
    told: Progress | None,
) -> dict[str, Any]:  # fmt: skip
    if asked.validation is not None:
        need_unlearnt(asked.validation, start, asked.train)
    machine = choose_machine(settings.device, threads=settings.threads)
    areas: Areas = []
    learnt = asked.catalogs[1:] if asked.simulated else asked.catalogs
    for catalog, outlines in zip(learnt, asked.train, strict=True):
        ground = ground_of(catalog, recipe.bands, settings)
        areas.append((ground, read_outlines(outlines, ground.grid)))
    held = None
    if asked.validation is not None and not asked.simulated:
        held = read_outlines(asked.validation, areas[0][0].grid)
        ground, drawn = areas[0]
        areas[0] = (ground, drawn_apart(held, drawn, ground.grid).learnt)
    module = learn(areas, recipe, machine, start, told, held)
    card: dict[str, Any] = {
        "recipe": {**asdict(recipe), "bands": list(recipe.bands)},
        "simulated": bool(asked.simulated),
        "simulated_areas": [f"{median:g}:{parcels}" for median, parcels in asked.simulated],
        "start": None if start is None else start.version,
        "lineage": ancestors(start),
        "data": {
            "scenes": [ground.data for ground, _ in areas],
            "polygons": [file_hash(path) for path in asked.train],
            "fields": [0 if drawn is None else len(drawn) for _, drawn in areas],
        },
    }
    if asked.validation is not None:
        question = Question(
            asked.catalogs[0], asked.validation, None if asked.simulated else asked.train[0],
            complete=bool(asked.simulated),
        )  # fmt: skip
        card["evaluation"] = evaluate_module(question, module, recipe, settings, machine)
    config = {**config_of(recipe), **({} if start is None else {"width": start.config["width"]})}
    version = write_network(out, config, weights_of(module), card)
    return {**card, "version": version}
