"""The tiny county by pods of a Kubernetes that is played: what is posted, and what jobs then make.

The API is `tests.services.kubernetes_api`: no scheduler, no kubelet and no image, so what a cluster
refuses for want of rights, quota or room is not tried. Manifests are held against the schemas that
Kubernetes publishes, strictly: a field that it does not know is an error. Minutes: `.ci/long`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldline.lending.store.database import open_database
from fieldline.lending.store.signer import KEY_VARIABLE, Signer
from fieldline.lending.store.verify import verify
from fieldline.workflows.stages import STAGES, made_from
from tests.services.kubernetes_api import KubernetesApi
from tests.services.loopback import serving
from tests.workflows.conftest import REAL_KEY, ROOT, ChainRun, tiny_config
from tests.workflows.test_chain import digests

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
VERSIONS = ("1.28", "1.31", "1.34", "1.37")
CLAIM = "fieldline-data"


@dataclass(frozen=True)
class OnKubernetes:
    """A finished run."""

    run: ChainRun
    posted: list[dict[str, Any]]
    secrets_left: int

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Pods' specifications, one a job."""
        return [job["spec"]["template"]["spec"] for job in self.posted if job["kind"] == "Job"]


@pytest.fixture(scope="module")
def on_kubernetes(tiny_run: ChainRun, tmp_path_factory: pytest.TempPathFactory) -> OnKubernetes:
    volume = tiny_run.config.parent
    pods = tmp_path_factory.mktemp("pods")
    run = tiny_config(volume, "cluster", tiny_run.simulated)
    profile = pods / "profile"
    profile.mkdir()
    own = yaml.safe_load((ROOT / "workflows/profiles/kubernetes/config.yaml").read_text())
    own |= {"kubernetes-persistent-volumes": [f"{CLAIM}:{volume}"], "latency-wait": 5}
    (profile / "config.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    command = [sys.executable, "-m", "fieldline.workflows.cli", "run", "--profile", str(profile)]
    with serving(KubernetesApi(folder=pods)) as api:
        api.write_account(pods / "account")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KUBECONFIG", str(pods / "account"))
            patch.setenv(KEY_VARIABLE, REAL_KEY)
            ended = subprocess.run(
                [*command, "--config", str(run.config)], cwd=ROOT, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
        api.end()
    assert ended.returncode in (0, 3), ended.stdout + ended.stderr
    return OnKubernetes(run, api.posted, len(api.secrets))


def test_pods_make_the_bytes_of_one_machine_up_to_the_fitted_models(
    on_kubernetes: OnKubernetes, tiny_run: ChainRun
) -> None:
    fitted = {"crops_train", "risk_train"}
    for stage in STAGES:
        fitted |= {stage.name} if made_from(stage) & fitted else set()
    before = [stage for stage in STAGES if stage.name not in fitted]
    names = {path for stage in before for path in (*stage.makes.values(), stage.outcomes)}
    found, alone = (
        {name: value for name, value in digests(run.results).items()
         if name.split("/", 2)[-1] in names}
        for run in (on_kubernetes.run, tiny_run)
    )  # fmt: skip
    assert found == alone
    assert len(found) > 20
    assert digests(on_kubernetes.run.results).keys() == digests(tiny_run.results).keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid_by_the_schema_of_kubernetes(
    on_kubernetes: OnKubernetes, version: str, tmp_path: Path
) -> None:
    program = shutil.which("kubernetes-validate")
    if program is None:
        pytest.skip("no kubernetes-validate: .ci/kubernetes installs it")
    assert {document["kind"] for document in on_kubernetes.posted} == {"Job", "Secret"}
    file = tmp_path / "posted.yaml"
    file.write_text(yaml.safe_dump_all(on_kubernetes.posted), encoding="utf-8")
    asked = [program, "--strict", "--kubernetes-version", version, str(file)]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_job_claims_what_its_stages_declare_and_mounts_the_volume(
    on_kubernetes: OnKubernetes,
) -> None:
    least, most = ({s.name: s.memory_mb(rows) for s in STAGES} for rows in (0, 1000))
    ran = set[str]()
    for job in on_kubernetes.jobs:
        (container,) = job["containers"]
        assert container["image"] == "fieldline:0.2.0"
        rules = rules_of(container["args"][1])
        ran |= rules
        asked = int(container["resources"]["requests"]["memory"].removesuffix("M"))
        # Stages that stand together may run side by side in their pod.
        assert max(least[rule] for rule in rules) <= asked <= sum(most[rule] for rule in rules)
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        claims = {v["name"]: v.get("persistentVolumeClaim") for v in job["volumes"]}
        assert claims[CLAIM] == {"claimName": CLAIM}
        assert on_kubernetes.run.results.is_relative_to(mounts[CLAIM])
    assert ran == least.keys()


def rules_of(command: str) -> set[str]:
    """Return the rules that a job's command line runs."""
    found = re.search(r"--allowed-rules (.*?) --", command)
    assert found is not None, command
    return set(found[1].split())


def test_keys_reach_the_jobs_as_a_secret_that_ends_with_the_run(
    on_kubernetes: OnKubernetes,
) -> None:
    engine = open_database(on_kubernetes.run.results / "fieldline.sqlite")
    report = verify(engine, Signer("test", REAL_KEY.encode()))
    engine.dispose()
    assert (report.problems, report.keyed) == ((), "sealed")
    assert on_kubernetes.secrets_left == 0
    assert all(REAL_KEY not in str(job) for job in on_kubernetes.jobs)
