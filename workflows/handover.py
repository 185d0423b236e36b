"""What `fieldline offers export --format fineract` does: offers of a county to the core system.

Owns finding store, vault, consents and credentials by the configuration and telling what became of
every offer; what may leave and how is the lending room's.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from fieldline.lending.handover.fineract import Credentials, Fineract
from fieldline.lending.handover.handing import HandedOver, hand_over
from fieldline.lending.handover.settings import FineractSettings
from fieldline.lending.named_offers import Order, consenting
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.vault.access import stated_purpose
from fieldline.pipeline.vault.consents import DATA, Request
from fieldline.pipeline.vault.opening import open_vault
from fieldline.workflows import exits
from fieldline.workflows.config.load import load_config
from fieldline.workflows.vault_requests import pseudonym_of, store_and_consents

_FOR_A_PERSON = frozenset({
    "product_unmapped", "day_basis_differs", "amount_inexact", "client_no_number", "client_unknown",
    "application_differs", "application_earlier", "application_refused", "core_unanswered",
    "guarantor_unmapped", "guarantor_refused",
})  # fmt: skip
"""Outcomes after which somebody has something to do; without a consent nobody has."""


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    county: str
    season: str
    purpose: str | None
    recipient: str | None
    on: str | None
    post: str | None
    out: Path


def hand_over_county(config_files: Sequence[Path], wanted: Wanted, today: dt.date) -> HandedOver:
    """Write, and where asked post, the loan applications of a county's consenting farmers.

    Args:
        config_files: Configuration.
        wanted: What the command line asks for.
        today: Day on which consents must be in force.

    Raises:
        UserError: No purpose or recipient, no consents, no offers, no mapping or no credentials.
    """
    if not wanted.purpose or not wanted.recipient:
        raise UserError(
            "handing offers over takes a purpose and a recipient that the farmers consented to",
            "give --purpose and --recipient as the table of consents has them",
        )
    purpose, on = stated_purpose(wanted.purpose), _day(wanted.on, today)
    config = load_config(config_files)
    if wanted.county not in config.county:
        raise UserError(
            f"county {wanted.county!r} is not defined", f"use one of {sorted(config.county)}"
        )
    settings = config.handover.fineract
    request = Request(purpose, wanted.recipient, frozenset(DATA), today)
    order = Order(wanted.county, wanted.season, request)
    with ExitStack() as stack:
        core = None
        if wanted.post is not None:
            opened = Fineract(wanted.post, settings, _credentials(settings))
            core = stack.enter_context(opened)
        vault = stack.enter_context(open_vault(config.vault_address(), config.privacy_of_all()))
        store, consents, told = stack.enter_context(store_and_consents(config, wanted.county))
        leaving = consenting(
            vault, store, consents, order,
            pseudonym=pseudonym_of(config, wanted.county), told=told,
        )  # fmt: skip
        return hand_over(
            vault, store, leaving, order, on=on, settings=settings, out=wanted.out,
            simulated=config.county[wanted.county].simulated, core=core,
        )  # fmt: skip


def tell(handed: HandedOver, *, as_json: bool) -> int:
    """Print what became of the offers; return the exit code."""
    left = _FOR_A_PERSON & set(handed.outcomes)
    if as_json:
        print(json.dumps(asdict(handed)))
        return exits.FOUND if left else exits.OK
    for code, count in handed.outcomes.items():
        meaning = "handed over" if code == OK else outcome_codes()[code].english
        print(f"{code:<22}{count:>8,}  {meaning}")
    print(f"{handed.outcomes.get(OK, 0):,} of {handed.offers:,} offers handed over")
    return exits.FOUND if left else exits.OK


def _day(text: str | None, today: dt.date) -> dt.date:
    try:
        day = today if text is None else dt.date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--on {text!r} is no day", "write it like 2024-09-30") from error
    if day > today:
        raise UserError(
            f"--on {day} is still to come, and no application can bear it",
            "name today or an earlier day",
        )
    return day


def _credentials(settings: FineractSettings) -> Credentials:
    user, password = (os.environ.get(n, "") for n in (settings.user_env, settings.password_env))
    if not user or not password:
        raise UserError(
            f"{settings.user_env} or {settings.password_env} is not set, and the core system takes "
            "nothing from strangers",
            "set both in the environment of this command",
        )
    return Credentials(user, password)
