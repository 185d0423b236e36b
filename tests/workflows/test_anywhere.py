"""A run may start anywhere and name its results in any way: what was made from what stays true."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflows.conftest import ChainRun, run_in, tiny_config

STRICT = {"lending": {"policy": {"max_limit": 2000}}}
AFTER_POLICY = [
    "profile", "relations", "indicators", "risk_train", "decide", "offers", "fairness", "report",
]  # fmt: skip


@pytest.fixture
def moved(tiny_run: ChainRun, tmp_path: Path) -> Path:
    """A folder with a copy of the tiny county's results and configuration, times and all."""
    folder = tmp_path / "der Kreis 县"
    shutil.copytree(tiny_run.results, folder / "results")
    # Scenes are found relative to the results; inputs stay where the configuration says.
    shutil.copytree(tiny_run.simulated, folder / "simulated")
    shutil.copy2(tiny_run.config, folder / "tiny.yaml")
    return folder


def write_config(folder: Path, name: str, results: str, **changes: object) -> Path:
    """Write the tiny county's configuration with results where `results` says."""
    document = yaml.safe_load((folder / "tiny.yaml").read_text(encoding="utf-8"))
    document |= {"results": results, **changes}
    path = folder / name
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def fieldline(cwd: Path, *arguments: str) -> str:
    cwd.mkdir(exist_ok=True)
    result = run_in(cwd, [sys.executable, "-m", "fieldline.workflows.cli", *arguments])
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def planned(cwd: Path, config: Path) -> list[str]:
    return list(json.loads(fieldline(cwd, "run", "-n", "--json", "-c", str(config))))


def limits(results: Path) -> list[int]:
    with sqlite3.connect(results / "fieldline.sqlite") as connection:
        query = "SELECT limit_minor FROM offers WHERE status = 'live' AND access = 'approve'"
        return [limit for (limit,) in connection.execute(query)]


def test_a_changed_policy_is_followed_from_another_directory(moved: Path, tmp_path: Path) -> None:
    strict = write_config(moved, "strict.yaml", "results", **STRICT)
    before = limits(moved / "results")
    assert max(before) > 200_000
    assert planned(tmp_path / "elsewhere", strict) == AFTER_POLICY
    fieldline(tmp_path / "elsewhere", "run", "-c", str(strict))
    after = limits(moved / "results")
    assert 0 < max(after) <= 200_000
    assert planned(moved, strict) == []


def test_results_written_absolute_relative_or_through_a_link_are_one_place(
    moved: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(moved / "results", target_is_directory=True)
    forms = ["./results/", str(moved / "results"), str(tmp_path / "link")]
    for number, results in enumerate(forms):
        cwd = tmp_path / f"cwd{number}"
        assert planned(cwd, write_config(moved, "same.yaml", results)) == [], results
        strict = write_config(moved, "strict.yaml", results, **STRICT)
        assert planned(cwd, strict) == AFTER_POLICY, results


def test_a_changed_reference_table_or_release_redoes_what_reads_it(
    moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sitecustomize stands in for another release: the installed one cannot change in a test."""
    config = write_config(moved, "same.yaml", "results")
    patch = tmp_path / "patch"
    patch.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(patch))
    (patch / "sitecustomize.py").write_text(
        "import os\n"
        "if 'OTHER_TABLE' in os.environ:\n"
        "    import fieldline.workflows.provenance as p\n"
        "    known = p._content_hash\n"
        "    p._content_hash = lambda t: 'other' if t == os.environ['OTHER_TABLE'] else known(t)\n"
        "if 'OTHER_RELEASE' in os.environ:\n"
        "    import fieldline.workflows.provenance as p\n"
        "    p.version = lambda name: '9.9.9'\n",
        encoding="utf-8",
    )
    assert planned(tmp_path, config) == []
    monkeypatch.setenv("OTHER_TABLE", "scale_of_finance.csv")
    assert planned(tmp_path, config) == ["decide", "offers", "fairness", "report"]
    monkeypatch.delenv("OTHER_TABLE")
    monkeypatch.setenv("OTHER_RELEASE", "1")
    assert planned(tmp_path, config)[:3] == ["simulate_SIM001", "intake", "inputs"]


def test_a_missing_input_is_named_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", "9f2c41aa7be04d51b6f8c0de37a15b24")
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", "c41f0a7e935db268e07d5f13a94b82c6")
    config = tmp_path / "county.yaml"
    season = {"start": "2020-10-01", "end": "2021-09-30", "as_of": "2021-09-30"}
    inputs = {"parcels": "no.geojson", "catalog": "stac/catalog.json"}
    county = {"title": "X", "inputs": inputs, "seasons": {"2021": season}}
    document = {"counties": ["X"], "seasons": ["2021"], "results": "out", "county": {"X": county}}
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    result = run_in(
        tmp_path, [sys.executable, "-m", "fieldline.workflows.cli", "run", "-c", str(config)]
    )
    assert result.returncode == 2
    assert f"input `parcels` of county X: {tmp_path}/no.geojson does not exist" in result.stderr
    assert not (tmp_path / "out").exists()


def test_ctrl_c_is_one_sentence_and_a_run_goes_on(tiny_run: ChainRun, tmp_path: Path) -> None:
    stopped = tiny_config(tmp_path, "stopped", tiny_run.simulated)
    command = [sys.executable, "-m", "fieldline.workflows.cli", "run", "-c", str(stopped.config)]
    process = subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith(("intake 1/", "risk_train 1/"))
    os.killpg(process.pid, signal.SIGINT)
    said = process.stderr.read()
    assert process.wait() == 130
    assert said.splitlines()[-1] == "fieldline: stopped; the next run goes on from here"
    assert "Traceback" not in said
    left = planned(tmp_path, stopped.config)
    assert "decide" in left
    assert "simulate_SIM001" not in left


@pytest.mark.parametrize("command", [["audit", "verify"], ["audit", "replay", "--all"]])
def test_looking_at_a_store_that_is_not_there_makes_none(
    command: list[str], tmp_path: Path
) -> None:
    result = run_in(tmp_path, [sys.executable, "-m", "fieldline.workflows.cli", *command])
    assert result.returncode == 2
    assert f"there is no offer store at {tmp_path}/results/fieldline.sqlite" in result.stderr
    assert not (tmp_path / "results").exists()


def test_a_file_where_results_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine", encoding="utf-8")
    result = run_in(tmp_path, [sys.executable, "-m", "fieldline.workflows.cli", "demo"])
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "is a file: set `results` elsewhere" in result.stderr
    assert (tmp_path / "results").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_results_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    result = run_in(tmp_path / "shut", [sys.executable, "-m", "fieldline.workflows.cli", "demo"])
    assert result.returncode == 2
    assert "cannot be written" in result.stderr
