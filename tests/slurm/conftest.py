"""Two tiny counties, run once on this machine alone, and a SLURM cluster to run them on again.

Many minutes on two processors: they run where `FIELDLINE_REQUIRE` names slurm (`.ci/slurm`) and are
skipped everywhere else, installed or not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.slurm.cluster import Cluster, loopback_cluster, missing_programs
from tests.workflows.conftest import ROOT, TINY, ChainRun

COUNTIES = ("SIM001", "SIM002")
SEASONS = ("2023", "2024")


def province(folder: Path, results: str) -> ChainRun:
    """Write a configuration of the two counties; every run of one folder has the same inputs.

    The crop model claims a GPU of the scheduler and, without a network, computes on none.
    """
    default = yaml.safe_load((ROOT / "workflows/config/default.yaml").read_text(encoding="utf-8"))
    simulated = folder / "simulated"
    county = json.dumps(default["county"]["SIM001"]).replace("{results}/simulated", str(simulated))
    document = {
        "results": str(folder / results),
        "counties": list(COUNTIES),
        "seasons": list(SEASONS),
        "simulate": TINY,
        "lending": {"risk": {"search": 0}},
        "crops": {"classify": {"network": "never", "device": "cuda"}},
        "county": {name: json.loads(county) for name in COUNTIES},
    }
    path = folder / f"{results}.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return ChainRun(path, folder / results, simulated)


@pytest.fixture(scope="session")
def slurm_programs() -> None:
    """The daemons and commands of SLURM with its accounting."""
    if "slurm" not in os.environ.get("FIELDLINE_REQUIRE", "").split(","):
        pytest.skip("needs SLURM and many minutes: .ci/slurm installs and runs it")
    lost = missing_programs()
    if lost:
        pytest.fail(f"FIELDLINE_REQUIRE names slurm, but there is no {', '.join(lost)}")


@pytest.fixture(scope="session")
def on_one_machine(slurm_programs: None, tmp_path_factory: pytest.TempPathFactory) -> ChainRun:
    """The counties' results as this machine makes them without a scheduler."""
    run = province(tmp_path_factory.mktemp("province"), "alone")
    result = run.fieldline("run")
    assert result.returncode in (0, 3), result.stdout + result.stderr
    return run


@pytest.fixture(scope="session")
def cluster(slurm_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One controller, two nodes, accounting."""
    with loopback_cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running
