"""The rings stage: what the seen fields say of each drawn ring.

Owns `ring_fields.parquet` and one outcome of the whole. It is apart from `segment` because a ring
that is drawn later is held against the same fields without seeing the land anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd

from fieldline.crops.schemas import RING_FIELDS
from fieldline.crops.segment.cover import NO_FIELD
from fieldline.crops.segment.rings import ring_evidence
from fieldline.crops.series import stopped_parcels
from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.tables import write_table

STAGE = "rings"
ABOUT = "ring_fields"
"""What the stage's one outcome is about."""


def run_rings(
    *,
    parcels: Path,
    polygons: Path,
    out: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
) -> None:
    """Write what seen fields say of each ring, and the stage's outcome.

    Args:
        parcels: `parcels.parquet`.
        polygons: `field_polygons.parquet`; no field was seen where it is empty.
        out: Where the evidence of rings goes.
        outcomes: Where the outcome goes.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    drawn = read_parcels(parcels)
    drawn = drawn[~drawn["parcel_id"].isin(stopped_parcels(previous))].reset_index(drop=True)
    fields = gpd.read_parquet(polygons)
    found = pd.DataFrame(columns=RING_FIELDS.names)
    if len(drawn) and len(fields):
        metric = drawn.estimate_utm_crs()
        found = ring_evidence(drawn.to_crs(metric), fields.to_crs(metric), NO_FIELD)
    write_table(found[RING_FIELDS.names], RING_FIELDS, out)
    words = detail(rings=len(drawn), fields=len(fields))
    write_outcomes([Outcome(STAGE, ABOUT, "", OK, words)], outcomes)
