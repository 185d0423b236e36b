"""A loan application of Apache Fineract, made of an approved offer.

Owns which field says what, and the coded reason why an offer becomes no application. Knows no
network and no file. A revolving line is applied for as one loan of its whole limit, repaid at the
end of the tenor, with interest by the day: what is drawn and repaid in between is Fineract's.

Source: Apache Fineract, `POST /loans` (LoanApplicationValidator at commit 4198b0b, October 2024),
`POST /loans/{loan}/guarantors` (GuarantorCommand, GuarantorCommandFromApiJsonDeserializer).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fieldline.lending.handover.product import decimals_of
from fieldline.lending.handover.settings import FineractGuarantor, FineractProduct
from fieldline.pipeline.records.money import from_minor, plain
from fieldline.pipeline.records.outcomes import detail

LOCALE, DATE_FORMAT = "en", "yyyy-MM-dd"
"""Amounts are texts like `12345.00`, days like 2024-06-15."""
_DAYS, _YEARS = 0, 3
"""Codes of PeriodFrequencyType."""
_EQUAL_INSTALLMENTS, _DECLINING_BALANCE, _DAILY = 1, 0, 0
"""Codes of AmortizationMethod, InterestMethod and InterestCalculationPeriodMethod."""
_CLIENT, _OUTSIDER = 1, 3
"""Codes of GuarantorType."""
_LONGEST_NAME, _LONGEST_TEXT = 50, 200
_BASES = (360, 364, 365)
"""Fixed days of a year that Fineract knows."""
_MOST_ID = 2**63 - 1
_RATE_DECIMALS = 6
"""Decimals of a rate in percent that Fineract keeps."""
_SIMULATED = "SIMULATED, no real farmer: "


@dataclass(frozen=True)
class Held:
    """Why an offer becomes no application."""

    outcome: str
    """A code of data/outcome_codes.csv."""
    detail: str = ""


@dataclass(frozen=True)
class Draft:
    """An application that lacks only the client."""

    farmer_id: str
    offer_id: str
    product: FineractProduct
    body: Mapping[str, Any]
    guarantor: Mapping[str, Any] | None = None
    """Body of `POST /loans/{loan}/guarantors`; None where nobody covers the line."""

    def of_client(self, client_id: int) -> dict[str, Any]:
        """Return the body of `POST /loans` for a client."""
        return {"clientId": client_id, **self.body}


def draft(
    offer: Mapping[str, Any],
    products: Sequence[FineractProduct],
    on: dt.date,
    *,
    guarantors: Sequence[FineractGuarantor] = (),
    simulated: bool = False,
) -> Draft | Held:
    """Return the application of an offer, or why there is none.

    Args:
        offer: Row of table `offers`.
        products: Which loan product takes which offers.
        on: Day of the application and of the expected disbursement.
        guarantors: Who covers lines, as the core system knows them.
        simulated: Whether the farmer is a simulated one, which the application then says.
    """
    if offer["access"] != "approve":
        return Held("no_offer", detail(access=offer["access"]))
    if offer["valid_to"] < on:
        return Held("offer_expired", detail(valid_to=offer["valid_to"]))
    if offer["valid_from"] > on:
        return Held("offer_not_yet", detail(valid_from=offer["valid_from"]))
    product = _product_of(offer, products)
    if product is None:
        return Held(
            "product_unmapped", detail(product=offer["product"], currency=offer["currency"])
        )
    if product.day_basis is None and offer["day_basis"] not in _BASES:
        return Held("day_basis_differs", detail(offer=offer["day_basis"]))
    if product.day_basis not in (None, offer["day_basis"]):
        return Held("day_basis_differs", detail(offer=offer["day_basis"], core=product.day_basis))
    amount = _digits(from_minor(offer["limit_minor"], offer["currency"]), decimals_of(product))
    rate = _digits(Decimal(offer["annual_rate"]) * 100, _RATE_DECIMALS)
    if amount is None or rate is None:
        return Held("amount_inexact", detail(digits=decimals_of(product)))
    covers = offer.get("guarantor")
    known = next((one for one in guarantors if one.guarantor == covers), None)
    if covers is not None and known is None:
        return Held("guarantor_unmapped", detail(guarantor=covers))
    return Draft(offer["farmer_id"], offer["offer_id"], product,
                 _body(offer, product, (amount, rate), on, simulated),
                 None if known is None else _guarantor(offer, known))  # fmt: skip


def guarantor_key(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells one guarantor of a loan from another: no field of it is an id of ours."""
    names = ("entityId",) if body["guarantorTypeId"] == _CLIENT else ("firstname", "lastname")
    return (body["guarantorTypeId"], *(body.get(name) for name in names))


def _guarantor(offer: Mapping[str, Any], known: FineractGuarantor) -> dict[str, Any]:
    """Return the body of a guarantor: a client, or an outsider under two names, which are a must.

    An amount would have to be held on a savings account, and companies have none there: so it
    stands in words.
    """
    if known.client_id is not None:
        return {"guarantorTypeId": _CLIENT, "entityId": known.client_id, "locale": LOCALE}
    return {
        "guarantorTypeId": _OUTSIDER, "firstname": known.name.strip(),
        "lastname": known.guarantor[:_LONGEST_NAME], "comment": _covered(offer), "locale": LOCALE,
    }  # fmt: skip


def _covered(offer: Mapping[str, Any]) -> str:
    amount = from_minor(offer["covered_minor"], offer["currency"])
    return f"{offer['guarantor']} covers {offer['currency']} {plain(amount)}"[:_LONGEST_TEXT]


def client_number(reference: str) -> int | None:
    """Return the client id that a lender's reference is; None where it is none."""
    if not (reference.isascii() and reference.isdigit()):
        return None
    number = int(reference)
    return number if 0 < number <= _MOST_ID else None


def _product_of(
    offer: Mapping[str, Any], products: Sequence[FineractProduct]
) -> FineractProduct | None:
    key = (offer["product"], offer["currency"])
    return next((one for one in products if (one.product, one.currency) == key), None)


def _digits(value: Decimal, decimals: int) -> str | None:
    """Write a value with so many decimals, or return None where it needs more."""
    text = f"{value:.{decimals}f}"
    return text if Decimal(text) == value else None


def _body(
    offer: Mapping[str, Any], product: FineractProduct, told: tuple[str, str], on: dt.date,
    simulated: bool,
) -> dict[str, Any]:  # fmt: skip
    tenor = offer["tenor_days"]
    basis = {} if product.day_basis else {"daysInYearType": offer["day_basis"]}
    note = f"Fieldline offer {offer['offer_id']}, decision {offer['decision_id']}"
    note += f"; {_covered(offer)}" if offer.get("guarantor") is not None else ""
    return {
        "loanType": "individual",
        "productId": product.product_id,
        "externalId": offer["offer_id"],
        "principal": told[0],
        "loanTermFrequency": tenor,
        "loanTermFrequencyType": _DAYS,
        "numberOfRepayments": 1,
        "repaymentEvery": tenor,
        "repaymentFrequencyType": _DAYS,
        "interestRatePerPeriod": told[1],
        "interestRateFrequencyType": _YEARS,
        "amortizationType": _EQUAL_INSTALLMENTS,
        "interestType": _DECLINING_BALANCE,
        "interestCalculationPeriodType": _DAILY,
        "transactionProcessingStrategyCode": product.strategy,
        "submittedOnDate": on.isoformat(),
        "expectedDisbursementDate": on.isoformat(),
        "submittedOnNote": f"{_SIMULATED if simulated else ''}{note}",
        "dateFormat": DATE_FORMAT,
        "locale": LOCALE,
        **basis,
    }
