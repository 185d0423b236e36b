"""Persons: who stands behind a pseudonym, sealed one by one.

Owns writing and finding them. A county and season is replaced as one transaction, so that a rerun
is idempotent, two counties may write at once and a person who left the input leaves the vault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from fieldline.pipeline.vault.access import Act, record
from fieldline.pipeline.vault.sealing import BrokenSealError, Sealed, mark, place_of, seal, unseal
from fieldline.pipeline.vault.tables import BATCHES, ERASED, PERSONS
from fieldline.pipeline.vault.vault import Vault, insert_rows

_MODULUS = 1 << 256
_READ_ROWS = 10_000


@dataclass(frozen=True)
class Person:
    """Who stands behind a pseudonym; shows nothing of it where it is printed."""

    farmer_id: str
    """Pseudonym."""
    farmer_ref: str = field(repr=False)
    """The lender's own reference."""
    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    id_number: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Batch:
    """The records of one county and season."""

    county: str
    season: str
    persons: int
    """How many there are."""
    total: int
    """Sum of their marks."""


def store_persons(vault: Vault, county: str, season: str, persons: Sequence[Person]) -> None:
    """Replace the persons of one county and season; those who were erased are left out.

    Args:
        vault: Open vault.
        county: County code.
        season: Season name.
        persons: One per farmer.

    Raises:
        UserError: The vault cannot be written.
    """
    rows = sealed_rows(vault, county, season, persons)
    with vault.writing() as connection:
        put_rows(connection, vault, county, season, rows)


def add_person(vault: Vault, county: str, season: str, person: Person) -> bool:
    """Add one person to a county and season, as its only record there.

    Args:
        vault: Open vault.
        county: County code.
        season: Season name.
        person: Who it is.

    Returns:
        Whether the person is new there; who is known or was erased is left as it is.

    Raises:
        UserError: The vault cannot be written.
    """
    row = _sealed_row(vault, county, season, person)
    with vault.writing() as connection:
        here = (PERSONS.c.farmer_id == person.farmer_id, *_here(PERSONS, county, season))
        known = connection.scalar(sa.select(PERSONS.c.farmer_id).where(*here))
        gone = sa.select(ERASED.c.farmer_id).where(ERASED.c.farmer_id == person.farmer_id)
        if known is not None or connection.scalar(gone) is not None:
            return False
        insert_rows(connection, PERSONS, [row])
        batch = connection.execute(
            sa.select(BATCHES).where(*_here(BATCHES, county, season))
        ).first()
        count, total = (0, 0) if batch is None else (batch.persons, int(batch.mark, 16))
        total = (total + row_mark(vault, *row)) % _MODULUS
        state = write_batch(connection, Batch(county, season, count + 1, total))
        record(connection, vault, Act("store", state))
    return True


def put_rows(
    connection: sa.Connection, vault: Vault, county: str, season: str, rows: Sequence[SealedRow]
) -> None:
    """Replace the sealed rows of one county and season within a transaction."""
    gone = set(connection.scalars(sa.select(ERASED.c.farmer_id)))
    kept = [row for row in rows if row[2] not in gone]
    connection.execute(sa.delete(PERSONS).where(*_here(PERSONS, county, season)))
    insert_rows(connection, PERSONS, kept)
    total = sum(row_mark(vault, *row) for row in kept) % _MODULUS
    state = write_batch(connection, Batch(county, season, len(kept), total))
    record(connection, vault, Act("store", state))


SealedRow = tuple[str, str, str, str, str]
"""A row of `vault_persons`."""


def _sealed_row(vault: Vault, county: str, season: str, person: Person) -> SealedRow:
    place = place_of(county, season, person.farmer_id)
    values = [person.farmer_ref, person.name, person.phone, person.id_number]
    return (county, season, person.farmer_id, *seal(vault.master, place, values))


def sealed_rows(
    vault: Vault, county: str, season: str, persons: Sequence[Person]
) -> list[SealedRow]:
    """Return the rows of persons."""
    return [_sealed_row(vault, county, season, person) for person in persons]


def row_mark(
    vault: Vault, county: str, season: str, farmer_id: str, _data_key: str, record: str
) -> int:
    """Return the keyed mark of a row; how its data key is wrapped does not count."""
    text = place_of(county, season, farmer_id, record)
    return int.from_bytes(mark(vault.integrity, text), "big")


def write_batch(connection: sa.Connection, batch: Batch) -> dict[str, str | int]:
    """Write how many records a county and season has and the sum of their marks; return the row."""
    connection.execute(sa.delete(BATCHES).where(*_here(BATCHES, batch.county, batch.season)))
    row: dict[str, str | int] = {
        "county": batch.county,
        "season": batch.season,
        "persons": batch.persons,
        "mark": f"{batch.total % _MODULUS:064x}",
    }
    connection.execute(sa.insert(BATCHES).values(row))
    return row


def find_person(vault: Vault, farmer_id: str) -> Person | None:
    """Return the person of a pseudonym as of the latest season by name, or None.

    Raises:
        UserError: The record was changed or exchanged.
    """
    query = sa.select(PERSONS).where(PERSONS.c.farmer_id == farmer_id)
    query = query.order_by(PERSONS.c.season.desc(), PERSONS.c.county).limit(1)
    with vault.reading() as connection:
        row = connection.execute(query).first()
    return None if row is None else open_row(vault, row)


def persons_of(vault: Vault, county: str, season: str) -> Iterator[Person]:
    """Yield the persons of a county and season, ordered by pseudonym, none missing.

    Raises:
        UserError: A record was changed, exchanged or removed.
    """
    query = sa.select(PERSONS).where(*_here(PERSONS, county, season)).order_by(PERSONS.c.farmer_id)
    batch = sa.select(BATCHES).where(*_here(BATCHES, county, season))
    count = total = 0
    with vault.reading() as connection:
        known = connection.execute(batch).first()
        rows = connection.execution_options(yield_per=_READ_ROWS).execute(query)
        for row in rows:
            count, total = count + 1, total + row_mark(vault, *row)
            yield open_row(vault, row)
    told = (0, "0" * 64) if known is None else (known.persons, known.mark)
    if told != (count, f"{total % _MODULUS:064x}"):
        raise vault.broken(f"the list of county {county} and season {season}")


def open_row(vault: Vault, row: sa.Row[tuple[str, str, str, str, str]]) -> Person:
    """Return the person of a row.

    Raises:
        UserError: The record was changed or exchanged.
    """
    county, season, farmer_id, data_key, sealed = row
    place = place_of(county, season, farmer_id)
    try:
        ref, name, phone, number = unseal(vault.master, place, Sealed(data_key, sealed))
    except BrokenSealError as error:
        raise vault.broken(f"the record of farmer {farmer_id} ({county} {season})") from error
    return Person(farmer_id, ref or "", name, phone, number)


def _here(table: sa.Table, county: str, season: str) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.county == county, table.c.season == season
