"""`fieldline vault` as a person meets it: one sentence or the answer, and the right exit code."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from fieldline.lending.store.database import LAND, open_database, reading
from fieldline.lending.store.land import enter_land
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, store_persons
from fieldline.workflows.cli import main
from fieldline.workflows.config.load import load_config
from tests.workflows.conftest import REAL_KEY

Command = Callable[..., tuple[int, str, str]]
NEXT_KEY = "7be2904fd5a1c3860f1d8e6b25c97a43"


@pytest.fixture
def config(tmp_path: Path, real_keys: None) -> Path:
    """A real county whose vault holds one farmer."""
    file = tmp_path / "mine.yaml"
    file.write_text("results: results\ncounty: {SIM001: {simulated: false}}\n")
    real = PrivacySettings(demo_key=False)
    wang = Person(pseudonymiser(real)("P-1"), "P-1", "王小明", "13800138000")
    with open_vault(tmp_path / "results/vault.sqlite", real, create=True) as vault:
        store_persons(vault, "SIM001", "2024", [wang])
    return file


@pytest.fixture
def fieldline(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command; return its exit code, what it printed and what it complained about."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fieldline", *arguments, "--config", str(config)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


def refused(answer: tuple[int, str, str]) -> str:
    """Return the one sentence of a refusal."""
    code, out, err = answer
    assert (code, out) == (2, "")
    (sentence,) = err.strip().splitlines()
    assert sentence.startswith("fieldline: ")
    return sentence


def test_a_farmer_is_shown_by_pseudonym_and_by_reference_and_the_looks_are_logged(
    fieldline: Command,
) -> None:
    code, out, _ = fieldline("vault", "show", "P-1", "--purpose", "call about offer 17", "--json")
    person = json.loads(out)
    assert code == 0
    assert (person["name"], person["phone"]) == ("王小明", "13800138000")
    again = fieldline("vault", "show", person["farmer_id"], "--purpose", "call about offer 18")
    assert "王小明" in again[1]
    code, out, _ = fieldline("vault", "log")
    entries = [json.loads(line) for line in out.splitlines()]
    assert [e["act"] for e in entries] == ["store", "show", "show"]
    assert [e["purpose"] for e in entries[1:]] == ["call about offer 17", "call about offer 18"]
    assert "王小明" not in out
    assert "P-1" not in out


def test_without_a_purpose_nothing_is_shown(fieldline: Command) -> None:
    assert fieldline("vault", "show", "P-1")[0] == 2
    assert "says nothing" in refused(fieldline("vault", "show", "P-1", "--purpose", " "))


def test_an_erased_farmer_is_gone_and_the_vault_is_whole(fieldline: Command) -> None:
    code, out, _ = fieldline("vault", "erase", "P-1", "--purpose", "letter of 2 May")
    assert code == 0
    assert "1 records destroyed, erased since 20" in out
    assert "was erased at 20" in refused(fieldline("vault", "show", "P-1", "--purpose", "call her"))
    code, out, _ = fieldline("vault", "verify", "--json")
    assert code == 0
    assert json.loads(out) == {"persons": 0, "erased": 1, "entries": 3, "problems": []}


@pytest.mark.parametrize("together", [False, True])
def test_an_erasure_takes_the_outlines_from_the_store_and_from_what_was_applied_with(
    fieldline: Command, config: Path, *, together: bool
) -> None:
    results = config.parent / "results"
    if together:  # one file for both
        document = config.read_text() + "database: sqlite:///results/vault.sqlite\n"
        config.write_text(document.replace("sqlite:///", f"sqlite:///{config.parent}/"))
    wang = pseudonymiser(PrivacySettings(demo_key=False))("P-1")
    engine = open_database(load_config([config]).database_url())
    corners = dict.fromkeys(("west", "south", "east", "north"), 1.0)
    for season in ("2023", "2024"):
        here = {"county": "SIM001", "season": season, "outline": "00", **corners}
        rows = [{**here, "parcel_id": f"P{farmer}", "farmer_id": farmer} for farmer in (wang, "F2")]
        enter_land(engine, "SIM001", season, rows)
        for farmer in (wang, "F2"):
            table = results / ".applications" / season / "SIM001" / farmer / "parcels.parquet"
            table.parent.mkdir(parents=True)
            table.touch()
    unknown = refused(fieldline("vault", "erase", "F" + "0" * 16, "--purpose", "a slip"))
    assert "knows no farmer" in unknown
    code, out, _ = fieldline("vault", "erase", "P-1", "--purpose", "letter of 2 May", "--json")
    told = json.loads(out)
    assert (code, told["records"], told["outlines"], told["applications"]) == (0, 1, 2, 0)
    with reading(engine) as connection:
        assert set(connection.scalars(sa.select(LAND.c.farmer_id))) == {"F2"}
    engine.dispose()
    left = {path.name for path in results.glob(".applications/*/*/*")}
    assert left == {"F2"}


def test_a_rotation_asks_for_a_new_key_and_may_be_said_twice(
    fieldline: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = refused(fieldline("vault", "rotate"))
    assert "FIELDLINE_VAULT_KEY_NEW is not set, so the new master key is missing" in said
    key = tmp_path / "next.key"
    key.write_text(NEXT_KEY)
    key.chmod(0o644)
    said = refused(fieldline("vault", "rotate", "--new-key-file", str(key)))
    assert "is open to every user of this machine" in said
    key.chmod(0o600)
    code, out, _ = fieldline("vault", "rotate", "--new-key-file", str(key))
    assert (code, out.split()[0]) == (0, "1")
    assert NEXT_KEY not in out
    code, out, _ = fieldline("vault", "rotate", "--new-key-file", str(key))
    assert code == 0
    assert "already" in out
    assert "sealed under the master key" in refused(fieldline("vault", "verify"))
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", NEXT_KEY)
    assert fieldline("vault", "verify")[0] == 0


def test_a_wrong_key_stops_a_run_before_it_starts(
    fieldline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", NEXT_KEY)
    assert "every farmer would become somebody else" in refused(fieldline("run"))
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", REAL_KEY)
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", NEXT_KEY)
    assert "is sealed under the master key" in refused(fieldline("run"))


def test_a_changed_record_is_found_and_named(fieldline: Command, config: Path) -> None:
    with sqlite3.connect(config.parent / "results/vault.sqlite") as connection:
        connection.execute("UPDATE vault_persons SET record = 'AAAA' || substr(record, 5)")
    code, out, _ = fieldline("vault", "verify")
    assert code == 3
    assert out.startswith("the record of farmer F")
    said = refused(fieldline("vault", "show", "P-1", "--purpose", "call about offer 17"))
    assert "was changed, exchanged or cut: restore the vault from a backup" in said


def test_there_is_nothing_to_look_at_before_the_first_run(fieldline: Command, config: Path) -> None:
    (config.parent / "results/vault.sqlite").unlink()
    assert "there is no vault at" in refused(fieldline("vault", "verify"))
    assert not (config.parent / "results/vault.sqlite").exists()


HEADER = "farmer_id,purpose,data,recipient,given_on,expires_on,withdrawn_on\n"


def with_consents(config: Path, *rows: str) -> None:
    consents = config.parent / "consents.csv"
    consents.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    inputs = "{consents: consents.csv}"
    county = f"county: {{SIM001: {{simulated: false, inputs: {inputs}}}}}\n"
    config.write_text(f"results: results\n{county}", encoding="utf-8")


EXPORT = (
    "vault", "export", "--county", "SIM001", "--season", "2024", "--purpose", "credit offer",
    "--recipient", "Rural Bank",
)  # fmt: skip


def test_without_a_table_of_consents_nothing_is_handed_over(
    fieldline: Command, config: Path, tmp_path: Path
) -> None:
    document = config.read_text().replace(
        "simulated: false", "simulated: false, inputs: {consents: null}"
    )
    config.write_text(document)
    said = refused(fieldline(*EXPORT, "--out", str(tmp_path / "named.csv")))
    assert "county SIM001 has no table of consents, so nothing of it is handed to anybody" in said
    assert not (tmp_path / "named.csv").exists()


def test_consents_of_another_day_hand_nothing_over(
    fieldline: Command, config: Path, tmp_path: Path
) -> None:
    # Given until 2024-06-01: no option brings that day back.
    with_consents(config, "P-1,credit offer,identity offer,Rural Bank,2024-05-01,2024-06-01,")
    out = tmp_path / "named.csv"
    code, _, said = fieldline(*EXPORT, "--out", str(out), "--on", "2024-05-15")
    assert (code, out.exists()) == (2, False)
    assert "--on" in said


def test_a_consent_table_that_cannot_be_read_hands_nothing_over(
    fieldline: Command, config: Path, tmp_path: Path
) -> None:
    with_consents(config, "1,credit offer,offer,Rural Bank,2024-05-01,,")
    (config.parent / "consents.csv").write_text("farmer_id,purpose\n1,x\n")
    assert "has no column" in refused(fieldline(*EXPORT, "--out", str(tmp_path / "named.csv")))
    assert not (tmp_path / "named.csv").exists()


def test_an_erased_farmer_needs_a_consent_given_since_to_be_taken_in_again(
    fieldline: Command, config: Path
) -> None:
    today = dt.datetime.now(tz=dt.UTC).date()
    row = "P-1,credit offer,identity; offer,Rural Bank,{},,"
    with_consents(config, row.format(today - dt.timedelta(days=1)))
    admit = ("vault", "admit", "P-1", "--county", "SIM001", "--purpose", "applied again")
    assert "was not erased" in refused(fieldline(*admit))
    fieldline("vault", "erase", "P-1", "--purpose", "letter of 2 May")
    assert f"no consent in force since the erasure of {today}" in refused(fieldline(*admit))
    with_consents(config, row.format(today))
    code, out, _ = fieldline(*admit)
    assert code == 0
    assert f"may be taken in again (consent of {today})" in out
    assert "was not erased" in refused(fieldline(*admit))
    assert json.loads(fieldline("vault", "verify", "--json")[1])["erased"] == 0


def test_names_left_in_the_open_beside_a_vault_elsewhere_stop_a_run(
    fieldline: Command, config: Path
) -> None:
    old = config.parent / "results/vault.sqlite"
    config.write_text(config.read_text() + f"vault: {config.parent / 'else' / 'vault.sqlite'}\n")
    assert "in clear text" not in refused(fieldline("run"))
    old.unlink()
    with sqlite3.connect(old) as connection:
        columns = "county, season, farmer_id, farmer_ref, name, phone, id_number"
        connection.execute(f"CREATE TABLE persons ({columns})")
    before = old.read_bytes()
    assert f"{old} holds names in clear text, although `vault`" in refused(fieldline("run"))
    assert old.read_bytes() == before
