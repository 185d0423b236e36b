"""`fieldline letters` and `fieldline line letter` as a person meets them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldline.lending.decision.case import Case
from fieldline.lending.store.database import open_database
from fieldline.lending.store.posting import Shelf
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.access import access_log
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, store_persons
from fieldline.workflows.cli import main
from tests.lending import conftest as lending
from tests.lending.store.judged import post_judged

case = lending.case
Command = Callable[..., tuple[int, str, str]]
SETTINGS = "letters: {lender: Green Valley Bank, lender_chinese: 青谷银行, phone: 0551-12345}\n"
REAL = PrivacySettings(demo_key=False)


@pytest.fixture
def config(tmp_path: Path, real_keys: None, case: Case) -> Path:
    """A real county with one approved farmer."""
    file = tmp_path / "mine.yaml"
    county = "county: {SIM001: {simulated: false}}\n"
    file.write_text(f"results: results\n{SETTINGS}{county}", encoding="utf-8")
    results = tmp_path / "results"
    with open_vault(results / "vault.sqlite", REAL, create=True) as vault:
        store_persons(vault, "SIM001", "2024", [Person("F1", "1", "王小明")])
    store = open_database(results / "fieldline.sqlite")
    post_judged(store, Shelf("SIM001", "2024", "season-line"), case)
    store.dispose()
    return file


@pytest.fixture
def fieldline(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command; return its exit code, what it printed and what it complained about."""

    def run(*arguments: str) -> tuple[int, str, str]:
        given = [str(config.parent / a) if a.startswith("out/") else a for a in arguments]
        monkeypatch.setattr(sys, "argv", ["fieldline", *given, "--config", str(config)])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


COUNTY = ("letters", "--county", "SIM001", "--season", "2024", "--out", "out/letters")


def test_letters_of_a_county_are_in_the_language_of_its_money_and_named_for_a_purpose(
    fieldline: Command, config: Path
) -> None:
    code, out, err = fieldline(*COUNTY, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"offers": 1, "kinds": {"approve": 1}, "outcomes": {"ok": 1}}
    page = config.parent / "out" / "letters" / "F1-season-line.html"
    assert "农户编号F1：" in page.read_text(encoding="utf-8")
    code, out, _ = fieldline(*COUNTY, "--purpose", "letters of June", "--language", "en")
    assert "letters of 1 of 1 offers" in out
    assert "Dear 王小明," in page.read_text(encoding="utf-8")
    with open_vault(config.parent / "results" / "vault.sqlite", REAL) as vault:
        entry = access_log(vault)[-1]
    assert (entry["act"], entry["purpose"], entry["farmers"]) == (
        "export", "letters of June", ["F1"],
    )  # fmt: skip
    assert entry["recipient"] == "the farmers themselves, by letter"


def test_the_letter_of_a_line_tells_its_movements(fieldline: Command, config: Path) -> None:
    fieldline(*COUNTY)
    listed = (config.parent / "out/letters/letters.csv").read_text(encoding="utf-8-sig")
    offer = listed.splitlines()[1].split(",")[0]
    moved = config.parent / "moved.csv"
    moved.write_text("on,draw,repay\n2024-10-08,1000,\n2024-11-07,,400\n")
    statement = ("line", "letter", str(moved), "--offer", offer, "--signed-on", "2024-10-01",
                 "--until", "2024-12-07")  # fmt: skip
    code, out, err = fieldline(*statement, "--out", "out/line.html", "--purpose", "asked for")
    assert (code, err) == (0, "")
    page = (config.parent / "out" / "line.html").read_text(encoding="utf-8")
    assert "王小明：" in page
    assert "<td>2024年10月8日</td><td>1000元</td>" in page
    for arguments, said in (
        ((*statement, "--out", "out/line.txt"), "neither .html nor .pdf"),
        ((*statement[:4], "none", *statement[5:], "--out", "out/l.html"), "no offer 'none'"),
        ((*statement[:-1], "soon", "--out", "out/l.html"), "--until 'soon' is no day"),
    ):
        code, out, err = fieldline(*arguments)
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
    assert sorted(p.name for p in (config.parent / "out").iterdir()) == ["letters", "line.html"]


def test_a_lender_who_is_not_named_and_a_county_that_is_not_there_are_one_sentence(
    fieldline: Command, config: Path
) -> None:
    for arguments, said in (
        ((*COUNTY[:2], "C9", *COUNTY[3:]), "county 'C9' is not defined"),
        ((*COUNTY, "--purpose", "x"), "the purpose 'x' says nothing"),
    ):
        code, out, err = fieldline(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
    config.write_text(config.read_text(encoding="utf-8").replace(SETTINGS, ""), encoding="utf-8")
    code, _, err = fieldline(*COUNTY)
    assert code == 2
    assert "letters.lender is not set, so a farmer would not know whom to ask" in err
    assert not (config.parent / "out").exists()
