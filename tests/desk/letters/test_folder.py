"""The folder of a county's letters: one for each live offer, whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.desk.letters import folder
from fieldline.desk.letters.folder import Names, Order, Written, write_letters
from fieldline.lending.decision.case import Case
from fieldline.lending.store.database import DECISIONS, LIVE, OFFERS, open_database, reading
from fieldline.lending.store.posting import Shelf
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import shown
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.vault.persons import Person
from tests.desk.letters.conftest import SETTINGS
from tests.lending.store.judged import post_judged

ORDER = Order("C1", "2024", SETTINGS, "en", "html", simulated=False)
FILES = {f"F{n}-season-line.html" for n in (1, 2, 3)}


@pytest.fixture
def store(case: Case, tmp_path: Path) -> Iterator[sa.Engine]:
    """A store in which F1 is approved, F2 waits for a person and F3 is declined."""
    engine = open_database(tmp_path / "store.sqlite")
    idle = {"codes": ("no_crop_cycle",), "effect": "review"}
    park = {"codes": ("holder_conflict",), "effect": "block"}
    cases = [
        case.model_copy(update={
            "farmer_id": farmer, "household_id": farmer,
            "parcels": (case.parcels[0].model_copy(update=found),),
        })
        for farmer, found in (("F1", {}), ("F2", idle), ("F3", park))
    ]  # fmt: skip
    post_judged(engine, Shelf("C1", "2024", "season-line"), *cases)
    yield engine
    engine.dispose()


class Log:
    """Remembers what was entered in the access log."""

    def __init__(self) -> None:
        self.entries: list[tuple[list[str], bytes]] = []

    def __call__(self, farmers: Iterable[str], content: bytes) -> None:
        self.entries.append((sorted(farmers), content))


def names(log: Log, *farmers: str, erased: tuple[str, ...] = ()) -> Names:
    return Names({f: Person(f, f, f"王{f}") for f in farmers}, erased, log)


def listed(out: Path) -> dict[str, dict[str, str]]:
    with (out / "letters.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = {row["farmer_id"]: row for row in csv.DictReader(handle)}
    assert all(r["outcome"] == "ok" or r["outcome"] in outcome_codes() for r in rows.values())
    return rows


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_each_live_offer_has_its_letter_and_its_row(store: sa.Engine, tmp_path: Path) -> None:
    out = tmp_path / "letters"
    written = write_letters(store, ORDER, out)
    assert written == Written(3, {"approve": 1, "decline": 1, "review": 1}, {"ok": 3})
    assert set(contents(out)) == FILES | {"letters.csv"}
    rows = listed(out)
    assert [rows[f]["kind"] for f in ("F1", "F2", "F3")] == ["approve", "review", "decline"]
    for row in rows.values():
        content = (out / row["file"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert b"You can borrow money" in (out / rows["F1"]["file"]).read_bytes()
    assert b"We cannot lend to you now" in (out / rows["F3"]["file"]).read_bytes()


def test_numbers_and_reasons_are_those_of_the_store(store: sa.Engine, tmp_path: Path) -> None:
    write_letters(store, ORDER, tmp_path / "letters")
    with reading(store) as connection:
        rows = connection.execute(sa.select(OFFERS).where(OFFERS.c.status == LIVE)).all()
    for row in rows:
        page = (tmp_path / "letters" / f"{row.farmer_id}-season-line.html").read_text()
        for reason in row.reasons.split("; "):
            assert reason.replace("'", "&#39;").strip() in page
        if row.access == "approve":
            assert f"<dd>{shown(row.limit_minor, 'CNY')}</dd>" in page
            assert f"The interest is {float(row.annual_rate) * 100:.2f}% a year" in page
        else:
            assert not re.search(r"<dd>|interest is", page)


def test_written_again_the_folder_is_equal_and_holds_nothing_old(
    store: sa.Engine, tmp_path: Path
) -> None:
    out = tmp_path / "letters"
    for form in ("html", "pdf"):
        order = replace(ORDER, form=form, language="zh")  # type: ignore[arg-type]
        write_letters(store, order, out)
        first = contents(out)
        (out / "F9-season-line.html").write_text("of a farmer who left")
        write_letters(store, order, out)
        assert contents(out) == first
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".letters")]


def test_others_cannot_read_them(store: sa.Engine, tmp_path: Path) -> None:
    out = tmp_path / "letters"
    write_letters(store, ORDER, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_what_fails_half_way_leaves_the_old_folder(
    store: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "letters"
    write_letters(store, ORDER, out)
    before = contents(out)
    real, count = folder._write, 0

    def failing(path: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(folder, "_write", failing)
    with pytest.raises(UserError, match=r"letters cannot be written \(No space left on device\)"):
        write_letters(store, replace(ORDER, language="zh"), out)
    assert contents(out) == before
    assert not (tmp_path / ".letters.part").exists()


def test_a_folder_of_other_things_is_never_replaced(store: sa.Engine, tmp_path: Path) -> None:
    other = tmp_path / "photos"
    other.mkdir()
    (other / "field.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="photos holds other files"):
        write_letters(store, ORDER, other)
    (tmp_path / "link").symlink_to(other)
    for name in ("link", "store.sqlite"):
        with pytest.raises(UserError, match="is no folder"):
            write_letters(store, ORDER, tmp_path / name)
    assert contents(other) == {"field.jpg": b"x"}


def test_names_stand_in_letters_only_where_the_vault_gave_them_and_that_is_logged(
    store: sa.Engine, tmp_path: Path
) -> None:
    log, out = Log(), tmp_path / "letters"
    write_letters(store, ORDER, out, names(log, "F1", "F2", erased=("F2",)))
    rows = listed(out)
    assert {f: rows[f]["outcome"] for f in rows} == {
        "F1": "ok", "F2": "farmer_erased", "F3": "person_unknown",
    }  # fmt: skip
    assert "Dear 王F1," in (out / "F1-season-line.html").read_text()
    assert set(contents(out)) == {"F1-season-line.html", "letters.csv"}
    assert log.entries == [(["F1"], (out / "letters.csv").read_bytes())]
    assert "王" not in (out / "letters.csv").read_text()
    write_letters(store, ORDER, out)
    assert "To the farmer with the number F1," in (out / "F1-season-line.html").read_text()
    assert "王" not in "".join(path.read_text() for path in out.iterdir())


def test_a_log_that_cannot_be_written_leaves_no_letter(store: sa.Engine, tmp_path: Path) -> None:
    def refused(*_: Any) -> None:
        raise UserError("the vault cannot be written", "look at it")

    people = replace(names(Log(), "F1", "F2", "F3"), log=refused)
    with pytest.raises(UserError, match="the vault cannot be written"):
        write_letters(store, ORDER, tmp_path / "letters", people)
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]


def test_a_name_that_no_font_has_is_a_code_and_the_others_are_written(
    store: sa.Engine, tmp_path: Path
) -> None:
    out = tmp_path / "letters"
    people = names(Log(), "F1", "F2", "F3")
    people = replace(people, persons={**people.persons, "F2": Person("F2", "2", "ကျော်")})
    write_letters(store, replace(ORDER, form="pdf"), out, people)
    assert listed(out)["F2"]["outcome"] == "letter_unprintable"
    assert [row["file"] for row in listed(out).values()] == [
        "F1-season-line.pdf", "", "F3-season-line.pdf",
    ]  # fmt: skip


def test_a_decision_of_a_later_version_is_a_code_and_the_others_are_written(
    store: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reading(store) as connection:
        query = sa.select(DECISIONS.c.trace).where(DECISIONS.c.farmer_id == "F3")
        later = connection.scalar(query)
    real = folder.read_trace

    def reading_all_but_one(trace: str) -> Any:
        return real('{"format": 99}' if trace == later else trace)

    monkeypatch.setattr(folder, "read_trace", reading_all_but_one)
    written = write_letters(store, ORDER, tmp_path / "letters")
    assert written.outcomes == {"letter_unreadable": 1, "ok": 2}


def test_without_live_offers_no_folder_is_made(store: sa.Engine, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="county C1 has no live offer of season 2022"):
        write_letters(store, replace(ORDER, season="2022"), tmp_path / "letters")
    assert not (tmp_path / "letters").exists()
