"""What a run would stumble over, looked for before it starts and by `fieldline config check`.

Owns the questions that need the disk, the environment or the clock; what the document alone can
tell is the configuration model's. Nothing is written.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.privacy import pseudonym_key
from fieldline.workflows.config.model import Config
from fieldline.workflows.money_checks import policy_problems, tariff_problems

_SIMULATOR = ("aquacrop", "xleaf")
"""What the extra `simulate` brings."""


def preflight(config: Config) -> Iterator[UserError]:
    """Yield every problem that would stop a run of this configuration, the nearest first."""
    yield from _inputs(config)
    yield from _simulator(config)
    yield from _keys(config)
    yield from season_problems(config)
    yield from policy_problems(config)
    yield from tariff_problems(config)
    yield from _results(config.results)


def _inputs(config: Config) -> Iterator[UserError]:
    told: set[Path] = set()
    for county, season in config.runs():
        if config.county[county].simulated:
            continue
        for part in (*config.earlier_seasons(county, season), season):
            for name in type(config.county[county].inputs).paths():
                for path in config.input_paths(county, part, name):
                    if path not in told and not _readable(name, path):
                        told.add(path)
                        yield _missing(county, name, path)


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


def _keys(config: Config) -> Iterator[UserError]:
    for county in config.counties:
        try:
            pseudonym_key(config.privacy_of(county))
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
