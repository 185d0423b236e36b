"""Configuration sections of the lending room: product, policy, price and risk."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from pipeline.settings import Section


class EvidenceSettings(Section):
    """Declared x seen x registry."""

    area_tolerance: float = Field(0.15, ge=0, lt=1)
    """Relative area difference that still counts as agreement."""
    claim_iou: float = Field(0.05, gt=0, le=1)
    """IoU from which two applicants claim the same ground."""
    claim_overlap: float = Field(0.2, gt=0, le=1)
    """Overlap share of the smaller parcel from which two applicants claim the same ground."""
    registry_max_age_days: int = Field(730, ge=1)
    """Registry rows older than this at the as-of date are stale."""


class RiskSettings(Section):
    """Default model."""

    folds: int = Field(5, ge=2)
    """Cross-validation folds, grouped by household."""
    min_loans: int = Field(200, ge=50)
    """Loan histories shorter than this train no model; decisions go to review."""
    seed: int = 41
    """Random seed."""


class PolicySettings(Section):
    """Limit, price and terms of the product."""

    product: str = "season-line"
    """Product name in the offer."""
    dscr_min: Decimal = Decimal("1.25")
    """Least debt service coverage of the q10 capacity."""
    max_limit: Decimal = Decimal("300000")
    """Policy cap per farmer, currency units; above it a person decides."""
    min_limit: Decimal = Decimal("1000")
    """Smaller lines are not worth their cost to the farmer and are declined with that reason."""
    exposure_cap_household: Decimal = Decimal("400000")
    """Sum of lines and debt of one household, currency units."""
    tenor_days: int = Field(330, ge=1, le=366)
    """Tenor of the line, days."""
    day_basis: int = Field(360, ge=360, le=365)
    """Day-count basis of interest."""
    household_need_per_head: Decimal = Decimal("6000")
    """Yearly subsistence need per household member, currency units."""
    funding_rate: Decimal = Decimal("0.028")
    """Yearly cost of funding."""
    opex_rate: Decimal = Decimal("0.012")
    """Yearly operating cost as a share of the limit."""
    lgd: Decimal = Decimal("0.55")
    """Loss given default."""
    capital_charge: Decimal = Decimal("0.01")
    """Yearly capital charge as a share of the limit."""
    rate_ceiling_file: str = "rate_ceilings.csv"
    """Dated legal ceilings (data/)."""
    pd_decline: float = Field(0.2, gt=0, le=1)
    """Default probability from which access is declined."""
    pd_review: float = Field(0.1, gt=0, le=1)
    """Default probability from which a person decides."""


class LendingSettings(Section):
    """All stages of the lending room."""

    evidence: EvidenceSettings = EvidenceSettings()
    """Evidence."""
    risk: RiskSettings = RiskSettings()
    """Default model."""
    policy: PolicySettings = PolicySettings()
    """Product and policy."""
