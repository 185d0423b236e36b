"""What a finished simulated county says of each kind of land, held against its truth.

    python -m tests.benchmarks.kinds_of_land RESULTS OUT.json [SEASON [COUNTY]]

Run the county first, for example `fieldline run -c workflows/config/hard.yaml`. Parcels stand by
what is on them (cereals cleared before 25 June apart: with `land.double_cropping` a second crop
follows on a share of them) and by the lie that was planted, if any. Counted are the crop's answers,
how `fields` answered, what evidence did, and its codes on those whom it did anything to; for honest
and over-drawn rings the error of the measured share as well.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

CLEARED = (6, 25)
LOW, UNTOUCHED, HONEST, STOPPED = 0.85, "none", "honest", "stopped"


def judged(results: Path, season: str, county: str) -> pd.DataFrame:
    """Return one row per drawn parcel: `land`, `lie`, truth, and what the stages said."""
    truth_of = results / "simulated" / county / "truth"
    truth = pd.read_parquet(truth_of / f"{season}.parquet").set_index("parcel_id")
    frauds = pd.read_csv(truth_of / f"frauds_{season}.csv").groupby("parcel_id")["kind"].first()

    def told(stage: str, columns: list[str]) -> pd.DataFrame:
        table = pd.read_parquet(results / season / county / f"{stage}.parquet")
        return table.set_index("parcel_id")[columns]

    cut = truth["harvest_date"].map(lambda day: pd.notna(day) and _early(day, int(season)))
    land = truth["land_use"].mask(cut & truth["land_use"].eq("cropland"), "cleared by 25 June")
    table = truth.assign(
        land=land, lie=frauds.reindex(truth.index).fillna(HONEST),
        share=truth["planted_area_m2"] / truth["ring_area_m2"],
    )  # fmt: skip
    answers = told("crops", ["crop", "cannot_tell"]).rename(columns={"crop": "told"})
    return (
        table.join(answers)
        .join(told("fields", ["planted_fraction", "method"]))
        .join(told("evidence", ["effect", "codes"]))
    )


def _early(day: Any, year: int) -> bool:
    return pd.Timestamp(day).date() <= dt.date(year, *CLEARED)


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return counts by kind of land and by lie."""
    return {
        f"{land}, {lie}": _counted(group) for (land, lie), group in table.groupby(["land", "lie"])
    }


def _counted(group: pd.DataFrame) -> dict[str, Any]:
    seen = group["cannot_tell"].notna()
    telling = seen & ~group["cannot_tell"].eq(other=True)
    right = telling & group["told"].eq(group["crop"])
    own = group[group["share"] > 0]  # of land that is another's the image cannot tell whose it is
    apart = (own["planted_fraction"] - own["share"]).dropna()
    touched = group[~group["effect"].fillna(STOPPED).eq(UNTOUCHED)]
    return {
        "parcels": len(group),
        "crop": {"right": int(right.sum()), "wrong": int((telling & ~right).sum()),
                 "cannot_tell": int((seen & ~telling).sum()), "not_seen": int((~seen).sum())},
        "fields": group["method"].fillna(STOPPED).value_counts().to_dict(),
        "share_error": None if apart.empty else round(float(apart.abs().mean()), 4),
        "share_below": int((group["planted_fraction"] < LOW).sum()),
        "evidence": group["effect"].fillna(STOPPED).value_counts().to_dict(),
        "codes": touched["codes"].map(lambda codes: " ".join(np.atleast_1d(codes)))
        .value_counts().to_dict(),
    }  # fmt: skip


def main(results: Path, out: Path, season: str = "2024", county: str = "SIM001") -> None:
    """Write and print the figures."""
    told = json.dumps(figures(judged(results, season, county)), indent=2)
    out.write_text(told + "\n", encoding="utf-8")
    print(told)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:5])
