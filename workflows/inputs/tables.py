"""Every table that a county may hand over: its declaration, its reader and its rule of rows.

Owns the list alone; declarations, readers and rules are the rooms' own. A table that a room begins
to read is one more line here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fieldline.crops.inputs import COUNTY_YIELDS, LABELLED, PHOTOS, PRICES, SURVEY
from fieldline.crops.recognise.labels import read_survey, survey_problems
from fieldline.crops.recognise.photos.check import PhotoCheck, check_photos
from fieldline.crops.value.pinksheet import is_pink_sheet
from fieldline.crops.value.prices import month_ends, price_problems
from fieldline.crops.value.priors import Knowing, own_county, read_yields, yield_problems
from fieldline.lending.backing.contracts import account_contracts
from fieldline.lending.backing.covers import account_guarantors
from fieldline.lending.backing.inputs import CONTRACTS, GUARANTORS, PREAPPROVED
from fieldline.lending.backing.preapproved import account_preapproved
from fieldline.lending.documents.table import DOCUMENTS, account_documents
from fieldline.lending.exclusions import account_exclusions
from fieldline.lending.inputs import APPLICATIONS, EXCLUSIONS, LOANS, PROTECTED, REGISTRY
from fieldline.lending.movements import LINE_MOVEMENTS, MOVEMENTS
from fieldline.lending.protected import read_protected_areas
from fieldline.lending.risk.loan_book import LOAN_BOOK
from fieldline.lending.rows import (
    account_applications,
    account_loans,
    account_protected,
    account_registry,
)
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import InputSchema, Problem
from fieldline.pipeline.parcels.columns import PARCELS
from fieldline.pipeline.vault.consents import CONSENTS
from fieldline.pipeline.weather.cells import cell_problems
from fieldline.pipeline.weather.inputs import CELLS, WEATHER
from fieldline.pipeline.weather.sources import read_weather, weather_key, weather_problems
from fieldline.workflows.inputs.account import FileAccount, Known, account_of

PLACE = "inputs"


@dataclass(frozen=True)
class Circumstances:
    """What of a county and season decides about the rows of its tables."""

    as_of: dt.date
    """Rows recorded later are set aside."""
    harvest_year: int
    """Year of the season's harvest: statistics of it are not known yet."""
    currency: str
    columns: Mapping[str, Mapping[str, str]]
    """Own column names by input and Fieldline name."""
    layouts: Mapping[str, str]
    """Layouts by input, where there is a choice of them."""
    known: Mapping[str, Known]
    """By column name, which of its values the county knows."""
    county_names: Sequence[str] = ()
    """What the county may be called in statistics of several."""
    published_days: int = 0
    """Days after the end of a year until its yields are public."""
    county: str = ""
    """Id of the county."""
    offer_valid_days: int = 0
    """Days in which an offer may be signed."""
    photos: PhotoCheck | None = None
    """What decides about photographs; nothing is known of them without it."""

    @property
    def signed_by(self) -> dt.date:
        """Return the last day on which an offer of the day may be signed."""
        return self.as_of + dt.timedelta(days=self.offer_valid_days)

    @property
    def knowing(self) -> Knowing:
        """Return what is known of county yields."""
        return Knowing(self.as_of, self.harvest_year, self.county_names, self.published_days)

    def reading(self, schema: InputSchema) -> Reading:
        """Return how a table of the county is read."""
        return Reading(self.currency, self.columns.get(schema.name, {}), PLACE)


@dataclass(frozen=True)
class TableInput:
    """One table."""

    schema: InputSchema
    read: Callable[[Path, Reading], InputTable]
    rows: Callable[[InputTable, Circumstances], list[Problem]]
    """Why rows that can be read do not count."""
    optional: bool = False
    """Whether nothing is lost or said where a county has none ..."""
    by_row: bool = False
    """... and whether each row has an outcome of its own, besides that of the file."""


def _by_declaration(schema: InputSchema) -> Callable[[Path, Reading], InputTable]:
    return lambda path, reading: read_input(path, schema, reading)


def _prices(table: InputTable, around: Circumstances) -> list[Problem]:
    dated = table.frame.assign(date=month_ends(table.frame))
    return price_problems(dated, table.problems, around.currency, around.as_of)


def _photos(table: InputTable, around: Circumstances) -> list[Problem]:
    if around.photos is None:
        return []
    found = check_photos(table, around.photos)
    ids, knows = pd.Series([one.parcel_id for one in found], dtype="str"), around.known
    drawn = knows["parcel_id"](ids) if "parcel_id" in knows else ids.notna()
    return [
        Problem(one.row, "file", one.code, one.detail)
        for one, known in zip(found, drawn, strict=True)
        if known or one.code != "photo_no_outline"  # of a strange parcel that says less
    ]


TABLES: dict[str, TableInput] = {
    table.schema.name: table
    for table in (
        TableInput(REGISTRY, _by_declaration(REGISTRY), lambda t, a: account_registry(t, a.as_of)),
        TableInput(
            APPLICATIONS,
            _by_declaration(APPLICATIONS),
            lambda t, a: account_applications(t, a.as_of),
        ),
        TableInput(LOANS, _by_declaration(LOANS), lambda t, a: account_loans(t, a.as_of)),
        TableInput(
            SURVEY,
            lambda path, reading: read_survey(path, reading.columns),
            lambda t, a: survey_problems(t.frame, t.problems, a.as_of),
        ),
        TableInput(PRICES, _by_declaration(PRICES), _prices),
        TableInput(
            COUNTY_YIELDS,
            lambda path, reading: read_yields(path, reading.columns),
            lambda t, a: yield_problems(t.frame, t.problems, a.knowing),
        ),
        TableInput(
            WEATHER, lambda path, reading: read_weather(path, reading.columns), lambda _t, _a: []
        ),
        TableInput(CELLS, _by_declaration(CELLS), lambda t, _: cell_problems(t.frame, t.problems)),
        TableInput(
            PROTECTED,
            lambda path, reading: read_protected_areas(path, reading).table,
            lambda t, a: account_protected(t, a.as_of),
        ),
        TableInput(CONSENTS, _by_declaration(CONSENTS), lambda _t, _a: []),
        TableInput(
            DOCUMENTS,
            _by_declaration(DOCUMENTS),
            lambda t, a: account_documents(t, a.as_of, a.known),
        ),
        TableInput(
            EXCLUSIONS,
            _by_declaration(EXCLUSIONS),
            lambda t, a: account_exclusions(t, a.as_of),
            optional=True,
        ),
        TableInput(
            CONTRACTS,
            _by_declaration(CONTRACTS),
            lambda t, a: account_contracts(t, a.as_of),
            optional=True,
        ),
        TableInput(
            GUARANTORS,
            _by_declaration(GUARANTORS),
            lambda t, a: account_guarantors(t, a.county, a.as_of, a.signed_by),
            optional=True,
        ),
        TableInput(
            PREAPPROVED,
            _by_declaration(PREAPPROVED),
            lambda t, a: account_preapproved(t, a.as_of),
            optional=True,
        ),
        TableInput(LABELLED, _by_declaration(LABELLED), lambda _t, _a: []),
        TableInput(PHOTOS, _by_declaration(PHOTOS), _photos, optional=True, by_row=True),
    )
}
"""By name of the input."""

SCHEMAS: tuple[InputSchema, ...] = (
    PARCELS, *(table.schema for table in TABLES.values()), LOAN_BOOK, MOVEMENTS, LINE_MOVEMENTS
)  # fmt: skip
"""Every declaration, for the docs."""


def account_for(
    name: str, path: Path, paths: Mapping[str, Path], around: Circumstances
) -> FileAccount:
    """Read a table of a county and return its account.

    Args:
        name: Name of the input.
        path: Its file.
        paths: Files of all tables of the county: weather joins its cells.
        around: The county and season.

    Raises:
        UserError: The file cannot be read, or lacks a column.
    """
    table, read = TABLES[name], read_as_declared(name, path, around)
    if read is None:
        remark = "read by its own layout, whose rows are the publisher's"
        return FileAccount(name, path, 0, (), (remark,), around.layouts[name], {})
    if name == WEATHER.name:
        return account_of(read, lambda t: _weather(t, paths, around), {})
    return account_of(read, lambda t: table.rows(t, around), around.known)


def read_as_declared(name: str, path: Path, around: Circumstances) -> InputTable | None:
    """Read a table of a county; None where its layout is a publisher's own.

    Raises:
        UserError: The file cannot be read, or lacks a column.
    """
    if _has_own_layout(name, path, around.layouts):
        return None
    table = TABLES[name].read(path, around.reading(TABLES[name].schema))
    if name == COUNTY_YIELDS.name:
        own_county(table, around.county_names)  # told before the imagery, not after it
    return table


def _has_own_layout(name: str, path: Path, layouts: Mapping[str, str]) -> bool:
    if name == PRICES.name and is_pink_sheet(path):
        return True
    return layouts.get(name, "long") != "long"


def _weather(table: InputTable, paths: Mapping[str, Path], around: Circumstances) -> list[Problem]:
    """Return why weather rows do not count; its cells are known by their own table."""
    cells = paths.get(CELLS.name)
    key = weather_key(table, cells)
    ids = table.frame[key].dropna().unique()
    if key == "cell_id" and cells is not None:
        places = read_input(cells, CELLS, around.reading(CELLS)).good["cell_id"]
        known = set(places) & set(ids)
    else:
        knows = around.known.get(key)
        known = set(ids if knows is None else ids[knows(pd.Series(ids))])
    return weather_problems(table, key, known, around.as_of)
