"""Fairness and inclusion: who is approved, for how much a mu and at what price, group by group.

Owns `fairness.json`: figures by holding size, main crop, tenure and the protected columns that the
lender names, none of a group too small to hide its people. It reads decisions as the rules made
them and changes none; a protected column is read here and nowhere else, so no rule can know it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.settings import FairnessSettings
from fieldline.lending.sources import read_stated
from fieldline.lending.suppression import hidden_groups, part_may_be_told
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import written
from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table, write_text
from fieldline.pipeline.records.units import M2_PER_MU

STAGE = "fairness"
SIZES = ("under 3 mu", "3 to 10 mu", "10 to 30 mu", "over 30 mu")
"""Bands of the holding; a band holds its lower edge."""
_EDGES_MU = (0.0, 3.0, 10.0, 30.0, np.inf)
_SMALL = SIZES[:2]
UNKNOWN, NOT_STATED = "unknown", "not stated"
ACCESSES = ("approve", "review", "decline")
_APPLICATIONS = "applications"


def run_fairness(
    *,
    decisions: Path,
    evidence: Path,
    profiles: Path,
    applications: Path | None,
    county: str,
    as_of: dt.date,
    currency: str,
    settings: FairnessSettings,
    privacy: PrivacySettings,
    table_columns: Mapping[str, Mapping[str, str]],
    out: Path,
    outcomes: Path,
) -> None:
    """Write fairness.json.

    Args:
        decisions: decisions.parquet.
        evidence: evidence.parquet.
        profiles: profiles.parquet.
        applications: The lender's applications: protected columns stand there.
        county: County id.
        as_of: Applications of later days are not known.
        currency: Currency of the county.
        settings: Least count and protected columns.
        privacy: Key of the pseudonyms.
        table_columns: The lender's own column names by table.
        out: fairness.json.
        outcomes: outcomes/fairness.parquet.

    Raises:
        UserError: A protected column is named and there is no such column.
    """
    people = joined(read_table(decisions), read_table(evidence), read_table(profiles))
    for name in settings.protected:
        if applications is None:
            raise UserError(
                f"lending.fairness.protected names {name!r}, and the county has no applications",
                f"name the table in county.{county}.inputs.applications, or drop the column",
            )
    if applications is not None and settings.protected:
        reading = Reading(currency, table_columns.get(_APPLICATIONS, {}), "inputs")
        stated = read_stated(
            applications, settings.protected, as_of=as_of, privacy=privacy, reading=reading
        )
        for name in settings.protected:
            people[name] = people["farmer_id"].map(stated[name]).fillna(NOT_STATED)
    dimensions = ("size", "crop", "tenure", *settings.protected)
    document = {
        "county": county, "as_of": as_of.isoformat(),
        **figures(people, dimensions, settings.suppress_below, currency),
    }  # fmt: skip
    write_text(out, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    write_outcomes([Outcome(STAGE, "", "")], outcomes)


def joined(decisions: pd.DataFrame, evidence: pd.DataFrame, profiles: pd.DataFrame) -> pd.DataFrame:
    """Return one row per decided farmer with holding (mu), size, main crop and tenure.

    The main crop is the one of most evidence area: proven, else seen, else declared. A farmer who
    rents any of the land is a tenant; an owner is one whose whole land is registered; of others
    nobody knows.

    Args:
        decisions: DECISIONS rows.
        evidence: EVIDENCE rows.
        profiles: PROFILES rows.
    """
    farmers = profiles[profiles["level"] == "farmer"].set_index("party_id")["evidence_area_m2"]
    people = decisions[
        ["farmer_id", "access", "limit_minor", "annual_rate"]
    ].reset_index(drop=True)  # fmt: skip
    people["mu"] = people["farmer_id"].map(farmers).fillna(0.0) / M2_PER_MU
    bands = pd.cut(people["mu"], bins=list(_EDGES_MU), labels=list(SIZES), right=False)
    people["size"] = bands.astype("str")
    people["crop"] = people["farmer_id"].map(_main_crop(evidence)).fillna(UNKNOWN)
    people["tenure"] = people["farmer_id"].map(_tenure(evidence)).fillna(UNKNOWN)
    return people


def size_band(mu: float) -> str:
    """Return the band of a holding of so many mu."""
    return SIZES[int(np.searchsorted(_EDGES_MU[1:-1], mu, side="right"))]


def _main_crop(evidence: pd.DataFrame) -> pd.Series[Any]:
    crop = evidence["proven_crop"].fillna(evidence["seen_crop"]).fillna(evidence["declared_crop"])
    areas = evidence.assign(crop=crop.fillna(UNKNOWN)).groupby(["farmer_id", "crop"])
    sums = areas["evidence_area_m2"].sum().reset_index()
    most = sums.sort_values(["evidence_area_m2", "crop"], ascending=[False, True], kind="stable")
    return most.drop_duplicates("farmer_id").set_index("farmer_id")["crop"]


def _tenure(evidence: pd.DataFrame) -> pd.Series[Any]:
    land = evidence.assign(registered=evidence["registry_area_m2"].notna()).groupby("farmer_id")
    leased, registered = land["leased"].any(), land["registered"].all()
    known = np.where(leased, "leased", np.where(registered, "own", UNKNOWN))
    return pd.Series(known, index=leased.index)


def figures(
    people: pd.DataFrame, dimensions: Sequence[str], least: int, currency: str
) -> dict[str, Any]:
    """Return the figures of all, of the smallholders and of each group of each dimension.

    Args:
        people: Rows of `joined`, with any further dimensions as columns.
        dimensions: Columns to group by.
        least: Fewest farmers of whom a figure is shown.
        currency: Currency of the limits.
    """
    enough = len(people) >= least
    return {
        "currency": currency,
        "suppress_below": least,
        "all": _cell(people, least, currency) if enough else None,
        "under_10_mu": _smallholders(people, least, currency) if enough else None,
        "by": {
            name: _dimension(people, name, least, currency) for name in dimensions if enough
        },
    }  # fmt: skip


def _smallholders(people: pd.DataFrame, least: int, currency: str) -> dict[str, Any] | None:
    """Return the figures of growers under 10 mu; None where the table would tell too much then."""
    counts = _counts(people, "size")
    if not part_may_be_told(counts, _SMALL, hidden_groups(counts, least), least):
        return None
    small = people[people["size"].isin(_SMALL)]
    share = round(len(small) / len(people), 6)
    return {"share_of_farmers": share, **(_cell(small, least, currency) if len(small) else {})}


def _dimension(people: pd.DataFrame, name: str, least: int, currency: str) -> dict[str, Any]:
    counts = _counts(people, name)
    hidden = hidden_groups(counts, least)
    order = [size for size in SIZES if size in counts] if name == "size" else sorted(
        counts, key=lambda group: (-counts[group], group)
    )  # fmt: skip
    cells = [
        {"group": group, **_cell(people[people[name] == group], least, currency)}
        for group in order
        if group not in hidden
    ]
    shares = [cell["approve"] for cell in cells]
    compared = len(shares) > 1
    return {
        "groups": cells,
        "hidden": {"groups": len(hidden), "farmers": sum(counts[group] for group in hidden)},
        "approval_difference": round(max(shares) - min(shares), 6) if compared else None,
        "approval_ratio": round(min(shares) / max(shares), 6) if compared and max(shares) else None,
    }


def _counts(people: pd.DataFrame, name: str) -> dict[str, int]:
    return {str(group): int(count) for group, count in people[name].value_counts().items()}


def _cell(people: pd.DataFrame, least: int, currency: str) -> dict[str, Any]:
    """Return count and shares of a group, and medians of its approved where these are enough."""
    shares = {name: round(float((people["access"] == name).mean()), 6) for name in ACCESSES}
    approved = people[(people["access"] == "approve") & (people["mu"] > 0)]
    limit, rate = None, None
    if len(approved) >= least:
        per_mu = (approved["limit_minor"].astype("float64") / approved["mu"]).median()
        limit = written(round(per_mu), currency)
        rate = round(float(approved["annual_rate"].astype("float64").median()), 6)
    return {"farmers": len(people), **shares, "limit_per_mu": limit, "annual_rate": rate}
