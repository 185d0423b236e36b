"""Configuration sections of the crops room: each stage's choices, with unit and reason."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings import Section


class FieldsSettings(Section):
    """Planted share inside the drawn ring."""

    min_peak: float = Field(0.45, ge=0, le=1)
    """A pixel shows a crop cycle when its NDVI peak reaches this value ..."""
    min_amplitude: float = Field(0.25, ge=0, le=1)
    """... and its NDVI rises by at least this much above its own low."""


class ClassifySettings(Section):
    """Crop classifier."""

    step_days: int = Field(10, ge=1, le=60)
    """Step of the regularised series, days."""
    min_labels_per_class: int = Field(5, ge=2)
    """Classes with fewer labels are not learnt and are named in the model card."""
    folds: int = Field(5, ge=2)
    """Cross-validation folds, grouped by village or farm."""
    cannot_tell_below: float = Field(0.5, ge=0, le=1)
    """Top probability under which the answer is `cannot tell`."""
    set_coverage: float = Field(0.9, gt=0, lt=1)
    """Target coverage of the conformal prediction set."""
    seed: int = 17
    """Random seed."""


class GrowSettings(Section):
    """Growth curve and phenology."""

    step_days: int = Field(5, ge=1, le=30)
    """Step of the smoothed curve, days."""
    threshold: float = Field(0.25, gt=0, lt=1)
    """Share of amplitude that marks start and end of season (HR-VPP definition: 0.25 and 0.15)."""
    end_threshold: float = Field(0.15, gt=0, lt=1)
    """Share of amplitude that marks the end of season."""


class HazardSettings(Section):
    """Weather hazards."""

    dry_day_mm: float = Field(1.0, ge=0)
    """A day with less rain counts as dry (WMO)."""


class YieldSettings(Section):
    """Yield and value."""

    interval: float = Field(0.8, gt=0, lt=1)
    """Coverage of the yield interval (q10 to q90)."""
    prior_years: int = Field(5, ge=2)
    """Years of county statistics that form the prior."""
    price_stale_days: int = Field(90, ge=1)
    """Prices older than this at the as-of date are flagged."""
    draws: int = Field(4000, ge=200)
    """Joint draws where a quantile of a sum is needed."""
    seed: int = 29
    """Random seed."""


class CropsSettings(Section):
    """All stages of the crops room."""

    fields: FieldsSettings = FieldsSettings()
    """Planted area."""
    classify: ClassifySettings = ClassifySettings()
    """Crop classifier."""
    grow: GrowSettings = GrowSettings()
    """Growth curves."""
    hazards: HazardSettings = HazardSettings()
    """Weather hazards."""
    yields: YieldSettings = YieldSettings()
    """Yield and value."""
