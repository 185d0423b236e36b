"""The access log: who did what with whose data, when and for which purpose.

Owns the chain of entries in the vault itself. Each entry carries a keyed mark over itself and the
mark before it, and the vault keeps the marked end: without the vault's keys nobody can change, add,
remove or cut off an entry unseen.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fieldline.pipeline.records.actor import actor
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.sealing import mark
from fieldline.pipeline.vault.tables import ACCESS
from fieldline.pipeline.vault.vault import Vault, read_meta, write_meta

_LEAST_PURPOSE = 4


@dataclass(frozen=True)
class Act:
    """One act."""

    act: str
    """`store`, `show`, `export`, `erase`, `admit`, `rotate` or `take_over`."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Whom and how many it is about; no name among it."""
    purpose: str = ""


def stated_purpose(text: str) -> str:
    """Return a purpose as a person stated it.

    Raises:
        UserError: Nothing that says why.
    """
    purpose = " ".join(text.split())
    if len(purpose) < _LEAST_PURPOSE:
        raise UserError(
            f"the purpose {purpose!r} says nothing",
            "say why the data is looked at: --purpose 'call about offer 17'",
        )
    return purpose


def record(connection: sa.Connection, vault: Vault, act: Act) -> None:
    """Append an act to the log within a transaction that writes."""
    seq, previous = _end(connection, vault)
    entry = canonical(
        {
            "at": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
            "actor": actor(),
            "act": act.act,
            "purpose": act.purpose,
            **act.about,
        }
    )
    made = _mark(vault, seq + 1, previous, entry)
    connection.execute(sa.insert(ACCESS).values(seq=seq + 1, entry=entry, mark=made))
    write_meta(connection, {"access_head": _head(vault, seq + 1, made)})


def access_log(vault: Vault) -> list[dict[str, Any]]:
    """Return every entry of the log, oldest first.

    Raises:
        UserError: The log was changed or cut.
    """
    with vault.reading() as connection:
        rows = connection.execute(sa.select(ACCESS).order_by(ACCESS.c.seq)).all()
        head = read_meta(connection).get("access_head", "")
    previous = ""
    for place, row in enumerate(rows, start=1):
        if row.seq != place or row.mark != _mark(vault, place, previous, row.entry):
            raise vault.broken(f"entry {place} of the access log")
        previous = row.mark
    if head != (_head(vault, len(rows), previous) if rows else ""):
        raise vault.broken("the end of the access log")
    return [{"seq": row.seq, **json.loads(row.entry)} for row in rows]


def _end(connection: sa.Connection, vault: Vault) -> tuple[int, str]:
    last = connection.execute(
        sa.select(ACCESS.c.seq, ACCESS.c.mark).order_by(ACCESS.c.seq.desc()).limit(1)
    ).first()
    seq, made = (0, "") if last is None else (last.seq, last.mark)
    head = read_meta(connection).get("access_head", "")
    if head != (_head(vault, seq, made) if seq else ""):
        raise vault.broken("the end of the access log")
    return seq, made


def _mark(vault: Vault, seq: int, previous: str, entry: str) -> str:
    return mark(vault.integrity, f"{seq}\n{previous}\n{entry}".encode()).hex()


def _head(vault: Vault, seq: int, made: str) -> str:
    end = mark(vault.integrity, f"end\n{seq}\n{made}".encode()).hex()
    return f"{seq}:{end}"
