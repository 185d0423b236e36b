"""A farmer's case, and the offer and letter of any decision on it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fieldline.desk.letters.content import Language, Letter, Writer, decision_letter
from fieldline.desk.letters.settings import LetterSettings
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import Decision
from fieldline.lending.decision.reasons import Reason
from tests.lending import conftest as lending

case = lending.case

SETTINGS = LetterSettings(
    lender="Green Valley Rural Bank", lender_chinese="青谷农村商业银行", phone="0551-12345",
    office="12 Station Road, Heqiao", office_chinese="河桥镇车站路12号",
)  # fmt: skip


def writer(language: Language, **others: Any) -> Writer:
    """Return who writes to the farmer."""
    return Writer(**{"settings": SETTINGS, "language": language, "name": "王小明"} | others)


def offer_of(of: Case, decision: Decision) -> dict[str, Any]:
    """Return the row of table `offers` of a decision."""
    approved = decision.access == "approve"
    return {
        "offer_id": "3f9c81d2", "county": "C1", "season": "2024", "farmer_id": "F1",
        "product": "season-line", "access": decision.access, "currency": of.currency,
        "limit_minor": decision.limit_minor if approved else None,
        "annual_rate": str(decision.annual_rate) if approved else None, "tenor_days": 330,
        "day_basis": 360, "valid_from": dt.date(2024, 6, 15), "valid_to": dt.date(2024, 9, 13),
        "decision_id": decision.decision_id,
    }  # fmt: skip


def letter_of(
    of: Case, decision: Decision, language: Language, reasons: tuple[Reason, ...] | None = None
) -> Letter:
    """Return the letter of a decision."""
    told = decision.reasons if reasons is None else reasons
    return decision_letter(offer_of(of, decision), told, writer(language))
