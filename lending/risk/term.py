"""Term: the probability of default within another number of days than it was learnt for.

Owns the one conversion between the two. A default model learns whether loans defaulted within their
own tenor; a product lends for another, and its price and limits need the probability of that one.
"""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from fieldline.pipeline.records.money import ceil_to_step

_STEP = Decimal("0.000001")
"""Probabilities enter a case to the next millionth, so that their text is exact."""


def days_of_loans(history: pd.DataFrame) -> int | None:
    """Return the median tenor of loans, days; None where no loan says when it was paid out.

    Args:
        history: Loan history with `disbursed_on` and `due_on`.
    """
    days = (history["due_on"] - history["disbursed_on"]).dropna().dt.days
    days = days[days > 0]
    return None if days.empty else round(float(days.median()))


def pd_within(pd: Decimal, learnt_days: int | None, days: int) -> Decimal:
    """Return the probability of default within a number of days: 1 - (1 - PD)^(days / learnt).

    Args:
        pd: Probability of default within `learnt_days`, in [0, 1].
        learnt_days: Tenor of the loans that it was learnt from; None where they say none, and the
            product's own is taken.
        days: Tenor of the product.

    Source: a constant hazard; from a yearly PD it is 1 - (1 - PD)^t.
    """
    if learnt_days is None or learnt_days == days:
        return pd
    return ceil_to_step(1 - (1 - pd) ** (Decimal(days) / learnt_days), _STEP)
