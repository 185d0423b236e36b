"""What `fieldline letters` and `fieldline line letter` do.

Owns finding store, vault and settings by the configuration and telling what was written; what a
letter says and how it looks is `desk.letters`'.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sa

from fieldline.desk.letters.content import Language, Writer, statement_letter
from fieldline.desk.letters.folder import (
    Form,
    Names,
    Order,
    Written,
    rendered,
    unprintable_detail,
    write_letters,
)
from fieldline.desk.letters.paper import UnprintableError
from fieldline.lending.decision.account import statement, terms_of
from fieldline.lending.movements import read_movements
from fieldline.lending.named_offers import Order as Export
from fieldline.lending.named_offers import log_export, write_closed
from fieldline.lending.store.database import OFFERS, open_existing, reading
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.vault.access import stated_purpose
from fieldline.pipeline.vault.consents import DATA, Request
from fieldline.pipeline.vault.erasure import erased_farmers
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import persons_of
from fieldline.workflows import exits
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config

_TO_FARMERS = "the farmers themselves, by letter"
_CHINESE_MONEY = "CNY"


@dataclass(frozen=True)
class Wanted:
    """Letters of a county."""

    county: str
    season: str
    out: Path
    form: Form
    language: Language | None
    purpose: str | None


@dataclass(frozen=True)
class Statement:
    """The letter of a line."""

    movements: Path
    offer: str
    signed_on: str
    until: str
    out: Path
    closed_on: str
    language: Language | None
    purpose: str | None


def write_county_letters(
    config_files: Sequence[Path], wanted: Wanted, *, as_json: bool = False
) -> int:
    """Write the letters of a county's live offers, tell of them and return the exit code.

    Raises:
        UserError: There is no such county, store or offer, or the letters cannot be written.
    """
    config = load_config(config_files)
    shelf = (wanted.county, wanted.season)
    order = _order(config, shelf, wanted.language, wanted.form)
    with _store(config) as store, _names(config, shelf, wanted.purpose) as names:
        written = write_letters(store, order, wanted.out, names)
    _tell(written, wanted, as_json=as_json)
    return exits.FOUND if set(written.outcomes) - {OK} else exits.OK


def write_statement_letter(config_files: Sequence[Path], wanted: Statement) -> str:
    """Write the letter of a line; return what to tell.

    Raises:
        UserError: There is no such offer, a movement cannot be, or the file cannot be written.
    """
    form = _form_of(wanted.out)
    config = load_config(config_files)
    with _store(config) as store:
        offer = _offer(store, wanted.offer)
    moved, changes = read_movements(wanted.movements, offer["currency"])
    closed = _day(wanted.closed_on, "--closed-on") if wanted.closed_on else None
    terms = terms_of(
        offer, signed_on=_day(wanted.signed_on, "--signed-on"), rate_changes=changes,
        closed_on=closed,
    )  # fmt: skip
    lines = statement(terms, moved, _day(wanted.until, "--until"))
    shelf = (offer["county"], offer["season"])
    order = _order(config, shelf, wanted.language, form)
    with _names(config, shelf, wanted.purpose) as names:
        farmer = offer["farmer_id"]
        name = None if names is None else _name_of(names, farmer)
        by = Writer(order.settings, order.language, order.simulated, name)
        try:
            content = rendered(statement_letter(offer, terms, lines, by), form, order.settings)
        except UnprintableError as error:
            raise UserError(
                f"no font is at hand for the letter ({unprintable_detail(error)})",
                "name a font in letters.font, or write it as .html",
            ) from error
        if names is not None:
            names.log([farmer], content)
        write_closed(wanted.out, content)
    return f"the line of offer {wanted.offer} on {wanted.until}: {wanted.out}"


def _order(config: Config, shelf: tuple[str, str], language: Language | None, form: Form) -> Order:
    county, season = shelf
    if county not in config.county:
        raise UserError(f"county {county!r} is not defined", f"use one of {sorted(config.county)}")
    own = config.county[county]
    usual: Language = "zh" if own.currency == _CHINESE_MONEY else "en"
    settings = config.letters.stated(simulated=own.simulated)
    return Order(county, season, settings, language or usual, form, own.simulated)


@contextmanager
def _store(config: Config) -> Iterator[sa.Engine]:
    store = open_existing(config.database_url())
    try:
        yield store
    finally:
        store.dispose()


@contextmanager
def _names(config: Config, shelf: tuple[str, str], purpose: str | None) -> Iterator[Names | None]:
    """Yield the names of a county's farmers where a purpose is stated, else nothing."""
    if purpose is None:
        yield None
        return
    county, season = shelf
    today = dt.datetime.now(tz=dt.UTC).date()
    request = Request(stated_purpose(purpose), _TO_FARMERS, frozenset(DATA), today)
    export = Export(county, season, request)
    with open_vault(config.vault_address(), config.privacy_of_all()) as vault:
        persons = {person.farmer_id: person for person in persons_of(vault, county, season)}
        yield Names(
            persons, erased_farmers(vault),
            lambda farmers, content: log_export(vault, export, farmers, content),
        )  # fmt: skip


def _name_of(names: Names, farmer: str) -> str | None:
    for code, there in (
        ("farmer_erased", farmer not in names.erased), ("person_unknown", farmer in names.persons),
    ):  # fmt: skip
        if not there:
            known = outcome_codes()[code]
            raise UserError(f"farmer {farmer}: {known.english.lower()}", known.remedy)
    return names.persons[farmer].name


def _offer(store: sa.Engine, name: str) -> dict[str, Any]:
    query = sa.select(OFFERS).where(OFFERS.c.offer_id == name).order_by(OFFERS.c.seq.desc())
    with reading(store) as connection:
        found = connection.execute(query).first()
    if found is None:
        raise UserError(f"there is no offer {name!r}", "copy offer_id of offers.csv")
    return found._asdict()


def _form_of(path: Path) -> Form:
    for form in get_args(Form):
        if path.suffix.lower() == f".{form}":
            return form  # type: ignore[no-any-return]
    raise UserError(f"{path} is neither .html nor .pdf", "name the file letter.html or letter.pdf")


def _day(text: str, option: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{option} {text!r} is no day", "write it as 2024-10-08") from error


def _tell(written: Written, wanted: Wanted, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(written)))
        return
    for kind, count in written.kinds.items():
        print(f"{kind:<22}{count:>8,}")
    for code, count in written.outcomes.items():
        if code != OK:
            print(f"{code:<22}{count:>8,}  {outcome_codes()[code].english}")
    letters = written.outcomes.get(OK, 0)
    print(f"letters of {letters:,} of {written.offers:,} offers: {wanted.out}")
