"""The whole configuration of a run, composed from the sections that each room owns.

The default YAML and the JSON schema are generated from this model (`fieldline config write`), so a
setting is described once, beside the code that reads it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from fieldline.crops.settings import CropsSettings
from fieldline.desk.letters.settings import LetterSettings
from fieldline.lending.handover.settings import HandoverSettings
from fieldline.lending.settings import AuditSettings, LendingSettings
from fieldline.pipeline.imagery.settings import ObserveSettings, PullSettings
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.settings import PrivacySettings, Section, StoreUrl
from fieldline.pipeline.weather.settings import WeatherSettings
from fieldline.workflows.config.county import County
from fieldline.workflows.simulate.settings import SimulateSettings

STORE = "fieldline.sqlite"
"""The embedded offer store, in the results folder."""
VAULT = "vault.sqlite"
"""The embedded vault, there too."""
NAME = "[A-Za-z0-9_-]+"
"""What ids of counties and names of seasons are made of: the engine tells them from paths by it."""


class Config(Section):
    """One Fieldline run."""

    counties: tuple[str, ...]
    """Counties to run, ids of the `county` section; on the command line `A,B` works too."""
    seasons: tuple[str, ...]
    """Seasons to decide; the seasons before them are read for their history."""
    results: Path = Path("results")
    """Folder of all results."""
    database: Annotated[str | None, StoreUrl] = None
    """SQLAlchemy URL of the offer store; empty means fieldline.sqlite in the results folder."""
    vault: Annotated[str | None, StoreUrl] = None
    """SQLAlchemy URL of the personal vault; empty means vault.sqlite in the results folder."""
    failure_threshold: float = Field(0.3, ge=0, le=1)
    """Share of parcels stopped by any stage above which a run ends with exit code 3."""
    suppress_below: int = Field(5, ge=1)
    """Cells with fewer farmers than this are suppressed in reports for outsiders."""
    privacy: PrivacySettings = PrivacySettings()
    """Pseudonyms and the personal vault."""
    intake: IntakeSettings = IntakeSettings()
    """Intake."""
    pull: PullSettings = PullSettings()
    """Scenes of a provider."""
    observe: ObserveSettings = ObserveSettings()
    """Coverage engine."""
    weather: WeatherSettings = WeatherSettings()
    """Weather."""
    crops: CropsSettings = CropsSettings()
    """Crops room."""
    lending: LendingSettings = LendingSettings()
    """Lending room."""
    audit: AuditSettings = AuditSettings()
    """Audit chain of the offer store."""
    handover: HandoverSettings = HandoverSettings()
    """Handing over to the bank's core system."""
    letters: LetterSettings = LetterSettings()
    """Letters to farmers."""
    simulate: SimulateSettings = SimulateSettings()
    """Simulated counties."""
    county: dict[str, County]
    """Definition of each known county by id."""

    @model_validator(mode="before")
    @classmethod
    def _season_alias(cls, document: Any) -> Any:
        if isinstance(document, dict) and "season" in document:
            rest = {k: v for k, v in document.items() if k != "season"}
            return rest | {"seasons": document["season"]}
        return document

    @field_validator("counties", "seasons", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        items = value if isinstance(value, list | tuple) else str(value).split(",")
        return tuple(str(item).strip() for item in items)

    @field_validator("county", mode="before")
    @classmethod
    def _season_names(cls, value: Any) -> Any:
        """YAML reads an unquoted 2024 as a number; season names are text."""
        if not isinstance(value, dict):
            return value
        return {name: _text_seasons(county) for name, county in value.items()}

    @model_validator(mode="after")
    def _selected_exist(self) -> Config:
        for name in self.counties:
            if name not in self.county:
                raise ValueError(f"county {name!r} is not defined; known: {sorted(self.county)}")
            known = sorted(self.county[name].seasons)
            if not set(self.seasons) & set(known):
                asked = " or ".join(repr(season) for season in self.seasons)
                raise ValueError(f"county {name!r} has no season {asked}; known: {known}")
        known = sorted({s for name in self.counties for s in self.county[name].seasons})
        for season in self.seasons:
            if season not in known:
                raise ValueError(f"no county has a season {season!r}; known: {known}")
        return self

    @model_validator(mode="after")
    def _names_of_folders(self) -> Config:
        for county in self.counties:
            named = {f"county {county!r}": county}
            named |= {f"season {s!r} of county {county!r}": s for s in self.county[county].seasons}
            for what, name in named.items():
                if not re.fullmatch(NAME, name):
                    raise ValueError(
                        f"{what} is no id: folders are named by it, so write it with letters A to "
                        "Z, digits, _ and - alone; what people read is the county's `title`"
                    )
        return self

    @model_validator(mode="after")
    def _real_people_need_a_real_key(self) -> Config:
        real = [name for name in self.counties if not self.county[name].simulated]
        if real and self.privacy.demo_key:
            raise ValueError(
                f"county {real[0]!r} is real and `privacy.demo_key` is true: the demonstration key "
                f"is published and hides nobody; remove that line and set {self.privacy.key_env}"
            )
        return self

    def runs(self) -> list[tuple[str, str]]:
        """Return the selected (county, season) pairs; a county's seasons have its own names."""
        return [
            (county, season)
            for county in self.counties
            for season in self.seasons
            if season in self.county[county].seasons
        ]

    def privacy_of(self, county: str) -> PrivacySettings:
        """Return the privacy settings of a county, with the choice of the key made."""
        chosen = self.privacy.demo_key
        demo = self.county[county].simulated if chosen is None else chosen
        return self.privacy.model_copy(update={"demo_key": demo})

    def earlier_seasons(self, county: str, season: str) -> list[str]:
        """Return the county's seasons before `season`, oldest first."""
        seasons = self.county[county].seasons
        ordered = sorted(seasons, key=lambda name: seasons[name].start)
        return ordered[: ordered.index(season)]

    def input_paths(self, county: str, season: str, name: str) -> list[Path]:
        """Return the paths of a county file with its placeholders filled in; none if absent.

        A catalog at a provider is no file.
        """
        value = getattr(self.county[county].inputs, name)
        paths = value if isinstance(value, tuple) else (value,)
        places = {"county": county, "season": season, "results": self.results}
        return [Path(str(path).format(**places)) for path in paths if isinstance(path, Path)]

    def database_url(self) -> str:
        """Return the store's URL, the embedded SQLite file unless configured."""
        return self.database or f"sqlite:///{self.results.absolute() / STORE}"

    def vault_address(self) -> str:
        """Return the vault's address, the embedded SQLite file unless configured."""
        return self.vault or str(self.results.absolute() / VAULT)

    def privacy_of_all(self) -> PrivacySettings:
        """Return the privacy settings of the run: those of a real county, if it has any."""
        names = sorted(self.counties, key=lambda name: self.county[name].simulated)
        return self.privacy_of(names[0])


def _text_seasons(county: Any) -> Any:
    if isinstance(county, dict) and isinstance(county.get("seasons"), dict):
        return county | {"seasons": {str(k): v for k, v in county["seasons"].items()}}
    return county
