"""Erasure: a farmer's data destroyed at their wish, and kept destroyed.

Owns the end of the data keys and the register of those who were erased. Offers, decisions and their
audit chain hold the pseudonym alone and stay as they were; without the record nobody is behind it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.access import Act, record
from fieldline.pipeline.vault.persons import Batch, row_mark, write_batch
from fieldline.pipeline.vault.tables import BATCHES, ERASED, PERSONS
from fieldline.pipeline.vault.vault import Vault


@dataclass(frozen=True)
class Erasure:
    """What an erasure did."""

    records: int
    """Records destroyed, one for each county and season; none where it was done before."""
    erased_at: str
    """Time of the erasure, UTC."""


def erased_farmers(vault: Vault) -> dict[str, str]:
    """Return when each erased farmer was erased, UTC, by pseudonym."""
    with vault.reading() as connection:
        return {row.farmer_id: row.erased_at for row in connection.execute(sa.select(ERASED))}


def refuse_unknown(vault: Vault, farmer_id: str) -> None:
    """Refuse a farmer whom the vault never had.

    Raises:
        UserError: It knows no such farmer.
    """
    of_farmer = sa.select(PERSONS.c.county).where(PERSONS.c.farmer_id == farmer_id).limit(1)
    with vault.reading() as connection:
        there = connection.execute(of_farmer).first() is not None
        if not there and _erased_at(connection, farmer_id) is None:
            raise unknown_farmer(vault, farmer_id)


def erase(vault: Vault, farmer_id: str, purpose: str) -> Erasure:
    """Destroy the records of a farmer with their keys, and let nobody take the farmer in again.

    Args:
        vault: Open vault.
        farmer_id: Pseudonym.
        purpose: Who asked for it and when.

    Raises:
        UserError: The vault knows no such farmer.
    """
    with vault.writing() as connection:
        before = _erased_at(connection, farmer_id)
        rows = connection.execute(sa.select(PERSONS).where(PERSONS.c.farmer_id == farmer_id)).all()
        if not rows and before is None:
            raise unknown_farmer(vault, farmer_id)
        left = [_forget(connection, vault, row) for row in rows]
        connection.execute(sa.delete(PERSONS).where(PERSONS.c.farmer_id == farmer_id))
        at = before or dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds")
        if before is None:
            connection.execute(sa.insert(ERASED).values(farmer_id=farmer_id, erased_at=at))
        about = {"farmer_id": farmer_id, "left": left}
        record(connection, vault, Act("erase", about, purpose))
    return Erasure(len(rows), at)


def admit(vault: Vault, farmer_id: str, purpose: str) -> None:
    """Let a farmer who was erased be taken in again; who asks has seen the new consent.

    Raises:
        UserError: The farmer was not erased.
    """
    with vault.writing() as connection:
        if _erased_at(connection, farmer_id) is None:
            raise not_erased(vault, farmer_id)
        connection.execute(sa.delete(ERASED).where(ERASED.c.farmer_id == farmer_id))
        record(connection, vault, Act("admit", {"farmer_id": farmer_id}, purpose))


def unknown_farmer(vault: Vault, farmer_id: str) -> UserError:
    """Return the sentence about a pseudonym that the vault does not know."""
    return UserError(
        f"the vault {vault.name} knows no farmer {farmer_id}",
        "give the farmer_id of offers.csv, or the lender's own reference",
    )


def not_erased(vault: Vault, farmer_id: str) -> UserError:
    """Return the sentence about a farmer whom nothing keeps out."""
    return UserError(
        f"farmer {farmer_id} was not erased from the vault {vault.name}",
        "run intake: nothing keeps the farmer out",
    )


def _erased_at(connection: sa.Connection, farmer_id: str) -> str | None:
    query = sa.select(ERASED.c.erased_at).where(ERASED.c.farmer_id == farmer_id)
    return connection.scalar(query)


def _forget(
    connection: sa.Connection, vault: Vault, row: sa.Row[tuple[str, str, str, str, str]]
) -> dict[str, str | int]:
    """Take a record out of its county and season; return what is left there."""
    county, season = row[0], row[1]
    here = (BATCHES.c.county == county, BATCHES.c.season == season)
    batch = connection.execute(sa.select(BATCHES).where(*here)).first()
    if batch is None:
        raise vault.broken(f"the list of county {county} and season {season}")
    total = int(batch.mark, 16) - row_mark(vault, *row)
    return write_batch(connection, Batch(county, season, batch.persons - 1, total))
