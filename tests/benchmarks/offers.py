"""Whom a simulated county lends to: by day of the decision, by lease, by size; and what was earned.

Run on finished results folders of the simulated county:

    python -m tests.benchmarks.offers earlier RESULTS --day 2024-03-15 --out spring
    python -m tests.benchmarks.offers owned RESULTS --out owned
    fieldline run -c spring/county.yaml
    fieldline run -c owned/county.yaml
    python -m tests.benchmarks.offers figures RESULTS --at spring/results --owned owned/results

`earlier` dates the papers of the county so many days earlier that the same farmers ask on that day,
`owned` names every farmer as holder of his land and leaves the papers of leases out; both write the
overlay that decides it, and nothing else changes. Honest farmers are those without a planted lie.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import yaml

from fieldline.lending.profile.worth import COUNTS
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.units import M2_PER_MU

PD_EDGES = (0.0, 0.02, 0.04, 0.06, 0.1, 0.2, 1.0)
ACCESS = ("approve", "decline", "review")
SMALL, LARGE = (1.0, 3.0), (20.0, np.inf)
"""Declared land in mu of the two groups whose access is compared."""
DATED = {
    "applications": ("applied_on",), "registry": ("recorded_on",),
    "documents": ("issued_on", "valid_from", "valid_to", "verified_on"),
}  # fmt: skip
"""Columns of days in the papers that farmers and offices hand in, by table."""
LEASES = ("lease_contract", "landlord_confirmation", "tenancy_statement")


@dataclass(frozen=True)
class County:
    """A finished county and season of a results folder."""

    results: Path
    county: str
    season: str

    def table(self, name: str) -> pd.DataFrame:
        """Return an artifact of the decided season."""
        return pd.read_parquet(self.results / self.season / self.county / f"{name}.parquet")

    def input(self, name: str) -> Path:
        """Return a file of the simulated county."""
        return self.results / "simulated" / self.county / name

    def lies(self) -> set[str]:
        """Return the parcels that carry a planted lie."""
        return set(pd.read_csv(self.input(f"truth/frauds_{self.season}.csv"))["parcel_id"])


def shifted(table: pd.DataFrame, columns: Sequence[str], days: int) -> pd.DataFrame:
    """Return a table of text with its days so many days earlier; blanks stay blank."""
    moved = table.copy()
    for column in columns:
        known = table[column].fillna("") != ""
        day = pd.to_datetime(table.loc[known, column]) - pd.Timedelta(days=days)
        moved.loc[known, column] = day.dt.strftime("%Y-%m-%d")
    return moved


def as_owned(
    registry: pd.DataFrame, documents: pd.DataFrame, farmer: dict[str, str], lies: set[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return registry and papers as if every farmer held the land that he farms.

    Args:
        registry: Rows as text; those of parcels with a planted lie keep their holder.
        documents: Rows as text; papers of leases are left out.
        farmer: Who farms each parcel.
        lies: Parcels with a planted lie.
    """
    told = registry["holder_id"].fillna("") != ""
    own = told & ~registry["parcel_id"].isin(lies) & registry["parcel_id"].isin(list(farmer))
    holder = registry["holder_id"].mask(own, registry["parcel_id"].map(farmer))
    return registry.assign(holder_id=holder), documents[~documents["kind"].isin(LEASES)]


def write_papers(
    county: County, tables: dict[str, pd.DataFrame], season: dict[str, dt.date], out: Path
) -> Path:
    """Write papers in place of the county's own, and the overlay that decides by them."""
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(out / f"{name}_{county.season}.csv", index=False)
        earlier = county.input(f"{name}_{int(county.season) - 1}.csv")
        if earlier.exists():
            (out / earlier.name).write_bytes(earlier.read_bytes())
    inputs = {name: str((out / name).resolve()) + "_{season}.csv" for name in tables}
    overlay = {
        "results": str((out / "results").resolve()),
        "county": {county.county: {"inputs": inputs, "seasons": {county.season: season}}},
    }
    path = out / "county.yaml"
    path.write_text(yaml.safe_dump(overlay, sort_keys=False), encoding="utf-8")
    return path


def papers(county: County) -> dict[str, pd.DataFrame]:
    """Return the papers of the season as text."""
    return {
        name: pd.read_csv(county.input(f"{name}_{county.season}.csv"), dtype="str")
        for name in DATED
    }


def write_earlier(county: County, season: dict[str, dt.date], out: Path) -> Path:
    """Write the papers as handed in for a decision on the season's `as_of`."""
    days = (season["end"] - season["as_of"]).days
    tables = {name: shifted(table, DATED[name], days) for name, table in papers(county).items()}
    return write_papers(county, tables, season, out)


def write_owned(county: County, season: dict[str, dt.date], out: Path) -> Path:
    """Write the papers as if no land were leased."""
    drawn = gpd.read_file(county.input(f"parcels_{county.season}.gpkg"), ignore_geometry=True)
    farmer = dict(zip(drawn["parcel_id"], drawn["farmer_id"], strict=True))
    told = papers(county)
    registry, documents = as_owned(told["registry"], told["documents"], farmer, county.lies())
    return write_papers(county, {"registry": registry, "documents": documents}, season, out)


def farmers_of(county: County) -> pd.DataFrame:
    """Return the decisions with declared land (mu) and whether the farmer is honest."""
    decided, evidence = county.table("decisions"), county.table("evidence")
    land = evidence.groupby("farmer_id")["declared_area_m2"].sum() / M2_PER_MU
    liars = set(evidence.loc[evidence["parcel_id"].isin(county.lies()), "farmer_id"])
    return decided.assign(
        mu=decided["farmer_id"].map(land).astype(float),
        honest=~decided["farmer_id"].isin(liars),
        first=[codes[0] if len(codes) else "" for codes in decided["reason_codes"]],
    )


def answers(farmers: pd.DataFrame) -> dict[str, Any]:
    """Return how many of the honest were approved, declined and reviewed, and why not."""
    honest = farmers[farmers["honest"]]
    others = honest[honest["access"] != "approve"]
    reasons = Counter(zip(others["access"], others["first"], strict=True))
    return {
        "honest": len(honest),
        **{name: int((honest["access"] == name).sum()) for name in ACCESS},
        "all_approved": int((farmers["access"] == "approve").sum()),
        "first_reasons": {f"{a}: {why}": count for (a, why), count in reasons.most_common(8)},
    }  # fmt: skip


def refused_unsprouted(county: County, farmers: pd.DataFrame) -> int:
    """Return the honest farmers who are stopped by a parcel whose crop need not be up yet."""
    evidence = county.table("evidence")
    early = [("crop_not_yet_up" in codes) for codes in evidence["codes"]]
    held = set(evidence.loc[early, "farmer_id"])
    stopped = farmers["first"].str.contains("no_crop|not_valued|never_bare", na=False)
    return int((farmers["honest"] & stopped & farmers["farmer_id"].isin(held)).sum())


def spread(counts: Sequence[int]) -> float | None:
    """Return by what share the least of some counts lies below the greatest."""
    return None if not counts or max(counts) == 0 else 1 - min(counts) / max(counts)


def by_size(farmers: pd.DataFrame) -> dict[str, Any]:
    """Return approval of small against large honest farmers at equal chance of default.

    Bins of the chance of default weigh as the small ones in them do, where both groups have
    someone: the large group is asked what it would be approved at with the small ones' risk.
    """
    known = farmers[farmers["honest"] & farmers["pd"].notna()]
    bins = pd.cut(known["pd"].astype(float), list(PD_EDGES), include_lowest=True)
    approved = known["access"].eq("approve")
    group = {name: known["mu"].between(*edges, inclusive="left")
             for name, edges in (("small", SMALL), ("large", LARGE))}  # fmt: skip
    rows: dict[str, dict[str, Any]] = {}
    for edges in bins.cat.categories:
        row: dict[str, Any] = {}
        for name, member in group.items():
            here = approved[member & bins.eq(edges)]
            row[name] = {"farmers": len(here), "approved": int(here.sum())}
        rows[str(edges)] = row
    refused = known[group["small"] & ~approved]
    return {
        "bins": rows, "ratio": ratio(list(rows.values())),
        "small_refused_for": dict(refused["first"].value_counts()),
    }  # fmt: skip


def ratio(rows: Sequence[dict[str, dict[str, int]]]) -> float | None:
    """Return small approvals over those expected of as many large ones in the same bins."""
    both = [row for row in rows if row["small"]["farmers"] and row["large"]["farmers"]]
    expected = sum(
        row["small"]["farmers"] * row["large"]["approved"] / row["large"]["farmers"] for row in both
    )
    return sum(row["small"]["approved"] for row in both) / expected if expected else None


def expected_result(farmers: pd.DataFrame, policy: PolicySettings) -> dict[str, Any]:
    """Return what approved lines cost and bring, by the flows of money of each line.

    A line of 1 is lent on the first day and bears funding, work and capital for its tenor; it
    comes back with interest where it is repaid, and without the loss and interest where it is not.
    """
    lines = farmers[farmers["access"] == "approve"]
    amount = lines["limit_minor"].to_numpy(dtype=float)
    chance = lines["pd"].to_numpy(dtype=float)
    years = policy.tenor_days / policy.day_basis
    cost = float(policy.funding_rate + policy.opex_rate + policy.capital_charge) * years
    back = 1 + lines["annual_rate"].astype(float).to_numpy() * years
    kept = (1 - chance) * back + chance * (1 - float(policy.lgd)) - 1 - cost
    lost = amount * chance * float(policy.lgd)
    return {
        "lines": len(lines), "lent_minor": int(amount.sum()),
        "expected_loss_of_lent": float(lost.sum() / amount.sum()) if len(lines) else None,
        "mean_pd": float(chance.mean()) if len(lines) else None,
        "expected_result_minor": float((amount * kept).sum()),
        "lines_at_a_loss": int((kept < -1e-9).sum()),
    }  # fmt: skip


def realised(county: County, year: str = "next", last: dt.date | None = None) -> dict[str, Any]:
    """Return how often the truth of the next season fell below the lower tenth that was reckoned.

    The truth's income per planted area is laid on the area that the offer counted, for the valued
    parcels of honest farmers, so that a difference of area is none of yield, price or crop.

    Args:
        county: A finished county.
        year: Truth that holds its repayment harvest: `next`, or the season decided before its end.
        last: Harvests after this day bring nothing; None counts them all.
    """
    profiles, evidence = county.table("profiles"), county.table("evidence")
    harvests = county.table("harvests")
    valued = set(harvests.loc[harvests["yield_q50_t_ha"].notna()
                              & harvests["price_q50_minor"].notna(), "parcel_id"])  # fmt: skip
    truth = pd.read_parquet(county.input(f"truth/{year}.parquet"))
    land = evidence[evidence["parcel_id"].isin(valued) & evidence["effect"].isin(COUNTS)]
    joined = land.merge(truth, on="parcel_id")
    liars = set(evidence.loc[evidence["parcel_id"].isin(county.lies()), "farmer_id"])
    joined = joined[~joined["farmer_id"].isin(liars) & (joined["planted_area_m2"] > 0)]
    income = joined["income_minor"] * joined["evidence_area_m2"] / joined["planted_area_m2"]
    if last is not None:
        income = income.where(pd.to_datetime(joined["harvest_date"]).dt.date <= last, 0.0)
    earned = income.groupby(joined["farmer_id"]).sum()
    farmers = profiles[profiles["level"] == "farmer"].set_index("party_id")
    return below(earned, farmers)


def below(earned: pd.Series, farmers: pd.DataFrame) -> dict[str, Any]:
    """Return the shares of incomes below each quantile that was reckoned, with its error."""
    told = farmers.loc[earned.index]
    found: dict[str, Any] = {"farmers": len(earned)}
    for name in ("q10", "q50", "q90"):
        share = float((earned < told[f"income_{name}_minor"]).mean())
        found[f"below_{name}"] = share
        found[f"below_{name}_error"] = float(np.sqrt(share * (1 - share) / max(1, len(earned))))
    return found


def figures(
    base: County, earlier: Sequence[County], owned: County | None, policy: PolicySettings
) -> dict[str, Any]:
    """Return all figures of finished counties."""
    farmers = farmers_of(base)
    days = {}
    for county in (*earlier, base):
        at = farmers_of(county)
        days[str(at["as_of"].iloc[0])] = answers(at) | {
            "refused_though_not_yet_up": refused_unsprouted(county, at)
        }
    found = {
        "by_day": days,
        "approvals_apart": spread([row["approve"] for row in days.values()]),
        "by_size": by_size(farmers),
        "lines": expected_result(farmers, policy),
        "next_harvest": realised(base),
    }
    if owned is not None:
        other = farmers_of(owned)
        mine, free = (float(f["access"].eq("approve").mean()) for f in (farmers, other))
        found["leases"] = {
            "approved_with": mine, "approved_without": free, "points_lost": 100 * (free - mine),
            "with": answers(farmers), "without": answers(other),
        }  # fmt: skip
    return found


def main() -> None:
    """Prepare an earlier decision or print the figures as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--county", default="SIM001")
    parser.add_argument("--season", default="2024")
    parts = parser.add_subparsers(dest="part", required=True)
    for name in ("earlier", "owned"):
        part = parts.add_parser(name)
        part.add_argument("results", type=Path)
        part.add_argument("--start", type=dt.date.fromisoformat, default=dt.date(2023, 10, 1))
        part.add_argument("--end", type=dt.date.fromisoformat, default=dt.date(2024, 9, 30))
        part.add_argument("--out", type=Path, required=True)
        if name == "earlier":
            part.add_argument("--day", type=dt.date.fromisoformat, required=True)
    told = parts.add_parser("figures")
    told.add_argument("results", type=Path)
    told.add_argument("--at", type=Path, action="append", default=[])
    told.add_argument("--owned", type=Path)
    told.add_argument("--tenor", type=int, default=PolicySettings().tenor_days)
    chosen = parser.parse_args()

    def county(results: Path) -> County:
        return County(results, chosen.county, chosen.season)

    if chosen.part != "figures":
        day = chosen.day if chosen.part == "earlier" else chosen.end
        season = {"start": chosen.start, "end": chosen.end, "as_of": day}
        write = write_earlier if chosen.part == "earlier" else write_owned
        print(write(county(chosen.results), season, chosen.out))
        return
    owned = None if chosen.owned is None else county(chosen.owned)
    policy = PolicySettings(tenor_days=chosen.tenor)
    found = figures(county(chosen.results), [county(at) for at in chosen.at], owned, policy)
    print(json.dumps(found, indent=2, default=int))


if __name__ == "__main__":
    main()
