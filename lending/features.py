"""Features of default risk: the same numbers from a profile and from a finished loan.

Owns the table of features with their known signs. Amounts enter as shares of income or need, never
as size: a farmer with 3 mu and one with 300 are judged by how far their income carries, not by how
much land they hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

_CLIP = 10.0
"""Ratios beyond ten times income carry no further meaning and would only stretch the scale."""


@dataclass(frozen=True)
class Feature:
    """One input of the default model."""

    name: str
    sign: int
    """+1: more never lowers risk; -1: more never raises it; 0: no sign is known."""
    description: str


FEATURES: tuple[Feature, ...] = (
    Feature("debt_share", 1, "Other yearly debt service / median income"),
    Feature("free_share", -1, "(q10 income - household need - debt service) / median income"),
    Feature("income_spread", 1, "(Median income - q10 income) / median income"),
    Feature("stability", -1, "Stability of growth over the seasons"),
    Feature("hazard_index", 1, "Weather hazard of the season, 0 to 100"),
    Feature("conflicts", 1, "Parcels with a conflict code"),
    Feature("late_share", 1, "Finished loans paid late / finished loans (one smoothed)"),
    Feature("prior_loans", -1, "Finished loans on record"),
    Feature("thin_file", 0, "1 where nothing is known of the past"),
)

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

_COLUMNS = (
    "income_q10", "income_q50", "debt_service", "household_need", "stability", "hazard_index",
    "conflicts", "prior_loans", "prior_late", "thin_file",
)  # fmt: skip


def feature_table(amounts: pd.DataFrame, need_income_share: float) -> pd.DataFrame:
    """Return the features of loans or profiles.

    Args:
        amounts: Columns income_q10, income_q50, debt_service, household_need (one currency, any
            unit), stability, hazard_index, conflicts, prior_loans, prior_late, thin_file.
        need_income_share: Largest share of poor-year income that counts as household need; the same
            rule as in the profile, so that old loans and new applicants are on one scale.

    Returns:
        One float64 column per feature; unknown stays NaN.
    """
    rows = amounts[list(_COLUMNS)].astype("float64")
    income = rows["income_q50"].clip(lower=1.0)
    poor = rows["income_q10"].clip(lower=0.0)
    need = np.minimum(rows["household_need"], need_income_share * poor)
    free = rows["income_q10"] - need - rows["debt_service"]
    table = pd.DataFrame({
        "debt_share": (rows["debt_service"] / income).clip(0, _CLIP),
        "free_share": (free / income).clip(-_CLIP, _CLIP),
        "income_spread": ((income - rows["income_q10"]) / income).clip(0, _CLIP),
        "stability": rows["stability"],
        "hazard_index": rows["hazard_index"],
        "conflicts": rows["conflicts"],
        "late_share": rows["prior_late"] / (rows["prior_loans"] + 1),
        "prior_loans": rows["prior_loans"],
        "thin_file": rows["thin_file"],
    })  # fmt: skip
    return table[list(NAMES)]


def of_profiles(profiles: pd.DataFrame, need_income_share: float) -> pd.DataFrame:
    """Return the features of PROFILES rows (amounts in minor units)."""
    names = {
        f"{name}_minor": name
        for name in ("income_q10", "income_q50", "debt_service", "household_need")
    }
    return feature_table(profiles.rename(columns=names), need_income_share)
