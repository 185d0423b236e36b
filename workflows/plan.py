"""Which file feeds which rule: the county's inputs and artifacts as Snakemake input functions.

Keeps every path and every setting a rule needs out of the Snakefile, so that rules stay a list of
names and a changed setting reruns exactly the stages that read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fieldline.pipeline.records.outcomes import STAGES
from fieldline.workflows.config.county import County
from fieldline.workflows.config.load import validate
from fieldline.workflows.config.model import Config

Wildcards = Any
InputFunction = Callable[[Wildcards], list[str] | str]

_TABLES = (
    "parcels", "farmers", "scenes", "observations", "weather", "weather_cells", "fields", "crops",
    "growth", "hazards", "yields", "history", "evidence", "profiles", "decisions", "outcomes",
)  # fmt: skip
ARTIFACTS = (
    *(f"{name}.parquet" for name in _TABLES),
    "offers.csv",
    "review_queue.csv",
    "report.html",
)


class Plan:
    """Paths and settings of a run, asked for by the rules.

    Args:
        document: The merged configuration as Snakemake holds it.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.config: Config = validate(document)
        self.results = str(self.config.results)
        self.artifacts = f"{self.results}/{{season}}/{{county}}"

    def targets(self) -> list[str]:
        """Return every artifact of the selected seasons, so that a lost one is remade."""
        folders = [
            f"{self.results}/{season}/{county}"
            for season in self.config.seasons
            for county in self.config.counties
        ]
        return [f"{folder}/{name}" for folder in folders for name in ARTIFACTS]

    def county(self, wildcards: Wildcards) -> County:
        """Return the definition of the wildcard's county."""
        return self.config.county[wildcards.county]

    def source(self, name: str) -> InputFunction:
        """Return the input function of a county file; no path where the county lacks it."""

        def paths(wildcards: Wildcards) -> list[str] | str:
            found = self._source(wildcards.county, wildcards.season, name)
            return found[0] if len(found) == 1 else found

        return paths

    def _source(self, county: str, season: str, name: str) -> list[str]:
        return [str(path) for path in self.config.input_paths(county, season, name)]

    def artifact(self, name: str) -> str:
        """Return the wildcard path of an artifact of the same county and season."""
        return f"{self.artifacts}/{name}"

    def earlier(self, name: str) -> InputFunction:
        """Return the same artifact of all earlier seasons of the county, oldest first."""

        def paths(wildcards: Wildcards) -> list[str]:
            seasons = self.config.earlier_seasons(wildcards.county, wildcards.season)
            return [f"{self.results}/{season}/{wildcards.county}/{name}" for season in seasons]

        return paths

    def earlier_source(self, name: str) -> InputFunction:
        """Return a county file of all earlier seasons, oldest first."""

        def paths(wildcards: Wildcards) -> list[str]:
            seasons = self.config.earlier_seasons(wildcards.county, wildcards.season)
            return [p for s in seasons for p in self._source(wildcards.county, s, name)]

        return paths

    def seasons_until(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the definitions of the county's seasons up to this one, oldest first."""
        names = [*self.config.earlier_seasons(wildcards.county, wildcards.season), wildcards.season]
        seasons = self.config.county[wildcards.county].seasons
        return {name: seasons[name].model_dump(mode="json") for name in names}

    def section(self, dotted: str) -> dict[str, Any]:
        """Return a configuration section such as `crops.grow` as plain values."""
        value: Any = self.config
        for part in dotted.split("."):
            value = getattr(value, part)
        return dict(value.model_dump(mode="json"))

    def county_section(self, dotted: str) -> Callable[[Wildcards], Any]:
        """Return a function that gives a part of the county's definition as plain values."""

        def values(wildcards: Wildcards) -> Any:
            value: Any = self.county(wildcards)
            for part in dotted.split("."):
                value = getattr(value, part)
            return value.model_dump(mode="json") if hasattr(value, "model_dump") else value

        return values

    def season(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the definition of the wildcard's season as plain values."""
        return self.county(wildcards).seasons[wildcards.season].model_dump(mode="json")

    def simulated_files(self, county: str) -> list[str]:
        """Return every file that the simulator writes for a county and a rule may read."""
        names = [n for n, v in self.config.county[county].inputs if isinstance(v, Path | tuple)]
        seasons = self.config.county[county].seasons
        return sorted({p for n in names for s in seasons for p in self._source(county, s, n)})

    @property
    def simulated(self) -> list[str]:
        """Ids of the simulated counties."""
        return sorted(name for name, county in self.config.county.items() if county.simulated)

    def parts(self, *stages: str) -> list[str]:
        """Return the outcome files of the given stages, all before the report by default."""
        names = stages or tuple(stage for stage in STAGES if stage != "report")
        return [self.artifact(f"outcomes/{stage}.parquet") for stage in names]
