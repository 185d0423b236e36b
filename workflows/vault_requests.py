"""What `fieldline vault` asks of a county's files: its consents and its offers.

Owns finding them by the configuration; how they are judged is the vault's and the lending room's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from fieldline.lending.named_offers import Handed, Order, export_named_offers
from fieldline.lending.store.applied import told_consents
from fieldline.lending.store.database import is_there, open_existing
from fieldline.lending.store.forgotten import Forgotten, forget
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.vault.consents import (
    CONSENTS,
    DATA,
    DECISION,
    Request,
    Told,
    new_consent,
    withdrawals,
)
from fieldline.pipeline.vault.erasure import (
    Erasure,
    admit,
    erase,
    erased_farmers,
    not_erased,
    refuse_unknown,
)
from fieldline.pipeline.vault.vault import Vault
from fieldline.workflows.applicants import forget_everywhere
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.tables import PLACE

Asked = tuple[str, str, dt.date]
"""Purpose, recipient and day."""


def consents_of(config: Config, county: str) -> InputTable:
    """Read the consents of a county.

    Raises:
        UserError: There is no such county, it names no consents, or the file cannot be read.
    """
    if county not in config.county:
        raise UserError(f"county {county!r} is not defined", f"use one of {sorted(config.county)}")
    paths = config.input_paths(county, config.seasons[0], CONSENTS.name)
    if not paths:
        raise UserError(
            f"county {county} has no table of consents, so nothing of it is handed to anybody",
            f"name the file in county.{county}.inputs.{CONSENTS.name}",
        )
    own = config.county[county]
    reading = Reading(own.currency, own.inputs.columns.get(CONSENTS.name, {}), PLACE)
    return read_input(paths[0], CONSENTS, reading)


def withdrawals_of(config: Config, county: str) -> dict[str, dt.date]:
    """Return when farmers withdrew their consent to a decision by the county's table of consents.

    Raises:
        UserError: The file cannot be read.
    """
    today = dt.datetime.now(tz=dt.UTC).date()
    return withdrawals(consents_of(config, county), DECISION, today, pseudonym_of(config, county))


def export_county(
    config: Config, vault: Vault, shelf: tuple[str, str], asked: Asked, out: Path
) -> Handed:
    """Write the offers of a county and season with names (see `export_named_offers`).

    Args:
        config: The run.
        vault: Open vault.
        shelf: County and season.
        asked: Purpose, recipient and day.
        out: File to write.

    Raises:
        UserError: No consents, no offers, or a changed vault.
    """
    county, season = shelf
    purpose, recipient, day = asked
    request = Request(purpose, recipient, frozenset(DATA), day)
    with store_and_consents(config, county) as (store, consents, told):
        return export_named_offers(
            vault, store, consents, Order(county, season, request),
            pseudonym=pseudonym_of(config, county), out=out, told=told,
        )  # fmt: skip


@contextmanager
def store_and_consents(
    config: Config, county: str
) -> Iterator[tuple[sa.Engine, InputTable | None, Sequence[Told]]]:
    """Yield the offer store and every consent of a county: its table's and its applications'.

    Args:
        config: The run.
        county: County id.

    Raises:
        UserError: There is neither kind of consent, or no store.
    """
    named = config.input_paths(county, config.seasons[0], CONSENTS.name)
    address = config.database_url()
    consents = consents_of(config, county) if named or not is_there(address) else None
    store = open_existing(address)
    try:
        told = told_consents(store, county)
        if consents is None and not told:
            consents = consents_of(config, county)  # which says what to do without any
        yield store, consents, told
    finally:
        store.dispose()


def erase_everywhere(
    config: Config, vault: Vault, farmer_id: str, purpose: str
) -> tuple[Erasure, Forgotten]:
    """Erase a farmer from the vault, and the farmer's outlines from the store and from what
    applications left.

    The vault comes last: cut off before, the erasure is told nowhere, and typed again it does all.

    Raises:
        UserError: The vault knows no such farmer, or a database cannot be written.
    """
    refuse_unknown(vault, farmer_id)
    forgotten, address = Forgotten(), config.database_url()
    if is_there(address):
        store = open_existing(address)
        try:
            forgotten = forget(store, farmer_id)
        finally:
            store.dispose()
    forget_everywhere(config.results, farmer_id)
    return erase(vault, farmer_id, purpose), forgotten


def admit_again(
    config: Config, vault: Vault, county: str, farmer_id: str, purpose: str, *, today: dt.date
) -> dt.date:
    """Let an erased farmer be taken in again; return the day of the new consent.

    Raises:
        UserError: The farmer was not erased, or gave no consent since.
    """
    erased_at = erased_farmers(vault).get(farmer_id)
    if erased_at is None:
        raise not_erased(vault, farmer_id)
    since = dt.datetime.fromisoformat(erased_at).date()
    table = consents_of(config, county)
    given = new_consent(table, farmer_id, since, today, pseudonym_of(config, county))
    if given is None:
        raise UserError(
            f"farmer {farmer_id} gave no consent in force since the erasure of {since}",
            f"add the new consent to county.{county}.inputs.{CONSENTS.name}",
        )
    admit(vault, farmer_id, purpose)
    return given


def pseudonym_of(config: Config, county: str) -> Callable[[str], str]:
    """Return what makes pseudonyms of a county's references."""
    return pseudonymiser(config.privacy_of(county))
