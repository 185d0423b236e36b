"""The file with names: consenting farmers and nobody else, logged before it lies on the disk."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook

from fieldline.lending.named_offers import COLUMNS, Handed, Order, export_named_offers
from fieldline.lending.store.database import LIVE, OFFERS, SUPERSEDED, open_database, posting
from fieldline.pipeline.inputs.read import read_input
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.access import access_log
from fieldline.pipeline.vault.consents import CONSENTS, Request, Told
from fieldline.pipeline.vault.erasure import erase
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, store_persons
from fieldline.pipeline.vault.vault import Vault

DEMO = PrivacySettings(demo_key=True)
REQUEST = Request(
    "credit offer", "Rural Bank", frozenset({"identity", "offer"}), dt.date(2024, 6, 15)
)
PEOPLE = [
    Person("F-1", "1", "王小明", "+8613800138000", "340123199001011234"),
    Person("F-2", "2", "李秀英", "13900139000"),
    Person("F-3", "3", "张伟", "13700137000"),
    Person("F-4", "4", "刘洋", "13600136000"),
]
CONSENT = "{},credit offer,identity; offer,Rural Bank,2024-05-01,{},\n"


def offer(farmer: str, season: str = "2024") -> dict[str, Any]:
    return {
        "offer_id": f"O{farmer}{season}", "county": "C1", "season": season,
        "farmer_id": farmer, "household_id": "H-1", "product": "season-line", "access": "approve",
        "currency": "CNY", "limit_minor": 1234500, "annual_rate": "0.0735", "tenor_days": 330,
        "day_basis": 360, "valid_from": dt.date(2024, 6, 1), "valid_to": dt.date(2024, 9, 1),
        "reason_codes": "", "reasons": "", "reasons_zh": "", "decision_id": "D1", "status": LIVE,
    }  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "store.sqlite")
    rows = [*(offer(f"F-{i}") for i in range(1, 6)), offer("F-1", season="2023")]
    with posting(engine) as connection:
        connection.execute(sa.insert(OFFERS), offer("F-2") | {"offer_id": "older"})
        connection.execute(sa.update(OFFERS).values(status=SUPERSEDED))
        connection.execute(sa.insert(OFFERS), rows)
    yield engine
    engine.dispose()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with open_vault(tmp_path / "vault.sqlite", DEMO, create=True) as vault:
        store_persons(vault, "C1", "2024", PEOPLE)
        erase(vault, "F-4", "letter of 2 May")
        yield vault


def exported(
    vault: Vault,
    store: sa.Engine,
    folder: Path,
    order: Order | None = None,
    name: str = "named.csv",
) -> Handed:
    consents, out = folder / "consents.csv", folder / name
    header = "farmer_id,purpose,data,recipient,given_on,expires_on,withdrawn_on\n"
    rows = [CONSENT.format(1, ""), CONSENT.format(2, "2024-06-01"), CONSENT.format(4, "")]
    consents.write_text(header + "".join(rows), encoding="utf-8")
    return export_named_offers(
        vault, store, read_input(consents, CONSENTS), order or Order("C1", "2024", REQUEST),
        pseudonym=lambda ref: f"F-{ref}", out=out,
    )  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_consenting_farmers_are_in_the_file_and_every_other_has_a_code(
    vault: Vault, store: sa.Engine, tmp_path: Path
) -> None:
    handed = exported(vault, store, tmp_path)
    assert handed.farmers == 5
    assert handed.outcomes == {
        "consent_absent": 1, "consent_expired": 1, "farmer_erased": 1, "ok": 1, "person_unknown": 1,
    }  # fmt: skip
    (row,) = rows_of(tmp_path / "named.csv")
    assert (row["name"], row["farmer_ref"], row["id_number"]) == (
        "王小明", "1", "340123199001011234",
    )  # fmt: skip
    assert (row["limit"], row["annual_rate"], row["season"]) == ("12345.00", "0.0735", "2024")
    assert row["consent_given_on"] == "2024-05-01"
    account = {r["farmer_id"]: r["outcome"] for r in rows_of(tmp_path / "named.csv.outcomes.csv")}
    assert account == {
        "F-1": "ok", "F-2": "consent_expired", "F-3": "consent_absent", "F-4": "farmer_erased",
        "F-5": "person_unknown",
    }  # fmt: skip


def test_no_name_of_a_farmer_without_consent_is_in_either_file(
    vault: Vault, store: sa.Engine, tmp_path: Path
) -> None:
    exported(vault, store, tmp_path)
    named = (tmp_path / "named.csv").read_text(encoding="utf-8")
    account = (tmp_path / "named.csv.outcomes.csv").read_text(encoding="utf-8")
    for person in PEOPLE[1:]:
        assert str(person.name) not in named
        assert str(person.phone) not in named
    assert not [p for p in PEOPLE if str(p.name) in account]


def test_spreadsheets_show_names_and_run_nothing_and_others_cannot_read_the_file(
    vault: Vault, store: sa.Engine, tmp_path: Path
) -> None:
    exported(vault, store, tmp_path)
    path = tmp_path / "named.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert rows_of(path)[0]["phone"] == "'+8613800138000"
    for file in (path, tmp_path / "named.csv.outcomes.csv"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_workbook_holds_the_same_values_and_is_logged_and_closed_like_the_csv(
    vault: Vault, store: sa.Engine, tmp_path: Path
) -> None:
    exported(vault, store, tmp_path)
    exported(vault, store, tmp_path, name="named.xlsx")
    (row,) = rows_of(tmp_path / "named.csv")
    content = (tmp_path / "named.xlsx").read_bytes()
    book = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    found = dict(zip(COLUMNS, book[1], strict=True))
    assert len(book) == 2
    assert (found["phone"], "'+8613800138000") == ("+8613800138000", row["phone"])
    assert (found["limit"], found["annual_rate"]) == (12345.0, 0.0735)
    assert found["consent_given_on"] == dt.date(2024, 5, 1)
    assert found["id_number"] == row["id_number"] == "340123199001011234"
    assert stat.S_IMODE((tmp_path / "named.xlsx").stat().st_mode) == 0o600
    assert access_log(vault)[-1]["file"] == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "named.xlsx.outcomes.csv").is_file()


def test_the_log_says_who_took_which_file_for_whom(
    vault: Vault, store: sa.Engine, tmp_path: Path
) -> None:
    exported(vault, store, tmp_path)
    entry = access_log(vault)[-1]
    told = {key: entry[key] for key in (
        "act", "purpose", "recipient", "county", "farmers", "consents_on",
    )}  # fmt: skip
    assert told == {
        "act": "export", "purpose": "credit offer", "recipient": "Rural Bank", "county": "C1",
        "farmers": ["F-1"], "consents_on": REQUEST.on.isoformat(),
    }  # fmt: skip
    digest = hashlib.sha256((tmp_path / "named.csv").read_bytes()).hexdigest()
    assert entry["file"] == digest
    assert "王小明" not in str(entry)


def test_a_file_that_cannot_be_written_is_one_sentence_and_leaves_none_behind(
    vault: Vault, store: sa.Engine, tmp_path: Path
) -> None:
    (tmp_path / "named.csv").mkdir()
    with pytest.raises(UserError, match=r"named.csv cannot be written \(Is a directory\)"):
        exported(vault, store, tmp_path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and "named" in p.name]


def test_without_live_offers_there_is_nothing_to_hand_over(
    vault: Vault, store: sa.Engine, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="county C1 has no live offer of season 2022"):
        exported(vault, store, tmp_path, Order("C1", "2022", REQUEST))
    assert not (tmp_path / "named.csv").exists()


def test_a_consent_of_an_application_hands_over_as_one_of_the_table_does(
    vault: Vault, store: sa.Engine, tmp_path: Path
) -> None:
    told = [Told("F-3", "credit offer", "identity; offer", "Rural Bank", dt.date(2024, 6, 1))]
    handed = export_named_offers(
        vault, store, None, Order("C1", "2024", REQUEST), pseudonym=lambda ref: f"F-{ref}",
        out=tmp_path / "named.csv", told=told,
    )  # fmt: skip
    assert handed.outcomes["ok"] == 1
    (row,) = rows_of(tmp_path / "named.csv")
    assert (row["name"], row["consent_given_on"]) == ("张伟", "2024-06-01")
