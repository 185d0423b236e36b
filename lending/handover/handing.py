"""Handing over a county's offers to Apache Fineract: a file of applications, and posting them.

Owns who may leave, in which order things happen and what became of every offer. The external id of
an application is the offer's id, and the core system is asked for it before anything is posted: so
a run that was killed, or whose answers were lost, is simply run again. The access log says who took
the applications before they lie on the disk or leave by the wire.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fieldline.lending.handover.application import Held, client_number, draft, guarantor_key
from fieldline.lending.handover.fineract import Fineract, Loan, UnansweredError
from fieldline.lending.handover.product import refuse_unlike
from fieldline.lending.handover.settings import FineractSettings
from fieldline.lending.named_offers import Leaving, Order, log_export, write_closed
from fieldline.lending.store.database import LIVE, OFFERS, reading
from fieldline.lending.store.offers import csv_text
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, detail
from fieldline.pipeline.vault.consents import Answer
from fieldline.pipeline.vault.vault import Vault

OUTCOME_COLUMNS = ("farmer_id", "offer_id", "outcome", "detail")
_AT_ONCE = 500
_STOPPED = Held("handover_stopped")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class HandedOver:
    """What was handed over."""

    offers: int
    """Live offers."""
    outcomes: Mapping[str, int]
    """How many of them had which outcome."""


@dataclass(frozen=True)
class _Ready:
    """An application that may leave, and the offers of the farmer that went before it."""

    farmer_id: str
    offer_id: str
    body: Mapping[str, Any]
    guarantor: Mapping[str, Any] | None
    earlier: Sequence[str]


def hand_over(
    vault: Vault,
    store: sa.Engine,
    leaving: Leaving,
    order: Order,
    *,
    on: dt.date,
    settings: FineractSettings,
    out: Path,
    simulated: bool,
    core: Fineract | None = None,
) -> HandedOver:
    """Write the loan applications of a county's consenting farmers and post them where asked.

    Args:
        vault: Open vault.
        store: Open offer store.
        leaving: The live offers and what their farmers allow.
        order: County, season, purpose, recipient and the day of the consents.
        on: Day that the applications bear.
        settings: What Fineract calls products and clients.
        out: JSON lines, one body of `POST /loans` a line (mode 600); beside it
            `{out}.outcomes.csv`, one row per offer, without names, and where lines are covered
            `{out}.guarantors.jsonl`.
        simulated: Whether the county is a simulated one.
        core: Open connection, to post them too.

    Raises:
        UserError: No product takes any of the offers, no farmer consents, the core system is not
            the one configured, or a file cannot be written. What was posted before stays, and is
            found again.
    """
    _refuse_unmapped(leaving.offers, settings)
    if not leaving.allowed:
        raise _nobody_allows(leaving, order, out)
    found: dict[int, Held] = {}
    ready: dict[int, _Ready] = {}
    earlier = _earlier_offers(store, leaving.allowed)
    for place, offer in enumerate(leaving.offers):
        made = _made(offer, leaving, on, settings, simulated, core)
        if isinstance(made, Held):
            found[place] = made
        else:
            who = (offer["product"], offer["farmer_id"])
            ready[place] = _Ready(*made, earlier.get(who, ()))
    if core is not None:
        _refuse_unlike_products(core, ready.values(), settings)
    content = "".join(_line(one.body) for one in ready.values()).encode()
    log_export(vault, order, {one.farmer_id for one in ready.values()}, content)
    write_closed(out, content)
    _write_guarantors(out, ready.values())
    try:
        for place, one in ready.items():
            found[place] = (
                Held(OK) if core is None
                else _guaranteed(core, one, settings, _posted(core, one, settings))
            )  # fmt: skip
    finally:
        account = [found.get(place, _STOPPED) for place in range(len(leaving.offers))]
        rows = _write_account(out, leaving.offers, account)
    return HandedOver(len(rows), dict(sorted(Counter(row["outcome"] for row in rows).items())))


def _write_guarantors(out: Path, ready: Iterable[_Ready]) -> None:
    """Write the guarantors of the applications beside them; no file where nobody covers a line."""
    lines = [
        _line({"loanExternalId": one.offer_id, "guarantor": one.guarantor})
        for one in ready if one.guarantor is not None
    ]  # fmt: skip
    file = out.with_name(f"{out.name}.guarantors.jsonl")
    if lines:
        write_closed(file, "".join(lines).encode())
    else:
        file.unlink(missing_ok=True)


def _nobody_allows(leaving: Leaving, order: Order, out: Path) -> UserError:
    """Write why nothing leaves, farmer by farmer; return the refusal."""
    account = [_unallowed(leaving.found[offer["farmer_id"]]) for offer in leaving.offers]
    _write_account(out, leaving.offers, account)
    request = order.request
    return UserError(
        f"none of the {len(leaving.found):,} farmers with an offer allows {request.recipient!r} to "
        f"have identity and offer for {request.purpose!r} on {request.on}",
        f"give purpose and recipient as the consents have them; why, {_account_of(out)} says",
    )


def _unallowed(answer: Answer) -> Held:
    return Held(answer.outcome, detail(day=answer.day) if answer.day else "")


def _account_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.outcomes.csv")


def _write_account(
    out: Path, offers: Sequence[Row], account: Sequence[Held]
) -> list[dict[str, str]]:
    rows = [
        {"farmer_id": offer["farmer_id"], "offer_id": offer["offer_id"],
         "outcome": held.outcome, "detail": held.detail}
        for offer, held in zip(offers, account, strict=True)
    ]  # fmt: skip
    write_closed(_account_of(out), csv_text(rows, OUTCOME_COLUMNS).encode())
    return rows


def _refuse_unmapped(offers: Iterable[Row], settings: FineractSettings) -> None:
    known = {(one.product, one.currency) for one in settings.products}
    asked = sorted({(offer["product"], offer["currency"]) for offer in offers})
    if not known & set(asked):
        name, currency = asked[0]
        raise UserError(
            f"no loan product of Fineract is named for offers of {name!r} in {currency}",
            "add it to handover.fineract.products (product, currency, product_id)",
        )


def _refuse_unlike_products(
    core: Fineract, ready: Iterable[_Ready], settings: FineractSettings
) -> None:
    """Refuse loan products that would lend on other terms than were offered."""
    asked: dict[int, list[Row]] = defaultdict(list)
    for application in ready:
        asked[application.body["productId"]].append(application.body)
    for one in settings.products:
        if one.product_id not in asked:
            continue
        try:
            there = core.product(one.product_id)
        except UnansweredError as error:
            raise UserError(
                "the core system does not answer, nothing was posted",
                "try again when it does; what was posted before is found again",
            ) from error
        refuse_unlike(one, there, asked[one.product_id])


def _made(
    offer: Row, leaving: Leaving, on: dt.date, settings: FineractSettings, simulated: bool,
    core: Fineract | None,
) -> Held | tuple[str, str, Mapping[str, Any], Mapping[str, Any] | None]:  # fmt: skip
    """Return farmer, offer, body and guarantor of an application, or why there is none."""
    allowed = leaving.found[offer["farmer_id"]]
    if allowed.outcome != OK:
        return _unallowed(allowed)
    made = draft(offer, settings.products, on, guarantors=settings.guarantors, simulated=simulated)
    if isinstance(made, Held):
        return made
    client = _client(leaving.persons[made.farmer_id].farmer_ref, settings, core)
    if isinstance(client, Held):
        return client
    return made.farmer_id, made.offer_id, made.of_client(client), made.guarantor


def _client(reference: str, settings: FineractSettings, core: Fineract | None) -> int | Held:
    if settings.clients == "reference":
        number = client_number(reference)
        return Held("client_no_number") if number is None else number
    if core is None:
        raise UserError(
            "clients are known by external ids, which only the core system can look up",
            "give --post, or set handover.fineract.clients to reference",
        )
    try:
        found = core.client_of(reference)
    except UnansweredError:
        return Held("core_unanswered")
    return Held("client_unknown") if found is None else found


def _earlier_offers(
    store: sa.Engine, offers: Sequence[Row]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the ids of approved offers that went before a farmer's live one, by product."""
    live = {(row["product"], row["farmer_id"]): row["offer_id"] for row in offers}
    farmers = sorted({row["farmer_id"] for row in offers})
    found: dict[tuple[str, str], dict[str, None]] = {}
    with reading(store) as connection:
        for names in _parts(farmers):
            here = [OFFERS.c[name] == offers[0][name] for name in ("county", "season")]
            query = (
                sa.select(OFFERS.c.product, OFFERS.c.farmer_id, OFFERS.c.offer_id)
                .where(*here, OFFERS.c.farmer_id.in_(names), OFFERS.c.status != LIVE,
                       OFFERS.c.access == "approve")
                .order_by(OFFERS.c.seq.desc())
            )  # fmt: skip
            for product, farmer, offer in connection.execute(query):
                if live.get((product, farmer)) not in (None, offer):
                    found.setdefault((product, farmer), {})[offer] = None
    return {who: tuple(ids) for who, ids in found.items()}


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]


def _posted(core: Fineract, one: _Ready, settings: FineractSettings) -> Held:
    """Bring one application to the core system, looking before and after each try what is there."""
    last = ""
    try:
        for tried in range(1, settings.tries + 1):
            there = core.loan(one.offer_id)
            if there is not None:
                return _there(there, one.body, by_us=tried > 1)
            if tried == 1 and _another_stands(core, one):
                return Held("application_earlier")
            answer = core.submit(one.body)
            if answer.kind == "refused":
                return Held("application_refused", detail(code=answer.code.replace(" ", ",")))
            if answer.kind in ("taken", "duplicate"):
                break
            last = answer.code
            if tried < settings.tries:
                core.pause(tried)
        there = core.loan(one.offer_id)
    except UnansweredError:
        return Held("core_unanswered")
    if there is not None:
        return _there(there, one.body, by_us=True)
    return Held("core_unanswered", detail(last=last.replace(" ", ",")))


def _guaranteed(core: Fineract, one: _Ready, settings: FineractSettings, held: Held) -> Held:
    """Enter who covers a line that the core system holds, looking before and after each try.

    Fineract takes an outsider as often as it is told of one.
    """
    if one.guarantor is None or held.outcome not in (OK, "application_there"):
        return held
    last = ""
    try:
        for tried in range(1, settings.tries + 2):
            there = core.loan(one.offer_id, guarantors=True)
            if there is None:
                break
            if guarantor_key(one.guarantor) in there.guarantors or not there.stands:
                return held
            if tried > settings.tries:
                break
            answer = core.guarantee(there.number, one.guarantor)
            if answer.kind == "refused":
                code = answer.code.replace(" ", ",")
                return Held("guarantor_refused", detail(loan=there.number, code=code))
            last = answer.code
            if answer.kind == "unsure":
                core.pause(tried)
    except UnansweredError:
        return Held("core_unanswered")
    return Held("core_unanswered", detail(last=last.replace(" ", ",")))


def _another_stands(core: Fineract, one: _Ready) -> bool:
    earlier = (core.loan(name) for name in one.earlier)
    return any(loan is not None and loan.stands for loan in earlier)


def _there(loan: Loan, body: Mapping[str, Any], *, by_us: bool) -> Held:
    """Return what it means that a loan is held under the offer's id."""
    unlike = [
        name
        for name, held, asked in (
            ("clientId", loan.client_id, body["clientId"]),
            ("productId", loan.product_id, body["productId"]),
            ("principal", loan.principal, Decimal(body["principal"])),
            ("annualInterestRate", loan.annual_rate, Decimal(body["interestRatePerPeriod"])),
        )
        if held != asked
    ]
    if unlike:
        return Held("application_differs", detail(loan=loan.number, fields=",".join(unlike)))
    return Held(OK if by_us else "application_there", detail(loan=loan.number))


def _line(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True) + "\n"
