"""Money: `Decimal` in arithmetic, integer minor units in files, one rounding at posting.

Owns the exponents of the currencies, the conversions and the two roundings of an offer (limits down
to a step, rates up to a step); knows no product and no policy. An amount in minor units means
nothing without its currency: every conversion asks for it, and `Money` carries it where amounts of
several could meet.

Source: ISO 4217:2015, list one as published on 2026-01-01.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import cache

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import TableRow, table_rows

#: Currency codes by their exponent. Codes without one (metals, baskets, test codes) are left out:
#: nobody lends in them.
_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
        CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
        GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD
        LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB
        PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
        SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW
        ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS = {code: digits for digits, codes in _BY_EXPONENT.items() for code in codes.split()}


def exponent(currency: str) -> int:
    """Return how many decimals an amount of the currency has.

    Raises:
        UserError: No currency of ISO 4217 has this code, or none any more.
    """
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise _unknown(currency) from None


def in_force(currency: str) -> str:
    """Return a code that a setting names, as pydantic wants its refusals.

    Raises:
        ValueError: As `exponent`, in one sentence.
    """
    try:
        exponent(currency)
    except UserError as error:
        raise ValueError(f"{error.problem}; {error.remedy}") from error
    return currency


def currency_of(row: TableRow) -> str:
    """Return the code in column `currency` of a table's row.

    Raises:
        UserError: As `exponent`, with the table and the row.
    """
    currency = row.text("currency")
    try:
        exponent(currency)
    except UserError as error:
        raise UserError(f"{row.table}, row {row.number}: {error.problem}", error.remedy) from error
    return currency


def _unknown(code: str) -> UserError:
    """Return what to say of a code without exponent, by what its writer may have meant."""
    meant = code.strip().upper()
    if meant in _EXPONENTS:
        return UserError(f"{code!r} is no currency code as ISO 4217 writes it", f"write {meant}")
    if meant in _historic():
        now = _historic()[meant]
        return UserError(
            f"{code!r} is a currency that is no longer in force",
            f"use {now}, with every amount and price in {now}",
        )
    return UserError(f"{code!r} is no currency of ISO 4217", "give a code in force, such as CNY")


@cache
def _historic() -> dict[str, str]:
    """Return the code that took a withdrawn one's place, by the withdrawn one."""
    return {row["code"]: row["now"] for row in table_rows("historic_currencies.csv")}


def minor_units(currency: str) -> int:
    """Return how many minor units make one unit of the currency."""
    return int(10 ** exponent(currency))


def to_minor(amount: Decimal, currency: str) -> int:
    """Return currency units as whole minor units, half to even."""
    return int((amount * minor_units(currency)).to_integral_value(rounding=ROUND_HALF_EVEN))


def from_minor(minor: int, currency: str) -> Decimal:
    """Return minor units as currency units."""
    return Decimal(minor) / minor_units(currency)


def written(minor: int, currency: str) -> str:
    """Write an amount for machines, with all decimals that its currency has: `12300.00`."""
    return f"{from_minor(minor, currency):.{exponent(currency)}f}"


def shown(minor: int, currency: str) -> str:
    """Write an amount for people: `CNY 12,300`, decimals only where there are any."""
    amount = from_minor(minor, currency)
    whole = amount == amount.to_integral_value()
    return f"{currency} {amount:,.{0 if whole else exponent(currency)}f}"


_CHINESE = {
    "CNY": "元", "USD": "美元", "EUR": "欧元", "JPY": "日元", "HKD": "港元", "GBP": "英镑",
    "VND": "越南盾", "KRW": "韩元", "THB": "泰铢", "INR": "卢比", "KZT": "坚戈", "MMK": "缅元",
}  # fmt: skip
"""Names of currencies in Chinese; any other is written by its code."""

_WAN, _YI = 10_000, 100_000_000


def shown_chinese(minor: int, currency: str) -> str:
    """Write an amount for Chinese readers: `2800元`, `1.36万元`, `13611.11元`, `1.2亿元`.

    From ten thousand on it is counted in 万, from a hundred million in 亿, where two decimals say
    it exactly; groups of three digits are misread by who counts by ten thousands: there are none.
    """
    amount = from_minor(minor, currency)
    name = _CHINESE.get(currency, f" {currency}")
    for unit, word in ((_YI, "亿"), (_WAN, "万")):
        part = amount / unit
        if abs(part) >= 1 and part == part.quantize(Decimal("0.01")):
            return f"{part.normalize():f}{word}{name}"
    whole = amount == amount.to_integral_value()
    return f"{amount:.{0 if whole else exponent(currency)}f}{name}"


@dataclass(frozen=True)
class Money:
    """An amount that knows its currency; two currencies never add up."""

    minor: int
    """Whole minor units."""
    currency: str
    """ISO 4217 code."""

    def __post_init__(self) -> None:
        exponent(self.currency)

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> Money:
        """Return currency units as money, half a minor unit to the even one."""
        return cls(to_minor(amount, currency), currency)

    @property
    def amount(self) -> Decimal:
        """The same in currency units."""
        return from_minor(self.minor, self.currency)

    def minor_in(self, currency: str) -> int:
        """Return the minor units, for a reader who reckons in `currency`.

        Raises:
            UserError: The money is of another currency, and no exchange rate is ever assumed.
        """
        if currency != self.currency:
            raise UserError(
                f"{self} cannot be reckoned in {currency}", f"state the amount in {currency}"
            )
        return self.minor

    def __str__(self) -> str:
        return shown(self.minor, self.currency)


def floor_to_step(amount: Decimal, step: Decimal) -> Decimal:
    """Round an amount down to a multiple of `step`; a negative amount becomes zero.

    Rounding down keeps a limit under every cap that it was the least of.
    """
    if amount <= 0:
        return Decimal(0)
    return (amount / step).to_integral_value(rounding=ROUND_FLOOR) * step


def ceil_to_step(rate: Decimal, step: Decimal) -> Decimal:
    """Round a rate up to a multiple of `step`, so that rounding never lends at a loss."""
    return (rate / step).to_integral_value(rounding=ROUND_CEILING) * step


def plain(amount: Decimal) -> str:
    """Write a decimal without exponent or trailing noise: `12300.00`, `0.0525`."""
    return format(amount, "f")


def shown_amount(amount: Decimal, currency: str) -> str:
    """Write currency units for people, rounded to whole minor units first."""
    return shown(to_minor(amount, currency), currency)


def split_evenly(minor: int, weights: list[int]) -> list[int]:
    """Split minor units in proportion to weights so that the parts sum to the whole.

    Args:
        minor: Amount to split, not negative.
        weights: Non-negative weights; all zero means equal parts.

    Returns:
        Parts by largest remainder, earlier parts first among equals.
    """
    effective = weights if any(weights) else [1] * len(weights)
    total = sum(effective)
    parts = [minor * weight // total for weight in effective]
    remainders = [minor * weight % total for weight in effective]
    order = sorted(range(len(parts)), key=lambda i: (-remainders[i], i))
    for index in order[: minor - sum(parts)]:
        parts[index] += 1
    return parts
