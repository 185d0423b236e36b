"""Configuration section of the lines after posting."""

from __future__ import annotations

from pydantic import Field, model_validator

from fieldline.pipeline.records.settings import Section


class PortfolioSettings(Section):
    """Stress, early warnings, drift and models over seasons."""

    draws: int = Field(10_000, ge=1000)
    """Joint draws of the stress."""
    seed: int = 71
    """Seed of the draws and of permutations."""
    cells_yield_correlation: float = Field(0.8, ge=0, le=1)
    """Correlation of a crop's yields of one year in two weather cells (log, without trend; soybean
    of 96 Illinois counties 1980-2022: .87 below 40 km, .81 from 40 to 80, .69 from 80 to 160); 1:
    a county has one year."""
    drought_quantile: float = Field(0.1, gt=0, lt=0.5)
    """Quantile at which every crop's year stands in every cell in the scenario of a drought."""
    price_fall: float = Field(0.2, gt=0, lt=1)
    """Share by which all prices fall in the scenario of a price fall."""
    cover_enter: float = Field(1.0, gt=0)
    """A line whose poor-year harvest covers less than this of its debt service is warned of ..."""
    cover_leave: float = Field(1.15, gt=0)
    """... until it covers this much; assumptions, as all levels of warnings."""
    income_enter: float = Field(0.8, gt=0, le=1)
    """A poor-year income below this share of the one granted on is warned of ..."""
    income_leave: float = Field(0.9, gt=0, le=1)
    """... until it is this share again."""
    area_enter: float = Field(0.7, gt=0, le=1)
    """Land that counts below this share of the land granted on is warned of ..."""
    area_leave: float = Field(0.85, gt=0, le=1)
    """... until it is this share again."""
    hazard_enter: float = Field(50.0, gt=0, le=100)
    """A hazard index from this on is warned of (the expert scorecard's highest step) ..."""
    hazard_leave: float = Field(35.0, ge=0, le=100)
    """... until it is this or less."""
    permutations: int = Field(4999, ge=199)
    """Random divisions of the farmers that tell what drift chance alone gives."""
    drift_chance: float = Field(0.01, gt=0, lt=0.5)
    """Chance, over all features together, that a steady county is called drifting."""
    least_defaults: int = Field(20, ge=5)
    """Seasons with fewer defaults, or fewer loans without, tell nothing of a model."""

    @model_validator(mode="after")
    def _leaves_beyond(self) -> PortfolioSettings:
        """A warning that leaves where it enters comes and goes with every run."""
        pairs = [(name, getattr(self, f"{name}_enter"), getattr(self, f"{name}_leave"))
                 for name in ("cover", "income", "area")]  # fmt: skip
        pairs.append(("hazard", -self.hazard_enter, -self.hazard_leave))
        for name, enter, leave in pairs:
            if enter >= leave:
                raise ValueError(f"{name}_leave must lie on the better side of {name}_enter")
        return self
