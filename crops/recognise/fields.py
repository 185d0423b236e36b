"""The fields stage: how much of a drawn ring is planted, from what its own pixels show.

Owns `fields.parquet`. Pixels are streamed into a fixed number of time bins, so memory does not grow
with dates. The one idea: the ring's core says how the planted crop behaves, land just
outside says what else is near, and a pixel is planted as far as a mixture of the two explains it;
a ring drawn over a road, a wood or a neighbour's field loses that part.

Source: Roberts et al. (1998) Mapping chaparral with multiple endmember spectral mixture models,
Remote Sens. Environ. 65 (two-endmember models, best of several).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.recognise.pixels import RingPixels, ring_curves
from fieldline.crops.schemas import FIELDS
from fieldline.crops.series import Floats, stopped_parcels
from fieldline.crops.settings import FieldsSettings
from fieldline.pipeline.imagery.grid import county_grid
from fieldline.pipeline.imagery.scenes import read_scene_days
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings
from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table

STAGE = "fields"
_TINY = 1e-9


@dataclass(frozen=True)
class Planted:
    """Planted share of one ring and how it was found."""

    share: float | None
    method: str


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
    """
    drawn = read_parcels(parcels)
    drawn = drawn[~drawn["parcel_id"].isin(stopped_parcels(previous))].reset_index(drop=True)
    county = county_grid(drawn, grid)
    days = [day for day in read_scene_days(scenes) if season.start <= day.date <= season.as_of]
    projected = drawn.to_crs(county.crs)
    area = dict(zip(drawn["parcel_id"], drawn["metrics:area"], strict=True))
    rows = []
    for ring in ring_curves(projected, county, days, scene_settings, settings, season):
        rows.append(_row(ring, float(area[ring.parcel_id]), planted(ring, settings)))
    frame = pd.DataFrame(rows, columns=FIELDS.names)
    write_table(frame, FIELDS, out)
    write_outcomes([_outcome(row) for row in rows], outcomes)


def planted(ring: RingPixels, settings: FieldsSettings) -> Planted:
    """Return the planted share of a ring.

    Args:
        ring: Pixel curves of the ring and of the land around it.
        settings: Cycle thresholds, noise and the number of other curves.

    Returns:
        The share (None where too few dates were clear) and the method: `unmixed` where pixels were
        compared with the ring's own core, `whole` where the ring has no core and is judged as one,
        `cycle` where its core shows no crop and each pixel was asked for itself.
    """
    seen = np.isfinite(ring.curves).all(axis=1)
    if ring.seen_bins < settings.min_bins or not seen.any():
        return Planted(None, "none")
    curves, coverage, depth = ring.curves[seen], ring.coverage[seen], ring.depth[seen]
    core = core_curve(curves, coverage, depth)
    if not shows_cycle(core[None], settings)[0]:
        cycles = shows_cycle(curves, settings)
        return Planted(float((coverage * cycles).sum() / coverage.sum()), "cycle")
    if coverage.sum() < settings.min_core_pixels:
        return Planted(1.0, "whole")
    others = other_curves(ring.around[np.isfinite(ring.around).all(axis=1)], core, settings)
    share = own_share(curves, core, others, settings)
    kept = np.where(share >= coverage * (1.0 - settings.edge_tolerance), coverage, share)
    return Planted(float(kept.sum() / coverage.sum()), "unmixed")


def shows_cycle(curves: Floats, settings: FieldsSettings) -> Floats:
    """Tell per curve (rows, bins) whether it rises from bare land to a crop (1) or not (0)."""
    peak, low = curves.max(axis=1), curves.min(axis=1)
    found = (peak >= settings.min_peak) & (peak - low >= settings.min_amplitude)
    return np.asarray(found & (low <= settings.max_bare), dtype=np.float64)


def core_curve(curves: Floats, coverage: Floats, depth: Floats) -> Floats:
    """Return the median curve of the ring's innermost pixels (the fullest where none is whole)."""
    inner = depth >= max(1.0, depth.max() / 2) if depth.max() >= 1 else coverage >= coverage.max()
    return np.asarray(np.median(curves[inner], axis=0))


def other_curves(around: Floats, core: Floats, settings: FieldsSettings) -> Floats:
    """Pick the curves outside the ring that differ most from its core and from each other."""
    apart = _rms(around - core)
    pool = around[apart > 2 * settings.noise]
    if not len(pool):
        return pool
    chosen = [int(np.argmax(_rms(pool - core)))]
    nearest = _rms(pool - pool[chosen[0]])
    while len(chosen) < min(settings.neighbours, len(pool)):
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _rms(pool - pool[chosen[-1]]))
    return pool[chosen]


def own_share(curves: Floats, core: Floats, others: Floats, settings: FieldsSettings) -> Floats:
    """Return how much of each pixel behaves like the core.

    Each pixel is split between the core and the one other curve that explains it best; a pixel
    within `noise` of the core is all core.
    """
    if not len(others):
        return np.ones(len(curves))
    away = others - core
    mixed = ((curves - core) @ away.T) / np.maximum((away**2).sum(axis=1), _TINY)
    mixed = np.clip(mixed, 0.0, 1.0)
    left = _rms((curves - core)[:, None, :] - mixed[:, :, None] * away[None])
    best = np.argmin(left, axis=1)
    own = 1.0 - mixed[np.arange(len(curves)), best]
    return np.where(_rms(curves - core) <= settings.noise, 1.0, own)


def _rms(difference: Floats) -> Floats:
    return np.asarray(np.sqrt((difference**2).mean(axis=-1)))


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
        return Outcome(STAGE, row["parcel_id"], "", "fields_no_dates", detail(pixels=pixels))
    numbers = detail(planted_fraction=share, pixels=pixels)
    if share == 0:
        return Outcome(STAGE, row["parcel_id"], "", "no_planted_land", numbers)
    code = "small_ring" if row["method"] == "whole" else "ok"
    return Outcome(STAGE, row["parcel_id"], "", code, numbers)
