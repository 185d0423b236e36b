"""Features of default risk: the same numbers from a profile and from a finished loan.

Owns the table of features with their known signs. Amounts enter as shares of income or need, never
as size: a farmer with 3 mu and one with 300 are judged by how far their income carries, not by how
much land they hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from fieldline.lending.settings import PolicySettings

_CLIP = 10.0
"""Ratios beyond ten times income carry no further meaning and would only stretch the scale."""

_LEAST = 1e-6
"""Least income that anything is divided by: below every minor unit, so that a share is the same in
whatever currency and unit the amounts are."""


@dataclass(frozen=True)
class Feature:
    """One input of the default model."""

    name: str
    sign: int
    """+1: more never lowers risk; -1: more never raises it; 0: no sign is known."""
    description: str
    chinese: str
    levels: tuple[str, ...] = ()
    """Levels of a category, whose values are places in this list; empty for an amount."""


FEATURES: tuple[Feature, ...] = (
    Feature("debt_share", 1, "other debt service over normal income", "其他年度债务占正常收入"),
    Feature(
        "free_share", -1, "what a poor year leaves over normal crop income",
        "歉收年扣除家庭开支与债务后的余额占正常种植收入",
    ),
    Feature("income_spread", 1, "what a poor year takes off normal crop income", "歉收年减收比例"),
    Feature("stability", -1, "stability of growth over the seasons", "历季长势稳定度"),
    Feature("hazard_index", 1, "the weather hazard of the season", "本季气象灾害指数"),
    Feature("conflicts", 1, "the number of parcels found to differ", "申报不符的地块数"),
    Feature(
        "late_share", 1, "finished loans paid late over one more than all finished loans",
        "逾期笔数与已结清笔数加一之比",
    ),
    Feature("prior_loans", -1, "the number of finished loans", "历史贷款笔数"),
    Feature("thin_file", 0, "whether nothing is known of the past", "有无历史记录"),
)  # fmt: skip

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

_COLUMNS = (
    "income_q10", "income_q50", "debt_service", "household_need", "off_farm", "debt_elsewhere",
    "stability", "hazard_index", "conflicts", "prior_loans", "prior_late", "finished_loans",
    "thin_file",
)  # fmt: skip


def of_loans(history: pd.DataFrame, policy: PolicySettings) -> pd.DataFrame:
    """Return the features of finished loans.

    The household's part follows the rule of the profile, so that old loans and new applicants are
    on one scale: off-farm income pays other debts first and the household next; the rest of the
    household falls on the land, at most `need_income_share` of its poor year. Where a row tells
    what came of the rule (`lending.risk.backfill`), that is taken.

    Args:
        history: Loan history; money in any one unit, `household_need` in full, `off_farm_income`
            missing where it was not stated.
        policy: Shares of off-farm income and of poor-year income.
    """
    need, poor = history["household_need"], history["income_q10"].clip(lower=0)
    stated = history["off_farm_income"] * float(policy.off_farm_share)
    off_farm = _told(history, "off_farm_counted", stated)
    counted = off_farm.fillna(0.0)
    elsewhere = _told(history, "debt_elsewhere", counted.clip(upper=history["debt_service"]))
    left = (need - (counted - elsewhere)).clip(lower=0)
    by_rule = left.clip(upper=float(policy.need_income_share) * poor)
    carried = _told(history, "need_on_land", by_rule)
    return _feature_table(
        history.assign(
            off_farm=off_farm,
            household_need=carried,
            debt_elsewhere=elsewhere,
            finished_loans=_told(history, "finished_loans", history["prior_loans"]),
        )
    )


def _told(history: pd.DataFrame, name: str, by_rule: pd.Series[float]) -> pd.Series[float]:
    return history[name].fillna(by_rule) if name in history else by_rule


_BLANK = {
    "debt_share": ("debt_service", _CLIP), "free_share": ("debt_service", -_CLIP),
    "late_share": ("prior_late", 1.0), "prior_loans": ("prior_loans", 0.0),
}  # fmt: skip
"""What a blank of a stated number counts as: no honest answer gives a worse value."""


def of_profiles(profiles: pd.DataFrame) -> pd.DataFrame:
    """Return the features of PROFILES rows (amounts in minor units).

    What an applicant states and left blank counts as the worst answer would, so that silence never
    lowers the risk. What the images did not show stays unknown: nobody chose to leave it out.
    """
    amounts = profiles.rename(columns=lambda name: name.removesuffix("_minor"))
    table = _feature_table(amounts)
    for name, (stated, worst) in _BLANK.items():
        table[name] = table[name].mask(amounts[stated].isna(), worst)
    unknown = amounts["finished_loans"].isna()
    table["late_share"] = table["late_share"].mask(unknown, _BLANK["late_share"][1])
    return table


def loans_behind(late_share: float, finished: float) -> tuple[int, int] | None:
    """Return how many of how many finished loans were paid late.

    Args:
        late_share: The feature.
        finished: Finished loans that it was reckoned with.

    Returns:
        Late and finished loans; None where the share is the worst answer in place of a blank.
    """
    late, all_of_them = round(late_share * (finished + 1)), round(finished)
    return (late, all_of_them) if late <= all_of_them else None


def _feature_table(amounts: pd.DataFrame) -> pd.DataFrame:
    """Return one float64 column per feature; unknown stays NaN."""
    rows = amounts[list(_COLUMNS)].astype("float64")
    income = rows["income_q50"].clip(lower=_LEAST)
    all_income = income + rows["off_farm"].fillna(0.0)
    borne = rows["debt_service"] - rows["debt_elsewhere"]
    free = rows["income_q10"] - rows["household_need"] - borne
    table = pd.DataFrame({
        "debt_share": (rows["debt_service"] / all_income).clip(0, _CLIP),
        "free_share": (free / income).clip(-_CLIP, _CLIP),
        "income_spread": ((income - rows["income_q10"]) / income).clip(0, _CLIP),
        "stability": rows["stability"],
        "hazard_index": rows["hazard_index"],
        "conflicts": rows["conflicts"],
        "late_share": rows["prior_late"] / (rows["finished_loans"] + 1),
        "prior_loans": rows["prior_loans"],
        "thin_file": rows["thin_file"],
    })  # fmt: skip
    return table[list(NAMES)]
