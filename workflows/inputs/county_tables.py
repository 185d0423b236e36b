"""The tables of a configured county and season, and whether they can be read.

Owns the step from the configuration to files and to what decides about their rows; looks at no
outline, so that a run can ask it first and at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from fieldline.crops.inputs import PHOTOS
from fieldline.crops.recognise.photos.check import PhotoCheck
from fieldline.crops.recognise.photos.picture import photo_path
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.account import Known
from fieldline.workflows.inputs.tables import TABLES, Circumstances, read_as_declared


def unreadable_tables(
    config: Config, counties: Collection[str], readable: set[Path]
) -> Iterator[tuple[str, str, str]]:
    """Yield county, season and a sentence for each table that cannot be read, before anything is
    reckoned of the county.

    Tables that a simulated county still has to make are left out.

    Args:
        config: The run.
        counties: Those asked about.
        readable: Tables that were read before and are not again, since counties share them; what is
            read is added.
    """
    wanted = set(counties)
    for county, season in (run for run in config.runs() if run[0] in wanted):
        around = circumstances(config, county, season, {})
        for name, path in tables_of(config, county, season).items():
            if path in readable or not path.is_file():
                continue
            try:
                read_as_declared(name, path, around)
            except UserError as error:
                yield county, season, str(error)
            else:
                readable.add(path)


def tables_of(config: Config, county: str, season: str) -> dict[str, Path]:
    """Return the file of each table that a county gives for a season, by input."""
    given = {name: config.input_paths(county, season, name) for name in TABLES}
    return {name: found[0] for name, found in given.items() if found}


def circumstances(
    config: Config, county: str, season: str, known: dict[str, Known]
) -> Circumstances:
    """Return what decides about the rows of a county's tables.

    Args:
        config: The run.
        county: County id.
        season: Season name.
        known: By column name, which of its values the county knows.
    """
    defined = config.county[county]
    layouts = {
        "prices": defined.inputs.prices_format,
        "labelled_series": defined.inputs.labelled_series_format,
    }
    days = defined.seasons[season]
    return Circumstances(
        days.as_of, days.end.year, defined.currency, defined.inputs.columns, layouts, known,
        defined.names(county), config.crops.yields.published_days, county,
        config.lending.policy.offer_valid_days, PhotoCheck(days, config.crops.photos),
    )  # fmt: skip


def photo_files(config: Config, county: str, season: str) -> list[str]:
    """Return what tells one state of a county's photographs from another: size and time by row.

    A table that cannot be read is the business of the check before the run.
    """
    paths = config.input_paths(county, season, PHOTOS.name)
    if not paths or not paths[0].is_file():
        return []
    try:
        table = read_as_declared(PHOTOS.name, paths[0], circumstances(config, county, season, {}))
    except UserError as error:
        return [str(error)]
    names = [] if table is None else table.good["file"].tolist()
    found = [photo_path(paths[0], str(name)) for name in names]
    return ["" if path is None else _state(path) for path in found]


def _state(path: Path) -> str:
    facts = path.stat()
    return f"{facts.st_size} {facts.st_mtime_ns}"
