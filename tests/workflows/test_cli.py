"""The command line as a new user meets it: help, version, one sentence on a mistake."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.conftest import ROOT

COMMANDS = [
    "run", "demo", "desk", "init", "score", "parcels check", "config check", "config write",
    "audit verify", "audit replay", "audit anchor", "audit seal", "offers expire",
    "offers release", "offers export", "portfolio exposure", "portfolio stress", "portfolio watch",
    "portfolio drift", "portfolio models", "review list",
    "review decide", "review confirm", "review revoke", "review import",
]  # fmt: skip
FIRST_FORMAT = ROOT / "tests" / "lending" / "store" / "fixtures" / "format1.sqlite"


def fieldline(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fieldline.workflows.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str) -> None:
    result = fieldline(*command.split(), "--help")
    assert result.returncode == 0
    assert f"Example: fieldline {command}" in result.stdout


def test_version_is_the_distribution_version() -> None:
    from importlib.metadata import version

    assert fieldline("--version").stdout.strip() == f"fieldline {version('fieldline')}"


def test_help_imports_no_room() -> None:
    code = (
        "import sys, fieldline.workflows.cli; "
        "heavy = ('numpy', 'pandas', 'rasterio', 'sklearn', 'torch'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["config", "check", "nowhere.yaml"], "nowhere.yaml does not exist"),
        (["run", "--county", "NOWHERE"], "county 'NOWHERE' is not defined"),
        (["run", "--from", "harvest"], "there is no stage 'harvest'"),
        (["parcels", "check", "nowhere.geojson"], "nowhere.geojson"),
        (["score", "--county", "NOWHERE"], "county 'NOWHERE' is not defined"),
    ],
)
def test_user_errors_are_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    result = fieldline(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.fixture
def store(tmp_path: Path) -> list[str]:
    """A store of the first release beside a configuration; yields the option that names it."""
    shutil.copy(FIRST_FORMAT, tmp_path / "store.sqlite")
    config = tmp_path / "store.yaml"
    config.write_text(f"database: {tmp_path / 'store.sqlite'}\n")
    return ["-c", str(config)]


def test_stored_decisions_replay(store: list[str]) -> None:
    result = fieldline("audit", "replay", "--all", *store)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "default risk reckoned again by the stored model for 0 decisions, model not stored for 13\n"
        "13 of 13 decisions replay (13 of format 1)\n"
    )


def test_an_offer_replays_by_its_own_id(store: list[str], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        (offer,) = connection.execute("SELECT min(offer_id) FROM offers").fetchone()
    result = fieldline("audit", "replay", offer, *store)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (
        0, "1 of 1 decisions replay (1 of format 1)",
    )  # fmt: skip


def test_an_anchor_shows_a_cut_and_a_key_a_chain_made_anew(
    store: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchors = str(tmp_path / "elsewhere" / "anchors.jsonl")
    monkeypatch.setenv("FIELDLINE_AUDIT_KEY", "5d1f0c7ab93e4268d70b5e1c9a36f842")
    assert "17 entries verified and sealed" in fieldline("audit", "seal", *store).stdout
    assert "up to entry 18" in fieldline("audit", "anchor", "--out", anchors, *store).stdout
    verify = ["audit", "verify", "--anchor", anchors, *store]
    assert "sealed by this key; 1 anchors\n" in fieldline(*verify).stdout
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute("DROP TRIGGER audit_no_DELETE")
        connection.execute("DELETE FROM audit WHERE seq = 18")
    found = fieldline(*verify)
    assert found.returncode == 3
    assert "the chain ends at entry 17, and the anchor of" in found.stdout
    assert "the head of the chain is not sealed by this key" in found.stdout
    again = fieldline("audit", "anchor", "--out", anchors, *store)
    assert (again.returncode, "entries were cut off" in again.stderr) == (2, True)


def test_anchors_that_are_gone_or_contradict_the_chain_stop_the_seal(
    store: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchors = tmp_path / "elsewhere" / "anchors.jsonl"
    (tmp_path / "anchored.yaml").write_text(f"audit: {{anchor_file: '{anchors}'}}\n")
    anchored = [*store, "--config", str(tmp_path / "anchored.yaml")]
    monkeypatch.setenv("FIELDLINE_AUDIT_KEY", "5d1f0c7ab93e4268d70b5e1c9a36f842")
    gone = fieldline("audit", "verify", *anchored)
    assert gone.returncode == 3
    assert f"anchor file {anchors} is gone, and the chain has 17 entries" in gone.stdout
    assert "has 1 problems and must not be sealed" in fieldline("audit", "seal", *anchored).stderr
    assert fieldline("audit", "seal", *store).returncode == 0
    fieldline("audit", "anchor", "--out", str(anchors), *store)
    assert fieldline("audit", "verify", *anchored).returncode == 0
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute("DROP TRIGGER audit_no_DELETE")
        connection.execute("DELETE FROM audit WHERE seq = 18")
    refused = fieldline("audit", "seal", *anchored)
    assert (refused.returncode, "must not be sealed" in refused.stderr) == (2, True)


def test_people_decide_on_what_waits(store: list[str], tmp_path: Path) -> None:
    listed = json.loads(fieldline("review", "list", "--json", *store).stdout)
    assert {row["access"] for row in listed} == {"review"}
    assert {row["state"] for row in listed} == {"waits"}
    (first,) = (row["offer_id"] for row in listed)
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        approved = "SELECT offer_id FROM offers WHERE status = 'live' AND access = 'approve'"
        (other, *_) = (row[0] for row in connection.execute(approved))
    said = ["--officer", "Ann", "--reason", "no field there"]
    done = fieldline("review", "decide", first, *said, "--decline", *store)
    assert (done.returncode, done.stdout.endswith(", in force\n")) == (0, True)
    review = done.stdout.split()[1].rstrip(":")
    minutes = tmp_path / "minutes.csv"
    minutes.write_text(
        "offer_id,verdict,amount,officer,reason,documents,until\n"
        f"{other},decline,,Bo,not farmed,photo 1;photo 2,\n"
        "nobody,decline,,Bo,not farmed,,\n"
        f"{other},decline,,Bo,,,\n"
        f"{other},perhaps,,Bo,not sure,,\n"
    )
    found = fieldline("review", "import", str(minutes), *store)
    lines = found.stdout.splitlines()
    assert found.returncode == 3
    assert lines[0].endswith(", in force")
    assert "the store holds no live offer 'nobody'" in lines[1]
    assert lines[2].startswith("row 3: reason: ")
    assert "write approve or decline" in lines[3]
    assert lines[4].startswith("1 of 4 decisions")
    back = fieldline("review", "revoke", review, "--officer", "Ann", "--reason", "wrong", *store)
    assert back.stdout.endswith(", revoked\n")
    states = [row["state"] for row in json.loads(
        fieldline("review", "list", "--json", *store).stdout)]  # fmt: skip
    assert sorted(set(states)) == ["in force", "waits"]
    assert states.count("in force") == 1
    assert fieldline("audit", "verify", *store).returncode == 0


def test_offers_run_out_on_a_day_that_has_come(store: list[str]) -> None:
    assert fieldline("offers", "expire", "--on", "2024-10-30", *store).stdout.startswith("0 offers")
    closed = fieldline("offers", "expire", *store)
    assert closed.stdout.startswith("11 offers had run out before ")
    assert fieldline("offers", "expire", *store).stdout.startswith("0 offers")
    assert "13 offers posted - 13 closed, 0 live" in fieldline("audit", "verify", *store).stdout
    assert fieldline("audit", "verify", *store).returncode == 0


def test_a_decision_that_does_not_replay_is_named(store: list[str], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        (known,) = connection.execute("SELECT min(decision_id) FROM decisions").fetchone()
        change = (
            "UPDATE decisions SET trace = replace(trace, '\"limit_minor\":', '\"limit_minor\":1')"
        )
        connection.execute(f"{change} WHERE decision_id = '{known}'")
    result = fieldline("audit", "replay", known, "--json", *store)
    found = json.loads(result.stdout)
    assert (result.returncode, found["replayed"], found["formats"]) == (3, 0, {"1": 1})
    assert "limit_minor is stored as 1" in found["problems"][known]
    assert fieldline("audit", "verify", *store).returncode == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["audit", "replay", "nobody"], "the store holds no decision or offer 'nobody'"),
        (["audit", "replay", "nobody", "--all"], "both a decision and --all are given"),
        (["offers", "expire", "--on", "soon"], "'soon' is no day: write it like 2024-09-30"),
        (["offers", "expire", "--on", "2999-01-01"], "2999-01-01 is still to come"),
        (["review", "decide", "x", "--officer", "A", "--reason", "r"], "either approve or decline"),
        (
            ["review", "decide", "x", "--officer", "A", "--reason", "r", "--approve", "much"],
            "'much' is no amount: write a plain number",
        ),
        (["review", "confirm", "x", "--officer", "A"], "the store holds no review 'x'"),
        (["review", "import", "none.csv"], "none.csv"),
        (["audit", "seal"], "cannot be sealed without a key"),
        (["offers", "release", "x", "--officer", "Ann", "--reason", "r"], "no line of offer 'x'"),
        (["audit", "verify", "--anchor", "none.jsonl"], "anchor file none.jsonl cannot be read"),
    ],
)
def test_a_wrong_decision_is_one_sentence(
    arguments: list[str], sentence: str, store: list[str]
) -> None:
    result = fieldline(*arguments, *store)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_database_that_is_none_is_one_sentence(store: list[str], tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("farmer_id,limit\n")
    result = fieldline("audit", "verify", *store)
    assert result.returncode == 2
    assert "store.sqlite is no database" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
