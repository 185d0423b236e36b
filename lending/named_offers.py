"""The one file with names: a county's live offers beside the people they are for.

Owns the join of offers, vault and consents, and what became of every farmer in it. A farmer without
a consent in force is left out with a code, and the access log says who took the file, for whom and
why, before it lies on the disk.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.offers import csv_text, live_offers
from fieldline.lending.workbook import workbook
from fieldline.pipeline.inputs.read import InputTable
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import written
from fieldline.pipeline.records.outcomes import OK, detail
from fieldline.pipeline.vault.access import Act, record
from fieldline.pipeline.vault.consents import Answer, Request, Told, judge
from fieldline.pipeline.vault.erasure import erased_farmers
from fieldline.pipeline.vault.persons import Person, persons_of
from fieldline.pipeline.vault.vault import Vault

COLUMNS = (
    "offer_id", "county", "season", "farmer_id", "farmer_ref", "name", "phone", "id_number",
    "product", "access", "currency", "limit", "annual_rate", "tenor_days", "day_basis",
    "valid_from", "valid_to", "consent_given_on",
)  # fmt: skip
OUTCOME_COLUMNS = ("farmer_id", "outcome", "detail")
_MARK = "\ufeff"
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Handed:
    """What was handed over."""

    farmers: int
    """Farmers with a live offer."""
    outcomes: Mapping[str, int]
    """How many of them had which outcome."""


@dataclass(frozen=True)
class Order:
    """Which county's offers go to whom."""

    county: str
    season: str
    request: Request


def export_named_offers(
    vault: Vault,
    store: sa.Engine,
    consents: InputTable | None,
    order: Order,
    *,
    pseudonym: Callable[[str], str],
    out: Path,
    told: Iterable[Told] = (),
) -> Handed:
    """Write the live offers of consenting farmers with their names, and why others are not there.

    Args:
        vault: Open vault.
        store: Open offer store.
        consents: Table of consents, or None.
        order: County, season, purpose, recipient and day.
        pseudonym: From the lender's reference to the pseudonym.
        out: File for the recipient (mode 600): a workbook where it ends in `.xlsx`, else CSV in
            UTF-8 with BOM; beside it `{out}.outcomes.csv`, one row per farmer, without names.
        told: Consents that came with applications.

    Raises:
        UserError: There are no offers, the vault was changed, or a file cannot be written.
    """
    leaving = consenting(vault, store, consents, order, pseudonym=pseudonym, told=told)
    rows = [_row(offer, leaving.persons[offer["farmer_id"]], leaving.found[offer["farmer_id"]])
            for offer in leaving.allowed]  # fmt: skip
    book = out.suffix.lower() == ".xlsx"
    content = workbook(rows, COLUMNS) if book else (_MARK + csv_text(rows, COLUMNS)).encode()
    found = leaving.found
    account = csv_text((_account(f, a) for f, a in found.items()), OUTCOME_COLUMNS)
    log_export(vault, order, [row["farmer_id"] for row in rows], content)
    write_closed(out, content)
    write_closed(out.with_name(f"{out.name}.outcomes.csv"), account.encode())
    return Handed(len(found), dict(sorted(Counter(a.outcome for a in found.values()).items())))


@dataclass(frozen=True)
class Leaving:
    """The live offers of a county and what each farmer's consents say to handing them over."""

    offers: Sequence[Mapping[str, Any]]
    """Rows of table `offers`."""
    persons: Mapping[str, Person]
    found: Mapping[str, Answer]
    """By farmer; one for every farmer with an offer."""

    @property
    def allowed(self) -> list[Mapping[str, Any]]:
        """The offers of farmers with a consent in force."""
        return [row for row in self.offers if self.found[row["farmer_id"]].outcome == OK]


def consenting(
    vault: Vault,
    store: sa.Engine,
    consents: InputTable | None,
    order: Order,
    *,
    pseudonym: Callable[[str], str],
    told: Iterable[Told] = (),
) -> Leaving:
    """Return the live offers of a county beside what their farmers allow.

    Args:
        vault: Open vault.
        store: Open offer store.
        consents: Table of consents, or None.
        order: County, season, purpose, recipient and day.
        pseudonym: From the lender's reference to the pseudonym.
        told: Consents that came with applications.

    Raises:
        UserError: There are no offers, or the vault was changed.
    """
    offers = live_offers(store, order.county, order.season)
    answers = judge(consents, order.request, pseudonym, told)
    persons = {p.farmer_id: p for p in persons_of(vault, order.county, order.season)}
    erased = erased_farmers(vault)
    found = {row["farmer_id"]: _outcome(row["farmer_id"], answers, persons, erased)
             for row in offers}  # fmt: skip
    return Leaving(offers, persons, found)


def _outcome(
    farmer_id: str,
    answers: Mapping[str, Answer],
    persons: Mapping[str, Person],
    erased: Mapping[str, str],
) -> Answer:
    if farmer_id in erased:
        return Answer("farmer_erased", dt.datetime.fromisoformat(erased[farmer_id]).date())
    if farmer_id not in persons:
        return Answer("person_unknown")
    return answers.get(farmer_id, Answer("consent_absent"))


def _row(offer: Mapping[str, Any], person: Person, answer: Answer) -> dict[str, Any]:
    minor = offer["limit_minor"]
    limit = None if minor is None else written(minor, offer["currency"])
    return {**offer, **vars(person), "limit": limit, "consent_given_on": answer.day}


def _account(farmer_id: str, answer: Answer) -> dict[str, str]:
    told = detail(day=answer.day) if answer.day else ""
    return {"farmer_id": farmer_id, "outcome": answer.outcome, "detail": told}


def log_export(vault: Vault, order: Order, farmers: Iterable[str], content: bytes) -> None:
    """Enter in the access log who takes a file of whom, for whom and why.

    Args:
        vault: Open vault.
        order: County, season, purpose, recipient and day.
        farmers: Pseudonyms of who is in the file.
        content: The file.

    Raises:
        UserError: The vault cannot be written.
    """
    request = order.request
    about = {
        "county": order.county,
        "season": order.season,
        "recipient": request.recipient,
        "consents_on": request.on.isoformat(),
        "data": sorted(request.data),
        "farmers": sorted(farmers),
        "file": hashlib.sha256(content).hexdigest(),
    }
    with vault.writing() as connection:
        record(connection, vault, Act("export", about, request.purpose))


def write_closed(path: Path, content: bytes) -> None:
    """Write a file that only its owner opens, as a whole or not at all.

    Raises:
        UserError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(
            f"{path} cannot be written ({error.strerror})", "name a file in a folder of yours"
        ) from error
