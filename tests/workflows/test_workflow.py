"""The Snakemake workflow as a graph: complete rules, right edges, every profile plans."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.write import with_absences, with_stages
from fieldline.workflows.inputs.absent import absent_table
from fieldline.workflows.plan import Plan
from fieldline.workflows.provenance import tables_of
from fieldline.workflows.stage import Artifact, Artifacts, Stage
from fieldline.workflows.stages import STAGES, made_files, stages_before, stages_table

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "workflows" / "rules"
#: What a rule gives besides the names of the table of stages.
ALWAYS = {"outcomes", "previous", "threads"}
#: Files of a model folder: its manifest is what the function writes, with the others beside it.
_OF_FOLDERS = {
    "risk_train": {"document", "trees", "scorecard", "card"},
    "fields_train": {"weights", "config", "card"},
    "crops_train": {"document", "arrays", "boosting", "card"},
}


def dry_run(*arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_in_a_county_in_blocks_what_blocks_wait_for_and_what_joins_them_are_jobs_of_their_own():
    """A job of the queue that waited for blocks and held what they wait for would wait for ever."""
    at = SimpleNamespace(county="SIM001", season="2024")
    grouped = {}
    for blocks in (1, 3):
        plan = Plan(load_config([], {"county": {"SIM001": {"blocks": blocks}}}))
        groups = {stage.name: plan.group(stage) for stage in STAGES}
        grouped[blocks] = {name: of and of(at) for name, of in groups.items()}
    assert grouped[1] == {stage.name: stage.together or None for stage in STAGES}
    apart = {name for name, of in grouped[1].items() if grouped[3][name] != of}
    assert apart == {"classify", "grow"}
    assert {grouped[3][name] for name in apart} == {None}


@pytest.mark.parametrize("stage", STAGES, ids=lambda s: s.name)
def test_each_stage_function_takes_the_names_of_its_row_and_no_position(stage: Stage) -> None:
    module, _, name = stage.run.partition(":")
    taken = inspect.signature(getattr(import_module(module), name)).parameters
    assert all(p.kind is p.KEYWORD_ONLY for p in taken.values())
    given = {*stage.makes, *stage.settings, *stage.reads}
    needed = {n for n, p in taken.items() if p.default is p.empty}
    assert needed <= given | ALWAYS
    # Snakemake's named lists are lists: a name such as `clear` would hide a method of theirs.
    assert not given & set(dir(list))
    # What the function does not take is an edge of the graph, not a value, or makes it run again.
    beside = _OF_FOLDERS.get(stage.name, set())
    assert given - set(taken) <= {"artifacts", "acts", "photo_files", *beside}


@pytest.mark.parametrize("stage", STAGES, ids=lambda s: s.name)
def test_each_stage_reads_what_a_stage_above_it_makes(stage: Stage) -> None:
    before = stages_before(stage.name)
    above = {name for earlier in before for name in (*earlier.makes.values(), earlier.outcomes)}
    for read in stage.reads.values():
        names = read.names if isinstance(read, Artifacts) else ()
        names = (read.name,) if isinstance(read, Artifact) else names
        assert set(names) <= above | ({*made_files()} if _earlier(read) else set())
    assert set(stage.stops) <= {earlier.name for earlier in stages_before(stage.name)}


def _earlier(read: object) -> bool:
    return isinstance(read, Artifact) and read.earlier


def test_a_row_of_the_table_draws_only_its_own_settings() -> None:
    plan = Plan(load_config())
    grow = next(stage for stage in STAGES if stage.name == "grow")
    drawn = plan.settings(grow)
    assert set(drawn) == {"season", "seasons", "clear_dates", "settings", "made_by"}
    assert drawn["settings"] == load_config().crops.grow.model_dump(mode="json")


def test_threads_claimed_are_those_set_and_redo_nothing() -> None:
    observe = next(stage for stage in STAGES if stage.name == "observe")
    one, four = (Plan(load_config((), {"observe": {"threads": n}})) for n in (1, 4))
    assert (one.threads(observe), four.threads(observe)) == (1, 4)
    assert one.settings(observe)["settings"] == four.settings(observe)["settings"]


def test_a_job_names_a_gpu_only_where_it_claims_one() -> None:
    """The executor of Kubernetes refuses a job that names a GPU without its maker, be it none."""
    plan = Plan(load_config([], {"crops": {"classify": {"device": "cuda"}}}))
    named = {s.name: plan.resources(s)["gpu"] for s in STAGES if "gpu" in plan.resources(s)}
    assert named == {"crops_train": 1}


def test_no_password_of_the_store_is_kept_beside_the_results() -> None:
    offers = next(stage for stage in STAGES if stage.name == "offers")
    secret = "postgresql://bank:s3cret@db.example/offers"
    assert Plan(load_config((), {"database": secret})).settings(offers)["database"] == (
        "postgresql://bank:***@db.example/offers"
    )
    assert Plan(load_config()).settings(offers)["database"] == "fieldline.sqlite"


def test_no_password_of_the_vault_is_kept_beside_the_results() -> None:
    intake = next(stage for stage in STAGES if stage.name == "intake")
    secret = "postgresql://bank:s3cret@db.example/vault"
    settings = Plan(load_config((), {"vault": secret})).settings(intake)
    assert settings["vault"] == "postgresql://bank:***@db.example/vault"
    assert Plan(load_config()).settings(intake)["vault"] == "vault.sqlite"


def test_tables_of_a_stage_are_those_its_modules_name() -> None:
    assert "reason_codes.csv" in tables_of("fieldline.lending.decision.decide")
    assert "reason_codes.csv" not in tables_of("fieldline.crops.growth.grow")
    assert "hazard_thresholds.csv" in tables_of("fieldline.crops.growth.hazards")
    assert tables_of("fieldline.pipeline.records.errors") == []


def test_the_architecture_page_holds_the_table_of_stages() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert stages_table() in page
    assert with_stages(page) == page


def test_the_profile_of_kubernetes_plans_the_demo_too(tmp_path: Path) -> None:
    """Through Fieldline's own command: by itself Snakemake takes no volume there for shared."""
    config = tmp_path / "own.yaml"
    config.write_text(f"results: {tmp_path / 'r'}\n", encoding="utf-8")
    command = [sys.executable, "-m", "fieldline.workflows.cli", "run", "--dry-run", "--json"]
    ended = subprocess.run(
        [*command, "--profile", "kubernetes", "--config", str(config)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["report"] == 1


@pytest.mark.parametrize("profile", ["local", "slurm"])
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


ORDER = ("pipeline", "crops", "lending", "desk", "workflows")


@pytest.mark.parametrize("package", ORDER)
def test_packages_import_one_way_and_by_one_name(package: str) -> None:
    above = ORDER[ORDER.index(package) + 1 :]
    for module in (ROOT / package).rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        for other in above:
            pattern = rf"^\s*(from|import) fieldline\.{other}\b"
            assert not re.search(pattern, text, re.MULTILINE), f"{module} imports {other}"
        bare = rf"^\s*(from|import) ({'|'.join(ORDER)}|data)\b"
        assert not re.search(bare, text, re.MULTILINE), f"{module} imports without fieldline."


def test_records_stand_on_nothing() -> None:
    for module in (ROOT / "pipeline/records").glob("*.py"):
        found = re.findall(r"fieldline\.pipeline\.(\w+)", module.read_text(encoding="utf-8"))
        assert set(found) <= {"records"}, module


def test_data_holds_tables_and_weights_and_no_code() -> None:
    assert {path.suffix for path in (ROOT / "data").rglob("*") if path.is_file()} <= {
        ".csv", ".json", ".md", ".safetensors",
    }  # fmt: skip


def test_a_changed_table_of_the_lenders_own_redoes_the_stages_that_name_it(tmp_path: Path) -> None:
    table = tmp_path / "ceilings.csv"
    policy = {"lending": {"policy": {"rate_ceiling_file": str(table)}}}

    def drawn() -> dict[str, object]:
        plan = Plan(load_config((), policy))
        return {stage.name: plan.settings(stage)["made_by"] for stage in STAGES}

    absent = drawn()
    table.write_text("currency\n", encoding="utf-8")
    first = drawn()
    assert drawn() == first
    table.write_text("currency\nCNY\n", encoding="utf-8")
    changed = drawn()
    named = {"profile", "risk_train", "decide", "offers"}
    assert {name for name in first if first[name] != absent[name]} == named
    assert {name for name in first if first[name] != changed[name]} == named


@pytest.mark.parametrize(
    ("section", "names"),
    [("segment", {"fields_train", "segment"}), ("classify", {"crops_train", "classify"})],
)
def test_a_model_folder_that_changes_under_its_name_redoes_the_stages_that_read_it(
    section: str, names: set[str], tmp_path: Path
) -> None:
    asked = {"crops": {section: {"model": str(tmp_path / "m")}}}

    def drawn() -> dict[str, object]:
        plan = Plan(load_config([], asked))
        return {stage.name: plan.settings(stage)["made_by"] for stage in STAGES}

    absent = drawn()
    (tmp_path / "m").mkdir()
    (tmp_path / "m/manifest.json").write_text("one", encoding="utf-8")
    sealed = drawn()
    (tmp_path / "m/approval.json").write_text("yes", encoding="utf-8")
    approved = drawn()
    assert drawn() == approved
    for before, after in ((absent, sealed), (sealed, approved)):
        assert {name for name in after if after[name] != before[name]} == names


def test_the_page_of_a_county_holds_the_costs_of_absent_inputs() -> None:
    page = (ROOT / "docs/run-a-county.md").read_text(encoding="utf-8")
    assert absent_table() in page
    assert with_absences(page) == page


@pytest.mark.parametrize(
    ("section", "names"),
    [("segment", {"fields_train", "segment"}), ("classify", {"crops_train"})],
)
def test_a_gpu_is_claimed_where_the_configuration_says_cuda_and_by_no_other_stage(
    section: str, names: set[str]
) -> None:
    asked = {"crops": {section: {"device": "cuda"}}}
    for stage in STAGES:
        assert Plan(load_config()).gpus(stage) == 0
        assert Plan(load_config([], asked)).gpus(stage) == int(stage.name in names)
