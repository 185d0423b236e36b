"""Answers: what each address of the decision API does.

Owns the step from a request to the store and back; the rules are those of `lending`, the routes and
who may ask are in the table of `desk.app.routes`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from fieldline.desk.access.clients import Client
from fieldline.desk.api import metrics
from fieldline.desk.api.bodies import (
    ApplicationBody,
    ApplicationOut,
    Entry,
    EstimateOut,
    Health,
    OfferOut,
    QuoteOut,
    Reason,
    StatementBody,
    StatementOut,
)
from fieldline.desk.api.problems import NoKeyError, TooManyError
from fieldline.desk.api.service import Row, Service
from fieldline.desk.app.places import NotHereError
from fieldline.lending.decision.account import Moved, Terms, quote, statement
from fieldline.lending.store import applied
from fieldline.lending.store.applied import Received
from fieldline.lending.store.posting import BETWEEN
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import from_minor, plain, written
from fieldline.pipeline.records.reference import crop_named

_POLL_SECONDS = 0.5
_MOST_STREAM_SECONDS = 600.0
OfferId = Annotated[str, Path(pattern="^[0-9a-f]{8,64}$")]
ApplicationId = OfferId


async def service_of(request: Request) -> Service:
    """Return the service of a request."""
    found: Service = request.app.state.service
    return found


Served = Annotated[Service, Depends(service_of)]


async def asked_by(request: Request, service: Served) -> Client:
    """Return which program asks: the one door of every answer.

    Raises:
        NoKeyError: None whose key counts.
        TooManyError: One that asks above its rate.
    """
    header = request.headers.get("authorization", "")
    # A thread is asked for only where the store is: changing threads costs as much as the rest.
    client = service.keys.remembered(header)
    if client is None:
        client = await run_in_threadpool(service.keys.client, header)
    if client is None:
        raise NoKeyError
    request.state.client = client.client_id
    wait = service.rates.wait(client)
    if wait:
        raise TooManyError(wait)
    return client


Asking = Annotated[Client, Depends(asked_by)]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$",
        description="A key of the caller's own for this application; the same key with the same "
        "body is the same application, however often it is sent.",
        examples=["branch-17-000042"],
    ),
]  # fmt: skip


def apply(body: ApplicationBody, key: IdempotencyKey, client: Asking, service: Served) -> Response:
    """Apply for a farmer: decided at once on what is known, or accepted and decided in turn."""
    county, season = service.place(client, body.county, body.season)
    farmer = service.chain.pseudonym(county, body.farmer)
    service.chain.refuse_erased(county, farmer)
    _refuse_late_consent(body.consent.given_on)
    told = body.model_dump(mode="json", include={"parcels", "facts"})
    chained = bool(body.parcels) or body.facts is not None
    sealed = service.chain.seal(county, body.farmer) if chained else None
    sent = Received(
        client.client_id, key, county, season, service.chain.product(), farmer, told,
        body.consent.given_on, sealed, body.consent.recipient,
        "; ".join(body.consent.data) or None, body.consent.expires_on,
    )  # fmt: skip
    withdrawn = service.chain.withdrawn(county, farmer)
    row, new = applied.receive(service.engine, sent, withdrawn=withdrawn)
    if new:
        metrics.RECEIVED.inc()
    if not chained and row["status"] in applied.OPEN:
        row = _at_once(service, row)
    return _standing(service, client, row, 202 if row["status"] in applied.OPEN else 201)


def _refuse_late_consent(given_on: dt.date) -> None:
    today = dt.datetime.now(tz=dt.UTC).date()
    if given_on > today + dt.timedelta(days=1):
        raise applied.ConsentError(
            f"the consent is of {given_on}, a day to come", "apply once the farmer has given it"
        )


def _at_once(service: Service, row: Row) -> Row:
    """Decide an application on stored features; whoever finds it open does so, with one result."""
    name = row["application_id"]
    try:
        offer = service.chain.decide_stored(row["county"], row["season"], row["farmer_id"])
    except UserError as error:
        if isinstance(error, metrics.FAULTS):
            raise
        return applied.finish(service.engine, name, problem=str(error))
    metrics.DECIDED.labels(offer["access"]).inc()
    return applied.finish(
        service.engine, name, decision_id=offer["decision_id"], offer_id=offer["offer_id"]
    )


def application(name: ApplicationId, client: Asking, service: Served) -> Response:
    """Where an application stands."""
    return _standing(service, client, _own(service, client, name), 200)


def _own(service: Service, client: Client, name: str) -> Row:
    row = service.looking.first(applied.of_id(name))
    if row is None or row.client != client.client_id or not client.sees(row.county):
        raise NotHereError("there is no such application", "copy `application_id` of your own")
    return row._asdict()


def _standing(service: Service, client: Client, row: Row, status: int) -> JSONResponse:
    address = f"/v1/applications/{row['application_id']}"
    return JSONResponse(
        _told(service, client, row).model_dump(mode="json"), status, {"Location": address}
    )


def _told(service: Service, client: Client, row: Row) -> ApplicationOut:
    offer = None
    if row["offer_id"] is not None:
        offer = offer_out(service.offer(client, row["offer_id"]))
    names = ("application_id", "status", "stage", "county", "season", "farmer_id", "problem")
    return ApplicationOut(offer=offer, **{name: row[name] for name in names})


async def events(name: ApplicationId, client: Asking, service: Served) -> Response:
    """Progress of an application as server-sent events, one a change, until it has ended."""
    await run_in_threadpool(_own, service, client, name)
    return StreamingResponse(_stream(service, client, name), media_type="text/event-stream",
                             headers={"Cache-Control": "no-store"})  # fmt: skip


async def _stream(service: Service, client: Client, name: str) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    end, last = loop.time() + _MOST_STREAM_SECONDS, None
    while loop.time() < end:
        row = await run_in_threadpool(_own, service, client, name)
        now = (row["status"], row["stage"])
        if now != last:
            last = now
            said = {"status": row["status"], "stage": row["stage"], "problem": row["problem"]}
            yield f"event: {row['status']}\ndata: {json.dumps(said, ensure_ascii=False)}\n\n"
        if row["status"] not in applied.OPEN:
            return
        await asyncio.sleep(_POLL_SECONDS)
    yield "event: bye\ndata: {}\n\n"


def withdraw(name: ApplicationId, client: Asking, service: Served) -> Response:
    """Take a consent back: nothing more of the farmer is decided or told under it."""
    row = _own(service, client, name)
    today = dt.datetime.now(tz=dt.UTC).date()
    applied.withdraw_consent(service.engine, row["application_id"], today)
    service.chain.forget(row["county"], row["season"], row["farmer_id"])
    return Response(status_code=204)


def offer(offer_id: OfferId, client: Asking, service: Served) -> OfferOut:
    """An offer as it stands."""
    row = service.offer(client, offer_id)
    return offer_out(row)


def offer_out(row: Row) -> OfferOut:
    """Return a row of table `offers` as the API tells it."""
    words = (row[name].split(BETWEEN) for name in ("reason_codes", "reasons", "reasons_zh"))
    reasons = [Reason(code=c, english=e, chinese=z) for c, e, z in zip(*words, strict=False) if c]
    names = OfferOut.model_fields.keys() - {"limit", "reasons"}
    limit = None if row["limit_minor"] is None else written(row["limit_minor"], row["currency"])
    return OfferOut(limit=limit, reasons=reasons, **{name: row[name] for name in names})


def estimate(
    client: Asking,
    service: Served,
    county: Annotated[str, Query(min_length=1, max_length=64, examples=["SIM001"])],
    crop: Annotated[str, Query(min_length=1, max_length=64, examples=["maize"])],
    area_m2: Annotated[float, Query(gt=0, le=1e7, allow_inf_nan=False, examples=[6667])],
    season: Annotated[str | None, Query(max_length=64)] = None,
) -> EstimateOut:
    """What was decided for others on the same crop: a range, no promise."""
    county, season = service.place(client, county, season)
    name = crop_named(crop) or crop
    found = service.chain.ranges(county, season).get(name)
    if found is None or found.approved < service.suppress_below:
        raise NotHereError(
            f"fewer than {service.suppress_below} farmers were given a line on this crop there",
            "apply, which decides on the farmer's own land",
        )
    area = Decimal(str(area_m2))
    return EstimateOut(
        county=county, season=season, crop=name, area_m2=area_m2, farmers=found.farmers,
        approved_share=round(found.approved / found.farmers, 3), currency=found.currency,
        low=_whole(area * found.low_per_m2), high=_whole(area * found.high_per_m2),
        note="A range of what others were given on this crop and area; what a farmer is given "
        "depends on the farmer's own land, debts and record.",
    )  # fmt: skip


def _whole(amount: Decimal) -> str:
    return plain(amount.quantize(Decimal(1)))


def line_quote(
    offer_id: OfferId, client: Asking, service: Served,
    amount: Annotated[Decimal, Query(gt=0, le=Decimal("1e12"), examples=["1000"])],
    drawn_on: dt.date, repaid_on: dt.date,
) -> QuoteOut:  # fmt: skip
    """What one draw on the line costs."""
    row = service.offer(client, offer_id)
    terms = _terms(row)
    interest = quote(terms, amount, drawn_on, repaid_on)
    return QuoteOut(
        offer_id=offer_id, currency=row["currency"], amount=plain(amount), drawn_on=drawn_on,
        repaid_on=repaid_on, days=(repaid_on - drawn_on).days, annual_rate=row["annual_rate"],
        day_basis=row["day_basis"], interest=plain(interest), to_repay=plain(amount + interest),
    )  # fmt: skip


def line_statement(
    offer_id: OfferId, body: StatementBody, client: Asking, service: Served
) -> StatementOut:
    """Where the line stands after the movements told."""
    row = service.offer(client, offer_id)
    terms = _terms(row)
    moved = [Moved(one.on, one.draw, one.repay) for one in body.movements]
    lines = statement(terms, moved, body.until)
    last = lines[-1]
    return StatementOut(
        offer_id=offer_id, currency=row["currency"], limit=plain(terms.limit),
        annual_rate=row["annual_rate"], day_basis=row["day_basis"], until=body.until,
        entries=[
            Entry(
                on=line.moved.on, draw=plain(line.moved.draw), repay=plain(line.moved.repay),
                interest_paid=plain(line.interest_paid), interest=plain(line.interest),
                principal=plain(line.principal),
            )
            for line in lines
        ],
        principal=plain(last.principal), interest=plain(last.interest),
        to_repay=plain(last.principal + last.interest),
        available=plain(terms.limit - last.principal),
    )  # fmt: skip


def _terms(row: Row) -> Terms:
    if row["limit_minor"] is None:
        raise UserError("this offer gives no line", "look at its reasons")
    return Terms(
        from_minor(row["limit_minor"], row["currency"]), Decimal(row["annual_rate"]),
        row["day_basis"], row["tenor_days"], row["valid_from"], row["valid_to"],
        from_minor(1, row["currency"]),
    )  # fmt: skip


def health() -> Health:
    """Whether the server lives."""
    return Health(status="ok")


def ready(service: Served) -> Response:
    """Whether the server can decide now: its store answers."""
    applied.waiting(service.engine)
    return JSONResponse(Health(status="ok").model_dump())


def told_metrics(_: Asking, service: Served) -> Response:
    """Counts and times for Prometheus; nothing in them names a county or a person."""
    metrics.WAITING.set(applied.waiting(service.engine))
    return Response(metrics.text(), media_type=metrics.MEDIA)


def document(request: Request) -> Any:
    """The API's document (OpenAPI 3.1)."""
    return JSONResponse(request.app.openapi())
