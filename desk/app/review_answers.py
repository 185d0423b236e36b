"""Answers about reviews: the queue, one case, and the acts of the person who decides.

Owns reading a form and telling what came of it; the rules are those of `lending.store.reviews`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import Form, Response, UploadFile
from fastapi.responses import FileResponse, RedirectResponse

from fieldline.desk.app.pages import Asked, Call
from fieldline.desk.app.photos import keep, kept, read_photo
from fieldline.desk.app.places import Place
from fieldline.desk.app.queue_page import Chosen, queue_page
from fieldline.desk.app.reviewing import amount_of
from fieldline.desk.app.work import VISITS
from fieldline.lending.store.reviews import Wish
from fieldline.pipeline.records.errors import UserError

_MOST_PHOTOS = 5
_PHOTO = "photo "


def queue(
    call: Asked, county: str = "", season: str = "", village: str = "", state: str = "",
    owner: str = "", page: int = 1,
) -> Response:  # fmt: skip
    """Offers that wait for a person, and what people have decided."""
    chosen = Chosen(county, season, village, state, owner)
    return call.page("reviews", place=None, **queue_page(call, chosen, page))


def _place(call: Call, offer: dict[str, Any]) -> Place | None:
    wanted = (offer["season"], offer["county"])
    return next(
        (p for p in call.scope.places(call.desk.shelf) if (p.season, p.county) == wanted), None
    )


def case(call: Asked, offer_id: str, said: str = "") -> Response:
    """One live offer, with the form to decide on it."""
    opened = call.desk.store.opened(offer_id, call.scope, call.words)
    place = _place(call, opened.offer)
    acts = [
        {
            "row": act.state.row, "said": act.state.said, "second": act.state.second,
            "open": not act.state.ended, "complete": act.state.complete,
            "photos": [d.split()[1] for d in act.documents if d.startswith(_PHOTO)],
            "documents": [d for d in act.documents if not d.startswith(_PHOTO)],
            "amount": amount_of(act.state.row["limit_minor"], act.state.row["currency"]),
        }
        for act in opened.acts
    ]  # fmt: skip
    parcels = call.desk.parcels_of(place, opened.offer["farmer_id"])
    shelf = (opened.offer["county"], opened.offer["season"])
    after = call.desk.store.after(opened.offer, call.scope) if said else None
    book, farmer = call.desk.store.book, opened.offer["farmer_id"]
    return call.page("case", place=place, opened=opened, facts=opened.facts, acts=acts, said=said,
                     after=after, parcels=parcels, visits=VISITS,
                     owner=book.owners(*shelf).get(farmer, ""),
                     work=book.entries((*shelf, farmer)))  # fmt: skip


def decide(
    call: Asked,
    offer_id: str,
    verdict: Annotated[str, Form()] = "",
    amount: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    documents: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    seen: Annotated[str, Form()] = "",
    photos: list[UploadFile] | None = None,
) -> Response:
    """Enter a decision; the next run posts it."""
    if verdict not in ("approve", "decline"):
        raise UserError("the decision says neither approve nor decline", "choose one of them")
    given = [(photo.filename or "photo", photo.file.read()) for photo in photos or []]
    read = [read_photo(content, name) for name, content in given if content]
    if len(read) > _MOST_PHOTOS:
        raise UserError(f"{len(read)} photographs are attached", f"attach {_MOST_PHOTOS} at most")
    papers = [line.strip() for line in documents.splitlines() if line.strip()]
    wish = Wish(
        call.scope.user, "approve" if verdict == "approve" else "decline", reason,
        _amount(amount) if verdict == "approve" else None,
        (*papers, *(photo.label for photo in read)), _day(until),
    )  # fmt: skip
    for photo in read:
        keep(photo, call.desk.shelf.results)
    state = call.desk.store.decide(offer_id, wish, call.scope, seen)
    return _back(call, offer_id, state.said)


def _amount(text: str) -> Decimal | None:
    if not text.strip():
        return None
    try:
        found = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise UserError(f"{text!r} is no amount", "write a plain number such as 3000")
    return found


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text.strip() else None
    except ValueError as error:
        raise UserError(f"{text!r} is no day", "write it like 2024-09-30") from error


def confirm(call: Asked, offer_id: str, review_id: str) -> Response:
    """Stand by another person's decision."""
    return _back(call, offer_id, call.desk.store.confirm(review_id, call.scope).said)


def revoke(
    call: Asked, offer_id: str, review_id: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Take a decision back."""
    return _back(call, offer_id, call.desk.store.revoke(review_id, reason, call.scope).said)


def _back(call: Call, offer_id: str, said: str) -> Response:
    return RedirectResponse(call.link("reviews", offer_id, said=said), status_code=303)


def photo(call: Asked, name: str) -> Response:
    """A photograph that was attached."""
    return FileResponse(kept(call.desk.shelf.results, name), media_type="image/jpeg")
