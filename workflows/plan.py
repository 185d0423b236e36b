"""Which file and setting feeds which rule: the table of stages as Snakemake input functions.

Snakemake works inside the results folder, so what was made from what is kept there, and artifacts
are named relative to it: a run may start anywhere and the folder may be written in any way. A rule
is drawn the settings that its stage reads, no others, so a changed one redoes just what it touches.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.applicants import applicants_tables
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import STORE, VAULT, Config
from fieldline.workflows.county_size import parcels_of
from fieldline.workflows.inputs.absent import absent_inputs
from fieldline.workflows.money_checks import policy_problems
from fieldline.workflows.preflight import key_problems
from fieldline.workflows.provenance import made_by, own_tables
from fieldline.workflows.stage import (
    OF_PEOPLE,
    Applied,
    Artifact,
    Artifacts,
    Outcomes,
    Read,
    Source,
    Stage,
)
from fieldline.workflows.stages import STAGES, block_rule, made_files, made_for_later, stages_before

if TYPE_CHECKING:
    from fieldline.lending.store.concerned import Concerned

Wildcards = Any
InputFunction = Callable[[Wildcards], Any]

FOLDER = "{season}/{county}"
"""Artifacts of one county and season, relative to the results folder."""
BLOCK_FOLDER = FOLDER + "/blocks/{block}"
"""The same of one block of its parcels, while the stage is not done."""
FILES = "fieldline_files"
"""Value of the command line that lists configuration files in place of Snakemake's `--configfile`:
Snakemake reads those in every job, all counties of them, and slowly."""
PART = {"out": "parts", "outcomes": "part_outcomes"}
"""Parameter by which a stage in blocks is handed what its blocks made, by the one that made it."""


class Plan:
    """Paths and settings of a run, asked for by the rules.

    Args:
        config: The run; its results folder is where Snakemake works.
        outside: Marks a file outside that folder (Snakemake's `local`): where results lie in a
            storage of their own, it is read in place.

    Raises:
        UserError: The policy's amounts are in another currency than a county's.
    """

    def __init__(self, config: Config, outside: Callable[[str], str] = str) -> None:
        for problem in policy_problems(config):
            raise problem
        self.config = config
        self._outside = outside
        self.results = Path(os.path.realpath(config.results))

    def targets(self) -> list[str]:
        """Return every artifact of the selected seasons and every stage's outcomes, so that a lost
        one is remade."""
        wanted = (*made_files(), *(stage.outcomes for stage in STAGES))
        folders = [FOLDER.format(season=s, county=c) for c, s in self.config.runs()]
        return [f"{folder}/{name}" for folder in folders for name in wanted]

    def seasons_of(self, county: str, season: str) -> dict[str, tuple[Stage, ...]]:
        """Return the stages that run where nothing is there, by season, for one to be decided."""
        earlier = dict.fromkeys(self.config.earlier_seasons(county, season), made_for_later())
        return {**earlier, season: STAGES}

    def is_untouched(self, county: str) -> bool:
        """Return whether nothing of a county's seasons is there, so that all of it runs."""
        if self.config.county[county].simulated:
            return False  # its inputs may be there
        decided = self._decided(county)
        chain = {name for season in decided for name in self.seasons_of(county, season)}
        return not any((self.results / name / county).exists() for name in chain)

    def every_job(self, county: str) -> Counter[str]:
        """Return how often each rule runs for a county's selected seasons where nothing is there,
        without the one that simulates it."""
        decided = self._decided(county)
        seasons = {
            name: stages
            for season in decided
            for name, stages in self.seasons_of(county, season).items()
            if name == season or name not in decided
        }
        jobs = Counter(stage.name for stages in seasons.values() for stage in stages)
        blocks = self.config.county[county].blocks
        cut = [stage.name for stage in STAGES if stage.in_blocks and blocks > 1]
        return jobs + Counter({block_rule(name): blocks * jobs[name] for name in cut})

    def _decided(self, county: str) -> list[str]:
        known = self.config.county[county].seasons
        return [season for season in self.config.seasons if season in known]

    def drawn(self) -> list[Any]:
        """Return what every stage is drawn that is the same for all counties."""
        settings = (self.settings(stage) for stage in STAGES)
        return [{k: v for k, v in one.items() if not callable(v)} for one in settings]

    def drawn_by(self, county: str, season: str) -> dict[str, Any]:
        """Return what stages are drawn that is a county's and season's own, by its place."""
        wildcards = SimpleNamespace(county=county, season=season)
        places = sorted({place for stage in STAGES for place in stage.settings.values()})
        own = {place: self._setting(place) for place in places if self._is_own(place)}
        return {place: value(wildcards) for place, value in own.items() if callable(value)}

    def sources(self, county: str, season: str) -> list[str]:
        """Return every file that stages of a county and season read and none of its own makes."""
        found: set[Path] = set()
        for read in (read for stage in STAGES for read in stage.reads.values()):
            if isinstance(read, Source) and not read.earlier:
                found |= {*self.config.input_paths(county, season, read.name)}
            elif isinstance(read, Applied):
                found |= {*applicants_tables(self.results, county, season, read.name)}
        return sorted(map(str, found))

    def reads(self, stage: Stage) -> dict[str, Any]:
        """Return the inputs of a stage's rule by parameter."""
        found = {name: self._input(stage, read) for name, read in stage.reads.items()}
        if stage.stops:
            found["previous"] = [f"{FOLDER}/outcomes/{name}.parquet" for name in stage.stops]
        return found

    def parts(self, stage: Stage) -> dict[str, InputFunction]:
        """Return what the blocks of a stage make, as further inputs of its own rule."""
        made = self.block_makes(stage) if stage.in_blocks else {}
        return {PART[name]: partial(self._of_blocks, path) for name, path in made.items()}

    def blocks(self, wildcards: Wildcards) -> int:
        """Return in how many blocks a county is worked."""
        return self.config.county[wildcards.county].blocks

    def _of_blocks(self, path: str, wildcards: Wildcards) -> list[str]:
        blocks = self.blocks(wildcards)
        filled = path.replace("{season}", wildcards.season).replace("{county}", wildcards.county)
        numbers = range(1, blocks + 1) if blocks > 1 else ()
        return [filled.replace("{block}", str(number)) for number in numbers]

    def makes(self, stage: Stage, folder: str = FOLDER) -> dict[str, str]:
        """Return the outputs of a stage's rule by parameter."""
        made = {**stage.makes, "outcomes": stage.outcomes}
        return {name: f"{folder}/{path}" for name, path in made.items()}

    def block_makes(self, stage: Stage) -> dict[str, str]:
        """Return the outputs of the rule that works one block: what the stage's own rule joins."""
        made = self.makes(stage, BLOCK_FOLDER)
        return {name: made[name] for name in PART}

    def group(self, stage: Stage) -> Callable[[Wildcards], str | None] | None:
        """Return under which name a stage is one job of the queue with others of its county.

        Blocks are jobs of their own. In a county that is worked in several, what they wait for and
        what waits for them cannot be one job.
        """
        if not stage.together:
            return None
        alike = STAGES[STAGES.index(stage) :]
        cut = any(later.in_blocks for later in alike if later.together == stage.together)
        return lambda w: None if cut and self.blocks(w) > 1 else stage.together

    def settings(self, stage: Stage) -> dict[str, Any]:
        """Return the parameters of a stage's rule: settings as plain values, and what made it."""
        drawn = {name: _without_threads(self._setting(place))
                 for name, place in stage.settings.items()}  # fmt: skip
        own = {path: text for place in stage.settings.values() for path, text in
               own_tables(self._section_or_none(place)).items()}  # fmt: skip
        return {**drawn, "made_by": made_by(stage.run) | ({"own_tables": own} if own else {})}

    def threads(self, stage: Stage) -> int:
        """Return the threads that a stage uses, which are those that it claims."""
        return int(self._section(stage.threads).threads) if stage.threads else 1

    def resources(self, stage: Stage, *, block: bool = False) -> dict[str, Any]:
        """Return what a job of a stage claims from the scheduler.

        Memory grows with the parcels that the job works on, and with the attempt: a cluster ends a
        job that takes more than it claimed, and a profile may try it again. A job without a GPU
        names none, since the executor of Kubernetes takes the name alone for a request.

        Args:
            stage: The stage.
            block: Whether the job works on one block of a county.
        """

        def memory(wildcards: Wildcards, attempt: int) -> int:
            cut = self.blocks(wildcards) if block else 1
            return stage.memory_mb(self._parcels(wildcards) / cut) * attempt

        claimed = {"mem_mb": memory, "runtime": stage.minutes}
        return claimed | ({"gpu": self.gpus(stage)} if self.gpus(stage) else {})

    def _parcels(self, wildcards: Wildcards) -> int:
        county, season = wildcards.county, wildcards.season
        made = self.results / FOLDER.format(county=county, season=season) / "parcels.parquet"
        return parcels_of(made, self.config.input_paths(county, season, "parcels"))

    def gpus(self, stage: Stage) -> int:
        """Return the GPUs that a job of a stage claims; `auto` takes what is there, unasked."""
        return int(bool(stage.gpu) and self._section(stage.gpu).device == "cuda")

    def logs(self, stage: str, folder: str = FOLDER) -> tuple[str, str]:
        """Return the files in which a job tells of itself: messages, and what it took."""
        return f"logs/{folder}/{stage}.log", f"benchmarks/{folder}/{stage}.tsv"

    def _input(self, stage: Stage, read: Read) -> InputFunction | str | list[str]:
        match read:
            case Artifact(name, earlier=False):
                return f"{FOLDER}/{name}"
            case Artifact(name):
                return lambda w: [f"{s}/{w.county}/{name}" for s in self._earlier(w)]
            case Artifacts(names):
                return [f"{FOLDER}/{name}" for name in names]
            case Source(name, earlier):
                return self._source_function(name, earlier)
            case Applied(name):
                return lambda w: [
                    self._from_results(path)
                    for path in applicants_tables(self.results, w.county, w.season, name)
                ]
            case Outcomes(of_scenes):
                before = [s for s in stages_before(stage.name) if of_scenes or s.about in OF_PEOPLE]
                return [f"{FOLDER}/{earlier.outcomes}" for earlier in before]

    def _source_function(self, name: str, earlier: bool) -> InputFunction:
        def paths(wildcards: Wildcards) -> list[str] | str:
            seasons = self._earlier(wildcards) if earlier else [wildcards.season]
            found = [p for s in seasons for p in self._source(wildcards.county, s, name)]
            return found[0] if len(found) == 1 else found

        return paths

    def _source(self, county: str, season: str, name: str) -> list[str]:
        return [self._from_results(p) for p in self.config.input_paths(county, season, name)]

    def _from_results(self, path: Path) -> str:
        """Return a path inside the results folder relative to it, any other as it is."""
        real = Path(os.path.realpath(path))
        if real.is_relative_to(self.results):
            return str(real.relative_to(self.results))
        return self._outside(str(path))

    def _earlier(self, wildcards: Wildcards) -> list[str]:
        return self.config.earlier_seasons(wildcards.county, wildcards.season)

    def _setting(self, place: str) -> Any:
        if place in self._named:
            return self._named[place]
        if place.startswith("county."):
            parts = place.split(".")[1:]
            return lambda w: _plain(_walk(self.config.county[w.county], parts))
        return _plain(self._section(place))

    @cached_property
    def _named(self) -> dict[str, Any]:
        return {
            "county_id": lambda w: w.county,
            "county_names": lambda w: self.config.county[w.county].names(w.county),
            "published_days": lambda _: self.config.crops.yields.published_days,
            "season_name": lambda w: w.season,
            "season": lambda w: _plain(self.config.county[w.county].seasons[w.season]),
            "as_of": lambda w: str(self.config.county[w.county].seasons[w.season].as_of),
            "seasons": self._seasons_until,
            "privacy": lambda w: _plain(self.config.privacy_of(w.county)),
            "layouts": self._layouts,
            "absent": lambda w: absent_inputs(self.config.county[w.county]),
            "vault": _without_password(self.config.vault, VAULT),
            "database": _without_password(self.config.database, STORE),
            "acts": self._acts,
            "photo_files": self._photo_files,
        }

    def _acts(self, wildcards: Wildcards) -> list[int] | str:
        """Return how many acts of people bear on a county's offers: one more posts them again."""
        found = self._concerned
        return found if isinstance(found, str) else found.of(wildcards.county, wildcards.season)

    @cached_property
    def _concerned(self) -> Concerned | str:
        """A store that cannot be read is the business of the stage that posts."""
        from fieldline.lending.store.concerned import concerned_by_acts

        try:
            return concerned_by_acts(self.config.database_url())
        except UserError as error:
            return str(error)

    def _photo_files(self, wildcards: Wildcards) -> list[str]:
        """Return size and time of every photograph that a table names: another one is looked at."""
        from fieldline.workflows.inputs.county_tables import photo_files

        return photo_files(self.config, wildcards.county, wildcards.season)

    def _layouts(self, wildcards: Wildcards) -> dict[str, str]:
        inputs = self.config.county[wildcards.county].inputs
        return {"prices": inputs.prices_format, "labelled_series": inputs.labelled_series_format}

    def _seasons_until(self, wildcards: Wildcards) -> list[Any]:
        """Return the county's seasons up to this one, oldest first."""
        seasons = self.config.county[wildcards.county].seasons
        return [_plain(seasons[s]) for s in (*self._earlier(wildcards), wildcards.season)]

    def _section_or_none(self, place: str) -> Any:
        """Return a section that is the same for every county, None for what is a county's own."""
        return None if self._is_own(place) else self._section(place)

    def _is_own(self, place: str) -> bool:
        return place in self._named or place.startswith("county.")

    def _section(self, dotted: str) -> Any:
        return _walk(self.config, dotted.split("."))

    @property
    def simulated(self) -> list[str]:
        """Ids of the simulated counties."""
        return sorted(name for name, county in self.config.county.items() if county.simulated)

    def simulated_files(self, county: str) -> list[str]:
        """Return every file that the simulator writes for a county and a rule may read."""
        names = [n for n, v in self.config.county[county].inputs if isinstance(v, Path | tuple)]
        seasons = self.config.county[county].seasons
        return sorted({p for n in names for s in seasons for p in self._source(county, s, n)})

    def simulation(self, county: str) -> dict[str, Any]:
        """Return the parameters of a simulated county's rule."""
        made = made_by("fieldline.workflows.simulate.run:simulate_county")
        return {"county": county, "settings": _plain(self.config.simulate), "made_by": made}


def plan_of(
    files: Sequence[Path], overrides: Mapping[str, Any], outside: Callable[[str], str]
) -> Plan:
    """Return the plan of a run as Snakemake is asked for it.

    Args:
        files: Configuration files.
        overrides: Values of the command line; `FILES` names further files.
        outside: See `Plan`.

    Raises:
        UserError: The configuration cannot be right, or a key is missing or too weak: people of a
            real county never get pseudonyms that anybody can make.
    """
    given = {name: value for name, value in overrides.items() if name != FILES}
    config = load_config([*files, *map(Path, overrides.get(FILES, ()))], given, selected=True)
    for problem in key_problems(config):
        raise problem
    return Plan(config, outside)


def _walk(value: Any, parts: list[str]) -> Any:
    for part in parts:
        value = getattr(value, part)
    return value


def _without_password(address: str | None, embedded: str) -> str:
    """Return the address of a database as Snakemake may remember it.

    Parameters are kept in clear text beside the results; a job takes the whole URL from its
    environment (`job.STORE_VARIABLE`, `job.VAULT_VARIABLE`).
    """
    return embedded if address is None else re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", address)


def _without_threads(value: Any) -> Any:
    """Results do not depend on threads: another number redoes nothing."""
    return {k: v for k, v in value.items() if k != "threads"} if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
