"""What providers ask for imagery and how often they may be asked: `data/provider_tariffs.csv`.

Owns prices, rates and the formula of processing units; counts nothing. A contract's own figures
(`pull.tariff`) go before the table's, those of the public offer on the day it was read.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cache
from importlib.resources import files

from fieldline.pipeline.imagery.settings import TariffSettings

_GB = 10**9
_RATES = ("requests_per_minute", "units_per_minute")
_PRICES = ("price_per_unit", "price_per_gb")
_SAMPLE_BYTES = 2
_PU_SIDE = 512
_PU_BANDS = 3
_LEAST_AREA = 0.01
_LEAST_UNITS = 0.005


@dataclass(frozen=True)
class Tariff:
    """Rates and prices of one provider."""

    requests_per_minute: float | None = None
    """None: no limit is published."""
    units_per_minute: float | None = None
    price_per_unit: Decimal | None = None
    """Of one processing unit; None where no price is known."""
    price_per_gb: Decimal | None = None
    """Of 10^9 bytes."""
    currency: str = ""
    source: str = ""
    checked_on: str = ""
    """Day on which the source was read."""

    def price(self, size: int, units: float) -> Decimal | None:
        """Return what bytes and processing units cost, rounded up to a cent; None: not known."""
        parts = [
            (self.price_per_unit, Decimal(repr(units))),
            (self.price_per_gb, Decimal(size) / _GB),
        ]
        if any(price is None and amount for price, amount in parts):
            return None
        whole = sum((price * amount for price, amount in parts if price is not None), Decimal(0))
        return whole.quantize(Decimal("0.01"), rounding=ROUND_CEILING)


@cache
def _table() -> dict[str, Tariff]:
    path = files("fieldline") / "data" / "provider_tariffs.csv"
    with path.open(encoding="utf-8") as handle:
        return {row["provider"]: _tariff(row) for row in csv.DictReader(handle)}


def _tariff(row: dict[str, str]) -> Tariff:
    rates = [float(row[name]) if row[name] else None for name in _RATES]
    prices = [Decimal(row[name]) if row[name] else None for name in _PRICES]
    words = row["currency"], row["source"], row["checked_on"]
    return Tariff(rates[0], rates[1], prices[0], prices[1], *words)


def tariff_of(provider: str, own: TariffSettings) -> Tariff:
    """Return a provider's tariff, the lender's own figures first.

    Args:
        provider: As `inputs.catalog` calls it: the services of one house differ in their rates.
        own: `pull.tariff`.
    """
    listed = _table().get(provider, Tariff())
    given = own.model_dump(exclude_none=True)
    if not given:
        return listed
    return Tariff(**{**vars(listed), **given, "source": "pull.tariff", "checked_on": ""})


def processing_units(height: int, width: int, bands: int) -> float:
    """Return the processing units of one request of the Process API.

    Args:
        height: Rows of the answer, pixels.
        width: Columns of the answer, pixels.
        bands: Input bands; the data mask is not counted.

    Returns:
        Units of one sample of up to 16 bits per pixel, without further processing.

    Source: Processing Unit definition, Sentinel Hub API overview.
    """
    area = max(_LEAST_AREA, height * width / _PU_SIDE**2)
    return max(_LEAST_UNITS, area * bands / _PU_BANDS)


def answer_bytes(height: int, width: int, bands: int) -> int:
    """Return the bytes of an answer of the Process API before it is compressed.

    Args:
        height: Rows, pixels.
        width: Columns, pixels.
        bands: Bands asked for, of 16 bits each; the data mask comes as one more.
    """
    return height * width * (bands + 1) * _SAMPLE_BYTES
