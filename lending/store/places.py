"""Places: the village, parcels and areas of a farmer, for whoever reads an offer on paper.

Owns nothing that is decided: what stands here is looked up beside an offer when its file is
written, from the artifacts, and is part of no offer's terms. There are no names in it.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from fieldline.pipeline.records.tables import read_table
from fieldline.pipeline.records.units import M2_PER_HA, in_mu

PLACE_COLUMNS = ("village", "parcels", "parcel_areas_m2", "area_mu", "area_ha")
"""Villages, parcel ids and their evidence areas in the same order, and the sum of these."""

_BETWEEN = " | "


def places_of(parcels: Path, evidence: Path) -> dict[str, dict[str, str]]:
    """Return `PLACE_COLUMNS` by farmer.

    Args:
        parcels: parcels.parquet.
        evidence: evidence.parquet.
    """
    where = read_table(parcels, ["parcel_id", "village"])
    village = dict(zip(where["parcel_id"], where["village"], strict=True))
    known = read_table(evidence, ["parcel_id", "farmer_id", "evidence_area_m2"])
    own: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
    rows = known.sort_values("parcel_id", kind="stable").itertuples(index=False, name=None)
    for parcel, farmer, area in rows:
        own[str(farmer)].append((str(parcel), Decimal(repr(float(area)))))
    return {farmer: _place(land, village) for farmer, land in own.items()}


def _place(land: list[tuple[str, Decimal]], village: dict[str, Any]) -> dict[str, str]:
    names = [str(village[parcel]) for parcel, _ in land if village.get(parcel)]
    total = sum((area for _, area in land), Decimal(0))
    return {
        "village": _BETWEEN.join(dict.fromkeys(names)),
        "parcels": _BETWEEN.join(parcel for parcel, _ in land),
        "parcel_areas_m2": _BETWEEN.join(f"{area:.2f}" for _, area in land),
        "area_mu": f"{in_mu(total):.2f}",
        "area_ha": f"{total / M2_PER_HA:.4f}",
    }
