"""The commands of signed lines: `fieldline line ...`.

Every import of a room happens inside the command that needs it; errors become sentences in
`workflows.cli`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from decimal import Decimal
    from typing import Any

line_app = typer.Typer(help="What a signed line costs by the day, and where it stands.")

ConfigFiles = Annotated[
    list[Path] | None, typer.Option("--config", "-c", help="Configuration file.")
]
Offer = Annotated[str, typer.Option(help="offer_id of the store, whose terms count.")]
Limit = Annotated[str, typer.Option(help="Limit, where no offer is named.")]
Rate = Annotated[str, typer.Option(help="Yearly rate as a share: 0.085 for 8.5 %.")]
Basis = Annotated[str, typer.Option(help="actual/360, actual/365 or actual/actual.")]
Currency = Annotated[str, typer.Option(help="Currency of the line.")]
Tenor = Annotated[int, typer.Option(min=1, max=3660, help="Days that the line runs.")]
Signed = Annotated[str, typer.Option(help="Day of the signature.")]


def _day(text: str, option: str) -> dt.date:
    import datetime as dt

    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} {text!r} is no day", "write it as 2024-10-08") from None


def _number(text: str, option: str) -> Decimal:
    from decimal import Decimal, InvalidOperation

    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise UserError(f"{option} {text!r} is no number", "write it as 1000 or 0.085")
    return number


def _told(
    offer: str, config: list[Path] | None, limit: str, rate: str, basis: str, currency: str,
    tenor: int, signed: dt.date,
) -> Mapping[str, Any]:  # fmt: skip
    """Return the row of an offer, or one of the terms given."""
    import sqlalchemy as sa

    from fieldline.lending.decision.account import BASES
    from fieldline.lending.store.database import OFFERS, open_existing, reading
    from fieldline.pipeline.records.money import minor_units
    from fieldline.workflows.config.load import load_config

    if offer and (limit or rate):
        raise UserError("an offer has its own limit and rate", "leave out --limit and --rate")
    if offer:
        engine = open_existing(load_config(config or []).database_url())
        try:
            with reading(engine) as connection:
                query = sa.select(OFFERS).where(OFFERS.c.offer_id == offer)
                found = connection.execute(query.order_by(OFFERS.c.seq.desc())).first()
        finally:
            engine.dispose()
        if found is None:
            raise UserError(f"there is no offer {offer!r}", "copy offer_id of offers.csv")
        return found._asdict()
    if basis not in BASES:
        raise UserError(f"{basis!r} is no day basis", f"use one of {', '.join(BASES)}")
    if not limit or not rate:
        raise UserError(
            "neither an offer nor a limit and a rate are named",
            "give --offer ID, or --limit 5000 --rate 0.085",
        )
    minor = _number(limit, "--limit") * minor_units(currency)
    share = _number(rate, "--rate")
    if minor != minor.to_integral_value() or minor <= 0:
        raise UserError(f"{limit} is no amount of {currency}", "give its decimals at most")
    return {"limit_minor": int(minor), "annual_rate": str(share), "currency": currency,
            "day_basis": basis, "tenor_days": tenor, "valid_from": signed,
            "valid_to": signed}  # fmt: skip


@line_app.command("quote")
def line_quote(
    amount: Annotated[str, typer.Option(help="What is drawn.")],
    drawn_on: Annotated[str, typer.Option(help="Day of the draw.")],
    repaid_on: Annotated[str, typer.Option(help="Day of repayment, which bears none.")],
    offer: Offer = "",
    limit: Limit = "",
    rate: Rate = "",
    basis: Basis = "actual/360",
    currency: Currency = "CNY",
    tenor: Tenor = 365,
    signed_on: Signed = "",
    config: ConfigFiles = None,
) -> None:
    """Say what one draw costs.

    Example: fieldline line quote --limit 5000 --rate 0.09 --amount 1000 --drawn-on 2024-10-08
    --repaid-on 2024-12-01
    """
    from fieldline.lending.decision.account import quote, terms_of
    from fieldline.pipeline.records.money import plain

    first, last = _day(drawn_on, "--drawn-on"), _day(repaid_on, "--repaid-on")
    signed = _day(signed_on, "--signed-on") if signed_on else None
    row = _told(offer, config, limit, rate, basis, currency, tenor, signed or first)
    drawn = _number(amount, "--amount")
    terms = terms_of(row, signed_on=signed)
    interest = quote(terms, drawn, first, last)
    print(f"interest  {plain(interest)} {terms.currency}: {(last - first).days} nights at "
          f"{plain(terms.annual_rate)} a year, {terms.basis}")  # fmt: skip
    print(f"to repay  {plain(drawn + interest)} {terms.currency} on {last}")


@line_app.command("statement")
def line_statement(
    movements: Annotated[Path, typer.Argument(help="Table: on, draw, repay, annual_rate, ...")],
    until: Annotated[str, typer.Option(help="Last day reckoned.")],
    offer: Offer = "",
    limit: Limit = "",
    rate: Rate = "",
    basis: Basis = "actual/360",
    currency: Currency = "CNY",
    tenor: Tenor = 365,
    signed_on: Signed = "",
    closed_on: Annotated[str, typer.Option(help="First day without further draws.")] = "",
    config: ConfigFiles = None,
) -> None:
    """Say where a line stands after the movements of a table, one entry a movement.

    Example: fieldline line statement moved.csv --offer 3f9c --until 2024-12-31 -c bank.yaml
    """
    import csv
    import sys

    from fieldline.lending.decision.account import statement, terms_of
    from fieldline.lending.movements import read_movements
    from fieldline.pipeline.records.money import plain

    last = _day(until, "--until")
    signed = _day(signed_on, "--signed-on") if signed_on else None
    if not offer and signed is None:
        raise UserError("a line without an offer has no first day", "give --signed-on")
    row = _told(offer, config, limit, rate, basis, currency, tenor, signed or last)
    moved, changes = read_movements(movements, row["currency"])
    closed = _day(closed_on, "--closed-on") if closed_on else None
    terms = terms_of(row, signed_on=signed, rate_changes=changes, closed_on=closed)
    entries = statement(terms, moved, last)  # before anything is printed: a refusal prints no table
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["on", "booked_on", "draw", "repay", "interest_paid", "interest", "principal",
                  "available", "given_back", "currency"])  # fmt: skip
    for line in entries:
        one = line.moved
        amounts = (one.draw, one.repay, line.interest_paid, line.interest, line.principal,
                   terms.limit - line.principal, line.given_back)  # fmt: skip
        out.writerow([one.on, one.booked_on or "", *(plain(a) for a in amounts), terms.currency])
