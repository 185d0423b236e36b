"""Counties that are finished are not given to the engine; one that differs in anything is."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fieldline.lending.store import database, reviews
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows import provenance
from fieldline.workflows.cli import app
from fieldline.workflows.config.load import load_config
from fieldline.workflows.finished import Records
from fieldline.workflows.left_out import leave_out
from fieldline.workflows.plan import Plan
from fieldline.workflows.runner import _exclusive, plan_chain, run_chain
from tests.workflows.conftest import ROOT, run_in
from tests.workflows.provinces import change, finish, make_inputs, touching

pytestmark = pytest.mark.usefixtures("real_keys")


@pytest.fixture
def province(tmp_path: Path) -> Path:
    """Three counties that are finished, with their records."""
    config = make_inputs(tmp_path, 3)
    finish(tmp_path, 3)
    records = Records(load_config([config]))
    records.keep(records.given(("C0000", "C0001", "C0002")))
    return config


def unfinished(config: Path) -> tuple[str, ...]:
    return Records(load_config([config])).unfinished()


def rewrite(config: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    edit(document)
    config.write_text(yaml.safe_dump(document), encoding="utf-8")


def of_one(document: dict[str, Any], **changes: object) -> None:
    document["county"]["C0001"].update(changes)


def touch(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))


def applied(results: Path) -> None:
    table = results / ".applications/2024/C0001/F1/parcels.parquet"
    table.parent.mkdir(parents=True)
    table.touch()


def test_counties_that_lie_as_they_were_recorded_are_finished(province: Path) -> None:
    assert unfinished(province) == ()
    rewrite(province, lambda d: d.update(observe={"threads": 7}, failure_threshold=0.5))
    assert unfinished(province) == ()  # as nothing that a stage makes depends on it


def test_without_records_every_county_is_looked_at(tmp_path: Path) -> None:
    config = make_inputs(tmp_path, 2)
    finish(tmp_path, 2)
    assert unfinished(config) == ("C0000", "C0001")


OF_FILES: dict[str, Callable[[Path], None]] = {
    "an input is changed": lambda f: change(f / "in/C0001/weather.csv"),
    "an input of the season before": lambda f: change(f / "in/C0001/survey_2023.csv"),
    "an input is gone": lambda f: (f / "in/C0001/registry_2024.csv").unlink(),
    "an artifact is gone": lambda f: (f / "results/2024/C0001/yields.parquet").unlink(),
    "an outcome is gone": lambda f: (f / "results/2024/C0001/outcomes/offers.parquet").unlink(),
    "an artifact of the season before": lambda f: touch(f / "results/2023/C0001/growth.parquet"),
    "an artifact is another": lambda f: touch(f / "results/2024/C0001/offers.csv"),
    "somebody applied": lambda f: applied(f / "results"),
    "the record is cut": lambda f: (
        (f / "results/.fieldline/finished/2024/C0001.json").write_text("{", encoding="utf-8")
        and None
    ),
}


@pytest.mark.parametrize("what", OF_FILES)
def test_a_county_of_which_a_file_differs_is_looked_at_alone(what: str, province: Path) -> None:
    OF_FILES[what](province.parent)
    assert unfinished(province) == ("C0001",)


IN_CONFIG: dict[str, Callable[[dict[str, Any]], None]] = {
    "its title": lambda d: of_one(d, title="Another"),
    "its blocks": lambda d: of_one(d, blocks=2),
    "a column of its own": lambda d: d["county"]["C0001"]["inputs"].update(
        columns={"registry": {"crop": "crop"}}
    ),
    "an input more": lambda d: d["county"]["C0001"]["inputs"].update(
        prices="in/{county}/weather_cells.csv"
    ),
    "its as-of date": lambda d: d["county"]["C0001"]["seasons"]["2024"].update(as_of="2024-09-29"),
    "the season before": lambda d: d["county"]["C0001"]["seasons"]["2023"].update(end="2023-09-29"),
}


@pytest.mark.parametrize("what", IN_CONFIG)
def test_a_county_that_is_set_otherwise_is_looked_at_alone(what: str, province: Path) -> None:
    rewrite(province, IN_CONFIG[what])
    assert unfinished(province) == ("C0001",)


def test_what_every_stage_reads_concerns_every_county(
    province: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "version", lambda _: "9.9.9")
        assert len(unfinished(province)) == 3
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "_content_hash", lambda name: name)
        assert len(unfinished(province)) == 3
    assert unfinished(province) == ()
    rewrite(province, lambda d: d.update(observe={"block_pixels": 300}))
    assert len(unfinished(province)) == 3


def act(results: Path, county: str, season: str, kind: str) -> None:
    """Enter an act as a desk does, on an offer that no posting has made."""
    day = dt.date(2024, 10, 2)
    store = database.open_database(results / "fieldline.sqlite")
    offer = {
        "county": county, "season": season, "product": "season-line", "farmer_id": "F1",
        "decision_id": "D1", "currency": "CNY",
    }  # fmt: skip
    row = reviews.act_row(
        offer, kind, "Ann", "seen on the farm", day, of_review=None, evidence="", verdict="decline",
        limit_minor=None, documents="[]", overrides=False, valid_to=day,
    )  # fmt: skip
    with database.posting(store) as connection:
        reviews.enter_act(connection, row, None)
    store.dispose()


def test_the_act_of_a_person_concerns_its_county_and_a_release_every_one(province: Path) -> None:
    results = province.parent / "results"
    act(results, "C0001", "2024", "decide")
    assert unfinished(province) == ("C0001",)
    records = Records(load_config([province]))
    records.keep(records.given(["C0001"]))
    assert unfinished(province) == ()
    act(results, "C0009", "2024", "decide")  # a county of another configuration
    assert unfinished(province) == ()
    act(results, "C0002", "2024", "lapse")  # what a posting does
    assert unfinished(province) == ()
    act(results, "C0002", "2023", "release")
    assert len(unfinished(province)) == 3


def test_a_store_that_cannot_be_read_concerns_every_county(province: Path) -> None:
    (province.parent / "results/fieldline.sqlite").write_text("no database", encoding="utf-8")
    assert len(unfinished(province)) == 3


def test_an_input_that_changes_while_the_engine_works_is_looked_at_again(tmp_path: Path) -> None:
    config = make_inputs(tmp_path, 2)
    records = Records(load_config([config]))
    given = records.given(("C0000", "C0001"))
    finish(tmp_path, 2)
    change(tmp_path / "in/C0001/weather.csv")
    records.keep(given)
    assert unfinished(config) == ("C0001",)


def test_an_artifact_that_is_replaced_while_the_engine_works_is_looked_at(tmp_path: Path) -> None:
    """One of a job that ran, after its end, and one of a job that had nothing to do."""
    config = make_inputs(tmp_path, 3)
    finish(tmp_path, 3)
    records = Records(load_config([config]))
    given = records.given(("C0000", "C0001", "C0002"))
    remade, of_no_job = (tmp_path / f"results/2024/{c}/growth.parquet" for c in ("C0001", "C0002"))
    for path in (remade, tmp_path / "results/2024/C0000/growth.parquet"):
        change(path)  # as its job does
        records.made("grow", {"county": path.parent.name, "season": "2024"})
    change(remade)
    change(of_no_job)
    records.keep(given)
    assert unfinished(config) == ("C0001", "C0002")
    records = Records(load_config([config]))
    records.keep(records.given(("C0001", "C0002")))  # as after an engine that finds nothing to do
    assert unfinished(config) == ()


@pytest.mark.long
def test_a_file_replaced_beside_a_run_of_the_engine_is_no_part_of_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine says of a job's end names its county and season."""
    config = make_inputs(tmp_path, 2)
    finish(tmp_path, 2)
    growth = tmp_path / "results/2024/C0001/growth.parquet"
    said = []
    made = Records.made

    def heard(records: Records, rule: str, wildcards: dict[str, str]) -> None:
        made(records, rule, wildcards)
        said.append((rule, wildcards))
        if (rule, wildcards) == ("grow", {"county": "C0001", "season": "2024"}):
            growth.write_bytes(b"by hand")

    monkeypatch.setattr(Records, "made", heard)
    change(tmp_path / "in/C0001/weather.csv")
    run_chain([config], None, None, start=None, cores=1, profile=touching(tmp_path))
    assert growth.read_bytes() == b"by hand"
    assert ("report", {"county": "C0001", "season": "2024"}) in said
    assert unfinished(config) == ("C0001",)


def test_a_county_that_lacks_an_artifact_is_not_recorded(tmp_path: Path) -> None:
    config = make_inputs(tmp_path, 2)
    finish(tmp_path, 2)
    (tmp_path / "results/2024/C0001/report.html").unlink()
    records = Records(load_config([config]))
    records.keep(records.given(("C0000", "C0001")))
    assert unfinished(config) == ("C0001",)
    assert not (tmp_path / "results/.fieldline/finished/2024/C0001.json").exists()


def test_a_record_that_cannot_be_read_is_none(province: Path) -> None:
    record = province.parent / "results/.fieldline/finished/2024/C0001.json"
    record.unlink()
    record.mkdir()
    assert unfinished(province) == ("C0001",)


def test_a_county_that_is_left_out_is_named_even_where_the_others_are_finished(
    province: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = province.parent / "in/C0001/registry_2024.csv"
    table.unlink()
    table.write_text("area\n1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"C0001/registry_2024\.csv has no column"):
        run_chain([province], None, None, start=None, cores=1)
    assert "C0001 2024 is left out: " in capfd.readouterr().err
    assert not (province.parent / "results/logs/snakemake.log").exists()


def told(config: Path) -> tuple[int, str]:
    said = CliRunner().invoke(app, ["status", "--config", str(config)])
    return said.exit_code, said.output


def test_a_county_that_was_done_and_is_left_out_has_failed_until_its_table_is_back(
    province: Path,
) -> None:
    assert told(province) == (0, "3 done\n")
    tables = [province.parent / f"in/C0001/{name}_2024.csv" for name in ("registry", "survey")]
    for table in tables:
        table.rename(table.with_suffix(".kept"))
        table.write_text("area\n1\n", encoding="utf-8")
    with pytest.raises(UserError) as refused:
        run_chain([province], None, None, start=None, cores=1)
    code, page = told(province)
    first, line, advice = page.splitlines()
    assert (code, first) == (3, "2 done, 1 failed")
    assert line.endswith(f"  failed at inputs: {refused.value}")
    assert "registry_2024.csv has no column" in line
    assert advice == f"put right what the sentences say, then: fieldline run --config {province}"
    with pytest.raises(UserError):
        run_chain([province], ["C0000", "C0001"], None, start=None, cores=1)
    assert told(province) == (code, page)
    for table in tables:
        table.with_suffix(".kept").rename(table)
    assert told(province) == (code, page)  # the last words stand
    run_chain([province], ["C0000", "C0002"], None, start=None, cores=1)
    assert told(province) == (code, page)
    run_chain([province], ["C0001"], None, start=None, cores=1)
    assert told(province) == (0, "3 done\n")


def test_why_a_county_was_left_out_ends_with_the_account_of_its_tables(province: Path) -> None:
    results = province.parent / "results"
    leave_out(results, "C0001", "2024", "a sentence")
    assert told(province)[0] == 3
    account = results / "2024/C0001/outcomes/inputs.parquet"
    later = account.stat().st_mtime + 60
    os.utime(account, (later, later))  # the engine, asked without a run of ours, has made it
    assert told(province) == (0, "3 done\n")
    os.utime(account, (0, 0))
    assert told(province)[0] == 3
    lock = results / ".fieldline.lock"
    with _exclusive(results, {"C0001": ["2024"]}):
        os.utime(lock, (later, later))
        assert told(province)[1].startswith("3 done")  # a run has yet to read its tables
        os.utime(lock, (1, 1))
        assert "1 failed" in told(province)[1]


COMMAND = [sys.executable, "-m", "fieldline.workflows.cli"]


def fieldline(*arguments: str, code: int = 0) -> str:
    ended = run_in(ROOT, [*COMMAND, *arguments])
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout if code == 0 else ended.stderr


def test_jobs_of_counties_of_which_nothing_is_there_are_those_that_the_engine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seasons decided of one and a season before them, one of another in blocks."""
    config = make_inputs(tmp_path, 3)

    def edit(document: dict[str, Any]) -> None:
        first, second, third = document["county"].values()
        season = {"start": "2021-10-01", "end": "2022-09-30", "as_of": "2022-09-30"}
        first["seasons"]["2022"] = season
        for name in ("parcels", "registry", "survey"):
            first["inputs"][name] = first["inputs"][name].replace("{season}", "2024")
        second["blocks"] = 3
        del third["seasons"]["2023"]
        document["seasons"] = ["2023", "2024"]

    rewrite(config, edit)
    plan = Plan(load_config([config]))
    assert all(map(plan.is_untouched, plan.config.counties))
    reckoned, _ = plan_chain([config], None, None, start=None, cores=1)
    assert not (tmp_path / "results/logs/snakemake.log").exists()  # the engine was not asked
    (tmp_path / "results/2022/C0000").mkdir(parents=True)
    assert not plan.is_untouched("C0000")
    monkeypatch.setattr(Plan, "is_untouched", lambda *_: False)
    counted, _ = plan_chain([config], None, None, start=None, cores=1)
    assert counted == reckoned
    assert counted["offers"] == 5
    assert counted["observe_block"] == 2 * 3


@pytest.mark.long
def test_of_fifty_finished_counties_the_one_whose_input_changed_runs_and_no_other(
    tmp_path: Path,
) -> None:
    config = make_inputs(tmp_path, 50)
    finish(tmp_path, 50)
    run = ("run", "--json", "--config", str(config))
    mark = (*run, "--profile", str(touching(tmp_path)))
    engine_log = tmp_path / "results/logs/snakemake.log"
    fieldline(*mark)
    assert "Nothing to be done" in engine_log.read_text(encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/20*/*/**/*.*")}
    engine_log.unlink()
    fieldline(*mark)
    assert not engine_log.exists()  # it was not asked
    change(tmp_path / "in/C0007/survey_2024.csv")
    planned = json.loads(fieldline(*run, "-n"))
    assert planned["crops_train"] == planned["offers"] == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before
    fieldline(*mark)
    made = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert tmp_path / "results/2024/C0007/offers.csv" in made
    assert all("/C0007/" in str(path) for path in made)
    assert json.loads(fieldline(*run, "-n")) == {}


@pytest.mark.long
def test_one_act_of_a_person_is_one_posting_and_a_release_one_of_each_county(
    tmp_path: Path,
) -> None:
    config = make_inputs(tmp_path, 3)
    finish(tmp_path, 3)
    run = ("run", "--json", "--config", str(config))
    fieldline(*run, "--profile", str(touching(tmp_path)), "--from", "intake")
    assert json.loads(fieldline(*run, "-n")) == {}
    act(tmp_path / "results", "C0001", "2024", "decide")
    assert json.loads(fieldline(*run, "-n")) == {"offers": 1, "report": 1}
    act(tmp_path / "results", "C0001", "2024", "release")
    assert json.loads(fieldline(*run, "-n")) == {"offers": 3, "report": 3}


@pytest.mark.long
def test_what_failed_and_what_cannot_be_read_stays_to_do_and_the_rest_is_finished(
    tmp_path: Path,
) -> None:
    config = make_inputs(tmp_path, 4)
    finish(tmp_path, 4)
    mark = ("run", "--json", "--config", str(config), "--profile", str(touching(tmp_path)))
    table = tmp_path / "in/C0002/registry_2024.csv"
    table.unlink()
    table.write_text("area\n1\n", encoding="utf-8")
    shutil.rmtree(tmp_path / "results/2024/C0002/outcomes")
    (tmp_path / "results/2024/C0001/fields.parquet").unlink()  # the mark on it fails
    said = fieldline(*mark, code=2)
    assert "C0002/registry_2024.csv has no column" in said
    assert unfinished(config) == ("C0001", "C0002")
    ended = run_in(ROOT, [*COMMAND, "status", "--config", str(config)])
    assert re.search(r"C0002 2024 .* failed at inputs: .* has no column", ended.stdout)
