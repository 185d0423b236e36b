"""`fieldline offers export --format fineract` as a person meets it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from fieldline.lending.store.database import OFFERS, open_database, posting
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, store_persons
from fieldline.workflows.cli import main
from tests.lending.handover.conftest import TODAY, offer
from tests.lending.handover.core_bank import CoreBank, product, served

Command = Callable[..., tuple[int, str, str]]
CONSENTS = """farmer_id,purpose,data,recipient,given_on,expires_on,withdrawn_on
501,credit offer,identity; offer,Rural Bank,2024-05-01,,
502,credit offer,identity; offer,Rural Bank,2024-05-01,,2024-05-20
"""
OURS = ("--county", "SIM001", "--season", "2024", "--format", "fineract")
CONSENTED = ("--purpose", "credit offer", "--recipient", "Rural Bank", "--on", TODAY.isoformat())


@pytest.fixture
def config(tmp_path: Path, real_keys: None) -> Path:
    """A real county with the offers of three farmers, of whom one consents."""
    (tmp_path / "consents.csv").write_text(CONSENTS, encoding="utf-8")
    file = tmp_path / "mine.yaml"
    file.write_text(
        "results: results\n"
        "handover: {fineract: {tenant: county-bank, products: [{product: season-line, "
        "product_id: 7}]}}\n"
        "county: {SIM001: {simulated: false, inputs: {consents: consents.csv}}}\n"
    )
    hide = pseudonymiser(PrivacySettings(demo_key=False))
    people = [Person(hide(str(n)), str(n), f"王小{n}") for n in (501, 502, 503)]
    results = tmp_path / "results"
    privacy = PrivacySettings(demo_key=False)
    with open_vault(results / "vault.sqlite", privacy, create=True) as vault:
        store_persons(vault, "SIM001", "2024", people)
    store = open_database(results / "fieldline.sqlite")
    with posting(store) as connection:
        rows = [offer(n, county="SIM001", farmer_id=p.farmer_id) for n, p in enumerate(people)]
        connection.execute(sa.insert(OFFERS), rows)
    store.dispose()
    return file


@pytest.fixture
def fieldline(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run an export; return its exit code, what it printed and what it complained about."""
    monkeypatch.setenv("FIELDLINE_FINERACT_USER", "ann")
    monkeypatch.setenv("FIELDLINE_FINERACT_PASSWORD", "pässwort")

    def run(*arguments: str) -> tuple[int, str, str]:
        out = ("--out", str(config.parent / "applications.jsonl"), "--config", str(config))
        monkeypatch.setattr(sys, "argv", ["fieldline", "offers", "export", *arguments, *out])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[tuple[CoreBank, str]]:
    double = CoreBank(tmp_path / "core.sqlite", TODAY, products={7: product()},
                      clients={501: ("", TODAY), 502: ("", TODAY)})  # fmt: skip
    with served(double) as url:
        yield double, url


def test_the_one_who_consents_is_posted_once_however_often_it_is_said(
    fieldline: Command, bank: tuple[CoreBank, str]
) -> None:
    double, url = bank
    code, out, _ = fieldline(*OURS, *CONSENTED, "--post", url, "--json")
    assert code == 0
    assert json.loads(out) == {
        "offers": 3, "outcomes": {"consent_absent": 1, "consent_withdrawn": 1, "ok": 1},
    }  # fmt: skip
    code, out, _ = fieldline(*OURS, *CONSENTED, "--post", url)
    assert code == 0
    assert "application_there            1  The core system holds this application already" in out
    assert [body["clientId"] for _, body in double.loans()] == [501]


def test_what_a_person_must_clear_up_is_in_the_exit_code(
    fieldline: Command, bank: tuple[CoreBank, str]
) -> None:
    double, url = bank
    del double.clients[501]
    code, out, _ = fieldline(*OURS, *CONSENTED, "--post", url)
    assert code == 3
    assert "0 of 3 offers handed over" in out


@pytest.mark.parametrize(("arguments", "said"), [
    (OURS, "takes a purpose and a recipient"),
    ((*OURS, *CONSENTED[:4], "--on", "2999-01-01"), "--on 2999-01-01 is still to come"),
    ((*OURS, *CONSENTED[:4], "--on", "soon"), "--on 'soon' is no day"),
    ((*OURS[:4], *CONSENTED), "belong to --format fineract"),
    (("--county", "C9", *OURS[2:], *CONSENTED), "county 'C9' is not defined"),
])  # fmt: skip
def test_a_wrong_word_is_one_sentence_and_writes_nothing(
    fieldline: Command, config: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = fieldline(*arguments)
    assert (code, out) == (2, "")
    (sentence,) = err.strip().splitlines()
    assert said in sentence
    assert not list(config.parent.glob("applications*"))


def test_posting_takes_credentials_and_a_mapping(
    fieldline: Command, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIELDLINE_FINERACT_PASSWORD")
    _, _, err = fieldline(*OURS, *CONSENTED, "--post", "http://127.0.0.1:1/api/v1")
    assert "FIELDLINE_FINERACT_USER or FIELDLINE_FINERACT_PASSWORD is not set" in err
    config.write_text(config.read_text().replace("product: season-line", "product: tea-line"))
    _, _, err = fieldline(*OURS, *CONSENTED)
    assert "no loan product of Fineract is named for offers of 'season-line' in CNY" in err
