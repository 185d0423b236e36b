"""Settings of the daily weather."""

from __future__ import annotations

from pydantic import Field

from fieldline.pipeline.records.settings import Section


class WeatherSettings(Section):
    """Daily weather."""

    max_gap_days: int = Field(5, ge=0)
    """Gaps up to this length are filled and marked; longer ones are an outcome."""
    max_distance_km: float = Field(50.0, gt=0)
    """Parcels farther than this from any weather cell get the outcome no_weather."""
