"""`fieldline plan` by the command line: a county on loopback and one of files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from fieldline.pipeline.imagery.county_plan import CountyPlan, ScenePlan
from fieldline.pipeline.imagery.tariffs import Tariff
from fieldline.workflows.imagery_plan import _print
from tests.pipeline.imagery.pulling import scenes_of
from tests.pipeline.imagery.tiny_archive import write_archive
from tests.services.stac_api import StacApi, serving
from tests.workflows.conftest import run_in
from tests.workflows.test_provider_chain import write_county

PROGRAM = [sys.executable, "-m", "fieldline.workflows.cli", "plan", "--county", "MINE"]
PLAN = [*PROGRAM, "--season", "2024", "-c", "mine.yaml"]


def test_a_plan_is_printed_as_a_table_and_as_json(tmp_path: Path) -> None:
    """No key and no earlier stage is needed; radar is a second plan."""
    write_archive(tmp_path / "archive", scenes_of(3))
    with serving(StacApi(tmp_path / "archive")) as api:
        path = write_county(tmp_path, api.root, "tiny")
        document = yaml.safe_load(path.read_text())
        document["county"]["MINE"]["radar"] = {
            "collection": "tiny", "bands": ["B02"], "quantity": "power", "orbit": "mixed",
        }  # fmt: skip
        path.write_text(yaml.safe_dump(document))
        printed = run_in(tmp_path, PLAN)
        assert printed.returncode == 0, printed.stderr
        lines = printed.stdout.splitlines()
        assert lines[0].split()[:2] == ["scene", "date"]
        assert [line.split()[0] for line in lines[1:4]] == ["S2_0", "S2_1", "S2_2"]
        assert "price not known (set pull.tariff)" in lines[4]
        api.reset()
        told = json.loads(run_in(tmp_path, [*PLAN, "--json"]).stdout)
        assert api.asked(r"\.tif") == told["looked"]["requests"] == 0  # the tables are held
        assert told["total"]["scenes"] == 3
        assert (
            0
            < told["total"]["bytes_to_come"]
            < sum(path.stat().st_size for path in (tmp_path / "archive/files").glob("*.tif"))
        )
        assert told["tariff"]["price_per_gb"] is None
        assert "\nradar, a pull of its own:\nscene " in printed.stdout
        assert told["radar"]["total"]["scenes"] == 3
        assert (told["work"]["finished_seasons"], told["work"]["core_hours"]) == (0, None)
        assert "no season has finished in this results folder yet" in printed.stdout
        assert sum(scene["files"] for scene in told["radar"]["scenes"]) == 3
        assert 0 < told["radar"]["total"]["bytes_to_come"] < told["total"]["bytes_to_come"]


def test_a_plan_over_the_budget_says_so_and_exits_with_three(tmp_path: Path) -> None:
    write_archive(tmp_path / "archive", scenes_of(3))
    with serving(StacApi(tmp_path / "archive")) as api:
        path = write_county(tmp_path, api.root, "tiny")
        document = yaml.safe_load(path.read_text())
        document["pull"] = {
            "budget": {"money": "0.01"}, "tariff": {"price_per_gb": "900", "currency": "EUR"},
        }  # fmt: skip
        path.write_text(yaml.safe_dump(document))
        printed = run_in(tmp_path, PLAN)
    assert printed.returncode == 3
    assert "a run would stop: the budget `pull.budget.money` of 0.01 would be exceeded" in (
        printed.stdout
    )
    assert " EUR" in printed.stdout


def _scene(**changes: object) -> ScenePlan:
    counts = dict.fromkeys(
        ("files_there", "bytes_there", "tiles", "windows", "bound_files", "unknown_files"), 0
    )
    given = {**counts, "files": 11, "bytes_to_come": 5_000_000, "requests": 3, **changes}
    return ScenePlan(id="S2_0", date="2024-05-10", cloud_percent=3.0, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"bound_files": 11},
            "11 files have no tile table (JPEG 2000): the size of the whole file",
        ),
        ({"rendered_files": 11}, "11 files are still to be rendered: their windows are counted"),
        (
            {"faults": ("http_403", "http_404", "http_403")},
            "2 files cannot be read now (http_403):",
        ),
        ({"unknown_files": 4}, "4 files of unknown size are not counted"),
    ],
)
def test_each_cause_of_a_size_that_is_no_exact_one_has_its_own_words(
    capsys: pytest.CaptureFixture[str], changes: dict[str, object], said: str
) -> None:
    _print(CountyPlan((_scene(**changes),), {}, Tariff()))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("1 scenes: 0.0 MB there, 5.0 MB to come")
    remarks = lines[3:]
    assert remarks[0].startswith(said)
    assert len(remarks) == (2 if "faults" in changes else 1)
    assert ("<5.0" in lines[1]) == ("unknown_files" not in changes)


def test_an_archive_on_disk_is_planned_without_a_request(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path / "archive", scenes_of(3))
    write_county(tmp_path, str(catalog), "tiny")
    told = json.loads(run_in(tmp_path, [*PLAN, "--json"]).stdout)
    sizes = sum(path.stat().st_size for path in (tmp_path / "archive/files").glob("*.tif"))
    assert told["total"]["bytes_there"] == sizes
    assert (told["total"]["bytes_to_come"], told["total"]["money"]) == (0, "0.00")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"as_of": "2999-01-01", "end": "2999-01-01"}, "which is still to come"),
        ({"catalog": "http://127.0.0.1:9/api"}, "does not answer as a STAC API"),
        ({"catalog": "stac:nowhere"}, "'nowhere' is no known provider"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(
    tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    path = write_county(tmp_path, change.get("catalog", "http://127.0.0.1:9/api"), "tiny")
    document = yaml.safe_load(path.read_text())
    document["county"]["MINE"]["seasons"]["2024"] |= {
        name: value for name, value in change.items() if name != "catalog"
    }
    document["pull"] = {"attempts": 1}
    path.write_text(yaml.safe_dump(document))
    printed = run_in(tmp_path, PLAN)
    assert printed.returncode == 2
    assert sentence in printed.stderr
    assert "Traceback" not in printed.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("command", ["plan", "stac"])
def test_a_season_or_county_that_is_not_there_is_one_sentence(tmp_path: Path, command: str) -> None:
    write_county(tmp_path, "http://127.0.0.1:9/api", "tiny")
    wrong = {"OTHER": "2024", "MINE": "1999"}
    for county, season in wrong.items():
        asked = [command, "--county", county, "--season", season, "-c", "mine.yaml"]
        printed = run_in(tmp_path, [*PROGRAM[:3], *asked])
        assert ("OTHER" if county == "OTHER" else "1999") in printed.stderr.splitlines()[0]
        assert "run the scenes stage" not in printed.stderr
        assert printed.returncode == 2
        assert printed.stderr.startswith("fieldline: ")
