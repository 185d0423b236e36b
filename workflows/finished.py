"""Counties that are finished and lie as they did: the engine, which takes 60 ms to see it, is not
asked.

Owns a record of each county and season of all that the engine goes by: rules, settings drawn,
names, sizes and times of what is read and made. Settings and sources are taken before the engine
looks, an artifact when its job has ended or, where none ran, before the engine looks too; so where
nothing differs from the record it would find nothing to do. Where anything differs, such as an
artifact that was replaced by hand while its county's batch was at work, the engine says what that
means.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fieldline.pipeline.records.canonical import text_hash
from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.model import Config
from fieldline.workflows.plan import FOLDER, Plan
from fieldline.workflows.stage import Stage
from fieldline.workflows.stages import STAGES

RECORDS = Path(".fieldline", "finished")
"""Folder of the records, below the results; one a county and season."""
_HERE = Path(__file__).parent
_RULES = ("Snakefile", "rules/*.smk", "scripts/*.py")

_Facts = tuple[int, int]
"""Size of a file, bytes, and its time, ns."""
_AS_THEY_LIE: Mapping[str, _Facts] = MappingProxyType({})
Given = Mapping[tuple[str, str], str]
"""What counties and seasons are made from: a hash of each."""


class Records:
    """The records of a results folder.

    Args:
        config: The run, its counties and inputs as they are now.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._plan = Plan(config)
        rules = [path.read_text(encoding="utf-8") for how in _RULES for path in _in_order(how)]
        self._lay: dict[str, _Facts] = {}
        self._common = _hash([version("snakemake"), rules, repr(STAGES), self._plan.drawn()])

    def given(self, counties: Collection[str]) -> Given:
        """Return what the selected seasons of counties are made from, as it lies now, and remember
        how their artifacts lie."""
        wanted = set(counties)
        runs = [run for run in self._config.runs() if run[0] in wanted]
        self._lay = {path: found for run in runs for path in self._artifacts(*run)
                     if (found := _facts(path)) is not None}  # fmt: skip
        return {run: self._given(*run) for run in runs}

    def made(self, rule: str, wildcards: Mapping[str, str]) -> None:
        """Remember how the artifacts of a job that has just ended lie."""
        for stage in (stage for stage in STAGES if stage.name == rule):
            for path in self._made_by(stage, wildcards["county"], wildcards["season"]):
                if (found := _facts(path)) is not None:
                    self._lay[path] = found

    def unfinished(self) -> tuple[str, ...]:
        """Return the selected counties that lack a record or do not lie as it says."""
        lacking = {run[0] for run in self._config.runs() if not self._holds(*run)}
        return tuple(county for county in self._config.counties if county in lacking)

    def keep(self, given: Given) -> None:
        """Record counties of which the engine found or left nothing to do.

        Args:
            given: What they were made from when it began.
        """
        for (county, season), made_from in given.items():
            now = self._now(county, season, made_from, self._lay)
            if now is not None and now != self._kept(county, season):
                path = self._place(county, season)
                with suppress(OSError):  # of a full disk the jobs tell
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_text(path, json.dumps(now))

    def _holds(self, county: str, season: str) -> bool:
        kept = self._kept(county, season)
        return kept is not None and kept == self._now(county, season, self._given(county, season))

    def _place(self, county: str, season: str) -> Path:
        return self._plan.results / RECORDS / season / f"{county}.json"

    def _kept(self, county: str, season: str) -> Any:
        try:
            return json.loads(self._place(county, season).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a record is no more than a saving
            return None

    def _now(
        self, county: str, season: str, made_from: str, lay: Mapping[str, _Facts] = _AS_THEY_LIE
    ) -> dict[str, str] | None:
        """Return the record as it would be now; None where an artifact is missing.

        Args:
            county: County id.
            season: The season that is decided.
            made_from: Hash of what they are made from.
            lay: Artifacts that are recorded as they lay earlier.
        """
        paths = list(self._artifacts(county, season))
        facts = [_facts(path) for path in paths]
        if None in facts:
            return None
        then = [lay.get(path, now) for path, now in zip(paths, facts, strict=True)]
        return {"made_from": made_from, "artifacts": _hash(then)}

    def _artifacts(self, county: str, season: str) -> Iterator[str]:
        """Yield all that is made for a season that is decided, those before it included."""
        for name, stages in self._plan.seasons_of(county, season).items():
            for stage in stages:
                yield from self._made_by(stage, county, name)

    def _made_by(self, stage: Stage, county: str, season: str) -> Iterator[str]:
        folder = f"{self._plan.results}/{FOLDER.format(season=season, county=county)}"
        for made in (*stage.makes.values(), stage.outcomes):
            yield f"{folder}/{made}"

    def _given(self, county: str, season: str) -> str:
        defined = self._config.county[county]
        seasons = list(self._plan.seasons_of(county, season))
        sources = [path for name in seasons for path in self._plan.sources(county, name)]
        drawn = [self._plan.drawn_by(county, name) for name in seasons]
        simulated = self._plan.simulation(county) if defined.simulated else None
        files = {path: _facts(path) for path in sources}
        return _hash([self._common, seasons, defined.blocks, drawn, simulated, files])


def _in_order(pattern: str) -> list[Path]:
    return sorted(_HERE.glob(pattern))


def _facts(path: str) -> _Facts | None:
    """Return size and time of a file; None where it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116, half a million of them in a province
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _hash(value: Any) -> str:
    return text_hash(json.dumps(value, sort_keys=True, default=str))
