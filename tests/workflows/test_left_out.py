"""A county of several whose file is not there is left out and told; the others run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows import runner
from fieldline.workflows.cli import app
from fieldline.workflows.runner import make_artifacts, run_chain
from tests.pipeline.imagery.pulling import scenes_of
from tests.pipeline.imagery.tiny_archive import write_archive
from tests.workflows.provinces import make_inputs
from tests.workflows.test_provider_chain import write_county

pytestmark = pytest.mark.usefixtures("real_keys")
MISSING = r"input `registry` of county C0001: .*C0001/registry_2024\.csv does not exist"


@pytest.fixture
def province(tmp_path: Path) -> Path:
    """Three counties of which nothing is made; the second lacks a table of its own."""
    config = make_inputs(tmp_path, 3)
    (tmp_path / "in/C0001/registry_2024.csv").unlink()
    return config


def told(*arguments: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(app, list(arguments))
    if isinstance(ended.exception, UserError):  # `exits` turns it into its code, as of any command
        return 2, ended.stdout, ended.stderr + str(ended.exception)
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_others_run_and_the_one_that_lacks_a_file_has_failed_with_the_sentence(
    province: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given: list[list[str]] = []

    def work(command: object, config: object, counties: Sequence[str], more: object) -> list[str]:
        given.append(list(counties))
        return []

    monkeypatch.setattr(runner, "_work", work)
    with pytest.raises(UserError, match=MISSING) as refused:
        run_chain([province], None, None, start=None, cores=1)
    assert given == [["C0000", "C0002"]]
    assert f"C0001 2024 is left out: {refused.value}" in capfd.readouterr().err
    code, page, _ = told("status", "--config", str(province))
    assert code == 3
    assert f"  failed at inputs: {refused.value}\n" in page
    with pytest.raises(UserError, match=MISSING):  # alone, and nothing is said of leaving out
        run_chain([province], ["C0001"], None, start=None, cores=1)
    with pytest.raises(UserError, match=MISSING):
        make_artifacts([province], "C0001", "2024", ["parcels.parquet"], cores=1)
    assert "left out" not in capfd.readouterr().err
    assert len(given) == 1


def test_a_file_that_several_counties_share_leaves_out_each_of_them(
    province: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    document = yaml.safe_load(province.read_text(encoding="utf-8"))
    for county in document["county"].values():
        county["inputs"]["prices"] = "in/prices.csv"
    province.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(UserError, match=r"input `\w+` of county C0000: .*in/prices\.csv does not"):
        run_chain([province], None, None, start=None, cores=1)
    assert capfd.readouterr().err.count("is left out") == 3
    problems = told("config", "check", str(province))[2]
    assert problems.count("prices.csv") == 1
    assert problems.count("registry_2024.csv") == 1


def test_a_look_ahead_says_the_sentence_plans_the_others_and_keeps_nothing(province: Path) -> None:
    code, page, said = told("run", "-n", "--json", "--config", str(province))
    assert code == 2
    assert json.loads(page)["report"] == 2
    assert "C0001 2024 is left out: input `registry` of county C0001" in said
    assert "left out" not in told("status", "--config", str(province))[1]
    code, page, said = told("run", "-n", "--county", "C0001", "--config", str(province))
    assert (code, page) == (2, "")
    assert "registry_2024.csv does not exist" in said
    assert "left out" not in said


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("registry", None, "input `registry` of county MINE: "),
        ("registry", "area\n1\n", "has no column"),
        ("parcels", None, "input `parcels` of county MINE: "),
    ],
)
def test_a_plan_says_what_a_run_would_stop_at(
    tmp_path: Path, name: str, text: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without outlines there is no plan; without a table there is one, and its end is known."""
    catalog = write_archive(tmp_path / "archive", scenes_of(3))
    path = write_county(tmp_path, "", "tiny")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    inputs = document["county"]["MINE"]["inputs"]
    inputs |= {"catalog": str(catalog), name: f"{name}.csv"}
    if text is not None:
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, page, error = told("plan", "--county", "MINE", "--season", "2024", "-c", "mine.yaml")
    if name == "parcels":
        assert (code, page) == (2, "")
        assert said in error
    else:
        assert code == 3
        assert "a run would stop: " in page
        assert said in page.splitlines()[-1]
