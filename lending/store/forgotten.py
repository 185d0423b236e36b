"""Forgotten: what the store lets go of when a farmer is erased.

Owns that no outline of the farmer outlasts the erasure: table `land` of every county and season,
and what applications brought. Offers, decisions, acts and their audit chain hold the pseudonym
alone and stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import time

import sqlalchemy as sa

from fieldline.lending.store.applied import OPEN, REFUSED
from fieldline.lending.store.database import APPLICATIONS, LAND, posting

_NOTHING = "{}"
"""Body of an application of which nothing is left."""


@dataclass(frozen=True)
class Forgotten:
    """What the store held of a farmer's land."""

    outlines: int = 0
    """Rows of table `land`, of all counties and seasons."""
    applications: int = 0
    """Applications that were emptied."""


def forget(engine: sa.Engine, farmer_id: str, *, clock: Callable[[], float] = time) -> Forgotten:
    """Remove the outlines of a farmer; an application that is still open ends refused.

    Args:
        engine: Open store.
        farmer_id: Pseudonym.
        clock: Seconds since 1970.

    Raises:
        UserError: As `posting`; nothing is removed.
    """
    own = APPLICATIONS.c.farmer_id == farmer_id
    ended = {
        "status": REFUSED, "finished_at": clock(), "worker": None, "held_until": None,
        "problem": "the farmer asked to be forgotten.",
    }  # fmt: skip
    with posting(engine) as connection:
        if connection.dialect.name == "sqlite":  # which leaves the bytes of what it deletes
            connection.exec_driver_sql("PRAGMA secure_delete = ON").close()
        land = connection.execute(sa.delete(LAND).where(LAND.c.farmer_id == farmer_id))
        open_ones = sa.update(APPLICATIONS).where(own, APPLICATIONS.c.status.in_(OPEN))
        connection.execute(open_ones.values(**ended))
        full = sa.update(APPLICATIONS).where(own, APPLICATIONS.c.body != _NOTHING)
        emptied = connection.execute(full.values(body=_NOTHING, sealed=None))
    return Forgotten(land.rowcount, emptied.rowcount)
