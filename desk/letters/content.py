"""What a letter says: of an offer, a decline, a review, or of a line by the day.

Owns which facts a farmer is told, in which order, in English or Chinese; sentences are data
(`data/letter_words.csv`), reasons are those that were stored with the decision. It reckons nothing
but the cost of an example, by the same account as the line itself, and knows neither paper nor
screen.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from fieldline.desk.letters.settings import LetterSettings
from fieldline.lending.decision.account import Line, Terms, interest_of, terms_of
from fieldline.lending.decision.reasons import Reason
from fieldline.pipeline.records.money import shown, shown_chinese, to_minor
from fieldline.pipeline.records.reference import table_rows

Language = Literal["en", "zh"]

MONTH_DAYS = 30
"""Days of the month that a cost is told for."""
_USUAL_UNIT, _MANY = Decimal(1000), Decimal(1_000_000)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip
_BY_PERSON = frozenset({"person_approved", "person_declined"})


@dataclass(frozen=True)
class Part:
    """One part of a letter, told in this order."""

    heading: str = ""
    figures: tuple[tuple[str, str], ...] = ()
    """Labels with the amount or day that matters most, written large."""
    texts: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    """Reasons or steps, one under another."""
    numbered: bool = False
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """A table."""


@dataclass(frozen=True)
class Letter:
    """A letter before it is put on paper."""

    language: Language
    kind: str
    """`approve`, `decline`, `review` or `statement`."""
    lender: str
    title: str
    notice: str
    """Said first and last where nothing of it is real; else empty."""
    greeting: str
    parts: tuple[Part, ...]
    footer: str

    def texts(self) -> list[str]:
        """Return everything that a reader reads, in order."""
        found = [self.notice, self.lender, self.greeting, self.title]
        for part in self.parts:
            found += [part.heading, *(text for pair in part.figures for text in pair)]
            found += [*part.texts, *part.items, *part.head]
            found += [cell for row in part.rows for cell in row]
        return [text for text in [*found, self.footer] if text]


@dataclass(frozen=True)
class Writer:
    """Who writes, to whom and in which language."""

    settings: LetterSettings
    language: Language
    simulated: bool = False
    name: str | None = None
    """The farmer's name where the vault gave it out; None addresses the letter by number."""

    def say(self, key: str, **values: str) -> str:
        """Return a sentence of `data/letter_words.csv` in this language."""
        return _words()[key][self.language].format(**values)

    def money(self, amount: Decimal, currency: str) -> str:
        """Return an amount in currency units as this language writes it."""
        tell = shown_chinese if self.language == "zh" else shown
        return tell(to_minor(amount, currency), currency)

    def day(self, day: dt.date) -> str:
        """Return a day as this language writes it."""
        if self.language == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    @property
    def lender(self) -> str:
        """The lender's name."""
        return self.settings.lender_in(self.language)

    @property
    def phone(self) -> str:
        """The telephone number, of which no line breaks a part off."""
        return self.settings.phone.replace(" ", "\u00a0")


def decision_letter(offer: Mapping[str, Any], reasons: Sequence[Reason], by: Writer) -> Letter:
    """Return the letter of a posted decision.

    Args:
        offer: Row of table `offers`.
        reasons: In the words in which they were stored with the decision.
        by: Who writes to whom.
    """
    kind = offer["access"]
    why = Part(by.say(f"why_{kind}"), items=tuple(_text(one, by) for one in reasons), numbered=True)
    told = [_lead(offer, by), *(_terms(offer, by) if kind == "approve" else ()), why]
    steps = by.say(f"next_{kind}", lender=by.lender, phone=by.phone).split("|")
    after = Part(by.say("next"), items=tuple(steps))
    # What to do stands before the reasons where there is money, after them where it follows.
    ordered = [*told[:-1], after, why] if kind == "approve" else [*told, after]
    return _letter(kind, (*ordered, _ask(by, reasons, kind)), offer, by, offer["valid_from"])


def statement_letter(
    offer: Mapping[str, Any], terms: Terms, lines: Sequence[Line], by: Writer
) -> Letter:
    """Return the letter that says where a line stands.

    Args:
        offer: Row of table `offers` of which the line is.
        terms: The line's.
        lines: Entries of `account.statement`, the last of the day of the letter.
        by: Who writes to whom.
    """
    last, currency = lines[-1], terms.currency
    day = last.moved.on
    figures: tuple[tuple[str, str], ...] = (
        (by.say("owed"), by.money(last.principal, currency)),
        (by.say("interest_due"), by.money(last.interest, currency)),
        (by.say("to_repay"), by.money(last.principal + last.interest, currency)),
    )
    # A line that is over or closed lends nothing more.
    if day < terms.ends and (terms.closed_on is None or day < terms.closed_on):
        figures += ((by.say("available"), by.money(terms.limit - last.principal, currency)),)
    lead = Part("", figures, (by.say("lead_statement", day=by.day(day)),))
    head = tuple(by.say(f"entry_{n}") for n in ("on", "draw", "repay", "interest", "owed"))
    rows = tuple(_entry(line, currency, by) for line in lines[:-1])
    back = sum((line.given_back for line in lines), Decimal(0))
    said = (by.say("given_back", amount=by.money(back, currency)),) if back else ()
    cost = Part(by.say("cost"), texts=(
        by.say("cost_rate", rate=_percent(terms.rate_on(day))), by.say("cost_nothing"),
    ))  # fmt: skip
    until = Part(by.say("until"), texts=(by.say("until_repay_on", last=by.day(terms.ends)),))
    after = Part(by.say("next"), items=(by.say("next_statement"),))
    entries = (Part(by.say("entries"), texts=said, head=head, rows=rows),) if rows else ()
    parts = (lead, *entries, until, cost, after, _ask(by, (), "statement"))
    return _letter("statement", parts, offer, by, day)


def clean_name(name: str | None) -> str | None:
    """Return a name without what no letter shows: control, direction and line marks."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in name or "")
    return " ".join(kept.split()) or None


def _letter(
    kind: str, parts: tuple[Part, ...], offer: Mapping[str, Any], by: Writer, day: dt.date
) -> Letter:
    name = clean_name(by.name)
    greeting = (
        by.say("dear_number", farmer=offer["farmer_id"]) if name is None
        else by.say("dear", name=name)
    )  # fmt: skip
    footer = by.say(
        "footer", offer=offer["offer_id"], day=by.day(day), county=offer["county"],
        season=offer["season"],
    )  # fmt: skip
    notice = by.say("simulated") if by.simulated else ""
    return Letter(
        by.language, kind, by.lender, by.say(f"title_{kind}"), notice, greeting, parts, footer
    )


def _lead(offer: Mapping[str, Any], by: Writer) -> Part:
    kind = offer["access"]
    lead = by.say(f"lead_{kind}", lender=by.lender)
    if kind != "approve":
        return Part(texts=(lead,))
    limit = by.money(terms_of(offer).limit, offer["currency"])
    return Part(figures=((by.say("most"), limit),), texts=(lead,))


def _terms(offer: Mapping[str, Any], by: Writer) -> tuple[Part, Part]:
    """Return what the line costs and until when it may be signed and repaid."""
    terms = terms_of(offer, signed_on=offer["valid_to"])
    unit, interest = example_cost(terms)
    cost = Part(by.say("cost"), texts=(
        by.say("cost_rate", rate=_percent(terms.annual_rate)),
        by.say("cost_example", unit=by.money(unit, terms.currency), days=str(MONTH_DAYS),
               interest=by.money(interest, terms.currency)),
        by.say("cost_nothing"),
    ))  # fmt: skip
    valid_to = by.day(offer["valid_to"])
    until = Part(by.say("until"), texts=(
        by.say("until_sign", valid_to=valid_to),
        by.say("until_repay", tenor=str(offer["tenor_days"]), valid_to=valid_to,
               last=by.day(terms.ends)),
    ))  # fmt: skip
    return cost, until


def example_cost(terms: Terms) -> tuple[Decimal, Decimal]:
    """Return an amount that people think in and its interest of a month of 30 days.

    The amount is 1,000; where nobody can draw so much, or where a thousand buys nothing (lines of a
    million and more), the largest power of ten that the line covers.
    """
    unit = _USUAL_UNIT
    if not unit <= terms.limit < _MANY:
        unit = Decimal(10) ** terms.limit.adjusted()
    first = terms.first_day
    month = interest_of(unit, first, first + dt.timedelta(days=MONTH_DAYS), terms)
    return unit, terms.rounded(month)


def _entry(line: Line, currency: str, by: Writer) -> tuple[str, ...]:
    one = line.moved
    amounts = (one.draw, one.repay, line.interest_paid)
    told = (by.money(amount, currency) if amount else "–" for amount in amounts)
    return (by.day(one.on), *told, by.money(line.principal, currency))


def _ask(by: Writer, reasons: Sequence[Reason], kind: str) -> Part:
    texts = [by.say("ask_person", phone=by.phone)]
    office = by.settings.office_in(by.language)
    texts += [by.say("ask_office", office=office)] if office else []
    if kind in ("approve", "decline"):
        person = _BY_PERSON & {reason.code for reason in reasons}
        texts += [by.say("ask_facts"), by.say("by_person" if person else "by_rules")]
    return Part(by.say("ask"), texts=tuple(texts))


def _text(reason: Reason, by: Writer) -> str:
    return (reason.chinese if by.language == "zh" else reason.english).strip()


def _percent(rate: Decimal) -> str:
    return f"{(rate * 100).normalize():f}%"


@cache
def _words() -> dict[str, dict[str, str]]:
    return {row["key"]: {"en": row["english"], "zh": row["chinese"]}
            for row in table_rows("letter_words.csv")}  # fmt: skip
