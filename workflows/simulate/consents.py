"""Consents of simulated farmers: most are in force, some ran out, were withdrawn or never given.

Owns one paper of the county; knows no offer.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

PURPOSE, RECIPIENT, DATA = "credit offer", "Simulated Rural Bank", "identity; offer"
_NEVER_GIVEN, _EXPIRED, _WITHDRAWN = 0.04, 0.03, 0.03


def consents_table(farmers: list[str], before: dt.date, rng: np.random.Generator) -> pd.DataFrame:
    """Return the consents of some farmers.

    Args:
        farmers: References, as in the outlines.
        before: Day before which all of them were given.
        rng: Generator of this paper alone.
    """
    rows = []
    for farmer, chance, days in zip(
        farmers, rng.random(len(farmers)), rng.integers(10, 150, len(farmers)), strict=True
    ):
        given = before - dt.timedelta(days=int(days))
        if chance < _NEVER_GIVEN:
            continue
        ends = chance < _NEVER_GIVEN + _EXPIRED
        withdrawn = not ends and chance < _NEVER_GIVEN + _EXPIRED + _WITHDRAWN
        rows.append(
            {
                "farmer_id": farmer, "purpose": PURPOSE, "data": DATA, "recipient": RECIPIENT,
                "given_on": given.isoformat(),
                "expires_on": (given + dt.timedelta(days=365)).isoformat() if ends else "",
                "withdrawn_on": (given + dt.timedelta(days=5)).isoformat() if withdrawn else "",
            }
        )  # fmt: skip
    columns = [
        "farmer_id",
        "purpose",
        "data",
        "recipient",
        "given_on",
        "expires_on",
        "withdrawn_on",
    ]
    return pd.DataFrame(rows, columns=columns)
