"""The whole chain on a tiny simulated county: nothing lost, nothing leaked, nothing done twice."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import yaml

from fieldline.desk.colours import ACCESS_COLOURS
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.stages import STAGE_NAMES
from tests.workflows.conftest import ROOT, ChainRun, tiny_config

DONE_TWICE = ("logs", "benchmarks", "backfill", ".snakemake", ".fieldline")


def planned_rules(said: str) -> set[str]:
    """Return the rules of Snakemake's job table."""
    table = said[said.rindex("Job stats:") :] if "Job stats:" in said else ""
    return set(re.findall(r"^(\w+)\s+\d+$", table, re.MULTILINE)) - {"all", "total"}


def digests(results: Path) -> dict[str, str]:
    """Return the SHA-256 of every artifact, without logs, timings and databases."""
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file()
        and path.relative_to(results).parts[0] not in DONE_TWICE
        and path.suffix not in (".sqlite", ".lock")
        and not path.name.startswith(".")
    }


def table_rows(database: Path, table: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(database) as connection:
        return sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)


def test_every_input_row_has_one_outcome_at_intake(tiny_run: ChainRun) -> None:
    drawn = gpd.read_file(tiny_run.simulated / "SIM001" / "parcels_2024.gpkg")
    outcomes = read_table(tiny_run.folder / "outcomes.parquet")
    assert (outcomes["stage"] == "intake").sum() == len(drawn)
    assert not outcomes.duplicated(["stage", "parcel_id", "farmer_id"]).any()
    # The tiny county has no radar, so that no item of it was judged.
    assert set(outcomes["stage"]) == set(STAGE_NAMES) - {"radar"}


def test_every_farmer_gets_one_decision_and_one_line(tiny_run: ChainRun) -> None:
    farmers = read_table(tiny_run.folder / "farmers.parquet")
    decisions = read_table(tiny_run.folder / "decisions.parquet")
    offers = pd.read_csv(tiny_run.folder / "offers.csv")
    assert set(decisions["farmer_id"]) == set(farmers["farmer_id"])
    assert sorted(offers["farmer_id"]) == sorted(farmers["farmer_id"])
    assert set(decisions["access"]) <= {"approve", "review", "decline"}
    assert (decisions["access"] == "approve").any()


def test_offers_file_equals_the_table(tiny_run: ChainRun) -> None:
    with (tiny_run.folder / "offers.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    listed = {row["farmer_id"]: (row["offer_id"], row["access"]) for row in rows}
    with sqlite3.connect(tiny_run.results / "fieldline.sqlite") as connection:
        query = "SELECT farmer_id, offer_id, access FROM offers WHERE status = 'live'"
        stored = {farmer: (offer, access) for farmer, offer, access in connection.execute(query)}
    assert stored == listed


def test_no_name_phone_or_id_can_be_read_anywhere_in_the_results(tiny_run: ChainRun) -> None:
    drawn = gpd.read_file(tiny_run.simulated / "SIM001" / "parcels_2024.gpkg")
    secrets = {
        str(value).encode()
        for column in ("name", "phone", "id_number")
        for value in drawn[column].dropna()
        if len(str(value)) > 4
    }
    assert secrets
    for path in tiny_run.results.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [s for s in secrets if s in content], path


def test_offers_and_their_chain_outlive_an_erased_farmer(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    copies = {"database": "fieldline.sqlite", "vault": "vault.sqlite"}
    for name in copies.values():
        shutil.copy2(tiny_run.results / name, tmp_path / name)
    document = yaml.safe_load(tiny_run.config.read_text(encoding="utf-8"))
    own = {key: str(tmp_path / name) for key, name in copies.items()}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(document | own), encoding="utf-8")
    run = ChainRun(tmp_path / "own.yaml", tiny_run.results, tiny_run.simulated)
    offers = table_rows(tmp_path / "fieldline.sqlite", "offers")
    farmer = str(pd.read_csv(tiny_run.folder / "offers.csv")["farmer_id"].iloc[0])
    export = ("vault", "export", "--county", "SIM001", "--season", "2024", "--purpose",
              "credit offer", "--recipient", "Simulated Rural Bank", "--json")  # fmt: skip
    handed = json.loads(run.fieldline(*export, "--out", str(tmp_path / "named.csv")).stdout)
    assert handed["farmers"] == len(offers)
    assert sum(handed["outcomes"].values()) == len(offers)
    assert 0.8 * len(offers) < handed["outcomes"]["ok"] < len(offers)
    shown = run.fieldline("vault", "show", farmer, "--purpose", "call about the offer", "--json")
    assert json.loads(shown.stdout)["name"]
    assert run.fieldline("vault", "erase", farmer, "--purpose", "letter of 2 May").returncode == 0
    assert run.fieldline("vault", "show", farmer, "--purpose", "call again").returncode == 2
    for look in (("vault", "verify"), ("audit", "verify")):
        assert run.fieldline(*look).returncode == 0
    assert table_rows(tmp_path / "fieldline.sqlite", "offers") == offers
    assert farmer in str(offers)


def test_report_is_one_file_that_says_simulated(tiny_run: ChainRun) -> None:
    page = (tiny_run.folder / "report.html").read_text(encoding="utf-8")
    assert "Simulated data: no farmer, field, price, image or loan on this page is real." in page
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["'](https?:)?//""", markup)


def test_report_tells_decisions_by_group_and_none_of_a_small_one(tiny_run: ChainRun) -> None:
    told = json.loads((tiny_run.folder / "fairness.json").read_text(encoding="utf-8"))
    decisions = read_table(tiny_run.folder / "decisions.parquet")
    assert told["all"]["farmers"] == len(decisions)
    assert told["all"]["approve"] == pytest.approx((decisions["access"] == "approve").mean(), 1e-4)
    page = (tiny_run.folder / "report.html").read_text(encoding="utf-8")
    tables = re.findall(r'<table class="groups">.*?</table>', page, flags=re.DOTALL)
    shown = {name: part["groups"] for name, part in told["by"].items() if part["groups"]}
    assert len(tables) == len(shown) > 0
    for table, groups in zip(tables, shown.values(), strict=True):
        counts = [int(n) for n in re.findall(r'</td><td class="n">(\d+)</td>', table)]
        assert counts == [*(cell["farmers"] for cell in groups), len(decisions)]
        assert min(counts) >= told["suppress_below"] == 10


def test_report_opens_without_asking_the_network(tiny_run: ChainRun, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    errors: list[str] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((tiny_run.folder / "report.html").as_uri())
        page.wait_for_selector("#chart-curves .main-svg")
        drawn = page.locator("#map .parcel").count()
        page.select_option("#layer", "decision")
        fills = "all => all.map((shape) => shape.getAttribute('fill'))"
        colours = page.eval_on_selector_all("#map .parcel", fills)
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []
    parcels = gpd.read_parquet(tiny_run.folder / "parcels.parquet")
    assert drawn == len(parcels)
    access = pd.read_parquet(tiny_run.folder / "decisions.parquet").set_index("farmer_id")["access"]
    approved = int((parcels["farmer_id"].map(access) == "approve").sum())
    assert colours.count(ACCESS_COLOURS["approve"]) == approved


def test_score_reads_the_truth(tiny_run: ChainRun) -> None:
    result = tiny_run.fieldline("score", "--json")
    assert result.returncode == 0, result.stderr
    scores = json.loads(result.stdout)
    assert scores["crop"]["macro_f1"] > 0.5
    assert scores == json.loads((tiny_run.folder / "score.json").read_text())


def test_a_second_run_does_nothing(tiny_run: ChainRun) -> None:
    assert "Nothing to be done" in tiny_run.snakemake("--dry-run")
    assert tiny_run.fieldline("run", "--dry-run").stdout.startswith("nothing to do")


def test_audit_chain_holds(tiny_run: ChainRun) -> None:
    assert tiny_run.fieldline("audit", "verify").returncode == 0


def test_a_changed_price_reruns_yield_and_later_only(tiny_run: ChainRun) -> None:
    prices = tiny_run.simulated / "SIM001" / "prices.csv"
    before = prices.stat()
    os.utime(prices)
    prices.write_bytes(prices.read_bytes() + b"\n")
    try:
        rules = planned_rules(tiny_run.snakemake("--dry-run"))
    finally:
        prices.write_bytes(prices.read_bytes()[:-1])
        os.utime(prices, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rules == {
        "inputs", "yield", "evidence", "profile", "relations", "indicators", "decide", "offers",
        "fairness", "report",
    }  # fmt: skip


def test_a_changed_setting_reruns_the_stage_that_reads_it(tiny_run: ChainRun) -> None:
    said = tiny_run.snakemake("--dry-run", "--config", "lending={policy: {lgd: '0.6'}}")
    rules = planned_rules(said)
    assert rules == {
        "profile", "relations", "indicators", "risk_train", "decide", "offers", "fairness",
        "report",
    }  # fmt: skip


@pytest.mark.slow
def test_killed_three_times_the_bytes_are_the_same(tiny_run: ChainRun) -> None:
    killed = tiny_config(tiny_run.config.parent, "killed", tiny_run.simulated)
    command = [
        sys.executable,
        "-m",
        "fieldline.workflows.cli",
        "run",
        "--config",
        str(killed.config),
    ]
    for seconds in (9.0, 17.0, 26.0):
        process = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    result = killed.fieldline("run")
    assert result.returncode == 0, result.stdout + result.stderr
    assert digests(killed.results) == digests_without_score(tiny_run)
    for table in ("offers", "decisions"):
        one, other = (table_rows(r.results / "fieldline.sqlite", table) for r in (killed, tiny_run))
        assert one == other


def test_a_county_in_blocks_killed_in_one_of_them_is_the_county(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    run = tiny_config(tmp_path, "blocks", tiny_run.simulated)
    document = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    document["county"]["SIM001"]["blocks"] = 3
    run.config.write_text(yaml.safe_dump(document), encoding="utf-8")
    names = ("observations", "fields", "growth", "harvest_share")
    made = [f"2024/SIM001/{name}.parquet" for name in names]
    made += [f"2024/SIM001/outcomes/{name}.parquet" for name in ("observe", "fields", "grow")]
    command = [sys.executable, "-m", "snakemake", "--nolock", "--cores", "2", "--configfile"]
    process = subprocess.Popen(
        [*command, str(run.config), "--rerun-incomplete", *made], cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    in_work = run.results / "2024/SIM001/blocks"
    while process.poll() is None and not list(in_work.glob("*/.observations.parquet.dates")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    said = run.snakemake("--rerun-incomplete", *made)
    assert said.count("rule observe_block:") <= 3
    for path in made:
        assert (run.results / path).read_bytes() == (tiny_run.results / path).read_bytes(), path
    assert not list(in_work.rglob("*.parquet"))


def digests_without_score(run: ChainRun) -> dict[str, str]:
    return {
        name: value
        for name, value in digests(run.results).items()
        if not name.endswith("score.json")
    }


def test_two_runs_at_once_are_refused(tiny_run: ChainRun) -> None:
    import fcntl

    with (tiny_run.results / ".fieldline.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        result = tiny_run.fieldline("run")
    assert result.returncode == 2
    assert "another run is writing" in result.stderr


def test_a_lost_artifact_is_made_again(tiny_run: ChainRun, tmp_path: Path) -> None:
    kept = tmp_path / "profiles.parquet"
    artifact = tiny_run.folder / "profiles.parquet"
    shutil.copy2(artifact, kept)
    artifact.unlink()
    result = tiny_run.fieldline("run")
    assert result.returncode == 0, result.stderr
    assert artifact.read_bytes() == kept.read_bytes()


def test_a_lost_account_of_a_stage_is_stopped_in_the_status_and_made_by_the_run_it_names(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    account, kept = tiny_run.folder / "outcomes" / "yield.parquet", tmp_path / "yield.parquet"
    account.rename(kept)
    try:
        status = tiny_run.fieldline("status")
        planned = tiny_run.fieldline("run", "-n", "--json")
    finally:
        kept.rename(account)
    assert "stopped at yield" in status.stdout
    assert "next: fieldline run" in status.stdout
    assert json.loads(planned.stdout)["yield"] == 1, planned.stderr


def test_a_user_error_inside_a_stage_is_one_sentence(tiny_run: ChainRun, tmp_path: Path) -> None:
    broken = tiny_config(tmp_path, "results", tiny_run.simulated)
    document = yaml.safe_load(broken.config.read_text(encoding="utf-8"))
    drawn = tmp_path / "parcels.csv"
    drawn.write_text("parcel,farmer,wkt\np1,f1,POINT (0 0)\n", encoding="utf-8")
    document["county"]["SIM001"]["inputs"]["parcels"] = [str(drawn)]
    broken.config.write_text(yaml.safe_dump(document), encoding="utf-8")
    result = broken.fieldline("run")
    assert result.returncode == 2, result.stdout + result.stderr
    sentence = result.stderr.strip().splitlines()[-1]
    assert sentence.startswith("fieldline: ")
    assert "has no column farmer_id" in sentence
