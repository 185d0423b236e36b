"""The fields stage: how much of a drawn ring is planted, from what its own pixels show.

Owns `fields.parquet` and the outcome of each ring. Pixels are streamed into a fixed number of time
bins (`pixels`), so memory does not grow with dates; the share itself is `planted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from fieldline.crops.recognise.pixels import RingPixels, ring_curves
from fieldline.crops.recognise.planted import Planted, planted
from fieldline.crops.schemas import FIELDS
from fieldline.crops.series import stopped_parcels
from fieldline.crops.settings import FieldsSettings
from fieldline.pipeline.imagery.grid import grid_over
from fieldline.pipeline.imagery.scene_days import read_scene_days
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings
from fieldline.pipeline.imagery.whereabouts import need_some_file
from fieldline.pipeline.parcels.blocks import WHOLE, Block, iter_outlines, parcels_of
from fieldline.pipeline.records.joining import join_outcomes, join_tables
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table

STAGE = "fields"
_UNKNOWN = {"none": "fields_no_dates", "early": "not_yet_seen", "alone": "fields_no_neighbours"}
"""Outcomes of rings without a share, by method."""


def run_fields(
    *,
    scenes: Path,
    parcels: Path,
    grid: GridSettings,
    scene_settings: SceneSettings,
    settings: FieldsSettings,
    season: Season,
    out: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
    block: Block = WHOLE,
    parts: Sequence[Path] = (),
    part_outcomes: Sequence[Path] = (),
) -> None:
    """Write `fields.parquet` and the stage's outcomes.

    Args:
        scenes: `scenes.parquet`.
        parcels: `parcels.parquet`.
        grid: The county's grid.
        scene_settings: Bands and mask of the scenes.
        settings: Settings of the stage.
        season: Season; nothing after its as-of date is read.
        out: Where the fields go.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
        block: Which parcels.
        parts: Fields of every block where the county has been worked in blocks; they are joined,
            and no pixel is read.
        part_outcomes: Their outcomes.

    Raises:
        UserError: The scenes lie elsewhere now.
    """
    if parts:
        join_tables(parts, FIELDS, out)
        join_outcomes(part_outcomes, outcomes)
        return
    drawn = parcels_of(parcels, block)
    drawn = drawn[~drawn["parcel_id"].isin(stopped_parcels(previous))].reset_index(drop=True)
    county = grid_over(partial(iter_outlines, parcels), grid)
    days = [day for day in read_scene_days(scenes) if season.start <= day.date <= season.as_of]
    if not drawn.empty:
        need_some_file(days, scenes)
    projected = drawn.to_crs(county.crs)
    area = dict(zip(drawn["parcel_id"], drawn["metrics:area"], strict=True))
    rows = []
    for ring in ring_curves(projected, county, days, scene_settings, settings, season):
        rows.append(
            _row(
                ring,
                float(area[ring.parcel_id]),
                planted(ring, settings, over=season.as_of >= season.end),
            )
        )
    frame = pd.DataFrame(rows, columns=FIELDS.names)
    write_table(frame, FIELDS, out)
    write_outcomes([_outcome(row) for row in rows], outcomes)


def _row(ring: RingPixels, area: float, found: Planted) -> dict[str, Any]:
    return {
        "parcel_id": ring.parcel_id,
        "ring_area_m2": area,
        "planted_fraction": found.share,
        "seen_area_m2": None if found.share is None else found.share * area,
        "pixels": float(ring.coverage.sum()),
        "method": found.method,
    }


def _outcome(row: dict[str, Any]) -> Outcome:
    share, pixels = row["planted_fraction"], row["pixels"]
    if share is None:
        code = _UNKNOWN[row["method"]]
        return Outcome(STAGE, row["parcel_id"], "", code, detail(pixels=pixels))
    numbers = detail(planted_fraction=share, pixels=pixels)
    if share == 0:
        return Outcome(STAGE, row["parcel_id"], "", "no_planted_land", numbers)
    code = "small_ring" if row["method"] == "whole" else "ok"
    return Outcome(STAGE, row["parcel_id"], "", code, numbers)
