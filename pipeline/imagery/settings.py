"""Settings of grid, scenes, masks, the pull from a provider and the coverage engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator, model_validator

from fieldline.pipeline.imagery.sources.providers import provider_of
from fieldline.pipeline.records.settings import Section

S2_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


class GridSettings(Section):
    """The one metric grid of a county."""

    crs: str | None = None
    """Metric CRS such as EPSG:32632; empty means UTM of the county's centroid."""
    resolution_m: float = Field(10.0, gt=0, le=100)
    """Pixel size in metres."""
    margin_m: float = Field(200.0, ge=0)
    """Width of the surroundings around the outermost parcels, metres."""


class MaskSettings(Section):
    """How clear pixels are told from clouds, and how far a cloud reaches."""

    kind: Literal["scl", "omnicloudmask", "fmask", "values", "none"] = "scl"
    """`scl`: Sentinel-2 scene classes; `omnicloudmask`, `fmask`: a mask asset made by that program
    (`data/mask_classes.csv`); `values`: a mask asset of any other; `none`: nodata only."""
    asset: str = "SCL"
    """Asset that holds the mask."""
    clear: tuple[int, ...] | None = None
    """Values that count as clear; empty takes those that `data/mask_classes.csv` calls clear."""
    snow: tuple[int, ...] | None = None
    """Values that mean snow: flagged apart, and no clear ground; empty takes the table's."""
    dilation_m: float = Field(60.0, ge=0, le=1000)
    """Land this near to a cloud or its shadow does not count as clear, metres: masks miss the thin
    edges. 60 is Fmask 4's own (3 pixels of 20 m: Qiu et al. 2019); MAJA takes 240, HLS 150."""

    @property
    def reach_m(self) -> float:
        """How far from a parcel a cloud still hides it, metres."""
        return 0.0 if self.kind == "none" else self.dilation_m

    @model_validator(mode="after")
    def _named(self) -> MaskSettings:
        """A mask of unknown classes must say which are clear."""
        if self.kind == "values" and not self.clear:
            raise ValueError("mask.kind values needs mask.clear, the values that count as clear")
        return self


class SceneSettings(Section):
    """Where scenes come from and which of their assets are read."""

    collection: str = "sentinel-2-l2a"
    """Collection id inside the catalog, or of the provider's API."""
    bands: tuple[str, ...] = S2_BANDS
    """Band assets to observe, by Sentinel-2 name."""
    mask: MaskSettings = MaskSettings()
    """Cloud mask."""
    max_cloud_percent: float = Field(100.0, ge=0, le=100)
    """Scenes above this `eo:cloud_cover` are left out and reported."""
    default_scale: float | None = Field(None, gt=0)
    """Scale of bands whose item states none; empty takes what the mission's producer defines for
    the item's own baseline and refuses other items (never guessed by date)."""
    default_offset: float | None = None
    """Offset of bands whose item states none, e.g. -0.1 where DN 1000 is zero; empty as above. One
    that differs from what the item's baseline defines is tried on the pixels."""


class RadarSettings(Section):
    """Sentinel-1 beside the optical scenes."""

    collection: str | None = None
    """Collection of radar scenes, terrain-corrected backscatter such as `sentinel-1-rtc`; empty: no
    radar."""
    provider: str | None = None
    """Provider that they are pulled from, such as `stac:planetary-computer`; empty: where the
    optical scenes come from."""
    bands: tuple[str, ...] = ("vv", "vh")
    """Polarisations to observe."""
    quantity: Literal["item", "decibels", "power"] = "item"
    """What the numbers are where items do not state a `unit`: gamma0 as `power` (Planetary
    Computer's `sentinel-1-rtc`) or in `decibels`; `item` refuses such scenes."""
    orbit: Literal["item", "ascending", "descending", "mixed"] = "item"
    """Orbit direction where items do not state `sat:orbit_state`; `mixed` for composites of both,
    `item` refuses such scenes."""
    gap_days: int = Field(30, ge=5)
    """An optical series without a clear date for longer than this has a gap that radar tells of,
    days."""

    @field_validator("provider")
    @classmethod
    def _gives_files(cls, value: str | None) -> str | None:
        """A provider must be known and give files: services that render know reflectance only."""
        if value is not None and provider_of(value).kind != "stac":
            raise ValueError(f"{value} renders reflectance and no radar: name a STAC API")
        return value


class RadarScenes(SceneSettings):
    """Scenes of radar as the scenes stage chooses them; not a section of the configuration."""

    quantity: Literal["item", "decibels", "power"] = "item"
    """As in `RadarSettings`."""
    orbit: Literal["item", "ascending", "descending", "mixed"] = "item"
    """As in `RadarSettings`."""

    @classmethod
    def of(cls, settings: RadarSettings) -> RadarScenes:
        """Return the scenes of a county's radar; floating-point backscatter needs no scale."""
        return cls(
            collection=settings.collection or "",
            bands=settings.bands,
            mask=MaskSettings(kind="none"),
            default_scale=1.0,
            default_offset=0.0,
            quantity=settings.quantity,
            orbit=settings.orbit,
        )


class BudgetSettings(Section):
    """What one pull of a county and season may use at most; an empty one is not limited."""

    bytes: int | None = Field(None, ge=0)
    """Bytes of imagery fetched."""
    requests: int | None = Field(None, ge=0)
    """Requests for imagery, those that are repeated among them."""
    processing_units: float | None = Field(None, ge=0)
    """Processing units of Sentinel Hub."""
    money: Decimal | None = Field(None, ge=0)
    """Price of all that, in the currency of the provider's tariff."""

    @property
    def limits(self) -> bool:
        """Whether anything is limited."""
        return any(value is not None for value in dict(self).values())


class TariffSettings(Section):
    """A contract's own rates and prices; an empty one is taken from data/provider_tariffs.csv."""

    requests_per_minute: float | None = Field(None, gt=0)
    """Requests that may be sent in a minute."""
    units_per_minute: float | None = Field(None, gt=0)
    """Processing units that may be used in a minute."""
    price_per_unit: Decimal | None = Field(None, ge=0)
    """Price of a processing unit."""
    price_per_gb: Decimal | None = Field(None, ge=0)
    """Price of 10^9 bytes."""
    currency: str | None = None
    """Currency of both prices."""


class PullSettings(Section):
    """How scenes are fetched from a provider; nothing of it is used for an archive on disk."""

    connections: int = Field(4, ge=1, le=64)
    """Scenes fetched at once. Public archives of Sentinel-2 allow 4 connections and more."""
    attempts: int = Field(5, ge=1, le=20)
    """Requests made of one answer before the scene is given up for this run."""
    first_wait_s: float = Field(0.5, gt=0)
    """Wait before the second attempt, seconds; doubled each time and shortened by up to half at
    random, so that many scenes do not come back at once."""
    longest_wait_s: float = Field(60.0, gt=0)
    """Longest wait, seconds. A provider that asks for more (`Retry-After`) is left alone."""
    timeout_s: float = Field(30.0, gt=0)
    """Silence after which a request counts as failed, seconds."""
    scene_deadline_s: float = Field(1800.0, gt=0)
    """Time after which a scene is given up for this run, seconds, however slowly it still comes."""
    run_deadline_s: float = Field(6 * 3600.0, gt=0)
    """Time after which the pull asks for nothing more, seconds; the next run goes on there."""
    scheduler: str | None = None
    """Address of a dask.distributed scheduler whose workers fetch the scenes, such as
    `tcp://10.0.0.5:8786`; empty: threads of this process do. The workers need the results folder
    under the same path, and the account in their own environment."""
    margin_m: float = Field(300.0, ge=0)
    """Land around every parcel that is fetched too, metres: later stages look at neighbours. At
    least as far as a cloud reaches (`scenes.mask.dilation_m`): one that was not fetched hides
    nothing."""
    gap_kib: int = Field(64, ge=0)
    """Unneeded KiB between two tiles of a file that are fetched rather than asked around: about
    what a line brings in the time of one request."""
    largest_request_kib: int = Field(4096, ge=16)
    """Largest KiB of one request: what a killed run may have to fetch again, per connection."""
    budget: BudgetSettings = BudgetSettings()
    """What one pull may use."""
    tariff: TariffSettings = TariffSettings()
    """Rates and prices where a contract differs from the public offer."""


class ClearSettings(Section):
    """What a clear date is and how many are needed: one rule for every stage that reads dates."""

    min_valid_fraction: float = Field(0.5, ge=0, le=1)
    """A date is clear for a parcel from this valid fraction on."""
    max_haze: float = Field(0.025, gt=0)
    """A clear date whose haze lies this far above the parcel's own median is a cloud that the mask
    missed, and no growth is read from it, reflectance. Haze is blue - red / 2, the haze-optimised
    transform (Zhang et al. 2002): leaves, straw and soil all lie near 0."""
    min_dates: int = Field(5, ge=1)
    """Parcels with fewer clear dates are stopped with too_cloudy; those with fewer in the season
    itself are not classified and get no growth curve."""


class ObserveSettings(Section):
    """The coverage engine."""

    clear: ClearSettings = ClearSettings()
    """Clear dates; classify and grow follow it too."""
    block_pixels: int = Field(512, ge=64)
    """Edge of the square image block read at once, pixels."""
    threads: int = Field(1, ge=1)
    """Dates worked on at once, claimed from the scheduler; the result does not depend on it, memory
    does. More serve one large county on many cores; seasons and counties run beside each other
    anyway, and a job that claims several cores waits until so many are free."""
    batch_rows: int = Field(200_000, ge=1_000)
    """Parcel-dates per row group of observations.parquet: the unit of memory of later stages."""
