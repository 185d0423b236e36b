"""The built wheel and sdist hold everything a run needs and one name in other people's Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from fieldline.desk.app.scripts import FILES, VENDOR
from tests.workflows.conftest import ROOT

#: What is not Python and a run opens; a missing one is found at the first run of a stranger.
OPENED = [
    "py.typed",
    "data/crops.csv",
    "data/reason_codes.csv",
    "desk/app/package-lock.json",
    "desk/app/static/map.js",
    "desk/app/templates/map.html.j2",
    "desk/app/words/zh.json",
    "desk/report/templates/report.html.j2",
    "desk/report/templates/report.js",
    "lending/store/migrations/script.py.mako",
    "lending/store/migrations/versions/v0001_offers.py",
    "workflows/Snakefile",
    "workflows/config/default.yaml",
    "workflows/config/schema.json",
    "workflows/profiles/kubernetes/config.yaml",
    "workflows/rules/stages.smk",
    "workflows/scripts/stage.py",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist, the wheel made from the sdist as an index would."""
    out = tmp_path_factory.mktemp("dist")
    tree = tmp_path_factory.mktemp("tree") / "checkout"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tree)], check=True)
    if VENDOR.is_dir():  # fetched at set-up, never committed
        shutil.copytree(VENDOR, tree / "desk" / "app" / "vendor")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(out), str(tree)],
        check=True, capture_output=True,
    )  # fmt: skip
    return out


def names(built: Path) -> set[str]:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_what_a_run_opens(built: Path) -> None:
    assert {f"fieldline/{name}" for name in OPENED} <= names(built)


def test_the_wheel_holds_the_scripts_that_were_fetched(built: Path, desk_scripts: None) -> None:
    assert {f"fieldline/desk/app/vendor/{name}" for name in FILES} <= names(built)


def test_the_wheel_holds_every_module_and_table_of_the_tree(built: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    rooms = ("pipeline/", "crops/", "lending/", "desk/", "workflows/", "data/")
    own = {name for name in listed if name.startswith(rooms)}
    assert own - {name.removeprefix("fieldline/") for name in names(built)} == set()


def test_the_wheel_installs_one_name(built: Path) -> None:
    tops = {name.split("/")[0] for name in names(built)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"fieldline"}


def test_the_sdist_holds_what_the_wheel_is_made_of(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"fieldline/{name}" for name in OPENED} <= held
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE"} <= held
