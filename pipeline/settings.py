"""Configuration sections that the pipeline reads; the workflow composes them into one document.

Every field has a description: it becomes the comment in the default YAML and the text in the JSON
schema. Unknown keys are refused by `Section`, with the nearest valid key named by the loader.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

S2_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


class Section(BaseModel):
    """Base of every configuration section: frozen, documented, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Season(Section):
    """A named interval of one county's crop calendar."""

    start: dt.date
    """First day of the season (inclusive)."""
    end: dt.date
    """Last day of the season (inclusive)."""
    as_of: dt.date
    """Knowledge date: nothing observed, priced or published after it enters a decision."""

    @model_validator(mode="after")
    def _ordered(self) -> Season:
        if not self.start < self.end:
            raise ValueError("start must lie before end")
        if self.as_of <= self.start:
            raise ValueError("as_of must lie after start")
        return self


class GridSettings(Section):
    """The one metric grid of a county."""

    crs: str | None = None
    """Metric CRS such as EPSG:32632; empty means UTM of the county's centroid."""
    resolution_m: float = Field(10.0, gt=0, le=100)
    """Pixel size in metres."""
    margin_m: float = Field(200.0, ge=0)
    """Width of the surroundings around the outermost parcels, metres."""


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


class PrivacySettings(Section):
    """Pseudonyms and the personal vault."""

    key_env: str = "FIELDLINE_PSEUDONYM_KEY"
    """Environment variable that holds the HMAC key (32 or more characters)."""
    demo_key: bool = False
    """Use the published demonstration key; only for simulated or already pseudonymous data."""


class MaskSettings(Section):
    """How clear pixels are told from clouds."""

    kind: Literal["scl", "values", "none"] = "scl"
    """`scl`: Sentinel-2 scene classes; `values`: a named mask asset; `none`: nodata only."""
    asset: str = "SCL"
    """Asset that holds the mask."""
    clear: tuple[int, ...] = (4, 5, 6, 7, 11)
    """Values that count as clear (SCL: vegetation, soil, water, unclassified, snow)."""


class SceneSettings(Section):
    """Where scenes come from and which of their assets are read."""

    collection: str = "sentinel-2-l2a"
    """Collection id inside the catalog."""
    bands: tuple[str, ...] = S2_BANDS
    """Band assets to observe, by Sentinel-2 name."""
    mask: MaskSettings = MaskSettings()
    """Cloud mask."""
    max_cloud_percent: float = Field(100.0, ge=0, le=100)
    """Scenes above this `eo:cloud_cover` are left out and reported."""
    default_scale: float | None = Field(None, gt=0)
    """Scale of bands whose item states none; empty refuses such items (never guessed by date)."""
    default_offset: float | None = None
    """Offset of bands whose item states none, e.g. -0.1 where DN 1000 is zero; empty refuses."""


class ObserveSettings(Section):
    """The coverage engine."""

    block_pixels: int = Field(512, ge=64)
    """Edge of the square image block read at once, pixels."""
    threads: int = Field(2, ge=1)
    """Dates worked on at once; the result does not depend on it, memory does."""
    batch_rows: int = Field(200_000, ge=1_000)
    """Parcel-dates per row group of observations.parquet: the unit of memory of later stages."""
    min_valid_fraction: float = Field(0.5, ge=0, le=1)
    """A parcel-date counts as clear from this valid fraction on."""
    min_clear_dates: int = Field(5, ge=1)
    """Parcels with fewer clear dates get the outcome too_cloudy."""


class WeatherSettings(Section):
    """Daily weather."""

    max_gap_days: int = Field(5, ge=0)
    """Gaps up to this length are filled and marked; longer ones are an outcome."""
    max_distance_km: float = Field(50.0, gt=0)
    """Parcels farther than this from any weather cell get the outcome no_weather."""


class CountyInputs(Section):
    """Files of one county; `{results}`, `{season}`, `{county}` are filled in; empty if absent."""

    parcels: tuple[Path, ...]
    """Outlines drawn by farmers, one or more files: GeoJSON, GeoPackage, Shapefile, KML, CSV."""
    parcel_columns: dict[str, str] = Field(default_factory=dict)
    """Own column names by Fieldline name, e.g. `farmer_id: owner_no`."""
    parcel_crs: str | None = None
    """CRS of files that carry none (CSV); empty means refuse them."""
    catalog: Path
    """Static STAC catalog.json of the scene archive."""
    boundary: Path | None = None
    """County boundary; parcels outside are refused."""
    weather: Path | None = None
    """Daily weather CSV by cell_id or parcel_id."""
    weather_cells: Path | None = None
    """cell_id, lon, lat of the weather cells (not needed where weather is by parcel)."""
    survey: Path | None = None
    """Survey labels: parcel_id, crop, surveyed_on, yield_t_ha (crop cut, may be empty)."""
    labelled_series: Path | None = None
    """Labelled field series from other parcels (see labelled_series_format)."""
    labelled_series_format: Literal["long", "bavaria_halfmonth"] = "long"
    """`long`: sample_id, crop, date, one column per band; `bavaria_halfmonth`: wide field means."""
    labelled_fields: Path | None = None
    """Field polygons with crop codes that belong to labelled_series, where kept apart."""
    label_codes: str | None = None
    """Table of data/ that maps foreign crop codes to Fieldline crop codes."""
    registry: Path | None = None
    """County registry extract: parcel_id, area_m2, holder_id, crop, recorded_on."""
    applications: Path | None = None
    """Applications: farmer_id, household_id, requested amount, debt service, credit record."""
    loan_history: Path | None = None
    """Finished loans with their outcome, to train the default model."""
    prices: Path | None = None
    """Dated price series (see prices_format)."""
    prices_format: Literal["long", "imf_pcps", "worldbank_cmo"] = "long"
    """`long`: crop, date, price, currency, unit, source; `imf_pcps`: IMF monthly table;
    `worldbank_cmo`: World Bank monthly workbook (.xlsx)."""
    county_yields: Path | None = None
    """Yield statistics: crop, year, yield_t_ha, source."""
    protected: Path | None = None
    """Protected-area polygons for the environmental veto."""
    truth: Path | None = None
    """Truth of a simulated or surveyed county (Parquet or CSV), for `fieldline score` alone."""
    truth_columns: dict[str, str] = Field(default_factory=dict)
    """Own column names of the truth by Fieldline name, e.g. `wrong_crop: crop_conflict`."""

    @field_validator("parcels", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str | Path) else value


class County(Section):
    """One county: the shard of work."""

    title: str
    """Name for people."""
    simulated: bool = False
    """Simulated counties are generated on demand and called simulated on every page."""
    currency: str = Field("CNY", pattern="^[A-Z]{3}$")
    """Currency of prices, limits and offers."""
    grid: GridSettings = GridSettings()
    """Metric grid."""
    scenes: SceneSettings = SceneSettings()
    """Scene source."""
    inputs: CountyInputs
    """Input files."""
    seasons: dict[str, Season]
    """Seasons by name; the order of their start dates is their history."""
