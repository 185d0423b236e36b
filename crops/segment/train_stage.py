"""The fields_train stage: the network that a county's fields are seen with, apart from seeing them.

Owns `models/fields`: the approved network that the configuration names, or one trained here on
outlines that somebody drew, or the one that ships. A network trained here serves only where it
passes the gate on outlines that were held back; otherwise the one that ships does, and the outcome
says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd

from fieldline.crops.networks.folder import FILES, StoredNetwork, weights_of, write_network
from fieldline.crops.networks.machine import choose_machine, networks_installed
from fieldline.crops.segment.gate import objections
from fieldline.crops.segment.learn import (
    Recipe,
    config_of,
    evaluate_scenes,
    ground_in,
    learn,
)
from fieldline.crops.segment.lineage import ancestors
from fieldline.crops.segment.outlines import read_outlines
from fieldline.crops.segment.shipped import approved_network, shipped_folder, shipped_network
from fieldline.crops.segment.stack import NothingClearError, Scenes, spread_days
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.grid import county_grid, grid_around
from fieldline.pipeline.imagery.scene_days import SceneDay, read_scene_days
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings
from fieldline.pipeline.imagery.whereabouts import need_some_file
from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.records.canonical import file_hash
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.sealed_folder import MANIFEST, seal, unseal
from fieldline.pipeline.records.settings import Season

STAGE = "fields_train"
ABOUT = "model:fields"
HELD = 0.3
"""Share of the outlines that is held back, the easternmost: neighbours would tell of each other."""
FEWEST = 12
"""Outlines below which nothing is learnt: a third of them could not judge it; assumption."""


def run_fields_train(
    *,
    scenes: Path,
    parcels: Path,
    outlines: Path | None,
    grid: GridSettings,
    scene_settings: SceneSettings,
    settings: SegmentSettings,
    season: Season,
    out: Path,
    outcomes: Path,
) -> None:
    """Write the folder of the network that serves this county and season, and one outcome.

    Args:
        scenes: `scenes.parquet`.
        parcels: `parcels.parquet`, which set the county's grid.
        outlines: Field outlines that somebody drew on the land, or None.
        grid: The county's grid.
        scene_settings: Bands and mask of the scenes.
        settings: Network, dates, tiles and steps of training.
        season: Season; nothing after its as-of date is read.
        out: `manifest.json` of the folder.
        outcomes: Where the outcome goes.

    Raises:
        UserError: The configured network is damaged or not approved, or the outlines cannot be
            read or lie elsewhere, or the scenes do.
    """
    folder, code, words = out.parent, OK, ""
    if not settings.enabled or not networks_installed():
        seal(folder, dict.fromkeys(FILES, b""), None)
        code = "segment_no_networks" if settings.enabled else "segment_off"
    elif settings.model is not None:
        version = approved_network(settings.model).version
        _copy(settings.model, folder)
        words = detail(network=version, origin="approved")
    elif outlines is None:
        words = _ships(folder)
    else:
        days = [day for day in read_scene_days(scenes) if season.start <= day.date <= season.as_of]
        drawn = read_parcels(parcels)
        if days and not drawn.empty:
            need_some_file(days, scenes)
            land = read_outlines(
                outlines, county_grid(drawn, grid), setting="inputs.field_outlines"
            )
            try:
                code, words = _trained(land, outlines, days, scene_settings, settings, folder)
            except NothingClearError:
                code, words = "segment_nothing_seen", _ships(folder)
        else:
            code, words = "segment_nothing_seen", _ships(folder)
    write_outcomes([Outcome(STAGE, ABOUT, "", code, words)], outcomes)


def _trained(
    drawn: gpd.GeoSeries, source: Path, days: Sequence[SceneDay], scene_settings: SceneSettings,
    settings: SegmentSettings, folder: Path,
) -> tuple[str, str]:  # fmt: skip
    """Write the network that the outlines teach where it may serve, else the one that ships."""
    start = shipped_network()
    if len(drawn) < FEWEST or any(band not in scene_settings.bands for band in start.bands):
        code = "fields_train_few" if len(drawn) < FEWEST else "segment_no_bands"
        return code, f"{detail(outlines=len(drawn))} {_ships(folder)}"
    east = drawn.centroid.x.rank(method="first") > round(len(drawn) * (1 - HELD))
    held, learnt = drawn[east].reset_index(drop=True), drawn[~east].reset_index(drop=True)
    recipe = Recipe(
        bands=start.bands, pseudo_steps=settings.pseudo_steps, steps=settings.steps,
        complete=settings.outlines_complete, seed=settings.seed,
    )  # fmt: skip
    machine = choose_machine(settings.device, threads=settings.threads)
    around = grid_around(tuple(drawn.total_bounds), str(drawn.crs), GridSettings(margin_m=300.0))
    days = spread_days(days, settings.dates)
    with Scenes(days, around, start.bands, scene_settings.mask) as scenes:
        ground = ground_in(scenes)
        module = learn([(ground, learnt)], recipe, machine, start, held=held)
        figures = evaluate_scenes(module, scenes, ground, (held, learnt), recipe, settings, machine)
    card: dict[str, Any] = {
        "recipe": {**asdict(recipe), "bands": list(recipe.bands)}, "simulated": False,
        "start": start.version, "lineage": ancestors(start), "evaluation": figures,
        "data": {"scenes": [ground.data], "polygons": [file_hash(source)], "fields": [len(learnt)]},
    }  # fmt: skip
    config = {**config_of(recipe), "width": start.config["width"]}
    weights = weights_of(module)
    found = list(objections(StoredNetwork("", config, weights, card)))
    if found:
        return "fields_train_refused", f"{detail(held=len(held))} {_ships(folder)}; {found[0]}"
    version = write_network(folder, config, weights, card)
    iou = figures["network"][0]["iou"]["value"]
    return OK, detail(
        network=version, origin="trained", learnt=len(learnt), held=len(held), iou=iou
    )


def _ships(folder: Path) -> str:
    _copy(shipped_folder(), folder)
    return detail(network=shipped_network().version, origin="shipped")


def _copy(source: Path, folder: Path) -> None:
    version, contents = unseal(source / MANIFEST, FILES)
    seal(folder, contents, version)
