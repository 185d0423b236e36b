"""Single: one farmer decided from a county's stored features, as the county itself is decided.

Owns choosing the rows of one farmer and the household; cases, decisions and traces come from the
very functions that decide a county, so that both ways give the same bytes. Features are opened once
and asked many times; how they are kept up to date is the caller's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from fieldline.lending.decision.case import policy_hash
from fieldline.lending.decision.decide import cases, crop_model_of
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.folder import Folder, open_folder
from fieldline.lending.decision.judge import Judge, read_judge
from fieldline.lending.decision.row import decision_row
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.errors import UserError


class UnknownFarmerError(UserError):
    """A farmer of whom the county holds no features."""


@dataclass(frozen=True)
class Features:
    """What a county knows of its farmers before anything is decided, and what judges them."""

    folder: Folder
    judge: Judge
    policy: PolicySettings
    crop_model: str
    """What told the crops, for the trace."""

    @cached_property
    def _farmers(self) -> pd.DataFrame:
        return self.folder.farmers.set_index("farmer_id", drop=False)

    @cached_property
    def _people(self) -> pd.DataFrame:
        profiles = self.folder.profiles
        return profiles[profiles["level"] == "farmer"]

    @cached_property
    def _households(self) -> Mapping[str, str]:
        return dict(zip(self._people["party_id"], self._people["household_id"], strict=True))

    @cached_property
    def _rows_of_household(self) -> Mapping[str, list[int]]:
        groups = self.folder.profiles.groupby("household_id", sort=False).indices
        return {str(name): [int(row) for row in rows] for name, rows in groups.items()}

    @cached_property
    def _policy_hash(self) -> str:
        return policy_hash(self.policy)

    def __contains__(self, farmer_id: object) -> bool:
        return farmer_id in self._households

    def of(self, farmer_id: str) -> Folder:
        """Return the artifacts of one farmer and of the household's other farmers, no others.

        Raises:
            UnknownFarmerError: The county has no such farmer.
        """
        household = self._households.get(farmer_id)
        if household is None:
            raise UnknownFarmerError(
                f"the county holds nothing of farmer {farmer_id}",
                "send the outline of a field with the application",
            )
        profiles = self.folder.profiles.iloc[self._rows_of_household[household]]
        members = profiles.loc[profiles["level"] == "farmer", "party_id"]
        # In the order of the county's own table: a case must not depend on who is asked for.
        farmers = self._farmers.loc[sorted(members)].reset_index(drop=True)
        return replace(self.folder, farmers=farmers, profiles=profiles)

    def record(self, farmer_id: str) -> dict[str, Any]:
        """Return the DECISIONS row of one farmer, decided now.

        Raises:
            UnknownFarmerError: As `of`.
        """
        found = cases(self.of(farmer_id), self.judge, self.policy)
        case = next(case for case in found if case.farmer_id == farmer_id)
        return decision_row(case, decide_case(case), self._policy_hash, self.crop_model)


_BESIDE = {
    "exclusions": "exclusions", "contracts": "contracts", "preapproved": "preapproved",
    "turns": "cover_turns",
}  # fmt: skip
"""Tables that a folder of an earlier release does not hold."""


def features_of(
    folder: Path, *, parts: Sequence[Path], currency: str, as_of: dt.date, policy: PolicySettings,
    county: str = "",
) -> Features:  # fmt: skip
    """Open the features that a county's folder of artifacts holds.

    Args:
        folder: Artifacts of county and season.
        parts: Outcome files of the stages before the decision.
        currency: The county's currency.
        as_of: Knowledge date.
        policy: Product and policy.
        county: Id of the county.

    Raises:
        UserError: A table is absent, or the model folder is damaged.
    """
    beside = {
        name: path if (path := folder / f"{table}.parquet").is_file() else None
        for name, table in _BESIDE.items()
    }
    opened = open_folder(
        farmers=folder / "farmers.parquet", profiles=folder / "profiles.parquet",
        evidence=folder / "evidence.parquet", harvests=folder / "harvests.parquet",
        parts=parts, currency=currency, as_of=as_of, relations=folder / "relations.parquet",
        crops=folder / "crops.parquet", county=county, **beside,
    )  # fmt: skip
    judge = read_judge(folder / "models/default/manifest.json")
    return Features(opened, judge, policy, crop_model_of(folder / "models/crop_classifier.json"))
