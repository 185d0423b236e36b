"""A store of several counties on which people have acted in every way, and its queue by hand."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.audit import append
from fieldline.lending.store.database import LIVE, OFFERS, posting, reading
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.reviews import act_row, enter_lapses, states
from tests.benchmarks.store import PRODUCT, SEASON, county, templates

ORDER = ("waits", "waits for a second person", "in force", "revoked", "lapsed")
KEY = ("county", "season", "product", "farmer_id")
DAY = dt.date(2024, 10, 2)


def store_of_cases(engine: sa.Engine, names: Sequence[str], farmers: int) -> None:
    """Post counties of so many farmers and enter acts of people on half of them."""
    _post(engine, names, farmers)
    with posting(engine) as connection:
        offers = [row._asdict() for row in connection.execute(sa.select(OFFERS))]
        append(connection, enter_lapses(connection, _acts(offers, random.Random(7))))


def store_decided_in(engine: sa.Engine, name: str, names: Sequence[str], farmers: int) -> None:
    """Post counties of so many farmers and enter a decision on every case of one of them."""
    _post(engine, names, farmers)
    cases = sa.select(OFFERS).where(OFFERS.c.county == name, OFFERS.c.access == "review")
    with posting(engine) as connection:
        offers = [row._asdict() for row in connection.execute(cases)]
        made = [_decided(offer, 0, random.Random(7)) for offer in offers]
        append(connection, enter_lapses(connection, made))


def _post(engine: sa.Engine, names: Sequence[str], farmers: int) -> None:
    kinds = templates(PolicySettings())
    for name in names:
        shelf = Shelf(name, SEASON, PRODUCT)
        post(engine, county(kinds, name, farmers), shelf, PolicySettings())


def _acts(offers: Sequence[dict[str, Any]], draw: random.Random) -> list[dict[str, Any]]:
    """Return acts as the rules allow them: a decision is confirmed once, and ended once."""
    found = []
    for offer in draw.sample(offers, len(offers) // 2):
        made = [_decided(offer, number, draw) for number in range(draw.choice((1, 1, 1, 2)))]
        after = []
        for row in made:
            if row["overrides"] and draw.random() < 0.5:
                after.append(_on(row, "confirm", "Bo"))
            if draw.random() < 0.4:
                after.append(_on(row, draw.choice(("revoke", "lapse")), "Cy"))
        draw.shuffle(after)
        found += [*made, *after]
        if draw.random() < 0.1:
            found.append(_on(made[-1], "release", "Di") | {"of_review": None})
    return found


def _decided(offer: dict[str, Any], number: int, draw: random.Random) -> dict[str, Any]:
    lifted = offer["access"] == "decline" and draw.random() < 0.7
    return act_row(
        offer, "decide", f"Ann {number}", "seen", DAY, of_review=None, evidence="e",
        verdict="decline", limit_minor=None, documents="[]", overrides=lifted, valid_to=DAY,
    )  # fmt: skip


def _on(row: dict[str, Any], act: str, officer: str) -> dict[str, Any]:
    kept = ("evidence", "verdict", "limit_minor", "documents", "overrides", "valid_to")
    more = {name: row[name] for name in kept}
    return act_row(row, act, officer, "so", DAY, of_review=row["review_id"], **more)


def queue_by_hand(engine: sa.Engine) -> list[dict[str, Any]]:
    """Return the whole queue in its order: every live offer and every act, folded one by one."""
    with reading(engine) as connection:
        live = sa.select(OFFERS).where(OFFERS.c.status == LIVE)
        offers = [row._asdict() for row in connection.execute(live)]
        last = {_place(state.row): state for state in states(connection)}
    found = []
    for offer in offers:
        state = last.get(_place(offer))
        if state is None and offer["access"] != "review":
            continue
        waits = state is None or (state.ended and offer["access"] == "review")
        said = "waits" if waits or state is None else state.said
        officer = "" if state is None else state.row["officer"]
        found.append({**offer, "said": said, "officer": officer})
    return sorted(found, key=lambda row: (ORDER.index(row["said"]), *_place(row)))


def _place(row: Any) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def offers_by_the_thousand(engine: sa.Engine, *, counties: int, farmers: int) -> None:
    """Enter offers and decisions of people as rows alone, by the server itself: a fifth of the
    offers are left to people, who have decided on every tenth one of all."""
    farmer = "'F' || lpad(c::text, 4, '0') || lpad(f::text, 6, '0')"
    number = "lpad((c * 1000000 + f)::text, 12, '0')"
    every = f"generate_series(0, {counties - 1}) c, generate_series(0, {farmers - 1}) f"
    place = f"'C' || c, '{SEASON}', '{PRODUCT}', {farmer}"
    offers = f"""
        INSERT INTO offers (county, season, product, farmer_id, household_id, offer_id, access,
            currency, tenor_days, day_basis, valid_from, valid_to, reason_codes, reasons,
            reasons_zh, decision_id, status)
        SELECT {place}, {farmer}, 'o' || {number},
            CASE f % 5 WHEN 0 THEN 'review' WHEN 1 THEN 'decline' ELSE 'approve' END,
            'CNY', 365, 360, DATE '2024-06-01', DATE '2024-08-01', 'a', 'Why.', '因。',
            'd' || {number}, 'live'
        FROM {every}"""
    acts = f"""
        INSERT INTO reviews (county, season, product, farmer_id, review_id, act, decision_id,
            evidence, verdict, currency, officer, reason, documents, overrides, made_on, valid_to)
        SELECT {place}, 'r' || {number}, 'decide', 'd' || {number}, 'e', 'decline', 'CNY', 'Ann',
            'seen', '[]', f % 5 = 1, DATE '2024-06-02', DATE '2024-12-01'
        FROM {every} WHERE f % 20 IN (0, 11)"""
    entries = """
        INSERT INTO audit (seq, payload, previous, hash)
        SELECT seq, '{"event":"review","review_id":"' || lpad(review_id, 32, '0') || '"}', '', ''
        FROM reviews"""
    with engine.begin() as connection:
        for statement in (offers, acts, entries, "ANALYZE"):
            connection.exec_driver_sql(statement)
