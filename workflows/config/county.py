"""One county of a run: its title, money, grid, scene source, input files and seasons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from fieldline.pipeline.imagery.settings import GridSettings, RadarSettings, SceneSettings
from fieldline.pipeline.imagery.sources.providers import is_provider, provider_of
from fieldline.pipeline.records.money import in_force
from fieldline.pipeline.records.settings import Season, Section


@dataclass(frozen=True)
class Absence:
    """What it costs a county to give no file for an input (`Annotated[..., Absence(...)]`)."""

    costs: str


class CountyInputs(Section):
    """Files of one county; `{results}`, `{season}`, `{county}` are filled in; empty if absent."""

    parcels: tuple[Path, ...]
    """Outlines drawn by farmers, one or more files: GeoJSON, GeoPackage, Shapefile, KML, CSV, or a
    .zip or .kmz of such."""
    parcel_columns: dict[str, str] = Field(default_factory=dict)
    """Own column names by Fieldline name, e.g. `farmer_id: owner_no`."""
    columns: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Own column names of tables by input and Fieldline name, e.g. `registry: {area_mu: 面积}`."""
    parcel_crs: str | None = None
    """CRS of files that carry none (CSV); empty means refuse them. `GCJ-02` or `BD-09` for outlines
    drawn on a Chinese phone map, whatever their file says of degrees."""
    parcel_layers: tuple[str, ...] = ()
    """Layers of GeoPackages that hold parcels; empty means all of them."""
    parcel_prefixes: dict[str, str] = Field(default_factory=dict)
    """Prefix of the parcel ids by file or layer name, e.g. `dongcun.geojson: D-`, where two files
    count from 1; registry and survey must then use the prefixed ids."""
    catalog: Path | str
    """Static STAC catalog.json of the scene archive; or a folder of Sentinel-2 L2A products as
    downloaded (`.SAFE` folders and zips, however deep); or a Zarr cube (`cube.zarr`); or the
    https:// root of a STAC API, or `stac:` and the name of a provider (`stac:earth-search`), whose
    scenes are then pulled."""
    boundary: Annotated[Path | None, Absence("parcels outside the county are not noticed")] = None
    """County boundary; parcels outside are refused."""
    weather: Annotated[
        Path | None,
        Absence(
            "there are no hazard indices; where set points judge instead of a model, they count "
            "the worst for everybody, which raises the price"
        ),
    ] = None
    """Daily weather: a table by cell_id or parcel_id, or a file of NASA POWER, Open-Meteo, AgERA5
    or ERA5-Land."""
    weather_cells: Annotated[Path | None, Absence("weather must be keyed by parcel_id")] = None
    """cell_id, lon, lat of the weather cells (not needed where weather is by parcel or of a
    service)."""
    survey: Annotated[
        Path | None,
        Absence(
            "crops cannot be told where labelled_series is absent too, and parcels without a crop "
            "are not valued; yields have no crop cuts to learn from"
        ),
    ] = None
    """Survey labels: parcel_id, crop, surveyed_on, yield_t_ha (crop cut, may be empty)."""
    labelled_series: Annotated[Path | None, Absence("crops are learnt from the survey alone")] = (
        None
    )
    """Labelled field series from other parcels (see labelled_series_format)."""
    labelled_series_format: Literal["long", "bavaria_halfmonth", "worldcereal"] = "long"
    """`long`: sample_id, crop, date, one column per band; `bavaria_halfmonth`: wide field means."""
    labelled_fields: Path | None = None
    """Field polygons with crop codes that belong to labelled_series, where kept apart."""
    field_outlines: Path | None = None
    """Outlines of fields that somebody drew on the land, a few dozen, in any format that parcels
    may come in: the field network learns from them (`fields_train`)."""
    label_codes: str | None = None
    """Table of data/ that maps foreign crop codes to Fieldline crop codes."""
    registry: Annotated[
        Path | None, Absence("evidence rests on what was declared and seen alone")
    ] = None
    """County registry extract: parcel_id, area_m2, holder_id, crop, recorded_on."""
    applications: Annotated[
        Path | None, Absence("debts and households are unknown, so a person decides")
    ] = None
    """Applications: farmer_id, household_id, requested amount, debt service, credit record."""
    loan_history: Annotated[
        Path | None, Absence("an expert scorecard judges instead of a model, with a lower cap")
    ] = None
    """Finished loans with their outcome, to train the default model."""
    consents: Annotated[
        Path | None, Absence("nothing is handed to anybody with names (`fieldline vault export`)")
    ] = None
    """Consents: farmer_id, purpose, data, recipient, given_on, expires_on, withdrawn_on."""
    prices: Annotated[Path | None, Absence("parcels are not valued, so nothing is offered")] = None
    """Dated price series (see prices_format)."""
    prices_format: Literal["long", "imf_pcps", "worldbank_cmo"] = "long"
    """`long`: crop, date, price, currency, unit, source; `imf_pcps`: IMF monthly table;
    `worldbank_cmo`: World Bank monthly workbook (.xlsx)."""
    county_yields: Annotated[
        Path | None, Absence("no yield is estimated and parcels are not valued")
    ] = None
    """Yield statistics: crop, year, yield_t_ha, and where it tells several counties county,
    published_on and what was measured of each season."""
    yields_county: str | None = None
    """What `county_yields` calls this county, where it tells several and calls it neither by its id
    nor by its title."""
    protected: Annotated[Path | None, Absence("farming in protected areas is not noticed")] = None
    """Protected-area polygons for the environmental veto."""
    documents: Annotated[
        Path | None,
        Absence(
            "nothing is proven: leased land counts for less, stated records and wages hardly count"
        ),
    ] = None
    """Papers that farmers and offices handed in: leases, permits, insurance, photos, records."""
    exclusions: Path | None = None
    """Exclusion list: farmer_id or id_number, effect, reason, valid_from, valid_to, source."""
    contracts: Path | None = None
    """Purchase contracts: contract_id, farmer_id, buyer, crop, amount or quantity and price,
    signed_on, valid_from, valid_to, assigned."""
    guarantors: Path | None = None
    """Guarantee companies and risk pools: guarantor_id, name, share, capacity_left, stated_on, fee,
    valid_from, valid_to, counties, crops."""
    preapproved: Path | None = None
    """Pre-approved list: farmer_id or id_number, amount, currency, valid_from, valid_to, source."""
    photos: Path | None = None
    """Photographs of fields beside this table: parcel_id, file, taken_on, lon, lat; each is checked
    against parcel and season."""
    truth: Path | None = None
    """Truth of a simulated or surveyed county (Parquet or CSV), for `fieldline score` alone."""
    truth_columns: dict[str, str] = Field(default_factory=dict)
    """Own column names of the truth by Fieldline name, e.g. `wrong_crop: crop_conflict`."""

    @classmethod
    def paths(cls) -> tuple[str, ...]:
        """Return the names of the inputs that are files a run reads (the truth is for scoring)."""
        kinds = {name: str(field.annotation) for name, field in cls.model_fields.items()}
        return tuple(n for n, kind in kinds.items() if "Path" in kind and n != "truth")

    @field_validator("catalog", mode="before")
    @classmethod
    def _on_disk_or_provider(cls, value: object) -> object:
        if isinstance(value, str) and is_provider(value.strip()):
            provider_of(value.strip())
            return value.strip()
        return Path(value) if isinstance(value, str) else value

    @property
    def remote_catalog(self) -> str | None:
        """The provider that scenes are pulled from; None where the catalog is on disk."""
        return self.catalog if isinstance(self.catalog, str) else None

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
    currency: str = "CNY"
    """Currency of prices, limits and offers."""
    grid: GridSettings = GridSettings()
    """Metric grid."""
    blocks: int = Field(1, ge=1, le=1000)
    """Parts in which the stages that read pixels and `grow` work on the parcels, each a job of its
    own; what comes out does not depend on it. Some 10,000 parcels a block serve well."""
    scenes: SceneSettings = SceneSettings()
    """Scene source."""
    radar: RadarSettings = RadarSettings()
    """Radar beside the scenes."""
    inputs: CountyInputs
    """Input files."""
    seasons: dict[str, Season]
    """Seasons by name; the order of their start dates is their history."""

    @model_validator(mode="after")
    def _clouds_within_the_grid(self) -> County:
        """A cloud outside the grid is not seen, and the parcels at its edge would look clear."""
        if self.grid.margin_m < self.scenes.mask.reach_m:
            raise ValueError(
                f"grid.margin_m {self.grid.margin_m:g} lies under scenes.mask.dilation_m "
                f"{self.scenes.mask.reach_m:g}: a cloud beside the outermost parcels would not be "
                "seen; widen the margin, or lower the dilation"
            )
        return self

    def names(self, county: str) -> list[str]:
        """Return what statistics may call the county, the surest name first.

        Args:
            county: Its id.
        """
        own = self.inputs.yields_county
        return [county, self.title] if own is None else [own]

    @field_validator("currency")
    @classmethod
    def _in_force(cls, currency: str) -> str:
        return in_force(currency)
