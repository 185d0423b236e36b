"""What the desk tells of a farmer's decision, in words and units.

Owns the wording of what a stored decision holds: limit and caps, the price's parts, risk, income
and reasons. Every number is the stored decision's, of its trace or of its policy; the only
arithmetic is a difference that makes the parts of a price add up to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from fieldline.desk.app.parcel_facts import Facts, area, known
from fieldline.desk.app.places import NotHereError, Place
from fieldline.desk.app.words import Words
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.rule_choice import under_tables
from fieldline.lending.risk.features import FEATURES
from fieldline.pipeline.records.money import shown, shown_chinese

CAPS = ("need", "capacity", "policy", "exposure")
_MONEY = (
    "income_q10", "income_q50", "income_q90", "crop_cost", "debt_service", "off_farm",
    "debt_elsewhere", "household_need", "guaranteed", "guaranteeing", "requested",
)  # fmt: skip
_WIDE = 420.0


@dataclass(frozen=True)
class Bar:
    """One bar of the picture of the caps."""

    name: str
    text: str
    width: float
    cut: bool
    """Whether the bar goes on beyond the picture."""
    least: bool
    """Whether it is the cap that binds."""


@dataclass(frozen=True)
class DecisionFacts:
    """One stored decision, ready to be told."""

    row: dict[str, Any]
    """Of `decisions.parquet`."""
    profile: dict[str, Any] | None
    """Of `profiles.parquet`, the farmer's own."""
    words: Words

    @cached_property
    def case(self) -> Case:
        """What was decided on.

        Raises:
            UserError: The trace cannot be read by this version.
        """
        return Case.of(read_trace(self.row["trace"]).case)

    def money(self, minor: Any) -> str:
        """Return an amount of minor units in the decision's currency."""
        if not known(minor):
            return self.words("value.none")
        tell = shown_chinese if self.words.language == "zh" else shown
        return tell(int(minor), self.row["currency"])

    def share(self, value: Any, digits: int = 2) -> str:
        """Return a share as a percentage."""
        return f"{float(value):.{digits}%}" if known(value) else self.words("value.none")

    @property
    def reasons(self) -> list[str]:
        """The reasons in this language, as they were stored."""
        return list(self.row["reasons_zh" if self.words.language == "zh" else "reasons"])

    def figures(self) -> Facts:
        """Return the headline figures."""
        t, row = self.words, self.row
        return [
            (t("farmer.decision"), t(f"class.{row['access']}")),
            (t("farmer.limit"), self.money(row["limit_minor"])),
            (t("farmer.rate"), self.share(row["annual_rate"])),
            (t("farmer.ceiling"), self.share(row["rate_ceiling"])),
            (t("farmer.pd"), self.share(row["pd"], 1)),
            (t("farmer.pd_challenger"), self.share(row["pd_challenger"], 1)),
            (t("panel.evidence_area"), area(self.case.evidence_area_m2, t)),
            (t("farmer.as_of"), str(row["as_of"])),
        ]

    def bars(self) -> list[Bar]:
        """Return the caps, what was asked for and the limit as bars of one scale."""
        values = {name: self.row[f"limit_{name}_minor"] for name in CAPS}
        values["requested"] = self.case.farmer.requested_minor
        values["limit"] = self.row["limit_minor"]
        told = {name: int(value) for name, value in values.items() if known(value)}
        near = [told[name] for name in ("need", "capacity", "requested", "limit") if name in told]
        top = max([*near, 1]) * 1.1
        caps = [told[name] for name in CAPS if name in told]
        return [
            Bar(
                self.words(f"cap.{name}"), self.money(value), _WIDE * min(value / top, 1.0),
                value > top, name in CAPS and value == min(caps),
            )
            for name, value in told.items()
        ]  # fmt: skip

    def price(self) -> Facts:
        """Return the yearly rate's parts; what the costs leave is the price of the risk."""
        t, rate, policy = self.words, self.row["annual_rate"], under_tables(self.case).policy
        if rate is None:
            return []
        costs = policy.funding_rate + policy.opex_rate + policy.capital_charge + policy.margin
        margin = [(t("price.margin"), self.share(policy.margin))] if policy.margin else []
        return [
            (t("price.funding"), self.share(policy.funding_rate)),
            (t("price.opex"), self.share(policy.opex_rate)),
            (t("price.capital"), self.share(policy.capital_charge)),
            *margin,
            (t("price.risk", pd=self.share(self.row["pd"], 1), lgd=self.share(policy.lgd, 0)),
             self.share(Decimal(rate) - costs)),
            (t("farmer.rate"), self.share(rate)),
            (t("farmer.ceiling"), self.share(self.row["rate_ceiling"])),
            (t("price.tenor"), t("price.days", days=policy.tenor_days, basis=policy.day_basis)),
        ]  # fmt: skip

    def income(self) -> Facts:
        """Return what the farmer has and owes, as the profile holds it."""
        if self.profile is None:
            return []
        return [(self.words(f"income.{n}"), self.money(self.profile[f"{n}_minor"])) for n in _MONEY]

    def risk(self) -> list[tuple[str, str, str]]:
        """Return each feature of the default model with its value and what it adds."""
        found = self.case.risk
        return [
            (
                self.words.pick(feature.description, feature.chinese),
                self._value(found.features.get(feature.name)),
                f"{found.contributions[feature.name]:+.2f}",
            )
            for feature in FEATURES
            if feature.name in found.contributions
        ]

    def _value(self, value: float | None) -> str:
        return self.words("value.none") if value is None else f"{value:.2f}"

    def provenance(self) -> Facts:
        """Return the versions that decided."""
        t, stored = self.words, read_trace(self.row["trace"])
        versions, rows = stored.versions, stored.result.get("rows_fired", [])
        tables = [(t("farmer.rows_fired"), ", ".join(rows))] if rows else []
        return [
            (t("farmer.decision_id"), str(self.row["decision_id"])),
            (t("farmer.model"), str(self.row["pd_model"] or t("value.none"))),
            (t("farmer.policy"), str(self.row["policy"])),
            (t("farmer.rules"), str(self.case.rules)),
            *tables,
            (t("farmer.code"), str(versions.get("code", t("value.none")))),
            (t("farmer.product"), self.case.policy.product),
        ]


def decision_facts(place: Place, farmer_id: str, words: Words) -> DecisionFacts:
    """Return the stored decision on a farmer.

    Raises:
        NotHereError: Nobody was decided under that pseudonym, or nothing has been decided yet.
    """
    if not place.has("decisions"):
        raise NotHereError(
            f"county {place.county}, season {place.season}, has no decisions",
            "let the run come to them, or choose another season",
        )
    row = place.record("decisions", "farmer_id", farmer_id)
    if row is None:
        raise NotHereError(f"nobody was decided under {farmer_id!r}", "search on the map")
    levels = place.records("profiles", "party_id", farmer_id) if place.has("profiles") else []
    own = next((level for level in levels if level["level"] == "farmer"), None)
    return DecisionFacts(row, own, words)
