"""Verification: whether every record opens, none is missing, and the log is whole.

Owns the look at the whole vault, which changes nothing; what is found is named, not mended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.access import access_log
from fieldline.pipeline.vault.erasure import erased_farmers
from fieldline.pipeline.vault.persons import persons_of
from fieldline.pipeline.vault.tables import BATCHES, PERSONS
from fieldline.pipeline.vault.vault import Vault


@dataclass(frozen=True)
class VaultReport:
    """What verification found; no problem means that everything is as it was written."""

    persons: int
    erased: int
    entries: int
    """Entries of the access log."""
    problems: tuple[str, ...]


def verify_vault(vault: Vault) -> VaultReport:
    """Open every record and follow the log."""
    problems: list[str] = []
    persons = 0
    for county, season in _shelves(vault):
        try:
            persons += sum(1 for _ in persons_of(vault, county, season))
        except UserError as error:
            problems.append(error.problem)
    try:
        log = access_log(vault)
    except UserError as error:
        return VaultReport(persons, 0, 0, (*problems, error.problem))
    erased = set(erased_farmers(vault))
    problems.extend(_register_problems(vault, log, erased))
    return VaultReport(persons, len(erased), len(log), tuple(problems))


def _shelves(vault: Vault) -> list[tuple[str, str]]:
    with vault.reading() as connection:
        found = {
            (county, season)
            for table in (BATCHES, PERSONS)
            for county, season in connection.execute(
                sa.select(table.c.county, table.c.season).distinct()
            )
        }
    return sorted(found)


def _register_problems(vault: Vault, log: list[dict[str, Any]], erased: set[str]) -> Iterator[str]:
    """Compare who is erased, and which records there are, with what the log says was done."""
    out: set[str] = set()
    said: dict[tuple[str, str], Any] = {}
    for entry in log:
        for left in entry.get("left", [entry] if entry["act"] == "store" else []):
            said[left["county"], left["season"]] = (left["persons"], left["mark"])
        if entry["act"] == "erase":
            out.add(entry["farmer_id"])
        elif entry["act"] == "admit":
            out.discard(entry["farmer_id"])
    for farmer in sorted(out ^ erased):
        yield f"the log and the register of erased farmers disagree about {farmer}"
    there = _batches(vault)
    for county, season in sorted(said.keys() | there.keys()):
        if said.get((county, season)) != there.get((county, season)):
            yield f"the list of county {county} and season {season} is not the last one written"


def _batches(vault: Vault) -> dict[tuple[str, str], tuple[int, str]]:
    with vault.reading() as connection:
        rows = connection.execute(sa.select(BATCHES)).all()
    return {(row.county, row.season): (row.persons, row.mark) for row in rows}
