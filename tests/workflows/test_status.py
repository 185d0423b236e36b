"""Where counties stand, told from a results folder that nobody has to run."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app
from fieldline.workflows.config.load import load_config
from fieldline.workflows.runner import _exclusive, works_on
from fieldline.workflows.stages import STAGE_NAMES
from fieldline.workflows.status import PlaceState, at_work, places

SEASON = {"start": "2023-10-01", "end": "2024-09-30", "as_of": "2024-09-30"}
COUNTIES = ("A", "B", "C", "D", "E")
ALL = {county: ["2024"] for county in COUNTIES}
BEGAN = 1_700_000_000
"""When the run began, if one is at work: before every log that is written here."""
SENTENCE = "ERROR root user error: survey.csv has no column crop: add it"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Five counties: done, at work on blocks, failed, killed, not begun."""
    inputs = {"parcels": "parcels.geojson", "catalog": "catalog.json"}
    county = {"title": "X", "inputs": inputs, "seasons": {"2024": SEASON}}
    document = {
        "results": str(tmp_path / "results"), "counties": list(COUNTIES), "seasons": ["2024"],
        "county": {name: county | {"blocks": 4 if name == "B" else 1} for name in COUNTIES},
    }  # fmt: skip
    path = tmp_path / "province.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    results = tmp_path / "results"
    for name in STAGE_NAMES:
        write(results / "2024/A/outcomes" / f"{name}.parquet")
    before = STAGE_NAMES[: STAGE_NAMES.index("observe")]
    for name in before:
        for place in ("B", "C", "D"):
            write(results / "2024" / place / "outcomes" / f"{name}.parquet")
    for block in (1, 3):
        write(results / f"2024/B/blocks/{block}/outcomes/observe.parquet")
        write(results / f"logs/2024/B/blocks/{block}/observe.log", "INFO root done")
    write(results / "logs/2024/C/observe.log", f"INFO root begins\n{SENTENCE}")
    write(results / "logs/2024/D/observe.log", "WARNING root slow")
    write(results / ".fieldline.lock")
    os.utime(results / ".fieldline.lock", (BEGAN, BEGAN))
    return path


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def found(config: Path) -> dict[str, PlaceState]:
    asked = load_config([config])
    return {place.county: place for place in places(asked, at_work(asked.results))}


def ask(config: Path, *more: str) -> tuple[int, str]:
    said = CliRunner().invoke(app, ["status", "--config", str(config), *more])
    return said.exit_code, said.output


def test_without_a_run_what_has_begun_and_not_ended_has_stopped(config: Path) -> None:
    by_county = found(config)
    assert {name: place.state for name, place in by_county.items()} == {
        "A": "done", "B": "stopped", "C": "failed", "D": "stopped", "E": "waiting",
    }  # fmt: skip
    assert by_county["A"].done == len(STAGE_NAMES)
    assert by_county["E"].done == 0


def test_while_a_run_holds_the_folder_it_is_running_and_blocks_are_counted(config: Path) -> None:
    with (config.parent / "results/.fieldline.lock").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        by_county = found(config)
    assert by_county["B"].state == by_county["D"].state == "running"
    assert by_county["C"].state == "failed"
    stage = by_county["B"].stands_at
    assert stage is not None
    assert (stage.stage, stage.says) == ("observe", "2 of 4 blocks done")


def test_what_an_earlier_run_said_is_forgotten_while_another_is_at_work(config: Path) -> None:
    results = config.parent / "results"
    for county in ("C", "D"):
        os.utime(results / f"logs/2024/{county}/observe.log", (BEGAN + 60, BEGAN + 60))
    assert found(config)["C"].state == "failed"
    with _exclusive(results, ALL):
        assert {c: found(config)[c].state for c in "CD"} == {"C": "waiting", "D": "waiting"}
        with pytest.raises(UserError, match="another run"), _exclusive(results, ALL):
            pass
        write(results / "logs/2024/D/observe.log")
        assert found(config)["D"].state == "running"
        write(results / ".fieldline.lock", '{"A": ["20')  # its selection is being written
        assert found(config)["C"].state == "waiting"
    assert found(config)["C"].state == "failed"


def test_of_counties_that_the_run_does_not_work_on_nothing_is_forgotten(config: Path) -> None:
    results = config.parent / "results"
    os.utime(results / "logs/2024/C/observe.log", (BEGAN, BEGAN))
    code, before = ask(config)
    for selection in ({}, {"E": ["2024"]}, {"C": ["2023"]}):  # the first is of a look ahead
        with _exclusive(results, selection):
            during = ask(config)
        assert during[0] == code == 3
        assert during[1].splitlines()[:-1] == before.splitlines()[:-1]
        assert during[1].splitlines()[-1].startswith("a run holds the results folder")
    with _exclusive(results, {"C": ["2024"]}):
        code, page = ask(config)
    assert (code, page.splitlines()[0]) == (0, "1 done, 2 stopped, 2 waiting")
    assert page.splitlines()[-1].startswith("a run holds the results folder")


def test_a_run_works_on_the_seasons_chosen_and_those_before_them(config: Path) -> None:
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    for county, years in (("A", (2022, 2023, 2024, 2025)), ("B", (2024,))):
        document["county"][county]["seasons"] = {
            str(year): {
                "start": f"{year - 1}-10-01", "end": f"{year}-09-30", "as_of": f"{year}-09-30",
            }
            for year in years
        }  # fmt: skip
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    chosen = load_config([config], {"counties": ["A", "B"], "seasons": ["2023", "2024"]})
    assert works_on(chosen) == {"A": ["2022", "2023", "2024"], "B": ["2024"]}


def test_what_was_made_from_what_is_made_anew_is_not_done(config: Path) -> None:
    results = config.parent / "results"
    (results / "2024/A/outcomes/profile.parquet").unlink()
    write(results / "logs/2024/A/profile.log")
    place = found(config)["A"]
    assert {stage.stage: stage.state for stage in place.stages if stage.state != "done"} == {
        "profile": "stopped", "relations": "waiting", "indicators": "waiting", "decide": "waiting",
        "offers": "waiting", "fairness": "waiting", "report": "waiting",
    }  # fmt: skip
    assert ask(config, "--county", "A")[1].splitlines()[1] == "A 2024  17/24  stopped at profile"


def test_a_run_that_is_refused_does_not_make_the_one_at_work_look_younger(config: Path) -> None:
    results = config.parent / "results"
    with _exclusive(results, ALL):
        os.utime(results / ".fieldline.lock", (BEGAN, BEGAN))
        with pytest.raises(UserError, match="another run"), _exclusive(results, ALL):
            pass
        assert found(config)["C"].state == "failed"


def test_the_page_has_the_sentence_and_what_to_type_next(config: Path) -> None:
    code, page = ask(config)
    assert code == 3
    lines = page.splitlines()
    assert lines[0] == "1 done, 1 failed, 2 stopped, 1 waiting"
    assert lines[1].endswith("failed at observe: survey.csv has no column crop: add it")
    assert lines[-1] == f"put right what the sentences say, then: fieldline run --config {config}"
    code, page = ask(config, "--county", "A")
    assert (code, page) == (0, "1 done\n")


def test_json_names_every_stage(config: Path) -> None:
    code, text = ask(config, "--json")
    document = json.loads(text)
    assert code == 3
    assert document["counts"] == {"done": 1, "failed": 1, "stopped": 2, "waiting": 1}
    assert [place["state"] for place in document["places"]] == [
        "done", "stopped", "failed", "stopped", "waiting",
    ]  # fmt: skip
    assert [stage["stage"] for stage in document["places"][0]["stages"]] == list(STAGE_NAMES)


def test_before_the_first_run_all_wait_and_nothing_is_written(tmp_path: Path, config: Path) -> None:
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["results"] = str(tmp_path / "none")
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    code, page = ask(config)
    assert code == 0
    assert page.splitlines()[0] == "5 waiting"
    assert page.splitlines()[-1] == f"next: fieldline run --config {config}"
    assert not (tmp_path / "none").exists()


def test_of_many_counties_the_page_shows_the_first_forty_failures_before_all(
    tmp_path: Path, config: Path
) -> None:
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    county = document["county"]["E"]
    document["county"] |= {f"N{n:04d}": county for n in range(200)}
    document["counties"] = list(document["county"])
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    _, page = ask(config)
    lines = page.splitlines()
    assert len(lines) == 43
    assert lines[1].startswith("C 2024")
    assert lines[-2] == "and 164 more; --json names all of them"
