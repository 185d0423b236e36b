"""What a run would stumble over, looked for before it starts and by `fieldline config check`.

Owns the questions that need the disk, the environment or the clock; what the document alone can
tell is the configuration model's. A missing input stops its county, anything else the run. Nothing
is written.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fieldline.pipeline.records.databases import sqlite_file
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.privacy import pseudonym_key
from fieldline.pipeline.vault.opening import check_keys, is_plain_text
from fieldline.pipeline.vault.sealing import master_key
from fieldline.workflows.config.model import VAULT, Config
from fieldline.workflows.money_checks import policy_problems, tariff_problems

_SIMULATOR = ("aquacrop", "xleaf")
"""What the extra `simulate` brings."""


def preflight(config: Config) -> Iterator[UserError]:
    """Yield every problem of this configuration, keys first."""
    yield from _keys(config)
    told: set[Path] = set()
    for found in missing_inputs(config):
        if found.path not in told:
            told.add(found.path)
            yield found.problem
    yield from _beside_inputs(config)


def run_problems(config: Config) -> Iterator[UserError]:
    """Yield every problem that would stop a whole run of this configuration, keys first."""
    yield from _keys(config)
    yield from _beside_inputs(config)


def _beside_inputs(config: Config) -> Iterator[UserError]:
    yield from _simulator(config)
    yield from season_problems(config)
    yield from policy_problems(config)
    yield from tariff_problems(config)
    yield from _results(config.results)


def _keys(config: Config) -> Iterator[UserError]:
    problems = list(key_problems(config))
    yield from problems or vault_problems(config)


@dataclass(frozen=True)
class MissingInput:
    """A file that a county names and that is not there: the county cannot run, others can."""

    county: str
    season: str
    """The selected season, which may need it of a season before."""
    name: str
    """Input, such as `prices`."""
    path: Path
    problem: UserError


def missing_inputs(
    config: Config, counties: Collection[str] | None = None
) -> Iterator[MissingInput]:
    """Yield each input that is not there, by county and selected season.

    Args:
        config: The run; what a simulated county still has to make is not missed.
        counties: Those asked about, `None` for all of the run.
    """
    for county, season in config.runs():
        if config.county[county].simulated or not (counties is None or county in counties):
            continue
        for part in (*config.earlier_seasons(county, season), season):
            for name in type(config.county[county].inputs).paths():
                for path in config.input_paths(county, part, name):
                    if not _readable(name, path):
                        problem = _missing(county, name, path)
                        yield MissingInput(county, season, name, path, problem)


def _readable(name: str, path: Path) -> bool:
    """Whether an input is a file; scenes may also be a folder of products."""
    return path.is_file() or (name == "catalog" and path.is_dir())


def _missing(county: str, name: str, path: Path) -> UserError:
    near = path.parent
    found = "is a folder" if path.is_dir() else "does not exist"
    remedy = f"correct county.{county}.inputs.{name}"
    if found != "is a folder" and not near.is_dir():
        found = f"does not exist, and neither does its folder {near}"
    return UserError(f"input `{name}` of county {county}: {path} {found}", remedy)


def _simulator(config: Config) -> Iterator[UserError]:
    simulated = [name for name in config.counties if config.county[name].simulated]
    lacking = [name for name in _SIMULATOR if find_spec(name) is None]
    if simulated and lacking:
        yield UserError(
            f"county {simulated[0]} is simulated and {' and '.join(lacking)} cannot be imported",
            "install the extra: `pip install 'fieldline[simulate]'`",
        )


def key_problems(config: Config) -> Iterator[UserError]:
    """Yield what is wrong with the keys that the selected counties need."""
    for county in config.counties:
        privacy = config.privacy_of(county)
        for key in (pseudonym_key, master_key):
            try:
                key(privacy)
            except UserError as error:
                yield error
                return


def vault_problems(config: Config) -> Iterator[UserError]:
    """Yield where the keys are not those of the vault that is there, and names left in the open."""
    embedded = config.results / VAULT
    if sqlite_file(config.vault_address()) != embedded.absolute() and is_plain_text(embedded):
        yield UserError(
            f"{embedded} holds names in clear text, although `vault` is elsewhere",
            "run `fieldline vault verify` once without `vault`, which seals the file, or delete it",
        )
    for county in config.counties:
        try:
            check_keys(config.vault_address(), config.privacy_of(county))
        except UserError as error:
            yield error
            return


def season_problems(config: Config) -> Iterator[UserError]:
    """Yield what is wrong with the dates of the selected seasons as of today."""
    today = dt.datetime.now(tz=dt.UTC).date()
    for county, name in config.runs():
        season = config.county[county].seasons[name]
        place = f"county.{county}.seasons.{name}"
        if season.as_of > today:
            yield UserError(
                f"`{place}.as_of` is {season.as_of}, which is still to come",
                "nothing is known of that day yet: give today's date or an earlier one",
            )


def _results(folder: Path) -> Iterator[UserError]:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        yield UserError(f"the results folder {folder} is a file", "set `results` elsewhere")
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield UserError(
            f"the results folder {folder} cannot be written",
            "make it writable or set `results` elsewhere",
        )
