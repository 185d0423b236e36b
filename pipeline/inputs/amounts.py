"""Amounts of money in cells: a number, perhaps its currency, and no more decimals than it has.

Owns the reading of amounts into minor units of the row's currency. An amount with three decimals in
a currency of two is refused: it is a thousand that somebody wrote with a point.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.pipeline.inputs.numbers import (
    Mark,
    NotANumberError,
    Written,
    folded_text,
    written,
)
from fieldline.pipeline.inputs.schema import InputColumn, Problem
from fieldline.pipeline.inputs.values import BadCellError, FileFacts, Values, as_text
from fieldline.pipeline.records.money import exponent, to_minor
from fieldline.pipeline.records.reference import table_rows

#: Above this no number of minor units is an amount that a farmer or a bank deals in.
_MOST_MINOR = 10**15


@cache
def _spellings() -> dict[str, dict[str, int]]:
    """Return, by folded spelling, the currencies that it may mean and their factor."""
    found: dict[str, dict[str, int]] = {}
    for row in table_rows("currency_names.csv"):
        spelling = folded_text(row["name"]).casefold()
        found.setdefault(spelling, {})[row["currency"]] = int(row["factor"])
    return found


def currency_code(cell: str, currency: str) -> str:
    """Return the currency that a cell names; `currency` where its spelling may mean it.

    Unknown spellings come back as written in capitals, so that they can be told.
    """
    plain = folded_text(cell)
    may_be = _spellings().get(plain.casefold(), {})
    if currency in may_be:
        return currency
    return next(iter(may_be)) if len(may_be) == 1 else plain.upper()


def currency_and_factor(spelling: str, currency: str) -> tuple[str, int]:
    """Return what a spelling means (`万元` is 10,000 CNY): `currency` where it may mean that."""
    code = currency_code(spelling, currency)
    return code, _spellings().get(folded_text(spelling).casefold(), {}).get(code, 1)


def read_amounts(cells: pa.Array, column: InputColumn, currency: str, facts: FileFacts) -> Values:
    """Read a column of amounts into whole minor units (`Int64`, missing where blank or refused).

    Args:
        cells: Text or numbers, in units of the currency.
        column: What it should hold.
        currency: Currency of the column's rows.
        facts: Decimal mark of the file.
    """
    mark: Mark | None = facts.mark if pa.types.is_string(cells.type) else "."
    encoded = as_text(cells).dictionary_encode()
    amounts: list[int | None] = []
    wrong: dict[int, str] = {}
    for place, cell in enumerate(encoded.dictionary.to_pylist()):
        try:
            amounts.append(amount(cell, column, currency, mark))
        except BadCellError as error:
            amounts.append(None)
            wrong[place] = error.code
    codes = encoded.indices.fill_null(len(amounts)).to_numpy(zero_copy_only=False)
    values = np.array([*amounts, None], dtype=object)[codes]
    problems = [
        Problem(int(row) + 1, column.name, wrong[int(codes[row])], str(cells[int(row)])[:40])
        for row in (np.flatnonzero(np.isin(codes, list(wrong))) if wrong else ())
    ]
    series: pd.Series[Any] = pd.Series(values).astype("Int64")
    return Values(series, problems)


def amount(cell: str, column: InputColumn, currency: str, mark: Mark | None) -> int | None:
    """Return one amount in minor units; None where the cell is blank.

    Raises:
        BadCellError: It is no amount of this currency.
    """
    try:
        number = written(cell)
        if number is None:
            return None
        factor = _factor(number, currency)
        value = number.value(mark)
    except NotANumberError as error:
        code = "input_ambiguous_number" if error.ambiguous else "input_not_a_number"
        raise BadCellError(code) from error
    read_as_decimal = number.is_open and mark is not None and mark in number.digits
    whole = value * factor * 10 ** exponent(currency)
    too_fine = whole != whole.to_integral_value() and not column.rounded
    if (read_as_decimal and exponent(currency) != 3) or too_fine:
        raise BadCellError("input_too_many_decimals")
    minor = to_minor(value * factor, currency)
    if abs(minor) > _MOST_MINOR or (column.minimum is not None and minor < column.minimum):
        raise BadCellError("input_out_of_range")
    return minor


def _factor(number: Written, currency: str) -> int:
    """Return the factor of what stands beside the number (`1.2万元`).

    Raises:
        BadCellError: It names another currency.
    """
    factor = 1
    for beside in (number.before, number.after):
        if not beside:
            continue
        may_be = _spellings().get(folded_text(beside).casefold())
        if may_be is None:
            raise BadCellError("input_not_a_number")
        if currency not in may_be:
            raise BadCellError("input_other_currency")
        factor *= may_be[currency]
    return factor
