"""A profile is found by name or folder; one that cannot be used is a sentence with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.engine_profile import profile_folder
from tests.workflows.conftest import ROOT


def test_a_name_is_a_profile_of_ours_and_a_folder_is_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "slurm"
    own.mkdir()
    (own / "config.yaml").write_text("executor: local\ncores: 2\n", encoding="utf-8")
    assert profile_folder("local").samefile(ROOT / "workflows/profiles/local")
    assert profile_folder(str(own)) == own


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("executor: [", "cannot be read"),
        ("executor: condor-of-nobody", "condor-of-nobody is not installed: pip install"),
        ("executor: slurm", "there is no sbatch on this machine: run it on the cluster's"),
    ],
)
def test_a_profile_that_cannot_be_used_is_a_sentence(
    written: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "config.yaml").write_text(written, encoding="utf-8")
    with pytest.raises(UserError, match=told):
        profile_folder(str(tmp_path))


def test_an_unknown_profile_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="or one of kubernetes, local, slurm"):
        profile_folder(str(tmp_path / "gone"))
