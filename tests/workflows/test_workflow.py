"""The Snakemake workflow as a graph: complete rules, right edges, every profile plans."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fieldline.pipeline.records.outcomes import STAGES
from fieldline.workflows.runner import rule_name

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "workflows" / "rules"


def dry_run(*arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_complete_rule_and_a_short_script(stage: str) -> None:
    text = (RULES / f"{rule_name(stage)}.smk").read_text(encoding="utf-8")
    for directive in ("log:", "benchmark:", "resources:", "mem_mb=", "gpu=", "message:"):
        assert directive in text
    script = ROOT / "workflows" / "scripts" / f"{rule_name(stage)}.py"
    assert len(script.read_text(encoding="utf-8").splitlines()) < 45


@pytest.mark.parametrize("profile", ["local", "slurm", "kubernetes"])
def test_each_profile_plans_the_demo(profile: str, tmp_path: Path) -> None:
    out = dry_run("--profile", f"workflows/profiles/{profile}", "--config", f"results={tmp_path}/r")
    assert re.search(r"^report\s+1$", out, re.MULTILINE)


def test_two_counties_and_two_seasons_in_one_command(tmp_path: Path) -> None:
    second = tmp_path / "two.yaml"
    text = (ROOT / "workflows/config/default.yaml").read_text(encoding="utf-8")
    county = text[text.index("\n  SIM001:") :]
    second.write_text("county:" + county.replace("SIM001:", "SIM002:"), encoding="utf-8")
    out = dry_run(
        "--configfile", str(second),
        "--config", "counties=SIM001,SIM002", "seasons=2023,2024", f"results={tmp_path}/r",
    )  # fmt: skip
    assert re.search(r"^offers\s+4$", out, re.MULTILINE)
    assert "simulate_SIM002" in out


def test_no_rule_runs_once_per_parcel() -> None:
    for rule in RULES.glob("*.smk"):
        assert "{parcel" not in rule.read_text(encoding="utf-8")


def test_packages_import_one_way() -> None:
    forbidden = {
        "pipeline": ("crops", "lending", "workflows"),
        "crops": ("lending", "workflows"),
        "lending": ("workflows",),
        "data": ("crops", "lending", "workflows"),
    }
    for package, others in forbidden.items():
        for module in (ROOT / package).rglob("*.py"):
            text = module.read_text(encoding="utf-8")
            for other in others:
                pattern = rf"^\s*(from|import) {other}[. ]"
                assert not re.search(pattern, text, re.MULTILINE), f"{module} imports {other}"
