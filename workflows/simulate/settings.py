"""Configuration of the simulated county: size, place, seasons, weather, sky and lies.

Owns every number a person may turn; agronomic parameters of a crop are rows of
`data/simulated_crops.csv`. Nothing here is calibrated to a real county.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise

from pydantic import Field, field_validator, model_validator

from fieldline.pipeline.records.money import in_force
from fieldline.pipeline.records.settings import Section

YUAN = "CNY"
"""The simulated county lies in China: its economy is drawn in yuan, whatever its papers say."""


_MOST_PERMANENT = 0.6


class SeasonSpan(Section):
    """One agricultural year."""

    start: dt.date
    """First day (inclusive)."""
    end: dt.date
    """Last day (inclusive); the as-of date of the season's decisions."""


class LandSettings(Section):
    """The county's land."""

    centre_lon: float = Field(default=115.9, ge=-180, le=180)
    """Longitude of the county's centre (default: farmland on the Huang-Huai plain)."""
    centre_lat: float = Field(default=33.2, ge=-60, le=60)
    """Latitude of the county's centre."""
    tile_pixels: int = Field(default=1024, ge=64, le=4096, multiple_of=2)
    """Largest edge of one scene tile in 10 m pixels; larger counties get several tiles."""
    field_median_mu: float = Field(default=3.4, gt=0.2, le=100)
    """Median field size, mu."""
    field_log_sd: float = Field(default=0.95, ge=0, le=2)
    """Spread of log field size; with the default median four fields in five stay below 10 mu."""
    participation: float = Field(default=0.9, gt=0, le=1)
    """Share of the fields whose farmers apply; the others are farmed and seen, not drawn."""
    texture: float = Field(default=1.0, ge=0, le=5)
    """Factor on the variation of leaf area inside a field."""
    uneven_days: int = Field(default=0, ge=0, le=30)
    """Days by which patches of a field are ahead of it or behind it at most: soils that warm, dry
    and ripen at their own pace."""
    variety: float = Field(default=1.0, ge=0, le=6)
    """Factor on how much fields of one crop differ in vigour, pigment, soil and day of sowing."""
    double_cropping: float = Field(default=0.0, ge=0, le=1)
    """Share of the fields cleared of a winter cereal by late June that carry maize after it; no
    paper tells of the second crop."""
    ley: float = Field(default=0.0, ge=0, le=1)
    """Share of the fields that nobody draws which lie under mown grass."""
    orchards: float = Field(default=0.04, ge=0, le=0.5)
    """Share of the blocks between roads under orchards ..."""
    greenhouses: float = Field(default=0.02, ge=0, le=0.5)
    """... under greenhouses ..."""
    tea: float = Field(default=0.0, ge=0, le=0.5)
    """... and under tea."""
    permanent_median_mu: float = Field(default=6.0, gt=0.2, le=100)
    """Target size of one orchard, greenhouse or tea garden, mu; most are two to four times it."""
    permanent: float = Field(default=0.0, ge=0, le=0.6)
    """Share of the drawn parcels that are orchards, greenhouses and tea gardens, claimed as what
    they are by those who work them; less where the land holds fewer."""
    ring_noise_m: float = Field(default=1.0, ge=0, le=20)
    """Standard deviation of the drawn vertices (phone GPS after map correction), metres."""

    @model_validator(mode="after")
    def _leaves_fields(self) -> LandSettings:
        taken = self.orchards + self.greenhouses + self.tea
        if taken > _MOST_PERMANENT:
            raise ValueError(
                f"orchards, greenhouses and tea take {taken:.2f} of the blocks; leave at least "
                f"{1 - _MOST_PERMANENT:.2f} to fields, villages and woods"
            )
        return self


class SkySettings(Section):
    """Weather and atmosphere."""

    weather_cells: int = Field(default=2, ge=1, le=64)
    """Weather cells of the county."""
    cloudiness: float = Field(default=0.35, ge=0, le=0.95)
    """Mean cloud share of a scene on an average day; wet days are cloudier."""
    thin_cloud_missed: float = Field(default=0.12, ge=0, le=0.6)
    """Opacity below which the scene classification misses a cloud or a shadow."""
    snow_dates: int = Field(default=0, ge=0, le=30)
    """Winter dates of each season with snow that thaws in patches."""
    bright_soil_red: float = Field(default=1.0, gt=0, le=1)
    """Red reflectance from which the scene classification calls bare soil a cloud; 1: never."""
    noise: float = Field(default=0.003, ge=0, le=0.05)
    """Sensor noise, reflectance standard deviation."""
    same_day_pairs: int = Field(default=2, ge=0)
    """Dates per season that come as two overlapping items of one solar day."""
    offset_share: float = Field(default=0.7, ge=0, le=1)
    """Share of the dates with processing baseline >= 04.00, hence with the +1000 DN offset."""
    drought_rain_share: float = Field(default=0.08, ge=0, le=1)
    """Share of its rain that a planted drought leaves."""
    drought_days: int = Field(default=50, ge=0)
    """Length of the planted droughts, days."""
    frost_c: float = Field(default=-4.0, le=0)
    """Minimum temperature of the planted spring frosts, Celsius."""
    flood_mm: float = Field(default=280.0, ge=0)
    """Rain of a planted five-day flood, mm."""
    hazard_chance: float = Field(default=0.25, ge=0, le=1)
    """Chance of each hazard in each cell and year before the first season."""


class LieSettings(Section):
    """Shares of the drawn parcels that carry a planted lie."""

    overdrawn: float = Field(default=0.06, ge=0, le=0.3)
    """Ring pushed into road, neighbour or waste."""
    overdrawn_growth: float = Field(default=0.45, gt=0, le=2)
    """Mean relative area that an overdrawn ring adds."""
    wrong_crop: float = Field(default=0.05, ge=0, le=0.3)
    """Declared crop is not the planted one."""
    same_parcel: float = Field(default=0.02, ge=0, le=0.2)
    """Another farmer's field claimed again, slightly shifted."""
    greenhouse: float = Field(default=0.01, ge=0, le=0.1)
    """Greenhouse declared as cropland."""
    orchard: float = Field(default=0.0, ge=0, le=0.1)
    """Orchard declared as cropland."""
    fake_farming: float = Field(default=0.015, ge=0, le=0.1)
    """Ring on forest or village."""
    survey_wrong: float = Field(default=0.0, ge=0, le=0.5)
    """Share of the survey labels that name another crop (no fault of the farmer)."""
    registry_missing: float = Field(default=0.07, ge=0, le=1)
    """Parcels without a registry row (no fault of the farmer)."""
    registry_stale: float = Field(default=0.08, ge=0, le=1)
    """Registry rows that are years old, some with another area (no fault of the farmer)."""
    declared_area_sd: float = Field(default=0.04, ge=0, le=0.5)
    """Honest relative error of a declared area."""


class TenureSettings(Section):
    """Leases and papers; shares and amounts are assumptions."""

    leased: float = Field(default=0.33, ge=0, le=1)
    """Share of the fields that their farmers rent from a registered holder."""
    rent_per_mu: float = Field(default=260.0, ge=0)
    """Median yearly rent, yuan per mu (order of magnitude of land cost in national surveys)."""
    rent_log_sd: float = Field(default=0.25, ge=0, le=2)
    """Spread of log rent."""
    share_cropped: float = Field(default=0.1, ge=0, le=1)
    """Share of the leases that are paid with part of the crop."""
    rent_free: float = Field(default=0.0, ge=0, le=1)
    """Share of the leases for which nothing is paid: land of kin and neighbours who moved away."""
    contract: float = Field(default=0.75, ge=0, le=1)
    """Share of the leases that a written contract shows ..."""
    confirmed: float = Field(default=0.12, ge=0, le=1)
    """... or the landlord's word ..."""
    stated: float = Field(default=0.08, ge=0, le=1)
    """... or the tenant's own; the rest are shown by nothing."""
    insured: float = Field(default=0.25, ge=0, le=1)
    """Share of the parcels that are insured."""
    photographed: float = Field(default=0.05, ge=0, le=1)
    """Share of the honest parcels with a dated field photo."""
    recorded: float = Field(default=0.8, ge=0, le=1)
    """Share of the farmers with a credit record."""
    wages_proven: float = Field(default=0.6, ge=0, le=1)
    """Share of the wages that a paper proves."""
    guaranteed: float = Field(default=0.3, ge=0, le=1)
    """Share of the guarantors named that have signed."""
    unverified: float = Field(default=0.06, ge=0, le=1)
    """Share of the papers that nobody has checked yet."""


class RelationShares(Section):
    """What people have in common, honestly or not; shares are assumptions."""

    family: float = Field(default=0.05, ge=0, le=0.5)
    """Share of the farmers who share a phone with a relative of another household."""
    village_office: float = Field(default=0.3, ge=0, le=1)
    """Share of the villages whose elderly give the number and address of the village office."""
    vouching: float = Field(default=0.05, ge=0, le=0.5)
    """About the share of farmers who vouch for one another in pairs or groups that apply
    together."""
    fraud: float = Field(default=0.0, ge=0, le=0.3)
    """Share of the farmers in planted rings: shared phone or account, pairs that evade both,
    guarantors in a circle, one person under two numbers."""


class HouseholdSettings(Section):
    """Farms and what their households earn and owe; docs/simulation.md says what is published."""

    plots: tuple[float, ...] = (0.30, 0.27, 0.18, 0.12, 0.08, 0.05)
    """Chances of farms of one field, of two and so on; they add up to 1."""
    heads: tuple[float, ...] = (0.08, 0.22, 0.25, 0.22, 0.14, 0.09)
    """Chances of households of one person, of two and so on; they add up to 1."""
    growers_alone: float = Field(default=0.5, ge=0, le=1)
    """Share of the growers of orchards, greenhouses and tea who till no field besides."""
    wage_chance: float = Field(default=0.92, ge=0, le=1)
    """Chance that a household without land works off the farm ..."""
    wage_land_ha: float = Field(default=8.0, gt=0)
    """... which falls to a third of it with this much land, hectares."""
    wage: float = Field(default=22_000.0, ge=0)
    """Median yearly earnings of one worker, yuan; order of magnitude of rural wages."""
    wage_log_sd: float = Field(default=0.45, ge=0, le=2)
    """Spread of log earnings."""
    workers: float = Field(default=0.5, gt=0, le=1)
    """Share of the heads who work off the farm where anybody does."""
    indebted: float = Field(default=0.5, ge=0, le=1)
    """Share of the farmers who pay off other debts ..."""
    debt_share: float = Field(default=0.04, ge=0, le=1)
    """... and what these take of a usual year's earnings, land and wages together; assumption."""

    @field_validator("plots", "heads")
    @classmethod
    def _chances(cls, chances: tuple[float, ...]) -> tuple[float, ...]:
        if min(chances, default=-1.0) < 0 or abs(sum(chances) - 1) > 1e-6:
            raise ValueError(f"{chances} are no chances; give shares of 0 or more that add up to 1")
        return chances


class LoanSettings(Section):
    """Loan history."""

    loans: int = Field(default=3000, ge=0)
    """Finished loans of the five years before the first season."""
    default_rate: float = Field(default=0.07, gt=0, lt=0.5)
    """Mean default rate."""
    need_per_head: int = Field(default=6000, ge=0)
    """Yearly subsistence need per household member, yuan."""


class SimulateSettings(Section):
    """The simulated county."""

    parcels: int = Field(default=600, ge=200, le=1_000_000)
    """Parcels drawn by farmers in each season."""
    currency: str = YUAN
    """Currency of every paper and price; the county must lend in it."""
    units_per_yuan: Decimal | None = Field(default=None, gt=0)
    """What a yuan of the simulated economy is in another currency: a factor on every amount, and no
    exchange rate of any day. Empty for the yuan itself."""
    seed: int = Field(default=20240930, ge=0)
    """Random seed; equal settings give byte-identical files."""
    seasons: dict[str, SeasonSpan] = Field(
        default_factory=lambda: {
            "2023": SeasonSpan(start=dt.date(2022, 10, 1), end=dt.date(2023, 9, 30)),
            "2024": SeasonSpan(start=dt.date(2023, 10, 1), end=dt.date(2024, 9, 30)),
        }
    )
    """Consecutive agricultural years by name, oldest first."""
    dates_per_season: int = Field(default=72, ge=4, le=366)
    """Acquisition dates per season (72 is the five-day revisit)."""
    survey_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the parcels that surveyors visited."""
    yield_years: int = Field(default=10, ge=2, le=40)
    """Years of county yield statistics before the first season."""
    price_years: int = Field(default=6, ge=1, le=40)
    """Years of price series before the first season."""
    crops: tuple[str, ...] = ()
    """Crop codes to plant; empty means every row of data/simulated_crops.csv."""
    crop_shares: dict[str, float] = Field(default_factory=dict)
    """Shares of the fields by crop in place of those of the table; they are weights."""
    growth_runs: int = Field(default=3, ge=1, le=3)
    """Crop-model runs per crop, cell and season: 3 spans sowing date and skill, 1 neither."""
    processes: int = Field(default=2, ge=1, le=64)
    """Processes for the crop model; they do not change the result."""
    land: LandSettings = LandSettings()
    """Land."""
    sky: SkySettings = SkySettings()
    """Weather and atmosphere."""
    lies: LieSettings = LieSettings()
    """Lies and imperfect papers."""
    tenure: TenureSettings = TenureSettings()
    """Leases and papers."""
    households: HouseholdSettings = HouseholdSettings()
    """Farms, wages and debts."""
    loan_history: LoanSettings = LoanSettings()
    """Loan history."""

    @field_validator("currency")
    @classmethod
    def _in_force(cls, currency: str) -> str:
        return in_force(currency)

    @field_validator("crop_shares")
    @classmethod
    def _weights(cls, shares: dict[str, float]) -> dict[str, float]:
        wrong = {crop: share for crop, share in shares.items() if not 0 < share < float("inf")}
        if wrong:
            raise ValueError(f"{wrong} are no weights; give numbers above 0")
        return shares

    @model_validator(mode="after")
    def _factor_of_another_currency(self) -> SimulateSettings:
        if (self.currency == YUAN) != (self.units_per_yuan is None):
            raise ValueError(
                f"currency is {self.currency} and units_per_yuan is {self.units_per_yuan}; state "
                f"units_per_yuan for any currency but {YUAN}, and for {YUAN} leave it empty"
            )
        return self

    @model_validator(mode="after")
    def _consecutive(self) -> SimulateSettings:
        spans = list(self.seasons.values())
        if not spans:
            raise ValueError("at least one season is needed")
        for earlier, later in pairwise(spans):
            if later.start != earlier.end + dt.timedelta(days=1):
                raise ValueError("seasons must follow each other without a gap")
        return self

    @classmethod
    def tiny(cls, **changes: object) -> SimulateSettings:
        """Return the smallest useful county: a fixture for tests, a few seconds to make."""
        small: dict[str, object] = {
            "parcels": 200,
            "dates_per_season": 12,
            "yield_years": 3,
            "growth_runs": 1,
            "crops": ("winter_wheat", "maize", "rice", "soybean", "potato", "cotton"),
            "sky": SkySettings(weather_cells=1),
            "loan_history": LoanSettings(loans=400),
        }
        return cls.model_validate(small | changes)
