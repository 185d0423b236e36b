"""The letters of a county as a folder: one file per live offer and a list of them.

Owns which letters there are, their names and that the folder is replaced as a whole or not at all.
Equal decisions give equal files. An offer whose letter cannot be written has a code in the list and
everything else goes on.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from fieldline.desk.letters.content import Language, Letter, Writer, decision_letter
from fieldline.desk.letters.page import html_of
from fieldline.desk.letters.paper import UnprintableError, fonts, pdf_of
from fieldline.desk.letters.settings import LetterSettings
from fieldline.lending.decision.reasons import Reason
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store.database import DECISIONS, reading
from fieldline.lending.store.offers import csv_text, live_offers
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, detail
from fieldline.pipeline.vault.persons import Person

Form = Literal["html", "pdf"]

LIST = "letters.csv"
COLUMNS = ("offer_id", "farmer_id", "product", "kind", "language", "file", "sha256", "outcome",
           "detail")  # fmt: skip
_AT_ONCE = 500
_OWNER_ONLY = 0o600
_MARK = "\ufeff"
_NO_FILE = re.compile(r"[^\w.-]")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Names:
    """The farmers' names, given out by the vault for a purpose."""

    persons: Mapping[str, Person]
    erased: Collection[str]
    log: Callable[[Iterable[str], bytes], None]
    """Enters in the access log whose letters are written, with the list of them."""


@dataclass(frozen=True)
class Order:
    """Which letters are written, and how."""

    county: str
    season: str
    settings: LetterSettings
    language: Language
    form: Form
    simulated: bool


@dataclass(frozen=True)
class Written:
    """What was written."""

    offers: int
    kinds: Mapping[str, int]
    """How many letters of which kind."""
    outcomes: Mapping[str, int]
    """How many offers had which outcome."""


def write_letters(store: sa.Engine, order: Order, out: Path, names: Names | None = None) -> Written:
    """Write the letters of a county's live offers.

    Args:
        store: Open offer store.
        order: County, season, settings, language and form.
        out: Folder, made anew: `{farmer_id}-{product}.{form}` and
            `letters.csv`, one row per offer.
        names: The farmers' names; None addresses letters by the farmers' numbers.

    Raises:
        UserError: There are no offers, PDF cannot be written here, or the folder is another's or
            cannot be written.
    """
    offers = live_offers(store, order.county, order.season)
    if order.form == "pdf":
        fonts(order.settings.font)
    _refuse_others(out)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True, mode=0o700)
        rows = [_written(offer, told, order, names, part)
                for offer, told in _with_reasons(store, offers)]  # fmt: skip
        content = (_MARK + csv_text(rows, COLUMNS)).encode()
        _write(part / LIST, content)
        if names is not None:
            names.log([row["farmer_id"] for row in rows if row["outcome"] == OK], content)
        _replace(out, part)
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror})", "name a folder of yours"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    kinds = Counter(row["kind"] for row in rows if row["outcome"] == OK)
    outcomes = Counter(row["outcome"] for row in rows)
    return Written(len(rows), dict(sorted(kinds.items())), dict(sorted(outcomes.items())))


def rendered(letter: Letter, form: Form, settings: LetterSettings) -> bytes:
    """Return a letter as a file.

    Raises:
        UnprintableError: A PDF lacks a font for some of its characters.
        UserError: PDF cannot be written here.
    """
    return html_of(letter) if form == "html" else pdf_of(letter, settings.font)


def unprintable_detail(error: UnprintableError) -> str:
    """Return how many characters a letter lacks; which ones would betray a part of a name."""
    return detail(characters=len(error.characters))


def _with_reasons(
    store: sa.Engine, offers: Sequence[Row]
) -> Iterator[tuple[Row, tuple[Reason, ...] | None]]:
    """Yield offers with the reasons stored with their decisions; None where they are unreadable."""
    for start in range(0, len(offers), _AT_ONCE):
        some = offers[start : start + _AT_ONCE]
        ids = {offer["decision_id"] for offer in some}
        query = sa.select(DECISIONS.c.decision_id, DECISIONS.c.trace)
        with reading(store) as connection:
            rows = connection.execute(query.where(DECISIONS.c.decision_id.in_(ids)))
            told = {decision: _reasons(trace) for decision, trace in rows}
        for offer in some:
            yield offer, told.get(offer["decision_id"])


def _reasons(trace: str) -> tuple[Reason, ...] | None:
    try:
        return read_trace(trace).told
    except UserError:
        return None  # a later version wrote it: the list says so, the audit says why


def _written(
    offer: Row, told: tuple[Reason, ...] | None, order: Order, names: Names | None, folder: Path
) -> dict[str, Any]:
    """Write the letter of an offer into a folder; return its row of the list."""
    row = {name: offer[name] for name in ("offer_id", "farmer_id", "product")} | {
        "kind": offer["access"], "language": order.language, "outcome": OK,
    }  # fmt: skip
    problem = _problem(offer, told, names)
    if problem:
        return row | {"outcome": problem}
    person = None if names is None else names.persons[offer["farmer_id"]]
    name = None if person is None else person.name
    by = Writer(order.settings, order.language, order.simulated, name)
    try:
        content = rendered(decision_letter(offer, told or (), by), order.form, order.settings)
    except UnprintableError as error:
        return row | {"outcome": "letter_unprintable", "detail": unprintable_detail(error)}
    file = _NO_FILE.sub("-", f"{offer['farmer_id']}-{offer['product']}.{order.form}")
    _write(folder / file, content)
    return row | {"file": file, "sha256": hashlib.sha256(content).hexdigest()}


def _problem(offer: Row, told: tuple[Reason, ...] | None, names: Names | None) -> str:
    if names is not None and offer["farmer_id"] in names.erased:
        return "farmer_erased"
    if names is not None and offer["farmer_id"] not in names.persons:
        return "person_unknown"
    return "letter_unreadable" if told is None else ""


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _refuse_others(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"{out} is no folder", "name a new folder for the letters")
    if out.is_dir() and any(out.iterdir()) and not (out / LIST).is_file():
        raise UserError(
            f"{out} holds other files, and letters replace a whole folder",
            "name a new folder for the letters",
        )


def _replace(out: Path, part: Path) -> None:
    """Put the new folder in the place of the old one."""
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    part.rename(out)
    shutil.rmtree(old, ignore_errors=True)
