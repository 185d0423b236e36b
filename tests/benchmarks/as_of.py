"""Honest real fields on five days of a season: what counts of each as the year goes on.

    FIELDLINE_REAL_DATA=... python -m tests.benchmarks.as_of BAV|MAG|COA OUT.json [pixels|NETWORK]

On each day only what was taken until then is seen, by pixels and by the outlines of seen fields,
and evidence judges. No registry, no papers and no crop's calendar are at hand, so nothing excuses a
field that is not yet up. What a field loses on a day of the season and not at its end it loses by
reason of the date; the end is the season's own as-of date. `share` is what the pixels alone find,
which counts only where a second kind of evidence agrees; with `pixels` no network looks, which
takes seconds, and the shares say what would count if a second kind always agreed.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from fieldline.crops.networks.folder import StoredNetwork
from fieldline.crops.recognise.pixels import ring_curves
from fieldline.crops.recognise.planted import Planted, planted
from fieldline.crops.segment.cover import NO_FIELD
from fieldline.crops.segment.rings import ring_evidence
from fieldline.crops.segment.stack import days_of_catalog, mask_of
from fieldline.lending.evidence.crosscheck import judge
from fieldline.pipeline.imagery.grid import grid_around
from fieldline.pipeline.imagery.settings import GridSettings
from fieldline.workflows.config.load import load_config
from tests.benchmarks.rings import COUNTIES, ROOT, facts_of, network_of, seen_fields

DAYS = ((4, 15), (5, 15), (6, 15), (7, 15), (8, 31))
"""Month and day of each as-of date; the season's own as-of date comes last."""
PIXELS = "pixels"
LEAST = 0.9
"""Share of an honest field that must count."""


def swept_dates(
    county: str, network: StoredNetwork | None, days_of_year: Sequence[tuple[int, int]] = DAYS
) -> pd.DataFrame:
    """Return one row per field and as-of date: `share`, `method`, `counted` and `codes`."""
    config = load_config([ROOT / f"workflows/config/{COUNTIES[county]}.yaml"], {})
    own = config.county[county]
    (name, season), *_ = own.seasons.items()
    (catalog,) = config.input_paths(county, name, "catalog")
    paths = config.input_paths(county, name, "parcels")
    rings = pd.concat([gpd.read_file(path) for path in paths], ignore_index=True)
    rings = rings.to_crs(str(own.grid.crs))
    grid = grid_around(tuple(rings.total_bounds), str(own.grid.crs), GridSettings())
    days, fields = days_of_catalog(catalog, own.scenes.bands), config.crops.fields
    mask = mask_of(days, own.scenes.mask)
    dates = sorted({dt.date(season.end.year, *day) for day in days_of_year} | {season.as_of})
    rows = []
    for date in dates:
        then = season.model_copy(update={"as_of": date})
        taken = [day for day in days if season.start <= day.date <= date]
        over = date >= season.end
        told = {
            ring.parcel_id: (planted(ring, fields, over=over), float(ring.coverage.sum()))
            for ring in ring_curves(rings, grid, taken, own.scenes, fields, then)
        }
        ground = None
        if network is not None:
            read = taken, grid, mask
            seen = seen_fields(network, read, config.crops.segment, rings=rings, over=over)
            ground = ring_evidence(rings, seen, NO_FIELD).set_index("parcel_id")
        for ring in rings.itertuples():
            found, pixels = told.get(ring.parcel_id, (Planted(None, "none"), 0.0))
            outlined = None if ground is None else ground.loc[ring.parcel_id]
            crop = getattr(ring, "declared_crop", None)
            facts = facts_of(ring, (found, pixels), outlined, crop=crop)
            verdict = judge(facts, config.lending.evidence, date)
            rows.append({"date": date, "parcel_id": ring.parcel_id, "share": found.share,
                         "method": found.method, "codes": verdict.codes,
                         "counted": verdict.evidence_area_m2 / facts.ring_area_m2})  # fmt: skip
        print(date, len(told), "rings looked at", flush=True)
    return pd.DataFrame(rows)


def figures(rows: pd.DataFrame) -> dict[str, Any]:
    """Return, per date, what counts and who is called idle or over-drawn."""
    last = rows[rows["date"] == rows["date"].max()].set_index("parcel_id")
    held, whole = last["counted"] >= LEAST, ~(last["share"] < LEAST)
    idle = last["codes"].map(lambda codes: "no_crop_cycle" in codes)
    told: dict[str, Any] = {}
    for date, group in rows.groupby("date"):
        here = group.set_index("parcel_id")
        low = here["counted"] < LEAST
        called = here["codes"].map(lambda codes: "no_crop_cycle" in codes)
        told[str(date)] = {
            "fields": len(here),
            "with_share": int(here["share"].notna().sum()),
            "mean_share": None if here["share"].isna().all() else float(here["share"].mean()),
            "share_below_.9": int((here["share"] < LEAST).sum()),
            "share_below_.9_by_the_date": int(
                ((here["share"] < LEAST) & whole.reindex(here.index)).sum()
            ),
            "mean_counted": float(here["counted"].mean()),
            "counted_below_.9": int(low.sum()),
            "counted_below_.9_by_the_date": int((low & held.reindex(here.index)).sum()),
            "idle": int(called.sum()),
            "idle_by_the_date": int((called & ~idle.reindex(here.index)).sum()),
            "methods": here["method"].value_counts().to_dict(),
        }
    return told


def main(county: str, out: Path, looking: str = "") -> None:
    """Write the figures of a county."""
    network = None if looking == PIXELS else network_of(Path(looking) if looking else None)
    told = figures(swept_dates(county, network))
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:4])
