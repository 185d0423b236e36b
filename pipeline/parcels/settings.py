"""Settings of intake: what counts as a parcel."""

from __future__ import annotations

from pydantic import Field

from fieldline.pipeline.records.settings import Section


class IntakeSettings(Section):
    """Limits of what counts as a parcel."""

    max_area_m2: float = Field(5_000_000.0, gt=0)
    """Rings above this area (5 km2) are refused: they are villages, not parcels."""
    min_area_m2: float = Field(100.0, gt=0)
    """Rings under one Sentinel-2 pixel (100 m2) are refused."""
    max_vertices: int = Field(10_000, ge=4)
    """Rings with more vertices are simplified to this tolerance or refused."""
    duplicate_iou: float = Field(0.95, gt=0, le=1)
    """Two rings of one farmer above this intersection over union are the same ring."""
    overlap_share: float = Field(0.2, gt=0, le=1)
    """Overlap above this share of the smaller ring is noted (evidence decides who is right)."""
    self_crossing_share: float = Field(0.02, ge=0, lt=0.5)
    """A self-crossing ring is repaired while this share of its area or less is in doubt."""
    simplify_tolerance_m: float = Field(0.5, gt=0, le=1)
    """Rings over max_vertices are thinned by moving the line no farther than this, metres."""
    simplify_area_change: float = Field(0.001, ge=0, lt=0.1)
    """Thinning that changes the area by more than this share is refused."""
    part_gap_m: float = Field(1000.0, gt=0)
    """Parts of one parcel farther apart than this are two parcels and refused, metres."""
    boundary_min_share: float = Field(0.5, ge=0, le=1)
    """Least share of a ring inside the county boundary."""
    region_pad_deg: float = Field(0.5, ge=0, le=10)
    """Margin around the county within which swapped coordinates would make sense, degrees."""
