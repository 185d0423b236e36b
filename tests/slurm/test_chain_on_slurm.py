"""Two counties and two seasons through SLURM: resources are asked for, a lost node costs time.

Minutes on two processors, so `.ci/slurm` runs it and the ordinary tests do not.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fieldline.lending.store.database import open_database
from fieldline.lending.store.verify import verify
from fieldline.workflows.config.load import load_config
from fieldline.workflows.plan import Plan
from fieldline.workflows.stage import Stage
from fieldline.workflows.stages import STAGES
from tests.slurm.cluster import ACCOUNT, PARTITION, Cluster
from tests.slurm.conftest import COUNTIES, SEASONS, province
from tests.workflows.conftest import ROOT, ChainRun
from tests.workflows.test_chain import digests, table_rows

pytestmark = pytest.mark.timeout(5400)


@dataclass(frozen=True)
class OnSlurm:
    """A run that lost a node and the controller on its way."""

    run: ChainRun
    lost: int
    """Processes of the node when it was lost."""
    jobs: list[dict[str, str]]
    """The accounting's record, a line for each time that a job was started."""


@pytest.fixture(scope="module")
def on_slurm(cluster: Cluster, on_one_machine: ChainRun) -> OnSlurm:
    folder = on_one_machine.config.parent
    run = province(folder, "slurm")
    command = [sys.executable, "-m", "fieldline.workflows.cli", "run", "--profile", "slurm"]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [*command, "--config", str(run.config)], cwd=ROOT, env=cluster.environment,
            stdout=said, stderr=said,
        )  # fmt: skip
        until(lambda: cluster.has_saved() and cluster.busy("node1") > 0, process)
        lost = cluster.kill_node("node1")
        cluster.kill_controller()
        cluster.start_controller()
        until(
            lambda: "node1" in cluster.ask("sinfo", "-h", "-N", "-t", "down", "-o", "%N"), process
        )
        cluster.start_node("node1")
        status = process.wait(timeout=3600)
    assert status in (0, 3), (folder / "said").read_text()
    return OnSlurm(run, lost, cluster.jobs())


def until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait while the run goes on."""
    while not true():
        assert process.poll() is None, "the run ended before it"
        time.sleep(0.5)


def rule_of(job: dict[str, str]) -> str:
    """Return the rule that a job runs, or the name under which its rules stand together."""
    said = job["Comment"].removeprefix("rule_")
    return said.split("_wildcards_")[0] if "_wildcards_" in said else said.split("_")[0]


def test_a_run_that_lost_a_node_and_the_controller_makes_the_bytes_of_one_machine(
    on_slurm: OnSlurm, on_one_machine: ChainRun
) -> None:
    assert on_slurm.lost > 0
    assert "NODE_FAIL" in {job["State"] for job in on_slurm.jobs}
    assert unposted(on_slurm.run) == unposted(on_one_machine)
    engine = open_database(on_slurm.run.results / "fieldline.sqlite")
    report = verify(engine)
    engine.dispose()
    assert report.problems == ()
    live = [row[2:5] for row in table_rows(on_slurm.run.results / "fieldline.sqlite", "offers")
            if "live" in row]  # fmt: skip
    assert len(live) == len(set(live)) > 0


def unposted(run: ChainRun) -> dict[str, str]:
    """Return what a run made but for what tells of the store.

    The counties have the same farmers, whose line of one shelf counts on the others: whichever is
    posted first, and a scheduler says which.
    """
    posted = re.compile(r"offers|review_queue|outcomes\.parquet|report\.html")
    return {name: value for name, value in digests(run.results).items() if not posted.search(name)}


def memory(stage: Stage) -> set[str]:
    """Return how the scheduler writes what a job of a county of some hundred parcels claims at its
    first and second attempt."""
    return {
        f"{claimed * tried}M"
        for claimed in range(stage.memory_mb(0), stage.memory_mb(1000) + 1) for tried in (1, 2)
    }  # fmt: skip


def test_each_job_asks_the_scheduler_for_what_its_stage_declares(on_slurm: OnSlurm) -> None:
    assert {(job["Account"], job["Partition"]) for job in on_slurm.jobs} == {(ACCOUNT, PARTITION)}
    alone = {stage.name: stage for stage in STAGES if not stage.together}
    asked = [job for job in on_slurm.jobs if rule_of(job) in alone]
    assert {rule_of(job) for job in asked} == set(alone)
    plan = Plan(load_config([on_slurm.run.config]))
    for job in asked:
        stage = alone[rule_of(job)]
        assert job["ReqTRES"].split("mem=")[1].split(",")[0] in memory(stage)
        assert int(job["TimelimitRaw"]) == stage.minutes
        assert ("gres/gpu=1" in job["ReqTRES"]) == (stage.name == "crops_train")
        assert int(job["AllocCPUS"]) == plan.threads(stage)


def test_every_stage_that_stands_together_is_one_job_of_its_county(on_slurm: OnSlurm) -> None:
    done = [job for job in on_slurm.jobs if job["State"] == "COMPLETED"]
    together = {stage.together for stage in STAGES if stage.together}
    found = [rule_of(job) for job in done]
    # The agronomy of a season reads that of the season before: one job for both.
    for name in together:
        assert found.count(name) == len(COUNTIES) * (1 if name == "agronomy" else len(SEASONS))


def test_the_engine_log_names_the_jobs_of_the_scheduler(on_slurm: OnSlurm) -> None:
    log = Path(on_slurm.run.results / "logs/snakemake.log").read_text(encoding="utf-8")
    named = set(re.findall(r"SLURM jobid '?(\d+)'?", log))
    assert named == {job["JobID"] for job in on_slurm.jobs}
