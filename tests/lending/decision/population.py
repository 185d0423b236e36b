"""Random farmers of a county, judged by a model that learnt from loans, without any image.

Rows are those of the profile stage; whoever worsens a fact changes it there, so that features,
model, challenger, price, caps and rule are all passed through.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decide import cases
from fieldline.lending.decision.folder import Folder
from fieldline.lending.decision.judge import Judge
from fieldline.lending.risk.default_model import Loans, fit_pd
from fieldline.lending.risk.features import FEATURES, of_profiles
from fieldline.lending.schemas import PROFILES
from fieldline.lending.settings import PolicySettings, RiskSettings

AS_OF = dt.date(2024, 9, 30)
_CROPS = ("maize", "winter_wheat", "rice")


@dataclass(frozen=True)
class Population:
    """Farmers, one household each but for every seventh, who shares the next one's."""

    rows: pd.DataFrame
    """PROFILES rows of farmers."""
    parcels: Mapping[str, list[dict[str, Any]]]
    by_farmer: Mapping[str, list[tuple[str, str, str]]]
    """Outcomes of the profile stage."""

    def cases(self, judge: Judge, policy: PolicySettings, rules: int | None = None) -> list[Case]:
        """Return the cases as the stage makes them, by today's rules unless others are named."""
        folder = Folder(
            farmers=pd.DataFrame({
                "farmer_id": self.rows["party_id"], "refusals": [[] for _ in self.rows["party_id"]],
            }),
            profiles=pd.concat([self.rows, _homes(self.rows)], ignore_index=True),
            parcels=dict(self.parcels), by_parcel={}, by_farmer=dict(self.by_farmer),
            currency="CNY", as_of=AS_OF,
        )  # fmt: skip
        made = list(cases(folder, judge, policy))
        return made if rules is None else [c.model_copy(update={"rules": rules}) for c in made]

    def changed(
        self, change: Callable[[pd.DataFrame], dict[str, Any]], who: np.ndarray[Any, Any]
    ) -> Population:
        """Return the same farmers with some columns of the rows of some replaced."""
        new = {
            name: np.where(who, value, self.rows[name]) for name, value in change(self.rows).items()
        }
        return replace(self, rows=self.rows.assign(**new))


def _homes(rows: pd.DataFrame) -> pd.DataFrame:
    amounts = [name for name in rows.columns if name.endswith("_minor")]
    sums = rows.groupby("household_id", sort=False)[[*amounts, "farmers"]].sum(min_count=1)
    first = rows.groupby("household_id", sort=False).first()
    homes = first.assign(**{name: sums[name] for name in sums.columns}).reset_index()
    return homes.assign(level="household", party_id=homes["household_id"])[list(rows.columns)]


def population(count: int, seed: int = 11) -> Population:
    """Draw farmers of 0.5 to 150 mu, thin files, debts, doubts and blocked ground among them."""
    rng = np.random.default_rng(seed)
    mu = np.round(np.exp(rng.uniform(np.log(0.5), np.log(150), count)), 1)
    names = [f"F{i:05d}" for i in range(count)]
    cost = rng.integers(20_000, 80_000, count)
    gross = (mu * cost * rng.uniform(1.2, 3.5, count)).astype("int64")
    low = (gross * rng.uniform(0.7, 0.97, count)).astype("int64")
    costs = (mu * cost).astype("int64")
    poor = np.maximum(low - costs, 0)
    debt = np.where(rng.random(count) < 0.5, 0, poor * rng.uniform(0, 0.6, count)).astype("int64")
    prior = rng.integers(0, 6, count)
    late = rng.binomial(prior, 0.15)
    asked = rng.random(count)
    frame = pd.DataFrame({
        "level": "farmer", "party_id": names,
        "household_id": [f"H{i - (i % 7 == 1):05d}" for i in range(count)],
        "farmers": 1, "parcels": 1, "parcels_valued": 1,
        "evidence_area_m2": mu * 10_000 / 15, "crops": [["maize"]] * count,
        "income_q10_minor": low - costs, "income_q50_minor": gross - costs,
        "income_q90_minor": 2 * gross - low - costs, "crop_cost_minor": costs,
        "debt_service_minor": debt, "off_farm_minor": None,
        "debt_elsewhere_minor": (debt * (rng.random(count) < 0.2)).astype("int64"),
        "off_farm_idle_minor": _idle(count, seed),
        "household_need_minor": (poor * rng.uniform(0, 0.5, count)).astype("int64"),
        "requested_minor": [
            int(c * 1.5 * a) if a < 0.6 else None for c, a in zip(costs, asked, strict=True)
        ],
        "stability": np.where(rng.random(count) < 0.1, np.nan, rng.uniform(0.3, 1, count)),
        "hazard_index": rng.uniform(0, 90, count), "conflicts": rng.binomial(2, 0.1, count),
        "prior_loans": prior, "prior_late": late, "finished_loans": prior,
        "thin_file": prior == 0, "currency": "CNY",
        "guaranteed_minor": 0, "guaranteeing_minor": 0, "joint_members": 1, "household_size": 3,
        "outside_guarantors": [[]] * count, "outside_amounts": [[]] * count,
    })  # fmt: skip
    rows = pd.DataFrame({name: frame.get(name) for name in PROFILES.names})
    parcels = {
        name: [_parcel(rng, name, float(mu[i]), int(cost[i]))] for i, name in enumerate(names)
    }
    missing = {n: [("profile", "no_application", "")] for n in names if rng.random() < 0.05}
    return Population(rows, parcels, missing)


def _idle(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw what a quarter of the farmers state of wages that no paper proves."""
    rng = np.random.default_rng([seed, 1])
    return np.where(rng.random(count) < 0.25, rng.uniform(0, 800_000, count), 0).astype("int64")


_DOUBTS = ("crop_conflict", "no_crop_cycle", "claimed_by_other", "registry_unclear")


def _parcel(rng: np.random.Generator, farmer: str, mu: float, cost_mu: int) -> dict[str, Any]:
    kind = rng.random()
    codes, effect = ["area_agrees"], "none"
    if kind < 0.08:
        codes, effect = [str(rng.choice(_DOUBTS))], "review"
    elif kind < 0.16:
        codes, effect = ["area_overdrawn"], "lower"
    elif kind < 0.19:
        codes, effect = ["holder_conflict"], "block"
    area = mu * 10_000 / 15
    crop = str(rng.choice(_CROPS))
    return {
        "parcel_id": f"{farmer}-1", "farmer_id": farmer, "declared_area_m2": area * 1.2,
        "evidence_area_m2": area, "declared_crop": crop, "seen_crop": crop, "crop": crop,
        "crop_basis": "cheapest_of_set" if rng.random() < 0.1 else "classified",
        "cost_per_ha_minor": cost_mu * 15, "price_q50_minor": 240_000, "yield_q50_t_ha": 6.0,
        "gross_q50_minor_ha": None,
        "codes": codes, "effect": effect, "protected_m2": 0.0,
    }  # fmt: skip


def _share_of(rows: pd.DataFrame, column: str, part: float) -> Any:
    """Return a part of a farmer's costs on top of an amount."""
    return (rows[column] + part * rows["crop_cost_minor"]).astype("int64")


WORSE: dict[str, Callable[[pd.DataFrame, float], dict[str, Any]]] = {
    "debt": lambda rows, x: {"debt_service_minor": _share_of(rows, "debt_service_minor", x)},
    "need": lambda rows, x: {"household_need_minor": _share_of(rows, "household_need_minor", x)},
    "harvest": lambda rows, x: {
        name: (
            (rows[name] + rows["crop_cost_minor"]) / (1 + x) - rows["crop_cost_minor"]
        ).astype("int64")
        for name in ("income_q10_minor", "income_q50_minor", "income_q90_minor")
    },
    "poor_year": lambda rows, x: {
        "income_q10_minor": (rows["income_q10_minor"] - x * rows["crop_cost_minor"]).astype("int64")
    },
    "elsewhere": lambda rows, x: {
        "debt_elsewhere_minor": (rows["debt_elsewhere_minor"] / (1 + x)).astype("int64")
    },
    "stability": lambda rows, x: {"stability": rows["stability"] - x},
    "hazard_index": lambda rows, x: {"hazard_index": rows["hazard_index"] + 60 * x},
    "conflicts": lambda rows, x: {"conflicts": rows["conflicts"] + int(np.ceil(6 * x))},
    "prior_late": lambda rows, x: {
        "prior_late": np.minimum(rows["finished_loans"], rows["prior_late"] + int(np.ceil(4 * x)))
    },
    "prior_loans": lambda rows, x: dict.fromkeys(
        ("prior_loans", "finished_loans"),
        np.maximum(rows["prior_late"], rows["prior_loans"] - int(np.ceil(4 * x))),
    ),
    "proof_of_loans": lambda rows, _: {"prior_loans": 0},
}  # fmt: skip
"""Facts with a known sign, each made worse by a step in (0, 1]."""


def judge_of(loans: int = 4000, seed: int = 5) -> Judge:
    """Return a model that learnt from loans of such farmers; about one in twelve defaulted."""
    rng = np.random.default_rng(seed)
    rows = population(loans, seed).rows
    table = of_profiles(rows)
    odds = (
        -4.2 + 3.0 * table["debt_share"].clip(0, 1) - 2.0 * table["free_share"].clip(-1, 1)
        + 2.0 * table["income_spread"].clip(0, 1) + 0.025 * table["hazard_index"]
        + 3.0 * table["late_share"] + 0.6 * table["conflicts"] - table["stability"].fillna(0.5)
    )  # fmt: skip
    bad = (rng.random(loans) < 1 / (1 + np.exp(-odds))).to_numpy("float64")
    season = rng.choice(["2021", "2022", "2023"], loans)
    known = Loans(table, bad, rows["household_id"].to_numpy("str"), season, 330)
    settings = RiskSettings(trees=60, folds=3, search=0)
    return Judge(fit_pd(known, settings, FEATURES))
