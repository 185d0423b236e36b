"""`fieldline init`: looks at a file of outlines and an archive, and writes a county that runs.

Owns the order of the steps and what the screen says. Everything is read and the new configuration
validated before one file is written, so that a refusal leaves nothing behind.
"""

from __future__ import annotations

import datetime as dt
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from fieldline.lending.decision.tariffs import rate_ceilings
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.load import DEFAULT, merge, read_yaml, validate
from fieldline.workflows.init.archive import (
    Archive,
    guess_scenes,
    guess_season,
    local_catalog,
    read_archive,
    season_of,
)
from fieldline.workflows.init.columns import guess_columns
from fieldline.workflows.init.guess import Guess
from fieldline.workflows.init.outlines import Outlines, read_outlines
from fieldline.workflows.init.place import (
    FILE,
    check_folder,
    county_id,
    keep_old,
    written_path,
)
from fieldline.workflows.init.template import ASSUMED, DEFAULT_CURRENCY, Page, county_yaml

#: Where an archive is expected when none was given, below the county's folder.
_CATALOG_TO_BE = "imagery/catalog.json"
_WIDTH = 90
_KEY_LINES = (
    "export FIELDLINE_PSEUDONYM_KEY=$(openssl rand -hex 32)",
    "export FIELDLINE_VAULT_KEY=$(openssl rand -hex 32)",
)


@dataclass(frozen=True)
class Wishes:
    """What the command line states beside the files; None or empty is guessed."""

    currency: str | None = None
    """Three letters."""
    season: Mapping[str, str | None] | None = None
    """`name`, `start`, `end`, `as_of`."""


def init_county(
    folder: Path, parcels: Path, catalog: str | None, *, wishes: Wishes, force: bool, today: dt.date
) -> list[str]:
    """Write `county.yaml` into a folder and return what to say, a sentence per line.

    Args:
        folder: The county's folder, new or without a configuration.
        parcels: File of outlines.
        catalog: `catalog.json` of a static STAC archive; None leaves the line to fill in.
        wishes: What need not be guessed.
        force: Whether an existing configuration is set aside and replaced.
        today: Stands in for the season's end where there is no archive.

    Raises:
        UserError: Nothing can be made of a file, or the folder cannot be written.
    """
    check_folder(folder, force=force)
    outlines = read_outlines(parcels)
    path = None if catalog is None else local_catalog(catalog)
    archive = None if path is None else read_archive(path, outlines.box)
    guesses = _guesses(outlines, parcels, archive, wishes, today)
    season, _ = season_of([g for g in guesses if g.place.startswith("seasons.")])
    title = folder.resolve().name or "county"
    page = Page(
        county=county_id(title),
        title=title,
        parcels=written_path(parcels, folder),
        catalog=_CATALOG_TO_BE if path is None else written_path(path, folder),
        season=season,
        guesses=guesses,
        commands=_commands(folder, parcels, county_id(title)),
    )
    text = county_yaml(page)
    validate(merge(read_yaml(DEFAULT), yaml.safe_load(text)))
    kept = _write(folder / FILE, text)
    return _said(page, folder, kept)


def _guesses(
    outlines: Outlines, parcels: Path, archive: Archive | None, wishes: Wishes, today: dt.date
) -> list[Guess]:
    kml = parcels.suffix.lower() == ".kml"
    return [
        *outlines.guesses,
        *guess_columns(outlines.raw, outlines.areas_m2, outline=outlines.outline, kml=kml),
        _catalog(archive),
        *([] if archive is None else guess_scenes(archive)),
        *guess_season(archive, _dates(wishes.season or {}), today),
        *_currency(wishes.currency),
    ]


def _catalog(archive: Archive | None) -> Guess:
    if archive is not None:
        return Guess("inputs.catalog", None, "the archive of scenes, as given")
    said = (
        "no catalog was given: put a static STAC archive there or write its catalog.json here, and "
        "set the season; until then the county does not run"
    )
    return Guess("inputs.catalog", None, said, blocking=True)


def _currency(given: str | None) -> Iterator[Guess]:
    if given is None:
        said = (
            "assumed, since nothing in the files tells it; limits and offers are made in it, so "
            "change it if you lend in another"
        )
        yield Guess("currency", DEFAULT_CURRENCY, said)
        return
    table = PolicySettings().rate_ceiling_file
    if given in {ceiling.currency for ceiling in rate_ceilings(table)}:
        yield Guess("currency", given, "as given; prices, costs and limits are in it")
    else:
        said = f"as given; data/{table} states no legal ceiling of rates in it: add the row"
        yield Guess("currency", given, said, blocking=True)
    if given != DEFAULT_CURRENCY:
        said = (
            f"its default amounts are {DEFAULT_CURRENCY} and no exchange rate is assumed: state "
            f"currency and amounts in {given}; costs per hectare in {given} go to a table of your "
            "own (crops.yields.cost_file)"
        )
        yield Guess("lending.policy", None, said, blocking=True)


def _dates(given: Mapping[str, str | None]) -> dict[str, object]:
    """Return the season's name and days as given on the command line.

    Raises:
        UserError: A day that is none.
    """
    read: dict[str, object] = {}
    for name, text in given.items():
        if text is None or name == "name":
            read[name] = text
            continue
        try:
            read[name] = dt.date.fromisoformat(text)
        except ValueError as error:
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{option} {text!r} is no day", "write it as YYYY-MM-DD, such as 2024-03-01"
            ) from error
    return read


def _write(file: Path, text: str) -> Path | None:
    try:
        kept = keep_old(file)
        write_text(file, text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(
            f"{file} cannot be written ({reason})", "give a folder that you may write to"
        ) from error
    return kept


def _commands(folder: Path, parcels: Path, county: str) -> list[str]:
    file = shlex.quote(str(folder / FILE))
    return [
        f"fieldline parcels check {shlex.quote(str(parcels))} --county {county} -c {file}",
        *(f"{line}   # once; keep it" for line in _KEY_LINES),
        f"fieldline config check {file}",
        f"fieldline run -c {file}",
    ]


def _said(page: Page, folder: Path, kept: Path | None) -> list[str]:
    lines = [f"{guess.place}: {_value(guess, page)}{guess.said}." for guess in page.guesses]
    missing = [guess.place for guess in page.guesses if guess.blocking]
    lines += ["", f"Each line names the key of county {page.county} to change in {folder / FILE}."]
    if kept is not None:
        lines.append(f"The configuration that stood there is kept as {kept}.")
    lines += [
        *textwrap.wrap(ASSUMED, _WIDTH),
        "A real county needs two keys of its own, for the farmers' pseudonyms and for the vault",
        "of their names: make them once and keep them, without them nobody knows who a farmer is.",
    ]
    lines += ["Next:", *(f"  {command}" for command in page.commands)]
    if missing:
        lines.append(f"It will not run before these are filled in: {', '.join(missing)}.")
    lines.append(str(folder / FILE))
    return lines


def _value(guess: Guess, page: Page) -> str:
    """Return the chosen value where the sentence does not name it itself."""
    shown: Sequence[str] = ("currency", "scenes.collection", "scenes.bands", "inputs.parcel_crs")
    if guess.place == "inputs.parcels":
        return f"{page.parcels}, "
    if guess.place == "inputs.catalog":
        return f"{page.catalog}, "
    if guess.place in shown and guess.value is not None:
        text = guess.value if isinstance(guess.value, str) else ", ".join(guess.value)
        return f"{text}, "
    return ""
