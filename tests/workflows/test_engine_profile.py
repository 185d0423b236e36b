"""A profile is found by name or folder; one that cannot be used is a sentence with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.batches import command_of
from fieldline.workflows.config.load import load_config
from fieldline.workflows.engine_profile import handed_over, profile_folder
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


def test_jobs_elsewhere_are_handed_keys_accounts_and_what_the_configuration_asks_for(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bank.yaml"
    file.write_text(
        "database: postgresql://bank:${BANK_PASSWORD:-none}@host/offers\n"
        "privacy: {vault_key_env: BANK_VAULT}\n", encoding="utf-8",
    )  # fmt: skip
    own = {"FIELDLINE_PSEUDONYM_KEY", "FIELDLINE_CDSE_CLIENT_ID", "BANK_PASSWORD", "BANK_VAULT"}
    others = {"HOME", "FIELDLINE_OIDC_SECRET_FILE", "FIELDLINE_FINERACT_PASSWORD", "AWS_SECRET"}
    found = handed_over(load_config([file]), [file], dict.fromkeys(own | others, "x"))
    assert set(found) == own


@pytest.mark.parametrize(("name", "handed"), [("kubernetes", True), ("local", False)])
def test_no_key_is_named_where_jobs_have_the_environment_anyway(
    name: str, handed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_AUDIT_KEY", "x" * 32)
    config = load_config()
    profile = ROOT / "workflows/profiles" / name
    command = command_of([], config, start=None, cores=1, profile=profile)
    assert ("FIELDLINE_AUDIT_KEY" in command) == handed
    assert "x" * 32 not in command
