"""Rotation: the same records under another master key.

Owns wrapping every data key anew, as one transaction: a rotation that is killed never was, and may
be run again. Records themselves stay as they are, and so do their marks.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from fieldline.pipeline.vault.access import Act, record
from fieldline.pipeline.vault.sealing import BrokenSealError, MasterKey, place_of
from fieldline.pipeline.vault.tables import PERSONS
from fieldline.pipeline.vault.vault import (
    INTEGRITY,
    Vault,
    broken,
    integrity_key,
    read_meta,
    write_meta,
)


def rotate(vault: Vault, new: MasterKey) -> int:
    """Bring a vault under another master key; return how many records it holds.

    Args:
        vault: Vault, open under its present key.
        new: The key to come.

    Raises:
        UserError: A data key does not open; then nothing is changed.
    """
    with vault.writing() as connection:
        rewrap(connection, vault.master, new)
        count = connection.scalar(sa.select(sa.func.count()).select_from(PERSONS)) or 0
        about = {"from": vault.master.key_id, "to": new.key_id, "persons": count}
        record(connection, vault, Act("rotate", about))
    return int(count)


def rewrap(connection: sa.Connection, old: MasterKey, new: MasterKey) -> bytes:
    """Wrap every data key under another master key within a transaction.

    Returns:
        The key of marks, which stays.
    """
    integrity = integrity_key(connection.engine, read_meta(connection), old)
    shelves = sa.select(PERSONS.c.county, PERSONS.c.season).distinct()
    for county, season in connection.execute(shelves).all():
        _rewrap_shelf(connection, old, new, county, season)
    write_meta(connection, {"master": new.key_id, "integrity": new.wrap(integrity, INTEGRITY)})
    return integrity


def _rewrap_shelf(
    connection: sa.Connection, old: MasterKey, new: MasterKey, county: str, season: str
) -> None:
    here = (PERSONS.c.county == county, PERSONS.c.season == season)
    query = sa.select(PERSONS.c.farmer_id, PERSONS.c.data_key).where(*here)
    changed = []
    for farmer_id, wrapped in connection.execute(query).all():
        place = place_of(county, season, farmer_id)
        try:
            key = old.unwrap(wrapped, place)
        except BrokenSealError as error:
            what = f"the record of farmer {farmer_id} ({county} {season})"
            raise broken(connection.engine, what) from error
        changed.append((new.wrap(key, place), county, season, farmer_id))
    _update_keys(connection, changed)


def _update_keys(connection: sa.Connection, rows: Sequence[tuple[str, str, str, str]]) -> None:
    if connection.dialect.name == "postgresql":
        names = ("data_key", "county", "season", "farmer_id")
        arrays = ", ".join(f"CAST(:{name} AS text[])" for name in names)
        statement = (
            f"UPDATE {PERSONS.name} AS p SET data_key = n.data_key "
            f"FROM unnest({arrays}) AS n({', '.join(names)}) "
            "WHERE p.county = n.county AND p.season = n.season AND p.farmer_id = n.farmer_id"
        )
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(sa.text(statement), dict(zip(names, columns, strict=True)))
        return
    connection.exec_driver_sql(
        f"UPDATE {PERSONS.name} SET data_key = ? WHERE county = ? AND season = ? AND farmer_id = ?",
        list(rows),
    )
