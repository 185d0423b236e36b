"""Whether a loan product of Fineract lends on the terms of the offers that are brought to it.

Owns what Fineract takes from the product whatever an application says: the money it counts in, the
period that a rate is of, and every field that the product does not let an application override. An
application is taken all the same, at other terms than were offered: so this is asked before.

Source: Apache Fineract, LoanScheduleAssembler and LoanProductConfigurableAttributes (4198b0b).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fieldline.lending.handover.settings import FineractProduct
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import exponent

_OVERRIDDEN = ("repaymentEvery", "interestType", "interestCalculationPeriodType",
               "transactionProcessingStrategyCode")  # fmt: skip
"""Fields of an application that count only where the product lets them be overridden; the way of
amortization too, but of a single repayment there is but one."""
_PERIODS = {0: "days", 1: "weeks", 2: "months", 3: "years"}

Row = Mapping[str, Any]


def decimals_of(product: FineractProduct) -> int:
    """Return how many decimals a product counts in."""
    return exponent(product.currency) if product.digits is None else product.digits


def refuse_unlike(one: FineractProduct, there: Row | None, bodies: Iterable[Row]) -> None:
    """Refuse a loan product that would lend otherwise than its applications say.

    Args:
        one: The product as configured.
        there: As the core system has it; None where it has none.
        bodies: Applications to it.

    Raises:
        UserError: It is absent, or counts, prices or repays otherwise.
    """
    if there is None:
        raise UserError(
            f"Fineract has no loan product {one.product_id}", "correct handover.fineract.products"
        )
    for told in _unlike(one, there, bodies):
        raise UserError(
            f"loan product {one.product_id} of Fineract {told}",
            "correct that product, or name another in handover.fineract.products",
        )


def _unlike(one: FineractProduct, there: Row, bodies: Iterable[Row]) -> Iterator[str]:
    """Yield what differs, as the end of a sentence."""
    money = there.get("currency") or {}
    code, decimals = money.get("code"), money.get("decimalPlaces")
    if (code, decimals) != (one.currency, decimals_of(one)):
        yield (
            f"counts in {code} with {decimals} decimals, the configuration says {one.currency} "
            f"with {decimals_of(one)}"
        )
    basis = _told(there, "daysInYearType")
    if one.day_basis is not None and basis != one.day_basis:
        yield f"has daysInYearType {basis}, the configuration says day_basis {one.day_basis}"
    free = there.get("allowAttributeOverrides") or {}
    for body in bodies:
        period = _told(there, "interestRateFrequencyType")
        if period != body["interestRateFrequencyType"]:
            yield f"takes rates as of {_PERIODS.get(period, period)}, and offers are priced by year"
        for name in _OVERRIDDEN:
            if free.get(name, True) is False and _told(there, name) != body[name]:
                yield (f"fixes {name} at {_told(there, name)}, and the offers need {body[name]}")


def _told(there: Row, name: str) -> Any:
    """Return a field's value: of a choice its number."""
    value = there.get(name)
    return value.get("id") if isinstance(value, Mapping) else value
